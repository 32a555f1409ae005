"""The section of a round script that has scores of its clients recorded."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from ledger.scoring import KINDS
from ledger.script.sections import Section

DEFAULT_KINDS = ("anomaly", "trust", "influence", "effort")


def _verify_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"expected one of {', '.join(KINDS)}")
    return kind


Kind = Annotated[str, AfterValidator(_verify_kind)]


class ScoresSection(Section):
    """Scores that the aggregator records of every finalised round; each kind is a transaction a round."""

    record: Annotated[tuple[Kind, ...], Field(strict=False, min_length=1)] = DEFAULT_KINDS
    """Kinds of scores (docs/monitoring.md)."""
