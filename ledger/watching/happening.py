"""What those who follow a ledger tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ledger.errors import ChainError, FedtrailError, Reverted
from ledger.records import Grade, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that was found or done."""

    what: str
    """replayed, or the step that was taken."""
    round_id: int
    """Number within the ledger."""
    number: int | None = None
    """Number within the task, where that is known."""
    verdict: Verdict | None = None
    """Of a replay."""
    grade: Grade | None = None
    """Of a replay."""
    error: FedtrailError | None = None
    """First finding of a replay, or why a step could not be taken."""
    message: str = ""
    """More, in words."""
    tx: bytes | None = None
    """Hash of the transaction that it took, 32 bytes."""


class Player(Protocol):
    """Somebody with moves of its own to make, in games or against demands."""

    def look(self) -> Iterator[Happening]:
        """Make every move that is due, and tell it."""


def guard(round_id: int, happenings: Iterator[Happening]) -> Iterator[Happening]:
    """Yield what happened about a round; a failure is told, and keeps nobody from looking at the next round.

    Raises: ChainError: the node or the store does not answer, which says nothing about the round.
    """
    try:
        yield from happenings
    except Reverted as error:
        yield Happening(what="refused", round_id=round_id, error=error)
    except ChainError:
        raise
    except FedtrailError as error:
        yield Happening(what="refused", round_id=round_id, error=error)
    except Exception as bug:  # bytes of strangers must not blind a watcher to all other rounds
        unexpected = FedtrailError(f"unexpected failure: {type(bug).__name__}: {bug}")
        yield Happening(what="refused", round_id=round_id, error=unexpected)
