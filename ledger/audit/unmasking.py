"""Checks (7) and (11) of a masked round: which seeds the proposal reveals, and the sum that they leave (§11).

A fast path may compute; when it disagrees with the chain, `spec` computes again and only that accuses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ledger import commitments, spec
from ledger.aggregation.masks import compute_unmasked_sum
from ledger.audit.notes import Notes
from ledger.audit.updates import Included


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


def compute_sum(
    notes: Notes, masked: Sequence[NDArray[np.int32]], reveals: Sequence[spec.Reveal], proposed: bytes
) -> NDArray[np.int32]:
    """Return the sum without the revealed masks, int32[d]: of the fast path if that is the proposed one.

    Args: masked: n rows int32[d]. proposed: root of the aggregate on the chain.
    """
    result = compute_unmasked_sum(masked, reveals)
    if commitments.compute_vector_root(result, notes.record.task.model_log2) == proposed:
        return result
    return np.array(spec.compute_unmasked_sum([row.tolist() for row in masked], reveals), dtype=np.int32)
