"""Replay of a round: recompute everything from what the clients signed (docs/protocol.md §7).

Pure: a record goes in, a report comes out, nothing is fetched. The checks are numbered; a finding names its number.
"""

from __future__ import annotations

from ledger.audit.aggregates import aggregate_by_spec, make_aux_by_spec
from ledger.audit.cohorts import judge_cohort
from ledger.audit.completeness import find_wrong_signature
from ledger.audit.published import decode_published
from ledger.audit.replaying import iter_messages, replay
from ledger.audit.unmasking import aggregate_masked
from ledger.audit.updates import is_published, judge_update, read_seed_table, reason_of

__all__ = [
    "aggregate_by_spec",
    "aggregate_masked",
    "decode_published",
    "find_wrong_signature",
    "is_published",
    "iter_messages",
    "judge_cohort",
    "judge_update",
    "make_aux_by_spec",
    "read_seed_table",
    "reason_of",
    "replay",
]
