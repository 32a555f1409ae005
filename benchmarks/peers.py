"""The same rules in ByzFL and Flower, for comparisons of speed and of results. Neither is a dependency.

    python3 -m venv PEERS && PEERS/bin/pip install flwr==1.41.0 && PEERS/bin/pip install --no-deps byzfl==0.0.11

Then give the folder PEERS/lib/python3.x/site-packages. `import byzfl` itself would need torchvision for its data sets;
only its aggregators are imported here, which need torch and scipy. Its Krum takes n − f − 1 neighbours, the paper's and
ours n − f − 2.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32] | NDArray[np.float64]
Rule = Callable[[Floats, int], Floats]
"""Given float[n, d] and f."""


def add_path(folder: Path) -> None:
    """Let imports find the peers, after everything of this environment."""
    sys.path.append(str(folder))


def load_byzfl() -> dict[str, Rule]:
    """Return ByzFL's rules by our names, with its numpy backend. Raises: ModuleNotFoundError."""
    aggregators = _import_without_parent("byzfl", "byzfl.aggregators.aggregators")
    before = importlib.import_module("byzfl.aggregators.preaggregators")

    def mix_then_trim(x: Floats, f: int) -> Floats:
        return aggregators.TrMean(f)(before.NNM(f)(x))

    return {
        "mean": lambda x, f: aggregators.Average()(x),
        "median": lambda x, f: aggregators.Median()(x),
        "trimmed-mean": lambda x, f: aggregators.TrMean(f)(x),
        "krum": lambda x, f: aggregators.Krum(f)(x),
        "multi-krum": lambda x, f: aggregators.MultiKrum(f)(x),
        "nnm+trimmed-mean": mix_then_trim,
    }


def load_byzfl_as_published() -> dict[str, Rule]:
    """Return those of ByzFL's rules that are the papers', for comparisons of results. Raises: ModuleNotFoundError.

    Its Krum is told f + 1, which gives the paper's number of neighbours; its Multi-Krum cannot be told both that and
    how many to keep.
    """
    rules = load_byzfl()
    aggregators = sys.modules["byzfl.aggregators.aggregators"]
    return {
        **{name: rules[name] for name in ("mean", "median", "trimmed-mean", "nnm+trimmed-mean")},
        "meamed": lambda x, f: aggregators.Meamed(f)(x),
        "krum": lambda x, f: aggregators.Krum(f + 1)(x),
    }


def _import_without_parent(package: str, name: str) -> ModuleType:
    """Import a module of a package whose own __init__ is not run."""
    if package not in sys.modules:
        spec = importlib.machinery.PathFinder.find_spec(package, sys.path)
        if spec is None or spec.submodule_search_locations is None:
            raise ModuleNotFoundError(package, name=package)
        parent = ModuleType(package)
        parent.__path__ = list(spec.submodule_search_locations)
        sys.modules[package] = parent
    return importlib.import_module(name)


def load_flower() -> dict[str, Rule]:
    """Return Flower's rules by our names. Raises: ModuleNotFoundError."""
    flower = importlib.import_module("flwr.server.strategy.aggregate")

    def pack(x: Floats) -> list[tuple[list[Floats], int]]:
        return [([row], 1) for row in x]

    return {
        "mean": lambda x, f: flower.aggregate(pack(x))[0],
        "median": lambda x, f: flower.aggregate_median(pack(x))[0],
        "trimmed-mean": lambda x, f: flower.aggregate_trimmed_avg(pack(x), f / len(x))[0],
        "krum": lambda x, f: flower.aggregate_krum(pack(x), f, 0)[0],
        "multi-krum": lambda x, f: flower.aggregate_krum(pack(x), f, len(x) - f)[0],
    }


def describe() -> dict[str, str]:
    """Return the peers' versions."""
    return {name: metadata.version(name) for name in ("byzfl", "flwr")}
