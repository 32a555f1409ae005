"""Attacks of several clients that know all honest updates and the rule: what they send is worked out together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fl.attacks.attack import Attack, Cohort, Deltas, make_generator
from ledger.errors import UsageError

Vector = NDArray[np.float32]
STRENGTHS = np.geomspace(0.05, 50, 25)
"""Strengths that an attacker tries when it optimises."""


def _verify_strength(strength: float) -> None:
    if not (math.isfinite(strength) and strength >= 0):
        raise UsageError(f"strength is {strength}, allowed are finite numbers from 0; 0 optimises", field="strength")


def _repeat(vector: Vector, own: Deltas) -> Deltas:
    return np.tile(vector.astype(np.float32), (len(own), 1))


def find_strongest(make: Callable[[float], Deltas], cohort: Cohort) -> Deltas:
    """Return the updates, over STRENGTHS, that move the aggregate farthest from the honest mean.

    Args: make: what the attackers send, by strength.
    """
    mean = cohort.honest.mean(axis=0)

    def damage(strength: float) -> float:
        moved = cohort.aggregate(np.concatenate([cohort.honest, make(strength)]))
        return float(np.linalg.norm(moved - mean))

    return make(max(map(float, STRENGTHS), key=damage))


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerProduct(Attack):
    """Send -strength times the honest mean: the aggregate's inner product with the true gradient turns negative.

    Xie et al. 2020 (IPM), arXiv:1903.03936. Strength 0: the one that moves this rule's aggregate farthest.

    Raises:
        UsageError: the strength is negative or not finite.
    """

    name: ClassVar[str] = "ipm"
    colludes: ClassVar[bool] = True

    strength: float = 0.5
    """How long the reversed mean is."""

    def __post_init__(self) -> None:
        _verify_strength(self.strength)

    def poison_cohort(self, own: Deltas, cohort: Cohort) -> Deltas:
        """Return one reversed mean for all."""
        mean = cohort.honest.mean(axis=0)
        if self.strength:
            return _repeat(-self.strength * mean, own)
        return find_strongest(lambda strength: _repeat(-strength * mean, own), cohort)


@dataclass(frozen=True, slots=True, kw_only=True)
class LittleIsEnough(Attack):
    """Send mean - z std of the honest updates: within their spread, and always to one side.

    Baruch et al. 2019 (ALIE), arXiv:1902.06156. Strength is z; 0: the one that moves this rule's aggregate farthest.

    Raises:
        UsageError: the strength is negative or not finite.
    """

    name: ClassVar[str] = "alie"
    colludes: ClassVar[bool] = True

    strength: float = 1.5
    """Standard deviations from the mean."""

    def __post_init__(self) -> None:
        _verify_strength(self.strength)

    def poison_cohort(self, own: Deltas, cohort: Cohort) -> Deltas:
        """Return one shifted mean for all."""
        mean, spread = cohort.honest.mean(axis=0), cohort.honest.std(axis=0)
        if self.strength:
            return _repeat(mean - self.strength * spread, own)
        return find_strongest(lambda strength: _repeat(mean - strength * spread, own), cohort)


def _push(cohort: Cohort, own: Deltas, fits: Callable[[Vector], bool]) -> Deltas:
    """Return mean + γ p with the largest γ that fits, p the reversed spread of the honest updates, by bisection."""
    mean = cohort.honest.mean(axis=0)
    direction = -cohort.honest.std(axis=0)
    low, high = 0.0, 1.0
    while fits(mean + np.float32(high) * direction) and high < 2.0**20:
        low, high = high, 2 * high
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(mean + np.float32(middle) * direction) else (low, middle)
    return _repeat(mean + np.float32(low) * direction, own)


def _square_distances(vectors: Deltas, to: Vector) -> NDArray[np.float64]:
    squares: NDArray[np.float64] = np.square(vectors.astype(np.float64) - to).sum(axis=1)
    return squares


@dataclass(frozen=True, slots=True, kw_only=True)
class MinMax(Attack):
    """Send the farthest vector whose largest distance to an honest one is below that of two honest ones.

    Shejwalkar and Houmansadr 2021 (Min-Max, agnostic), NDSS; perturbation by the standard deviation.
    """

    name: ClassVar[str] = "min-max"
    colludes: ClassVar[bool] = True

    def poison_cohort(self, own: Deltas, cohort: Cohort) -> Deltas:
        """Return one vector for all."""
        limit = max(_square_distances(cohort.honest, vector).max() for vector in cohort.honest)
        return _push(cohort, own, lambda vector: bool(_square_distances(cohort.honest, vector).max() <= limit))


@dataclass(frozen=True, slots=True, kw_only=True)
class MinSum(Attack):
    """Send the farthest vector whose sum of squared distances to the honest ones is below that of any of them.

    Shejwalkar and Houmansadr 2021 (Min-Sum, agnostic), NDSS; perturbation by the standard deviation.
    """

    name: ClassVar[str] = "min-sum"
    colludes: ClassVar[bool] = True

    def poison_cohort(self, own: Deltas, cohort: Cohort) -> Deltas:
        """Return one vector for all."""
        limit = max(_square_distances(cohort.honest, vector).sum() for vector in cohort.honest)
        return _push(cohort, own, lambda vector: bool(_square_distances(cohort.honest, vector).sum() <= limit))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mimic(Attack):
    """Send what one honest client sends, the one farthest along the main direction: it counts many times.

    Karimireddy et al. 2022, arXiv:2006.09365.
    """

    name: ClassVar[str] = "mimic"
    colludes: ClassVar[bool] = True

    def poison_cohort(self, own: Deltas, cohort: Cohort) -> Deltas:
        """Return copies of one honest update."""
        centred = cohort.honest - cohort.honest.mean(axis=0)
        gram = (centred @ centred.T).astype(np.float64)
        _, vectors = np.linalg.eigh(gram)
        return _repeat(cohort.honest[int(np.argmax(np.abs(vectors[:, -1])))], own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clones(Attack):
    """Send one update under every identity, each with a little noise of its own: Sybils of one attacker.

    Fung et al. 2020 (FoolsGold), arXiv:1808.04866.

    Raises:
        UsageError: the noise is negative or not finite.
    """

    name: ClassVar[str] = "clones"
    colludes: ClassVar[bool] = True

    noise: float = 0.0
    """Standard deviation of the noise, in that of the update."""

    def __post_init__(self) -> None:
        _verify_strength(self.noise)

    def poison_cohort(self, own: Deltas, cohort: Cohort) -> Deltas:
        """Return the first one's update for all."""
        return _disguise(np.tile(own[0], (len(own), 1)), self.noise)


def _disguise(updates: Deltas, noise: float) -> Deltas:
    """Return equal updates, each with noise of its own, its standard deviation in that of the update."""
    drawn = make_generator(updates[0]).standard_normal(updates.shape) * (noise * updates[0].std())
    sent: Deltas = (updates + drawn).astype(np.float32)
    return sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptive(Attack):
    """Try several directions and strengths against the rule itself, and send what moves the aggregate farthest.

    Directions are the reversed mean, its signs, the reversed spread and the attackers' own update. Shejwalkar and
    Houmansadr 2021 (AGR-tailored), NDSS; Fang et al. 2020, arXiv:1911.11815.

    Raises:
        UsageError: the noise is negative or not finite.
    """

    name: ClassVar[str] = "adaptive"
    colludes: ClassVar[bool] = True

    noise: float = 0.0
    """Of each update's own, in standard deviations of the update: against rules that know copies."""

    def __post_init__(self) -> None:
        _verify_strength(self.noise)

    def poison_cohort(self, own: Deltas, cohort: Cohort) -> Deltas:
        """Return the most harmful of all tries."""
        mean, spread = cohort.honest.mean(axis=0), cohort.honest.std(axis=0)
        length = float(np.linalg.norm(mean)) or 1.0
        signs = -np.sign(mean) * np.float32(length / math.sqrt(len(mean)))
        best, worst = own, -1.0
        for direction in (-mean, signs, -spread, own.mean(axis=0) - mean):

            def make(strength: float, along: Vector = direction) -> Deltas:
                return _disguise(_repeat(mean + np.float32(strength) * along, own), self.noise)

            tried = find_strongest(make, cohort)
            moved = cohort.aggregate(np.concatenate([cohort.honest, tried]))
            damage = float(np.linalg.norm(moved - mean))
            if damage > worst:
                best, worst = tried, damage
        return best


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenBackdoor(Attack):
    """Scale poisoned updates so that the rule takes in as much of them as it can be made to.

    Follows a backdoor in a script's events. The strength is the one whose aggregate reaches farthest along the
    attackers' own direction: Bagdasaryan et al. 2020 (constrain-and-scale), arXiv:1807.00459, the rule as constraint.
    """

    name: ClassVar[str] = "hidden"
    colludes: ClassVar[bool] = True

    def poison_cohort(self, own: Deltas, cohort: Cohort) -> Deltas:
        """Return the updates, drawn towards the honest mean or away from it."""
        mean = cohort.honest.mean(axis=0)
        direction = own.mean(axis=0) - mean
        length = float(np.linalg.norm(direction)) or 1.0

        def reach(strength: float) -> float:
            moved = cohort.aggregate(np.concatenate([cohort.honest, self._draw(own, mean, strength)]))
            return float((moved - mean) @ (direction / np.float32(length)))

        return self._draw(own, mean, max(map(float, STRENGTHS), key=reach))

    @staticmethod
    def _draw(own: Deltas, mean: Vector, strength: float) -> Deltas:
        return (mean + np.float32(strength) * (own - mean)).astype(np.float32)
