"""One entry to every rule, and the model step (docs/protocol.md §5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ledger import spec
from ledger.aggregation.blocks import Int32Array, Rows, iter_blocks
from ledger.aggregation.compositions import aggregate_composed, choose_updates
from ledger.aggregation.coordinatewise import (
    compute_mean,
    compute_median,
    compute_sum32,
    compute_trimmed_mean,
    compute_weighted_mean,
)
from ledger.aggregation.distances import compute_distances
from ledger.spec.errors import WrongLength, WrongShape

_MAX_UPDATES = (1 << 16) - 1


def aggregate(params: spec.RuleParams, updates: Int32Array | Rows, weights: Sequence[int]) -> Int32Array:
    """Return what `spec.aggregate` returns for the same input, bit for bit.

    Args: params: from the task. updates: n rows int32[d], or one array of them, clients in rising id. weights: n
        integers >= 0 (spec.compute_weight); only the weighted mean reads them.
    Returns: int32[d].
    Raises: RuleNotApplicable: n is below the rule's minimum. WrongShape: updates are no rows of int32 of one length.
    """
    updates = list_rows(updates)
    if not _is_within_proof(params, updates, weights):
        return _aggregate_by_spec(params, updates, weights)
    rule, bound = params.rule, params.bound
    if rule is spec.Rule.SUM32:
        return compute_sum32(updates)
    if rule is spec.Rule.MEAN:
        return compute_mean(updates, bound)
    if rule is spec.Rule.WEIGHTED_MEAN:
        return compute_weighted_mean(updates, bound, weights)
    if rule is spec.Rule.MEDIAN:
        return compute_median(updates, bound)
    if rule is spec.Rule.TRIMMED_MEAN:
        return compute_trimmed_mean(updates, bound, params.parameter)
    if rule is spec.Rule.COMPOSED:
        return aggregate_composed(*spec.require_composition(params), updates, bound)
    return compute_mean(updates, bound, slots=select_updates(params, updates))


def select_updates(params: spec.RuleParams, updates: Rows) -> list[int]:
    """Return the slots that Krum (one) or Multi-Krum (params.select) averages, rising (§5.6).

    Args: params: of Krum or Multi-Krum. updates: n rows int32[d], n at least the rule's minimum.
    """
    scores = spec.compute_scores_from_distances(compute_distances(updates, params.bound), params.parameter)
    return spec.select_lowest(scores, 1 if params.rule is spec.Rule.KRUM else params.select)


def compute_aux(params: spec.RuleParams, updates: Int32Array | Rows, weights: Sequence[int]) -> bytes:
    """Return what `spec.compute_aux` returns for the same input, bit for bit (§5.8).

    Args: params: from the task. updates: n rows int32[d], or one array of them, clients in rising id. weights: n
        integers of 0 to 2**32 - 1.
    """
    updates = list_rows(updates)
    if params.rule not in (spec.Rule.KRUM, spec.Rule.MULTI_KRUM, spec.Rule.COMPOSED):
        return spec.compute_aux(params, [], weights)  # it is not made of the updates
    if not 1 <= params.bound <= spec.MAX_BOUND:
        return spec.compute_aux(params, [row.tolist() for row in updates], weights)
    if params.rule is spec.Rule.COMPOSED:
        composition, context = spec.require_composition(params)
        if not composition.selects_only:
            return b""
        return spec.encode_choice(choose_updates(composition, context, updates, params.bound), len(updates))
    distances = compute_distances(updates, params.bound)
    return spec.encode_distances([row[j] for i, row in enumerate(distances) for j in range(i + 1, len(row))])


def apply_model_step(model_q: Int32Array, aggregate_q: Int32Array) -> Int32Array:
    """Return base plus aggregate, saturating at the int32 range, as `spec.apply_model_step` does (§5.7).

    Args: model_q, aggregate_q: int32[d].
    Raises: WrongLength: the two differ in length.
    """
    if len(model_q) != len(aggregate_q):
        raise WrongLength(got=len(aggregate_q), want=len(model_q))
    result = np.empty(len(model_q), dtype=np.int32)
    for part in iter_blocks(len(model_q), 1):
        total = np.add(model_q[part], aggregate_q[part], dtype=np.int64)  # below 2**32 in magnitude
        result[part] = np.clip(total, spec.INT32_MIN, spec.INT32_MAX)
    return result


def list_rows(updates: Int32Array | Rows) -> Rows:
    """Return updates as rows, none of them copied.

    Raises: WrongShape: they are no rows of int32 of one length.
    """
    rows = list(updates)
    shapes = {(row.dtype, row.shape) for row in rows} if rows else {(np.dtype(np.int32), (0,))}
    ((dtype, shape), *others) = shapes
    if others or dtype != np.int32 or len(shape) != 1:
        got = ", ".join(sorted(f"{dtype} {list(shape)}" for dtype, shape in shapes))
        raise WrongShape(field="the updates", got=f"rows of {got}", want="rows of int32 [d]")
    return rows


def _is_within_proof(params: spec.RuleParams, updates: Rows, weights: Sequence[int]) -> bool:
    """Return whether the ranges hold from which the modules of this package prove that nothing overflows."""
    n = len(updates)
    return (
        max(1, spec.compute_min_updates(params.rule, params.parameter, params.select)) <= n <= _MAX_UPDATES
        and 1 <= params.bound <= spec.MAX_BOUND
        and (params.rule is not spec.Rule.WEIGHTED_MEAN or _are_weights(weights, n))
    )


def _are_weights(weights: Sequence[int], n: int) -> bool:
    return len(weights) == n and all(0 <= weight <= spec.MAX_EXAMPLES_CAP for weight in weights)


def _aggregate_by_spec(params: spec.RuleParams, updates: Rows, weights: Sequence[int]) -> Int32Array:
    values = spec.aggregate(params, [row.tolist() for row in updates], weights)
    return np.array(values, dtype=np.int64).astype(np.int32)
