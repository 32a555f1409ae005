"""What is measured: rules over n clients and d coordinates, trees over bytes, and the limits of the machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl.speed.timing import Timing, measure, measure_memory
from ledger import spec
from ledger.aggregation import aggregate
from ledger.commitments import compute_matrix_root, compute_vector_root

Int32Array = NDArray[np.int32]

RULES = ("mean", "median", "trimmed-mean", "krum", "multi-krum", "nnm+trimmed-mean")
VALUE_BITS = 20
"""Of the coordinates: normal, of deviation 2**20 / 8, as updates of deviation 1/8 are in Q.20."""
_KINDS = {
    "mean": spec.Rule.MEAN,
    "median": spec.Rule.MEDIAN,
    "trimmed-mean": spec.Rule.TRIMMED_MEAN,
    "krum": spec.Rule.KRUM,
    "multi-krum": spec.Rule.MULTI_KRUM,
}
_CALLS = 5
_LEAF_LOG2, _MATRIX_LOG2 = 8, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """One rule at one size."""

    rule: str
    n: int
    d: int
    f: int
    timing: Timing
    read: Timing
    """Reading the same bytes once (numpy's maximum over int64)."""
    extra_bytes: int
    """Held at most beyond the updates, the result included."""

    @property
    def share(self) -> float:
        """Of the read bandwidth: 1 where the rule takes no longer than reading its input."""
        return self.read.seconds / self.timing.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeResult:
    """One tree at one size."""

    tree: str
    size_bytes: int
    timing: Timing
    plain: Timing
    """SHA-256 of the same bytes at once (hashlib)."""

    @property
    def share(self) -> float:
        """Of plain SHA-256: more than 1 where the tree takes less time."""
        return self.plain.seconds / self.timing.seconds


def count_dishonest(n: int) -> int:
    """Return the f of a size: a fifth, as n = 32, f = 6."""
    return n // 5


def make_updates(n: int, d: int, seed: int) -> Int32Array:
    """Return n updates of d coordinates, int32[n, d]."""
    generator = np.random.Generator(np.random.SFC64(seed))
    updates = np.empty((n, d), dtype=np.int32)
    for row in updates:
        row[:] = generator.standard_normal(d, dtype=np.float32) * (1 << VALUE_BITS - 3)
    return updates


def make_params(rule: str, n: int, f: int) -> spec.RuleParams:
    """Return the parameters of a rule by name, or of a composition's stages, for n clients, f of them dishonest."""
    composed = rule not in _KINDS
    return spec.RuleParams(
        rule=_KINDS.get(rule, spec.Rule.COMPOSED),
        parameter=0 if rule in ("mean", "median") else f,
        select=n - f if rule == "multi-krum" else 0,
        bound=spec.MAX_BOUND,
        examples_cap=1,
        composition=spec.decode_composition(f"{rule}@{f}".encode()) if composed else None,
        context=spec.Context(clients=tuple(range(1, n + 1)), weights=(1,) * n, seed=bytes(32)) if composed else None,
    )


def measure_rules(updates: Int32Array, rules: tuple[str, ...] = RULES, calls: int = _CALLS) -> Iterator[RuleResult]:
    """Yield each rule's result over these updates."""
    n, d = updates.shape
    read = measure(lambda: _read(updates), calls=calls)
    for rule in rules:
        params, weights = make_params(rule, n, count_dishonest(n)), [1] * n

        def work(params: spec.RuleParams = params, weights: list[int] = weights) -> Int32Array:
            return aggregate(params, updates, weights)

        extra = measure_memory(work)
        timing = measure(work, calls=calls, warm=False)
        yield RuleResult(rule=rule, n=n, d=d, f=count_dishonest(n), timing=timing, read=read, extra_bytes=extra)


def _read(updates: Int32Array) -> Any:
    flat = updates.reshape(-1)
    return flat[: flat.size // 2 * 2].view(np.int64).max()


def measure_trees(updates: Int32Array, calls: int = _CALLS) -> Iterator[TreeResult]:
    """Yield the results of a chunk tree over all the bytes in leaves of 1 KiB, and of the matrix tree."""
    flat = updates.reshape(-1)
    plain = measure(lambda: hashlib.sha256(flat.data).digest(), calls=calls)
    trees: dict[str, Callable[[], bytes]] = {
        "chunk tree, leaves of 1 KiB": lambda: compute_vector_root(flat, _LEAF_LOG2),
        f"matrix tree, n = {len(updates)}": lambda: compute_matrix_root(updates, _MATRIX_LOG2),
    }
    for tree, work in trees.items():
        yield TreeResult(tree=tree, size_bytes=updates.nbytes, timing=measure(work, calls=calls), plain=plain)
