"""Fast paths of the aggregation rules, equal to `ledger.spec` bit for bit (docs/protocol.md §5).

`aggregate` and `apply_model_step` take and return int32 arrays, `compute_aux` returns bytes. They work a block of
coordinates at a time, so that memory beyond the updates stays at a few megabytes, and every intermediate number is an
exact integer, so that neither the block size nor the number of threads can change a result.
"""

from __future__ import annotations

from ledger.aggregation.cohorts import judge_cohort
from ledger.aggregation.rules import aggregate, apply_model_step, compute_aux, select_updates

__all__ = ["aggregate", "apply_model_step", "compute_aux", "judge_cohort", "select_updates"]
