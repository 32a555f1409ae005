"""What a client says when it objects to a round: one document, whose digest it puts on chain. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ledger.errors import UsageError
from ledger.spec import NotCanonical

FORMAT = "fedtrail-contest-1"
MAX_REASON = 10_000
"""Longest reason, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """A client's objection. It shows what the client says, never that it is right."""

    chain_id: int
    """EIP-155 chain id."""
    ledger: str
    """Address of the RoundLedger, 0x hex in lower case."""
    round_id: int
    """The round."""
    client: int
    """Who objects."""
    reason: str
    """Why, in words."""
    attachment: str | None
    """CID of what goes with it, such as the update or a log; None for nothing."""

    def encode(self) -> bytes:
        """Return the document. Raises: UsageError: no reason, or a longer one than MAX_REASON."""
        if not 1 <= len(self.reason.strip()) <= MAX_REASON:
            raise UsageError(f"the reason has {len(self.reason)} characters, expected 1 to {MAX_REASON}")
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, indent=1).encode() + b"\n"


def decode_objection(data: bytes) -> Objection:
    """Return what a stranger's document says. Raises: NotCanonical: it is no such document."""
    try:
        content = json.loads(data)
        if content.pop("format") == FORMAT and (found := Objection(**content)).encode() == data:
            return found
    except (ValueError, TypeError, KeyError, AttributeError, UsageError, RecursionError):
        pass
    raise NotCanonical(what="the document is no objection")
