"""Discrete Gaussian noise: what is drawn is what was promised, to the last bit."""

from __future__ import annotations

import hashlib
import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fl.privacy.discrete import (
    MAX_VARIANCE,
    bound_exp,
    sample_exactly,
    sample_laplace_exactly,
    sample_noise,
)
from ledger.spec.errors import InvalidTask

SIGNIFICANCE = 1e-6
"""Seeds are fixed: a test fails for all time or for none.."""


class Bytes:
    """The same uniform bytes in every run: SHAKE-256 of a seed."""

    def __init__(self, seed: str) -> None:
        self._hash, self._at = hashlib.shake_256(seed.encode()), 0
        self._pool = b""

    def __call__(self, size: int) -> bytes:
        if self._at + size > len(self._pool):
            self._pool = self._hash.digest(max(1 << 20, 4 * (self._at + size)))
        self._at += size
        return self._pool[self._at - size : self._at]


def compute_p_value(draws: np.ndarray, probability, reach: int) -> float:
    """Chi-square of integers from -reach to reach, tails together, against weights that need no normalising."""
    span = np.arange(-60 * reach, 60 * reach + 1)
    weights = np.array([probability(k) for k in span], dtype=float)
    weights /= weights.sum()
    inner = np.abs(span) <= reach
    counts = np.array([np.count_nonzero(draws == k) for k in span[inner]])
    expected = weights[inner] * len(draws)
    rest = len(draws) - counts.sum(), len(draws) - expected.sum()
    counts, expected = np.append(counts, rest[0]), np.append(expected, rest[1])
    assert expected.min() > 5
    return float(stats.chisquare(counts, expected).pvalue)


def gaussian(variance: float):
    return lambda k: math.exp(-(float(k) ** 2) / (2 * variance))


@pytest.mark.parametrize(("variance", "reach"), [(1, 3), (7, 8), (400, 45)])
def test_noise_is_distributed_as_the_discrete_gaussian(variance, reach):
    draws = sample_noise(60_000, variance, random_bytes=Bytes(f"gaussian {variance}"))
    assert compute_p_value(draws, gaussian(variance), reach) > SIGNIFICANCE


@pytest.mark.parametrize("variance", [Fraction(1, 3), Fraction(5)])
def test_rational_arithmetic_draws_the_same_distribution(variance):
    source = Bytes(f"exact {variance}")
    draws = np.array([sample_exactly(variance, source) for _ in range(6_000)])
    assert compute_p_value(draws, gaussian(float(variance)), 1 if variance < 1 else 5) > SIGNIFICANCE


def test_its_building_block_is_the_discrete_laplace_distribution():
    source = Bytes("laplace")
    draws = np.array([sample_laplace_exactly(3, source) for _ in range(8_000)])
    assert compute_p_value(draws, lambda k: math.exp(-abs(k) / 3), 12) > SIGNIFICANCE


def test_the_test_of_the_distribution_would_notice_a_variance_that_is_six_percent_off():
    draws = sample_noise(60_000, 424, random_bytes=Bytes("off"))
    assert compute_p_value(draws, gaussian(400), 45) < SIGNIFICANCE


@pytest.mark.parametrize("variance", [1, 1000, 3 << 33])
def test_decimal_arithmetic_decides_every_coin_as_double_precision_did(variance):
    fast = sample_noise(400, variance, random_bytes=Bytes("same"))
    slow = sample_noise(400, variance, random_bytes=Bytes("same"), margin=2.0)
    assert fast.tolist() == slow.tolist()


def test_large_noise_has_the_moments_of_its_distribution():
    draws = sample_noise(200_000, 1 << 40, random_bytes=Bytes("moments")) / 2.0**20
    assert abs(draws.mean()) < 5 / math.sqrt(200_000)
    assert abs(draws.var() - 1) < 5 * math.sqrt(2 / 200_000)
    assert stats.kstest(draws, "norm").pvalue > SIGNIFICANCE
    assert np.unique(draws).size > 190_000


def test_noise_comes_from_the_operating_system_and_never_twice():
    assert sample_noise(50, 1 << 30).tolist() != sample_noise(50, 1 << 30).tolist()


@pytest.mark.parametrize("variance", [0, -4, MAX_VARIANCE + 1])
def test_a_variance_out_of_range_is_refused(variance):
    with pytest.raises(InvalidTask, match="noise variance"):
        sample_noise(1, variance)


@given(st.fractions(min_value=0, max_value=60), st.integers(64, 200))
def test_bounds_of_exp_hold_at_every_precision(gamma, bits):
    low, high = bound_exp(gamma, bits)
    with localcontext() as context:
        context.prec = 120
        true = (Decimal(-gamma.numerator) / Decimal(gamma.denominator)).exp() * (1 << bits)
    assert low <= true <= high <= low + 2
