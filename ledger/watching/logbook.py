"""What a watcher has seen, in the project's journal: a restart goes on where it was."""

from __future__ import annotations

from typing import Any

from ledger.journal import Journal


class Logbook:
    """Notes of one watcher: which proposals it has seen, how each was judged, and which are done with."""

    def __init__(self, journal: Journal, prefix: str) -> None:
        self._journal = journal
        self._prefix = prefix

    def first_block(self) -> int | None:
        """Return the block to look from: the last one with a proposal that was seen; None before the first."""
        return max((int(note["block"]) for note in self._read("seen").values()), default=None)

    def see(self, round_id: int, block: int) -> None:
        """Note that a proposal was seen."""
        self._journal.note(self._key("seen", round_id), {"block": block})

    def judge(self, round_id: int, *, is_wrong: bool) -> None:
        """Note that a replay came to an end: what is proved stays so."""
        self._journal.note(self._key("judged", round_id), {"is_wrong": is_wrong})

    def close(self, round_id: int, outcome: str) -> None:
        """Note that nothing is left to do about a round."""
        if self._journal.get_note(self._key("closed", round_id)) is None:
            self._journal.note(self._key("closed", round_id), {"outcome": outcome})

    def list_unjudged(self) -> list[int]:
        """Return the rounds that were seen and are neither judged nor given up, in order."""
        return sorted(set(self._read("seen")) - set(self._read("judged")) - set(self._read("closed")))

    def list_wrong(self) -> list[int]:
        """Return the rounds that were found wrong and with which something may be left to do."""
        wrong = {round_id for round_id, note in self._read("judged").items() if note["is_wrong"]}
        return sorted(wrong - set(self._read("closed")))

    def is_closed(self, round_id: int) -> bool:
        """Whether nothing is left to do about a round."""
        return round_id in self._read("closed")

    def _read(self, what: str) -> dict[int, dict[str, Any]]:
        prefix = f"{self._prefix}/{what}/"
        return {int(key.removeprefix(prefix)): note for key, note in self._journal.notes(prefix).items()}

    def _key(self, what: str, round_id: int) -> str:
        return f"{self._prefix}/{what}/{round_id}"
