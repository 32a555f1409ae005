"""Auxiliary data and weights: that the posted numbers decide a rule, beyond the shared vectors."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ledger import spec

BOUND = 1000
UPDATES = st.integers(5, 8).flatmap(
    lambda n: st.lists(st.lists(st.integers(-2 * BOUND, 2 * BOUND), min_size=3, max_size=3), min_size=n, max_size=n)
)
WEI = st.integers(0, 1 << 90)


def _krum(**changes: int) -> spec.RuleParams:
    return spec.RuleParams(rule=spec.Rule.MULTI_KRUM, parameter=1, select=2, bound=BOUND, examples_cap=1, **changes)


@given(updates=UPDATES)
def test_posted_distances_give_the_scores_by_which_krum_selects(updates: list[list[int]]) -> None:
    n = len(updates)
    posted = iter(spec.decode_distances(spec.compute_aux(_krum(), updates, [1] * n), count=n))
    matrix = [[0] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1, n):
            matrix[i][j] = matrix[j][i] = next(posted)
    chosen = spec.select_lowest(spec.compute_scores_from_distances(matrix, 1), 2)
    clamped = [[spec.clamp(x, BOUND) for x in updates[slot]] for slot in chosen]
    assert spec.aggregate(_krum(), updates, []) == [spec.compute_mean(column) for column in zip(*clamped, strict=True)]


def test_the_largest_distance_fits_its_bytes() -> None:
    largest = spec.MAX_SIZE * (2 * spec.MAX_BOUND) ** 2
    assert spec.decode_distances(spec.encode_distances([largest]), count=2) == (largest,)


@given(weights=st.lists(st.integers(0, spec.MAX_EXAMPLES_CAP)))
def test_weights_are_what_their_bytes_decode_to(weights: list[int]) -> None:
    assert spec.decode_weights(spec.encode_weights(weights), count=len(weights)) == tuple(weights)


@given(stakes=st.lists(WEI, min_size=1, max_size=5), unit=st.integers(1, 1 << 80))
def test_a_stake_weighs_no_more_under_many_identities_than_under_one(stakes: list[int], unit: int) -> None:
    params = spec.RuleParams(
        rule=spec.Rule.WEIGHTED_MEAN, bound=BOUND, examples_cap=spec.MAX_EXAMPLES_CAP, wei_per_weight=unit
    )
    weights = [spec.compute_weight(params, spec.MAX_NUM_EXAMPLES, stake) for stake in stakes]
    assert all(weight <= Fraction(stake, unit) for weight, stake in zip(weights, stakes, strict=True))
    assert sum(weights) <= max(sum(stakes) // unit, 0)
