"""What privacy a task's rounds cost a client: (ε, δ) from the terms alone, with dp-accounting (the extra `dp`).

ε is an upper bound for the integers that are sent. Clients add discrete Gaussian noise N_Z(0, σ²) to vectors of norm at
most C. The composition of T rounds of *continuous* Gaussian noise is that of one round with σ/√T, whose ε is known in
closed form (Balle and Wang 2018). What is discrete about the noise is added, as the proof in docs/privacy.md has it:

- N_Z(0, σ²) against a rounded Gaussian: at most a = N/8σ² and b = N·3e^(-2π²σ²) + Σk²/8σ⁴, over N = T·d coordinates;
- a sum of h draws of N_Z(0, σ²) against one of N_Z(0, hσ²): τ a coordinate (Kairouz, Liu, Steinke 2021, theorem 9).

Nothing is assumed to be sampled unless it is: of whole updates no client is ever chosen at random, so there is no
amplification. Steps of DP-SGD take each example with a probability, so there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, inf, isqrt, log, pi, sqrt
from typing import Any

from ledger.errors import MissingExtra
from ledger.spec.noise import MICRO, PICO, Noise

_TAIL = 100.0
"""Natural logarithm of the chance, e^-100, with which the noise's length exceeds what `_bound_discreteness` allows."""
CLEARANCE = 14
"""σ that a number format must hold beyond the clip: noise leaves it with a chance below 2e^-98 a coordinate."""
_ORDERS = (*range(2, 65), 96, 128, 256, 512)
"""Of Rényi divergences; whole numbers, for which the sums of sampled noise are finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What rounds have cost a client."""

    epsilon: float
    """Upper bound, by the closed form or by PLD; infinite where nothing is promised."""
    rdp: float
    """The same by Rényi divergences, which is looser: a second opinion of another kind."""
    delta: float
    """δ of both."""

    @property
    def micro_epsilon(self) -> int:
        """ε in 10^-6, rounded up, as it is recorded on chain; 2^63 - 1 where it is more."""
        return (1 << 63) - 1 if self.epsilon > 9e12 else ceil(self.epsilon * MICRO)


def compute_spend(noise: Noise, rounds: int, size: int) -> Spend:
    """Return what a client has spent after some rounds.

    Args: rounds: in which the client sent an update, at least 0. size: coordinates of an update.
    Raises: MissingExtra: dp-accounting is not installed.
    """
    delta = noise.delta / PICO
    if rounds == 0:
        return Spend(epsilon=0.0, rdp=0.0, delta=delta)
    if noise.mechanism == "sample":
        made = _make_event(noise.multiplier / MICRO, noise.rate / MICRO, rounds * noise.steps)
        return Spend(epsilon=_ask("pld", made, delta), rdp=_ask("rdp", made, delta), delta=delta)
    slack = _bound_discreteness(noise, rounds * size)
    # What is improbable (e^-100; noise that leaves the number format, 2e^-98 a coordinate) is paid from δ, not from ε.
    spared = delta * (1 - 1e-9)
    closed = _accounting().get_epsilon_gaussian(compute_multiplier(noise) / sqrt(rounds), spared)
    made = _make_event(compute_multiplier(noise), 1.0, rounds)
    epsilon = closed + slack if exp(min(closed + slack, 700.0) - _TAIL) < delta * 1e-9 else inf
    return Spend(epsilon=epsilon, rdp=_ask("rdp", made, spared) + slack, delta=delta)


def compute_multiplier(noise: Noise) -> float:
    """Return σ of the noise that protects a client over the sensitivity of what it protects."""
    if noise.mechanism == "sample":
        return noise.multiplier / MICRO
    sensitivity = noise.clip * (2 if noise.relation == "replace-one" else 1)
    return sqrt(noise.variance * noise.shares) / sensitivity


def count_affordable_rounds(noise: Noise, size: int, most: int = 100_000) -> int:
    """Return after how many rounds a client's budget does not allow another one, at most `most`."""
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if exceeds(noise, middle, size) is None else (low, middle)
    return low


def exceeds(noise: Noise, rounds: int, size: int) -> float | None:
    """Return ε after some rounds if it is above the budget, else None."""
    epsilon = compute_spend(noise, rounds, size).epsilon
    return epsilon if epsilon > noise.epsilon_budget else None


def find_multiplier(*, epsilon: float, delta: float, rounds: int, rate: float = 1.0) -> float:
    """Return a noise multiplier (σ over sensitivity) that meets a target, with sampling within 1 % of the smallest.

    Args: epsilon, delta: of the guarantee after all rounds. rounds: at least 1. rate: chance of being in a round.
    """
    dp = _accounting()
    if rate == 1.0:
        return float(dp.get_sigma_gaussian(epsilon, delta)) * sqrt(rounds)

    def is_enough(accountant: str, multiplier: float) -> bool:
        return _ask(accountant, _make_event(multiplier, rate, rounds), delta) <= epsilon

    # Divergences are quick and bound the answer from above; PLD, which is slow, only sharpens it.
    high = 0.5
    while not is_enough("rdp", high):
        high *= 1.05
    low = 0.7 * high
    while high - low > 0.01 * low:
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough("pld", middle) else (middle, high)
    return high


def compute_variance(multiplier: float, clip: int, shares: int) -> int:
    """Return σ² of one client's share for a multiplier of their sum, rounded up, at least 1."""
    return max(1, ceil((multiplier * clip) ** 2 / shares))


def fits(noise: Noise, bound: int) -> bool:
    """Return whether clipped updates with their noise stay below the bound of the number format."""
    sigma = isqrt(noise.variance) + 1
    return (0 if noise.mechanism == "central" else noise.clip) + CLEARANCE * sigma <= bound


def _bound_discreteness(noise: Noise, count: int) -> float:
    """Return by how much ε of integers is above that of reals, over `count` coordinates of all rounds."""
    share, total = float(noise.variance), float(noise.variance * noise.shares)
    squares = 2 * total * (count + 2 * sqrt(_TAIL * count) + 2 * _TAIL) + count / 2
    rounding = count / (8 * total) + squares / (8 * total**2) + count * 3 * exp(-min(2 * pi**2 * total, 700.0))
    return rounding + 2 * count * _bound_sum(share, noise.shares)


def _bound_sum(variance: float, shares: int) -> float:
    """τ of theorem 9; k/(k+1) is at least a half."""
    if shares == 1:
        return 0.0
    exponent = log(10 * (shares - 1)) - pi**2 * variance
    return exp(max(exponent, -700.0)) if exponent < 0 else inf


def compute_least_epsilon(true_positive: float, false_positive: float, delta: float) -> float:
    """Return the ε that a distinguisher's rates refute anything below of: log((TPR - δ) / FPR), at least 0.

    Args: true_positive: a lower confidence bound. false_positive: an upper one, positive.
    """
    return max(0.0, log((true_positive - delta) / false_positive)) if true_positive > delta else 0.0


def _make_event(multiplier: float, rate: float, count: int) -> Any:
    dp = _accounting()
    event = dp.GaussianDpEvent(multiplier)
    return dp.SelfComposedDpEvent(dp.PoissonSampledDpEvent(rate, event) if rate < 1.0 else event, count)


def _ask(accountant: str, event: Any, delta: float) -> float:
    from dp_accounting import pld, rdp

    made = pld.PLDAccountant() if accountant == "pld" else rdp.RdpAccountant(_ORDERS)
    return float(made.compose(event).get_epsilon(delta))


def _accounting() -> Any:
    try:
        import dp_accounting
    except ModuleNotFoundError as error:
        raise MissingExtra(feature="privacy accounting", package="dp_accounting", extra="dp") from error
    return dp_accounting
