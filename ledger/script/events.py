"""What goes wrong in a scripted run, and when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Discriminator, Field, Tag
from pydantic.json_schema import WithJsonSchema

from ledger.script.sections import ClientNumber, ClientNumbers, Section

Malformation = Literal[
    "truncated",
    "trailing-bytes",
    "wrong-version",
    "wrong-shape",
    "nan",
    "out-of-range",
    "oversized",
    "wrong-signer",
    "wrong-round",
    "wrong-chain",
    "wrong-contract",
    "late",
    "duplicate",
]
"""Every way in which `malform` makes a client break the protocol."""

MALFORMATIONS: tuple[str, ...] = get_args(Malformation)
"""Their names."""

_AT = re.compile(r"always|round ([0-9]{1,6})|rounds ([0-9]{1,6})-([0-9]{1,6})")


def _verify_at(text: str) -> str:
    match = _AT.fullmatch(text)
    if match is None:
        raise ValueError("expected 'always', 'round 2' or 'rounds 2-4'")
    if match[2] and int(match[2]) > int(match[3]):
        raise ValueError(f"the first round is after the last: {text}")
    return text


At = Annotated[str, AfterValidator(_verify_at), WithJsonSchema({"type": "string", "pattern": f"^({_AT.pattern})$"})]


class Event(Section):
    """Something at a time."""

    at: At
    """When: `always`, `round 2` or `rounds 2-4`."""

    def covers(self, number: int) -> bool:
        """Tell whether it happens in the round of that number within the run, from 1."""
        first, last = self.span
        return first <= number and (last is None or number <= last)

    @property
    def span(self) -> tuple[int, int | None]:
        """First and last round; None for no end."""
        match = _AT.fullmatch(self.at)
        if match is None or self.at == "always":
            return 1, None
        return (int(match[1]), int(match[1])) if match[1] else (int(match[2]), int(match[3]))

    @property
    def targets(self) -> tuple[int, ...]:
        """Numbers of the clients concerned."""
        return ()


class AttackEvent(Event):
    """Clients that attack the learning."""

    client: ClientNumber | None = None
    """One client."""
    clients: ClientNumbers | None = None
    """Or several."""
    attack: str = Field(min_length=1, max_length=100)
    """Name of the attack (docs/robustness.md), such as sign-flip, backdoor or alie."""
    options: dict[str, int | float | str] = Field(default_factory=dict)
    """Parameters of the attack."""

    @property
    def targets(self) -> tuple[int, ...]:
        """Numbers of the attackers."""
        return self.clients or ((self.client,) if self.client else ())


class DropEvent(Event):
    """Clients that stay silent."""

    drop: ClientNumber | ClientNumbers
    """One client or several."""
    stage: Literal["start", "shares", "commit", "unmask", "decrypt"] = "start"
    """In a masked or homomorphic run, what they do not do any more: say hello, share, commit, unmask or decrypt."""

    @property
    def targets(self) -> tuple[int, ...]:
        """Numbers of the silent clients."""
        return (self.drop,) if isinstance(self.drop, int) else self.drop


class WithholdEvent(Event):
    """Clients that commit and then publish nothing."""

    withhold: ClientNumber | ClientNumbers
    """One client or several."""

    @property
    def targets(self) -> tuple[int, ...]:
        """Numbers of the clients that withhold."""
        return (self.withhold,) if isinstance(self.withhold, int) else self.withhold


class AggregatorEvent(Event):
    """The first aggregator cheats."""

    aggregator: Literal["tamper"]
    """tamper: propose an aggregate with one changed coordinate."""
    coordinate: int | None = Field(default=None, ge=0)
    """The coordinate; 0 if none is given."""


class MalformEvent(Event):
    """A client that breaks the protocol."""

    malform: Malformation
    """How."""
    client: ClientNumber
    """Which."""

    @property
    def targets(self) -> tuple[int, ...]:
        """Number of the client, alone."""
        return (self.client,)


KEYS_OF_KINDS = ("attack", "drop", "withhold", "aggregator", "malform")
"""The key that tells what kind an event is."""


def _find_kind(value: Any) -> str | None:
    if isinstance(value, Mapping):
        return next((f"{key}-event" for key in KEYS_OF_KINDS if key in value), None)
    return None


ScriptEvent = Annotated[
    Annotated[AttackEvent, Tag("attack-event")]
    | Annotated[DropEvent, Tag("drop-event")]
    | Annotated[WithholdEvent, Tag("withhold-event")]
    | Annotated[AggregatorEvent, Tag("aggregator-event")]
    | Annotated[MalformEvent, Tag("malform-event")],
    Discriminator(
        _find_kind,
        custom_error_type="event_kind",
        custom_error_message=f"an event needs one of the keys {', '.join(KEYS_OF_KINDS)}",
    ),
]
"""Any event."""
