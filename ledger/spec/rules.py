"""Aggregation rules in exact integers (docs/protocol.md §5).

Every rule is f(clamp(x)) over the included updates in rising client id. No result depends on the order in which
updates arrive: sums are exact and ties are broken by (value, slot).
Papers: trimmed mean and median: Yin et al. 2018; Krum and Multi-Krum: Blanchard et al. 2017.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger.spec.compositions import Composition, Context, evaluate
from ledger.spec.errors import RuleNotApplicable, WrongLength
from ledger.spec.gram import compute_scores_from_distances, select_lowest
from ledger.spec.numbers import clamp, rdiv, saturate32, wrap32
from ledger.spec.rows import ListRows

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
    COMPOSED = 7


COORDINATEWISE = frozenset({Rule.SUM32, Rule.MEAN, Rule.WEIGHTED_MEAN, Rule.MEDIAN, Rule.TRIMMED_MEAN})
"""Rules that may be applied to some coordinates at a time."""
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
    """Trim per side, f for Krum and Multi-Krum, the fewest updates of a composed rule; 0 otherwise."""
    select: int = 0
    """How many updates Multi-Krum averages; 0 otherwise."""
    bound: int
    """Coordinates are clamped to [-bound, bound]."""
    examples_cap: int
    """Largest weight of a client."""
    wei_per_weight: int = 0
    """Stake that a unit of weight needs; 0: the stake does not limit the weight."""
    composition: Composition | None = None
    """Stages of a composed rule."""
    context: Context | None = None
    """What they may read of the round beside updates."""


def compute_min_updates(rule: Rule, parameter: int, select: int = 0) -> int:
    """Return the smallest n for which a rule is defined: 2k + 1 for trimming, 2f + 3 for Krum (Blanchard 2017).

    Of a composed rule the task says it. Of a masked sum (sum32 with a parameter, the number of peers) it is 2.
    """
    if rule is Rule.TRIMMED_MEAN:
        return 2 * parameter + 1
    if rule is Rule.KRUM:
        return 2 * parameter + 3
    if rule is Rule.MULTI_KRUM:
        return max(2 * parameter + 3, parameter + select)
    if rule is Rule.COMPOSED:
        return parameter
    if rule is Rule.SUM32 and parameter:
        return 2  # a masked sum of one update is that update
    return 1


def compute_sum32(column: Vector) -> int:
    """Return the sum modulo 2**32, signed (§5.1): for masked updates, so nothing is clamped."""
    return wrap32(sum(column))


def compute_mean(column: Vector) -> int:
    """Return rdiv(sum, n) (§5.2)."""
    return rdiv(sum(column), len(column))


def compute_weighted_mean(column: Vector, weights: Vector) -> int:
    """Return rdiv(sum of w x, sum of w), 0 where nobody weighs anything (§5.3)."""
    total = sum(weights)
    return rdiv(sum(w * x for w, x in zip(weights, column, strict=True)), total) if total else 0


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


def _by_column(function: Callable[[Vector], int], updates: Sequence[Vector]) -> list[int]:
    return [function(column) for column in zip(*updates, strict=True)]


def aggregate(params: RuleParams, updates: Sequence[Vector], weights: Vector) -> list[int]:
    """Return the aggregate of the included updates: the normative definition of every rule (§5).

    Args: params: from the task, of a composed rule with its stages. updates: n vectors of d int32, clients in rising
        id. weights: one integer ≥ 0 an update (compute_weight); only the weighted mean reads them.
    Raises: RuleNotApplicable: n is below the rule's minimum. WrongLength: vectors of different length, or too few or
        too many weights.
    """
    want = compute_min_updates(params.rule, params.parameter, params.select)
    if params.rule is Rule.SUM32 and params.parameter:
        # Masked updates alone do not say what their masks hide: see masks.compute_unmasked_sum.
        raise RuleNotApplicable(rule="masked sum32", parameter=params.parameter, want=want, got=len(updates))
    if len(updates) < max(want, 1):
        raise RuleNotApplicable(rule=params.rule.name.lower(), parameter=params.parameter, want=want, got=len(updates))
    if len({len(u) for u in updates}) > 1:
        raise WrongLength(got=min(map(len, updates)), want=max(map(len, updates)))
    if params.rule is Rule.SUM32:
        return _by_column(compute_sum32, updates)
    if params.rule is Rule.COMPOSED:
        composition, context = require_composition(params)
        return list(evaluate(composition, ListRows(_clamped(updates, params.bound)), context, params.bound))
    return _aggregate_clamped(params, _clamped(updates, params.bound), weights)


def require_composition(params: RuleParams) -> tuple[Composition, Context]:
    """Return the stages of a composed rule and what they may read.

    Raises: RuleNotApplicable: the parameters do not have them.
    """
    if params.composition is None or params.context is None:
        raise RuleNotApplicable(rule="composed", parameter=params.parameter, want="its stages", got="none")
    return params.composition, params.context


def _clamped(updates: Sequence[Vector], bound: int) -> list[list[int]]:
    return [[clamp(x, bound) for x in update] for update in updates]


def _aggregate_clamped(params: RuleParams, updates: list[list[int]], weights: Vector) -> list[int]:
    if params.rule is Rule.MEAN:
        return _by_column(compute_mean, updates)
    if params.rule is Rule.WEIGHTED_MEAN:
        _verify_weights(weights, len(updates))
        return _by_column(lambda column: compute_weighted_mean(column, weights), updates)
    if params.rule is Rule.MEDIAN:
        return _by_column(compute_median, updates)
    if params.rule is Rule.TRIMMED_MEAN:
        return _by_column(lambda column: compute_trimmed_mean(column, params.parameter), updates)
    count = 1 if params.rule is Rule.KRUM else params.select
    chosen = select_lowest(compute_krum_scores(updates, params.parameter), count)
    return _by_column(compute_mean, [updates[i] for i in chosen])


def _verify_weights(weights: Vector, count: int) -> None:
    if len(weights) != count:
        raise WrongLength(f"{len(weights)} weights for {count} updates", got=len(weights), want=count)


def compute_weight(params: RuleParams, num_examples: int, stake_wei: int) -> int:
    """Return min(num_examples, examples_cap, stake_wei // wei_per_weight) of a client (§5.3).

    Self-reported counts never weigh more than the cap, nor more than the client's stake pays for: so a stake weighs
    the same under one identity and under many.

    Args: num_examples: from the client's update. stake_wei: at the end of the second before the round opened.
    """
    weight = min(num_examples, params.examples_cap)
    needed = params.composition.wei_per_weight if params.composition is not None else params.wei_per_weight
    return min(weight, stake_wei // needed) if needed else weight


def apply_model_step(model_q: Vector, aggregate_q: Vector) -> list[int]:
    """Return the next global model: base plus aggregate, saturating at the int32 range (§5.7).

    Raises: WrongLength: the two differ in length.
    """
    if len(model_q) != len(aggregate_q):
        raise WrongLength(got=len(aggregate_q), want=len(model_q))
    return [saturate32(m + a) for m, a in zip(model_q, aggregate_q, strict=True)]
