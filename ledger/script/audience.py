"""The section `audience:` of a round script: updates are encrypted to those who must read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from ledger.script.events import MalformEvent
from ledger.script.sections import Amount, Section
from ledger.spec.audience import MAX_READERS
from ledger.units import parse_wei

if TYPE_CHECKING:
    from ledger.script import Place, Script

MAX_AUDITORS = 16


class AudienceSection(Section):
    """Who may read updates (docs/encryption.md): the aggregator of the round, attestors if there are any, auditors."""

    auditors: int = Field(default=1, ge=0, le=MAX_AUDITORS)
    """Participants that are there to replay; the run registers them."""
    others: Annotated[tuple[Annotated[int, Field(ge=1, le=2**32 - 1)], ...], Field(strict=False)] = ()
    """Participants that were registered elsewhere and replay, too, by number; each has announced a key."""
    stake: Amount = "1 ether"
    """Stake of each auditor, who is registered as an attestor."""

    @property
    def stake_wei(self) -> int:
        """Stake of each auditor in wei."""
        return parse_wei(self.stake)

    def label(self, attestors: int) -> str:
        """Return who reads updates, for people. Args: attestors: of the script."""
        roles = ((attestors, "attestor"), (self.auditors + len(self.others), "auditor"))
        others = [f"{count} {role}{'s' if count > 1 else ''}" for count, role in roles if count]
        return "encrypted to " + " and ".join(["the aggregator", *others])


def check_audience(script: Script) -> Iterator[tuple[Place, str]]:
    """Yield what the section `audience:` of a script contradicts."""
    if script.audience is None:
        return
    attestors, others = script.availability.attestors if script.availability else 0, script.audience.others
    readers = script.audience.auditors + len(others) + attestors + 2
    if len(set(others)) < len(others):
        yield ("audience", "others"), "'audience.others' names a participant twice"
    if readers > MAX_READERS:
        yield ("audience", "auditors"), f"an update would have {readers} readers, at most {MAX_READERS} are possible"
    for index, event in enumerate(script.events):
        if isinstance(event, MalformEvent) and event.malform == "oversized":
            yield ("events", index, "malform"), "an oversized update cannot be sealed to an audience"
