"""The integer rules are the papers' rules: they differ from float64 ones by rounding, and choose the same updates."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import float_rules
import numpy as np
import pytest
from integer_rules import SCALE_BITS, aggregate_integers, make_deltas

LIMIT = 1.02
"""Units of the last place: half for rounding every coordinate, half for rounding the result, and what floats add."""

TIES = ("meamed", "bulyan")
"""They leave out the values farthest from a median; where two are equally far but for rounding, either may stay."""


@pytest.mark.parametrize("rule", float_rules.RULES)
@pytest.mark.parametrize(("n", "f"), [(11, 2), (20, 4)])
def test_a_rule_is_its_papers_but_for_rounding(rule: str, n: int, f: int) -> None:
    for seed in range(3):
        deltas = make_deltas(n, 400, f, seed)
        want = float_rules.RULES[rule](deltas.astype(np.float64), f) * 2**SCALE_BITS
        errors = np.abs(aggregate_integers(rule, deltas, f) - want)
        assert np.count_nonzero(errors > LIMIT) <= (1 if rule in TIES else 0)


@pytest.mark.skipif(not find_spec("byzfl"), reason="make test installs ByzFL")
@pytest.mark.parametrize("rule", ["mean", "median", "trimmed-mean", "meamed", "krum", "nnm+trimmed-mean"])
def test_a_rule_is_byzfls_but_for_rounding(rule: str) -> None:
    sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
    import peers

    deltas = make_deltas(11, 400, 2, 0)
    want = peers.load_byzfl_as_published()[rule](deltas.astype(np.float64), 2) * 2**SCALE_BITS
    assert np.abs(aggregate_integers(rule, deltas, 2) - want).max() <= LIMIT
