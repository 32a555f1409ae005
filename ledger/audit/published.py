"""Vectors that the aggregator published, against their roots on the chain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ledger import commitments, spec
from ledger.errors import FedtrailError
from ledger.records import Fetched, RoundRecord


def decode_published(record: RoundRecord, published: Fetched, root: bytes) -> NDArray[np.int32] | None:
    """Return the values of a published vector if they are what the root on the chain commits to."""
    if published.data is None:
        return None
    try:
        blob = spec.decode_vector(published.data, max_bytes=len(published.data))
    except FedtrailError:
        return None
    values = np.frombuffer(blob.payload, dtype="<i4")
    if blob.header.size != record.task.size:
        return None
    is_meant = commitments.compute_vector_root(values, blob.header.leaf_log2) == root or blob.root() == root
    return values if is_meant else None
