"""Aggregation rules in exact integers (docs/protocol.md §5).

Every rule is f(clamp(x)) over the included updates in rising client id; weights are min(num_examples, cap). No
result depends on the order in which updates arrive: sums are exact and ties are broken by (value, slot).
Papers: trimmed mean and median: Yin et al. 2018; Krum and Multi-Krum: Blanchard et al. 2017.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger.spec.errors import RuleNotApplicable, WrongLength
from ledger.spec.numbers import clamp, rdiv, saturate32, wrap32

Vector = Sequence[int]


class Rule(enum.IntEnum):
    """The rule's number on chain."""

    SUM32 = 0
    MEAN = 1
    WEIGHTED_MEAN = 2
    MEDIAN = 3
    TRIMMED_MEAN = 4
    KRUM = 5
    MULTI_KRUM = 6


RULE_NAMES = {
    "sum32": Rule.SUM32,
    "mean": Rule.MEAN,
    "weighted-mean": Rule.WEIGHTED_MEAN,
    "median": Rule.MEDIAN,
    "trimmed-mean": Rule.TRIMMED_MEAN,
    "krum": Rule.KRUM,
    "multi-krum": Rule.MULTI_KRUM,
}
"""Names in scripts and on screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleParams:
    """A rule and its numbers, all fixed by the task."""

    rule: Rule
    """Which rule."""
    parameter: int = 0
    """Trim per side, or f for Krum and Multi-Krum; 0 otherwise."""
    select: int = 0
    """How many updates Multi-Krum averages; 0 otherwise."""
    bound: int
    """Coordinates are clamped to [-bound, bound]."""
    examples_cap: int
    """Weight of a client: min(num_examples, examples_cap)."""


def compute_min_updates(rule: Rule, parameter: int, select: int = 0) -> int:
    """Return the smallest n for which a rule is defined: 2k + 1 for trimming, 2f + 3 for Krum (Blanchard 2017)."""
    if rule is Rule.TRIMMED_MEAN:
        return 2 * parameter + 1
    if rule is Rule.KRUM:
        return 2 * parameter + 3
    if rule is Rule.MULTI_KRUM:
        return max(2 * parameter + 3, parameter + select)
    return 1


def compute_sum32(column: Vector) -> int:
    """Return the sum modulo 2**32, signed (§5.1): for masked updates, so nothing is clamped."""
    return wrap32(sum(column))


def compute_mean(column: Vector) -> int:
    """Return rdiv(sum, n) (§5.2)."""
    return rdiv(sum(column), len(column))


def compute_weighted_mean(column: Vector, weights: Vector) -> int:
    """Return rdiv(sum of w x, sum of w) (§5.3)."""
    return rdiv(sum(w * x for w, x in zip(weights, column, strict=True)), sum(weights))


def compute_median(column: Vector) -> int:
    """Return the middle value, or rdiv of the sum of the two middle values by 2 (§5.4)."""
    ordered, n = sorted(column), len(column)
    return rdiv(ordered[(n - 1) // 2] + ordered[n // 2], 2)


def compute_trimmed_mean(column: Vector, trim: int) -> int:
    """Return rdiv of what is left without the `trim` lowest and highest values, with multiplicity (§5.5)."""
    kept = sorted(column)[trim : len(column) - trim]
    return rdiv(sum(kept), len(kept))


def compute_squared_distance(a: Vector, b: Vector) -> int:
    """Return the exact squared Euclidean distance of two integer vectors (§5.6)."""
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def compute_krum_scores(updates: Sequence[Vector], f: int) -> list[int]:
    """Return each update's sum of its n - f - 2 smallest squared distances to the others (§5.6)."""
    n = len(updates)
    distances = [[0] * n for _ in range(n)]
    for i in range(n):
        for j in range(i):
            distances[i][j] = distances[j][i] = compute_squared_distance(updates[i], updates[j])
    return compute_scores_from_distances(distances, f)


def compute_scores_from_distances(distances: Sequence[Vector], f: int) -> list[int]:
    """Return Krum scores from the symmetric n × n matrix of squared distances (§5.6)."""
    n = len(distances)
    return [sum(sorted(distances[i][j] for j in range(n) if j != i)[: n - f - 2]) for i in range(n)]


def select_lowest(scores: Vector, count: int) -> list[int]:
    """Return the slots of the `count` lowest scores, ties to the lower slot, in rising slot order (§5.6)."""
    return sorted(sorted(range(len(scores)), key=lambda i: (scores[i], i))[:count])


def _by_column(function: Callable[[Vector], int], updates: Sequence[Vector]) -> list[int]:
    return [function(column) for column in zip(*updates, strict=True)]


def aggregate(params: RuleParams, updates: Sequence[Vector], num_examples: Vector) -> list[int]:
    """Return the aggregate of the included updates: the normative definition of every rule (§5).

    Args: params: from the task. updates: n vectors of d int32, clients in rising id. num_examples: n integers ≥ 1.
    Raises: RuleNotApplicable: n is below the rule's minimum. WrongLength: vectors of different length.
    """
    want = compute_min_updates(params.rule, params.parameter, params.select)
    if len(updates) < max(want, 1):
        raise RuleNotApplicable(rule=params.rule.name.lower(), parameter=params.parameter, want=want, got=len(updates))
    if len({len(u) for u in updates}) > 1:
        raise WrongLength(got=min(map(len, updates)), want=max(map(len, updates)))
    if params.rule is Rule.SUM32:
        return _by_column(compute_sum32, updates)
    return _aggregate_clamped(params, _clamped(updates, params.bound), num_examples)


def _clamped(updates: Sequence[Vector], bound: int) -> list[list[int]]:
    return [[clamp(x, bound) for x in update] for update in updates]


def _aggregate_clamped(params: RuleParams, updates: list[list[int]], num_examples: Vector) -> list[int]:
    if params.rule is Rule.MEAN:
        return _by_column(compute_mean, updates)
    if params.rule is Rule.WEIGHTED_MEAN:
        weights = compute_weights(num_examples, params.examples_cap)
        return _by_column(lambda column: compute_weighted_mean(column, weights), updates)
    if params.rule is Rule.MEDIAN:
        return _by_column(compute_median, updates)
    if params.rule is Rule.TRIMMED_MEAN:
        return _by_column(lambda column: compute_trimmed_mean(column, params.parameter), updates)
    count = 1 if params.rule is Rule.KRUM else params.select
    chosen = select_lowest(compute_krum_scores(updates, params.parameter), count)
    return _by_column(compute_mean, [updates[i] for i in chosen])


def compute_weights(num_examples: Vector, examples_cap: int) -> list[int]:
    """Return min(num_examples, examples_cap) of every client: self-reported counts never weigh more (§5.3)."""
    return [min(count, examples_cap) for count in num_examples]


def apply_model_step(model_q: Vector, aggregate_q: Vector) -> list[int]:
    """Return the next global model: base plus aggregate, saturating at the int32 range (§5.7).

    Raises: WrongLength: the two differ in length.
    """
    if len(model_q) != len(aggregate_q):
        raise WrongLength(got=len(aggregate_q), want=len(model_q))
    return [saturate32(m + a) for m, a in zip(model_q, aggregate_q, strict=True)]
