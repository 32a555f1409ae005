"""Integer rules against float64 ones: the papers' formulas, and ByzFL where it is installed.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/float_reference.py [--peers PEERS] [--write]

Updates of n = 11 and 20 clients, f of them turned around, are rounded to the ledger's format and aggregated in
integers; the float rules get what was there before rounding. Errors are in units of the last place (2^-20). Meamed and
Bulyan leave out the values farthest from a median: where two are equally far but for rounding, either may stay, and
the coordinate differs by more than rounding, in floats as in integers; so the share of coordinates within 1.02 is given
too. tests/fl/test_float_rules.py does the same without ByzFL on every run of the tests.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "support"))

import float_rules
import numpy as np
import peers
from integer_rules import SCALE_BITS, aggregate_integers, make_deltas
from machine import describe_machine

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "float_reference.json"
SETTINGS = ((11, 2), (20, 4))
COORDINATES = 5000
LIMIT = 1.02
"""Units of the last place: half for rounding every coordinate, half for rounding the result, and what floats add."""


def main() -> int:
    """Compare every rule over all seeds; print and keep the errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="site-packages with byzfl")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--write", action="store_true", help=f"keep the result in {RESULT.name}")
    arguments = parser.parse_args()
    sides = {"papers": float_rules.RULES}
    if arguments.peers:
        peers.add_path(arguments.peers)
        sides["byzfl"] = peers.load_byzfl_as_published()
    rows = [
        {"rule": rule, "against": side, "n": n, "f": f, **compare(rule, theirs, n, f, arguments.seeds)}
        for side, rules in sides.items()
        for rule, theirs in rules.items()
        for n, f in SETTINGS
    ]
    document = {
        "format": "fedtrail-float-reference-1",
        "command": f"benchmarks/float_reference.py --peers PEERS --seeds {arguments.seeds} --write",
        "commit": describe_machine()["commit"],
        "python": platform.python_version(),
        "numpy": np.__version__,
        "byzfl": peers.describe()["byzfl"] if arguments.peers else None,
        "coordinates": COORDINATES,
        "seeds": list(range(arguments.seeds)),
        "rows": rows,
    }
    text = json.dumps(document, indent=1) + "\n"
    if arguments.write:
        RESULT.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


def compare(rule: str, theirs: peers.Rule, n: int, f: int, seeds: int) -> dict[str, float]:
    """Return the largest and the median error of all coordinates over all seeds, and the share within the limit."""
    errors = []
    for seed in range(seeds):
        deltas = make_deltas(n, COORDINATES, f, seed)
        ours, want = aggregate_integers(rule, deltas, f), theirs(deltas.astype(np.float64), f)
        errors.append(np.abs(ours - want * 2**SCALE_BITS))
    every = np.concatenate(errors)
    return {
        "worst_error_lsb": round(float(every.max()), 4),
        "median_error_lsb": round(float(np.median(every)), 4),
        "share_within": round(float(np.mean(every <= LIMIT)), 6),
    }


if __name__ == "__main__":
    sys.exit(main())
