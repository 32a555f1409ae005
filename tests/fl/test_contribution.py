"""What clients add: exact values of games, and what a round makes of its coalitions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from round_maker import RoundMaker, base_values, make_task

from fl.contribution.coalitions import read_game
from fl.contribution.games import (
    MAX_EXACT,
    Coalition,
    Utility,
    compute_gtg_shapley,
    compute_leave_one_out,
    compute_shapley,
    count_coalitions,
)
from ledger import errors, spec

SEED = bytes(range(32))


def make_game(seed: int, n: int) -> Utility:
    source = np.random.default_rng(seed)
    values = {
        c: int(source.integers(-99, 100)) for size in range(n + 1) for c in itertools.combinations(range(n), size)
    }
    return values.__getitem__


def average_over_orders(utility: Utility, n: int) -> list[Fraction]:
    """Return Shapley values as the textbook has them: mean marginals over all n! orders."""
    totals = [0] * n
    for order in itertools.permutations(range(n)):
        for place, player in enumerate(order):
            before = tuple(sorted(order[:place]))
            totals[player] += utility(tuple(sorted((*before, player)))) - utility(before)
    return [Fraction(total, factorial(n)) for total in totals]


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_shapley_values_are_mean_marginals_over_all_orders(n: int) -> None:
    utility = make_game(n, n)
    found = compute_shapley(utility, n)
    assert [found.get(player) for player in range(n)] == average_over_orders(utility, n)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 6))
def test_shapley_values_share_out_exactly_what_everybody_adds(seed: int, n: int) -> None:
    utility = make_game(seed, n)
    gained = utility(tuple(range(n))) - utility(())
    exact = compute_shapley(utility, n)
    assert sum(exact.numerators) == gained * exact.denominator
    guessed = compute_gtg_shapley(utility, n, permutations=2 * n, tolerance=0, seed=SEED)
    assert sum(guessed.numerators) == gained * guessed.denominator


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(range(5)))
def test_names_of_players_change_no_value(seed: int, order: Sequence[int]) -> None:
    utility = make_game(seed, 5)

    def renamed(coalition: Coalition) -> int:
        return utility(tuple(sorted(order[player] for player in coalition)))

    for compute in (compute_shapley, compute_leave_one_out):
        here, there = compute(utility, 5), compute(renamed, 5)
        assert [here.get(order[player]) for player in range(5)] == [there.get(player) for player in range(5)]


def test_a_player_that_never_adds_anything_is_worth_nothing_and_alike_ones_the_same() -> None:
    def utility(coalition: Coalition) -> int:
        return 10 * (0 in coalition or 1 in coalition) + 3 * (3 in coalition)

    for found in (
        compute_shapley(utility, 4),
        compute_gtg_shapley(utility, 4, permutations=400, tolerance=0, seed=SEED),
    ):
        assert found.get(2) == 0
        assert found.get(3) == 3
    assert compute_shapley(utility, 4).get(0) == compute_shapley(utility, 4).get(1) == 5


def test_gtg_is_decided_by_its_seed_and_nears_the_exact_values() -> None:
    utility = make_game(8, 6)
    exact = compute_shapley(utility, 6)
    found = [compute_gtg_shapley(utility, 6, permutations=3000, tolerance=0, seed=SEED) for _ in range(2)]
    assert found[0] == found[1]
    assert found[0] != compute_gtg_shapley(utility, 6, permutations=3000, tolerance=0, seed=SEED[::-1])
    assert all(abs(exact.get(i) - found[0].get(i)) < 8 for i in range(6))


def test_gtg_looks_at_no_coalition_that_can_add_no_more_than_the_tolerance() -> None:
    asked: list[Coalition] = []

    def utility(coalition: Coalition) -> int:
        asked.append(coalition)
        return min(len(coalition), 3) * 100 + len(coalition)

    compute_gtg_shapley(utility, 8, permutations=16, tolerance=5, seed=SEED)
    assert max(len(coalition) for coalition in asked if len(coalition) < 8) == 3
    assert not any(compute_gtg_shapley(utility, 8, permutations=16, tolerance=999, seed=SEED).numerators)


def test_exact_values_of_too_many_clients_are_refused() -> None:
    with pytest.raises(errors.UsageError, match="at most 10"):
        compute_shapley(len, MAX_EXACT + 1)
    assert count_coalitions("shapley", 10) == 1024


# ------------------------------------------------------------------------------------------------------------- rounds


def test_everybodys_model_is_the_rounds_own_and_nobodys_the_base() -> None:
    record = RoundMaker().record()
    seen: list[list[int]] = []
    clients, utility = read_game(record, lambda model: len(seen.append(model.tolist()) or seen))
    assert clients == (2, 3, 5, 8, 9)
    utility(tuple(range(5)))
    utility(())
    utility((0, 1))  # the trimmed mean of this task takes three at least
    assert record.model.data is not None
    assert seen[0] == list(spec.decode_vector(record.model.data, max_bytes=1 << 20).values())
    assert seen[1] == seen[2] == base_values()


def test_a_coalitions_model_is_what_the_rule_makes_of_its_updates() -> None:
    record = RoundMaker(task=make_task(rule=spec.Rule.WEIGHTED_MEAN, rule_param=0)).record()
    _, utility = read_game(record, lambda model: int(model[3]))
    values = [[(client * 37 + 9 * 11) % 401 - 200] for client in (3, 8)]
    params = record.task.rule_params()
    assert utility((1, 3)) == base_values()[3] + spec.aggregate(params, values, [30, 80])[0]


def test_masked_updates_have_no_coalitions() -> None:
    with pytest.raises(errors.RuleNotApplicable):
        read_game(RoundMaker(task=make_task(rule=spec.Rule.SUM32, rule_param=0)).record(), len)
