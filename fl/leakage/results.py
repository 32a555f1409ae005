"""Outcomes in a file, one line each: whatever ends the process, what was measured stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from fl.leakage.cells import Cell, Outcome, Setting
from fl.leakage.measuring import run_cell
from fl.result_lines import ResultLines


class ResultsFile(ResultLines[Cell, Outcome]):
    """What was recovered, by attack and protection."""

    FORMAT = "fedtrail-privacy-1"

    @staticmethod
    def make(cell: dict[str, Any], outcome: dict[str, Any]) -> tuple[Cell, Outcome]:
        """Return a cell and its outcome from their fields."""
        return Cell(**cell), Outcome(**{**outcome, "samples": tuple(outcome["samples"])})


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
