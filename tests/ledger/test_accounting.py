"""What rounds cost a client: by closed form, as dp-accounting composes, and never below the exact Gaussian."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.accounting import (
    compute_least_epsilon,
    compute_multiplier,
    compute_spend,
    compute_variance,
    count_affordable_rounds,
    find_multiplier,
    fits,
)
from ledger.spec.errors import NotCanonical
from ledger.spec.noise import Noise, decode_noise

D = 4810
CLIP, SHARES = 1 << 19, 60
SHARED = Noise(
    mechanism="distributed",
    clip=CLIP,
    variance=compute_variance(3.0, CLIP, SHARES),
    shares=SHARES,
    delta=10**7,
    budget=9 * 10**6,
)
LOCAL = Noise(
    mechanism="local", clip=CLIP, variance=compute_variance(3.0, CLIP, 1), shares=1, delta=10**7, budget=9 * 10**6
)
SAMPLED = Noise(
    mechanism="sample", clip=1 << 20, multiplier=1_100_000, rate=100_000, steps=10, delta=10**7, budget=9 * 10**6
)


def compose(multiplier: float, count: int, rate: float = 1.0, delta: float = 1e-5) -> float:
    """Return what dp-accounting says by itself."""
    import dp_accounting
    from dp_accounting import pld

    event = dp_accounting.GaussianDpEvent(multiplier)
    accountant = pld.PLDAccountant()
    accountant.compose(dp_accounting.PoissonSampledDpEvent(rate, event) if rate < 1 else event, count)
    return float(accountant.get_epsilon(delta))


@pytest.mark.parametrize(("multiplier", "rounds"), [(3.0, 30), (6.0, 30), (2.0, 1), (12.0, 7)])
def test_epsilon_is_that_of_dp_accountings_own_composition(multiplier, rounds):
    noise = replace(SHARED, variance=compute_variance(multiplier, CLIP, 60))
    assert compute_spend(noise, rounds, D).epsilon == pytest.approx(compose(multiplier, rounds), abs=1e-6)


def test_sampled_steps_are_amplified_as_dp_accounting_composes_them():
    assert compute_spend(SAMPLED, 3, D).epsilon == pytest.approx(compose(1.1, 30, rate=0.1), abs=1e-6)
    assert compose(1.1, 30) > 3 * compose(1.1, 30, rate=0.1)


@pytest.mark.parametrize("rounds", [1, 30])
def test_epsilon_is_never_below_the_exact_gaussian_and_less_than_one_percent_above(rounds):
    import dp_accounting

    exact = dp_accounting.get_epsilon_gaussian(3.0 / math.sqrt(rounds), 1e-5)
    for noise in (SHARED, LOCAL):
        assert exact <= compute_spend(noise, rounds, D).epsilon <= 1.01 * exact


def test_what_is_coarse_costs_more_than_what_is_fine():
    coarse = replace(LOCAL, clip=16, variance=48**2)
    assert compute_spend(coarse, 30, D).epsilon > compute_spend(LOCAL, 30, D).epsilon + 5


def test_a_sum_of_shares_that_are_hardly_noise_promises_nothing():
    assert compute_spend(replace(SHARED, clip=8, variance=1, shares=600), 30, D).epsilon == math.inf


def test_renyi_divergences_agree_and_are_looser():
    for noise, rounds in ((SHARED, 30), (SAMPLED, 3)):
        spend = compute_spend(noise, rounds, D)
        assert spend.epsilon < spend.rdp < 1.2 * spend.epsilon


def test_replacing_a_client_costs_what_half_the_noise_does():
    halved = replace(SHARED, variance=SHARED.variance // 4)
    assert compute_multiplier(replace(SHARED, relation="replace-one")) == pytest.approx(compute_multiplier(halved))


def test_nothing_sent_is_nothing_spent():
    assert compute_spend(SHARED, 0, D).epsilon == 0


def test_a_budget_allows_the_rounds_that_stay_below_it_and_not_one_more():
    rounds = count_affordable_rounds(SHARED, D)
    assert compute_spend(SHARED, rounds, D).epsilon <= 9 < compute_spend(SHARED, rounds + 1, D).epsilon


@pytest.mark.parametrize("rate", [1.0, 0.2])
def test_the_noise_of_a_plan_meets_its_target_and_little_less_noise_does_not(rate):
    multiplier = find_multiplier(epsilon=3.9, delta=1e-5, rounds=20, rate=rate)
    assert compose(multiplier, 20, rate) <= 3.9 + 1e-6
    assert compose(multiplier * 0.985, 20, rate) > 3.9


def test_recorded_epsilon_is_rounded_up():
    spend = compute_spend(SHARED, 30, D)
    assert 0 <= spend.micro_epsilon - spend.epsilon * 1e6 < 1


def test_a_distinguisher_that_is_right_nine_times_in_ten_refutes_small_epsilons():
    assert compute_least_epsilon(0.9, 0.1, 0.0) == pytest.approx(math.log(9))
    assert compute_least_epsilon(0.1, 0.9, 0.2) == 0


def test_noise_that_would_leave_the_number_format_does_not_fit():
    assert fits(LOCAL, (1 << 23) - 1) is False
    assert fits(SHARED, (1 << 23) - 1) is True


@pytest.mark.parametrize("noise", [SHARED, LOCAL, SAMPLED], ids=lambda noise: noise.mechanism)
def test_a_term_is_read_as_it_was_written(noise):
    assert decode_noise(str(noise)) == noise


@given(st.text(alphabet="localdistributedsample(),=-0123456789clipvarianceshares", max_size=80))
def test_what_is_no_term_is_refused(text):
    with pytest.raises(NotCanonical):
        decode_noise(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("clip=524288", "clip=0524288"),
        ("clip=524288", "clip=0"),
        ("clip=524288", f"clip={1 << 63}"),
        ("clip=524288,", ""),
        ("shares=60", "shares=60,shares=60"),
        ("zero-out", "add-one"),
        ("everybody", "nobody"),
        ("delta=10000000", f"delta={10**12}"),
        ("distributed", "local"),
        ("distributed", "sample"),
        (")", ") "),
        ("variance=41231686042", f"variance={(1 << 48) + 1}"),
    ],
)
def test_a_changed_term_is_refused(old, new):
    text = str(SHARED)
    assert old in text
    with pytest.raises(NotCanonical):
        decode_noise(text.replace(old, new))


def test_accounting_says_which_extra_is_missing(monkeypatch):
    import sys

    from ledger.errors import MissingExtra

    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    with pytest.raises(MissingExtra, match="dp_accounting"):
        compute_spend(SHARED, 1, D)
