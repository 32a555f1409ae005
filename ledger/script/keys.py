"""The section `keys:` of a round script: when a run's parties replace their keys by themselves."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator
from pydantic.json_schema import WithJsonSchema

from ledger.errors import UsageError
from ledger.script.sections import Section
from ledger.units import parse_seconds

_ROUNDS = re.compile(r"([1-9][0-9]{0,5}) rounds?")


def _verify_interval(text: str) -> str:
    try:
        is_never = _ROUNDS.fullmatch(text) is None and parse_seconds(text) == 0
    except UsageError as error:
        raise ValueError(f"expected rounds or a time, such as '3 rounds' or '30d', not '{text}'") from error
    if is_never:
        raise ValueError("a key lasts longer than no time at all")
    return text


Interval = Annotated[str, AfterValidator(_verify_interval), WithJsonSchema({"type": "string"})]


class KeysSection(Section):
    """How long keys last (docs/keys.md)."""

    rotate_every: Interval
    """Rounds of the run (`3 rounds`), or time since the last rotation (`30d`); between two rounds, everybody's keys."""

    def is_due(self, number: int, age_seconds: int) -> bool:
        """Whether a key is replaced before a round.

        Args: number: of the round within the run, from 1. age_seconds: since the key came into force.
        """
        rounds = _ROUNDS.fullmatch(self.rotate_every)
        if rounds is None:
            return age_seconds >= parse_seconds(self.rotate_every)
        return number > 1 and (number - 1) % int(rounds[1]) == 0
