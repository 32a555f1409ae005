"""Scores of clients: exact integers that anybody recomputes from a replayed round (docs/monitoring.md).

formulas.py     each score, from inner products
rounds.py       the scores of a round, and what the next round's build upon
"""

from __future__ import annotations

from ledger.scoring.formulas import ONE, UNIT_BITS
from ledger.scoring.rounds import (
    ANOMALY_LIMIT,
    EFFORT_LIMIT,
    KINDS,
    METHODS,
    RoundScores,
    Sheet,
    Standing,
    can_be_scored,
    compute_method,
    require_single_updates,
    score_round,
    score_updates,
)

__all__ = [
    "ANOMALY_LIMIT",
    "EFFORT_LIMIT",
    "KINDS",
    "METHODS",
    "ONE",
    "UNIT_BITS",
    "RoundScores",
    "Sheet",
    "Standing",
    "can_be_scored",
    "compute_method",
    "require_single_updates",
    "score_round",
    "score_updates",
]
