"""Checks (7) and (11) of a masked round: which seeds the proposal reveals, and the sums that they leave (§11).

A fast path may compute; when it disagrees with the chain, `spec` computes again and only that accuses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ledger import commitments, spec
from ledger.aggregation import aggregate
from ledger.aggregation.masks import compute_group_means, compute_unmasked_sum
from ledger.audit.notes import Notes
from ledger.audit.updates import Included
from ledger.records import RoundRecord


def check_reveals(notes: Notes, included: Included) -> list[spec.Reveal] | None:
    """Check (11): return the revealed seeds, needed or not; None where the list cannot be read."""
    record = notes.record
    try:
        reveals = spec.decode_reveals(record.aux)
    except spec.SpecError as error:
        notes.add("11", error, record.aggregator)
        return None
    try:
        spec.verify_reveals(reveals, included.tables)
    except spec.SpecError as error:
        notes.add("11", error, record.aggregator)
    return reveals


def aggregate_masked(
    record: RoundRecord, clients: Sequence[int], masked: Sequence[NDArray[np.int32]], reveals: Sequence[spec.Reveal]
) -> NDArray[np.int32]:
    """Return the sum without the revealed masks, or the rule over the means of groups, int32[d] (§11.6, §11.13).

    Aggregators call this to propose, auditors to check the proposal.

    Args: clients: participants of the rows, rising. masked: n rows int32[d].
    Raises: RuleNotApplicable: a group has too few updates for a sum, or too few groups have any.
    """
    if record.masking is None:
        return compute_unmasked_sum(masked, reveals)
    means = compute_group_means(masked, clients, reveals, record.groups, record.masking)
    ones = [1] * len(means)
    return aggregate(record.make_rule_params(list(means), ones), np.stack(list(means.values())), ones)


def _aggregate_by_spec(
    record: RoundRecord, clients: Sequence[int], masked: Sequence[NDArray[np.int32]], reveals: Sequence[spec.Reveal]
) -> NDArray[np.int32]:
    if record.masking is None:
        return np.array(spec.compute_unmasked_sum([row.tolist() for row in masked], reveals), dtype=np.int32)
    means = spec.compute_group_means([row.tolist() for row in masked], clients, reveals, record.groups, record.masking)
    ones = [1] * len(means)
    params = record.make_rule_params(list(means), ones)
    return np.array(spec.aggregate(params, list(means.values()), ones), dtype=np.int32)


def compute_masked(
    notes: Notes,
    included: Included,
    masked: Sequence[NDArray[np.int32]],
    reveals: Sequence[spec.Reveal],
    proposed: bytes,
) -> NDArray[np.int32]:
    """Return the aggregate, int32[d]: of the fast path if that is the proposed one, else of the specification.

    Args: masked: n rows int32[d]. proposed: root of the aggregate on the chain.
    Raises: RuleNotApplicable: as aggregate_masked.
    """
    record, clients = notes.record, [member.client for member in included.members]
    result = aggregate_masked(record, clients, masked, reveals)
    if commitments.compute_vector_root(result, record.task.model_log2) == proposed:
        return result
    return _aggregate_by_spec(record, clients, masked, reveals)
