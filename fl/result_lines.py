"""Outcomes of a bench in a file, one line each: whatever ends the process, what was measured stays."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ledger.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CellT = TypeVar("CellT", bound="DataclassInstance")
OutcomeT = TypeVar("OutcomeT", bound="DataclassInstance")


class ResultLines(ABC, Generic[CellT, OutcomeT]):
    """A file of JSON lines: first format and setting, then a cell with its outcome each."""

    FORMAT: ClassVar[str]
    """Name of the format, in the first line."""

    def __init__(self, path: Path, setting: DataclassInstance) -> None:
        """Open or make the file; a last line that was not finished is cut off.

        Raises: ConfigurationError: the file is of another setting, or no such file at all.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        whole = path.read_bytes()
        end = whole.rfind(b"\n") + 1
        if end < len(whole):
            os.truncate(path, end)
        head, *lines = whole[:end].splitlines() or [b""]
        first = {"format": self.FORMAT, "setting": asdict(setting)}
        if not head:
            self._append(first)
        elif _parse(head, path) != first:
            hint = "give another --output, or run what it was made with"
            raise ConfigurationError(f"{path} holds results of another setting", hint=hint, got=head.decode()[:500])
        self.outcomes = dict(self._decode(_parse(line, path)) for line in lines)
        """What is known by cell."""

    @staticmethod
    @abstractmethod
    def make(cell: dict[str, Any], outcome: dict[str, Any]) -> tuple[CellT, OutcomeT]:
        """Return a cell and its outcome from their fields. Raises: KeyError, TypeError: they are no such fields."""

    def add(self, cell: CellT, outcome: OutcomeT) -> None:
        """Keep an outcome."""
        self._append({"cell": asdict(cell), "outcome": asdict(outcome)})
        self.outcomes[cell] = outcome

    def _append(self, document: object) -> None:
        # One write of one whole line: a process that is killed leaves all of it or a beginning without its end.
        with self.path.open("ab", buffering=0) as file:
            file.write(json.dumps(document).encode() + b"\n")

    def _decode(self, document: Any) -> tuple[CellT, OutcomeT]:
        try:
            return self.make(document["cell"], document["outcome"])
        except (KeyError, TypeError) as error:
            raise ConfigurationError(f"{self.path} holds a line that is no result", hint="remove the file") from error


def _parse(line: bytes, path: Path) -> object:
    try:
        return json.loads(line)
    except ValueError as error:
        raise ConfigurationError(f"{path} holds a line that is no JSON", hint="remove the file") from error
