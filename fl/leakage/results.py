"""Outcomes in a file, one line each: whatever ends the process, what was measured stays."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from fl.leakage.cells import Cell, Outcome, Setting
from fl.leakage.measuring import run_cell
from ledger.errors import ConfigurationError

FORMAT = "fedtrail-privacy-1"


class ResultsFile:
    """A file of JSON lines: first the setting, then a cell with its outcome each."""

    def __init__(self, path: Path, setting: Setting) -> None:
        """Open or make the file; a last line that was not finished is cut off.

        Raises: ConfigurationError: the file is of another setting, or no such file at all.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        whole = path.read_bytes()
        end = whole.rfind(b"\n") + 1
        os.truncate(path, end)
        head, *lines = whole[:end].splitlines() or [b""]
        first = {"format": FORMAT, "setting": asdict(setting)}
        if not head:
            self._append(first)
        elif _parse(head, path) != first:
            raise ConfigurationError(f"{path} holds results of another setting", hint="give another --output")
        self.outcomes = dict(_decode(_parse(line, path), path) for line in lines)
        """What is known by cell."""

    def add(self, cell: Cell, outcome: Outcome) -> None:
        """Keep an outcome."""
        self._append({"cell": asdict(cell), "outcome": asdict(outcome)})
        self.outcomes[cell] = outcome

    def _append(self, document: object) -> None:
        with self.path.open("ab", buffering=0) as file:
            file.write(json.dumps(document).encode() + b"\n")


def _parse(line: bytes, path: Path) -> object:
    try:
        return json.loads(line)
    except ValueError as error:
        raise ConfigurationError(f"{path} holds a line that is no JSON", hint="remove the file") from error


def _decode(document: object, path: Path) -> tuple[Cell, Outcome]:
    try:
        outcome = document["outcome"]  # type: ignore[index]  # else it is refused
        return Cell(**document["cell"]), Outcome(**{**outcome, "samples": tuple(outcome["samples"])})  # type: ignore[index]
    except (KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} holds a line that is no result", hint="remove the file") from error


def run_all(
    cells: Sequence[Cell], setting: Setting, results: ResultsFile, *, on_done: Callable[[int, Cell], None]
) -> None:
    """Run the cells that a file does not know yet, one after the other on one thread, and add them to it.

    Args: on_done: told how many are known, and which comes next.
    """
    missing = [cell for cell in cells if cell not in results.outcomes]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for done, cell in enumerate(missing, start=len(cells) - len(missing)):
            on_done(done, cell)
            results.add(cell, run_cell(setting, cell))
    finally:
        torch.set_num_threads(threads)
