"""Many cells over all cores, one line of a file each: whatever ends the process, what was measured stays."""

from __future__ import annotations

import itertools
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.pool import Pool
from typing import Any

import torch

from fl import data
from fl.result_lines import ResultLines
from fl.robustness.attackers import parse_attack
from fl.robustness.cells import LEFT_OUT, Cell, Outcome, Setting, is_defined
from fl.robustness.learning import run_cell
from ledger.errors import FedtrailError, UsageError


def find_datasets() -> list[str]:
    """Return the data sets that can be loaded on this machine."""
    found = []
    for name in data.DATASETS:
        try:
            data.load(name)
        except FedtrailError:
            continue
        found.append(name)
    return found


def list_cells(
    setting: Setting,
    *,
    datasets: Sequence[str],
    rules: Sequence[str],
    attacks: Callable[[str], Sequence[str]],
    fs: Sequence[int],
    partitions: Sequence[str],
    seeds: Sequence[int],
) -> list[Cell]:
    """Return the cells of a matrix with the oracle of each, without those whose rule needs more clients.

    One seed after the other, and in it first what everything else is compared with: a matrix that is broken off has
    all rules and attacks for fewer seeds.

    Args: attacks: by data set. fs: numbers of dishonest clients.
    Raises: UsageError, NotFoundError: there is no such rule or attack, or no honest client.
    """
    for attack in itertools.chain.from_iterable(map(attacks, datasets)):
        parse_attack(attack)
    for f in fs:
        if not 0 < f < setting.clients:
            raise UsageError(f"f is {f}, allowed are 1 to {setting.clients - 1}", field="f", got=f)
    cells: dict[Cell, None] = {}
    for seed, dataset, partition, f in itertools.product(seeds, datasets, partitions, fs):
        make = partial(Cell, dataset=dataset, seed=seed, partition=partition, f=f)
        cells[make(attack=LEFT_OUT, rule="mean")] = None
        for attack, rule in itertools.product(attacks(dataset), rules):
            if is_defined(cell := make(attack=attack, rule=rule), setting):
                cells[cell] = None
    return list(cells)


class ResultsFile(ResultLines[Cell, Outcome]):
    """What was learned, by rule and attack."""

    FORMAT = "fedtrail-robustness-1"

    @staticmethod
    def make(cell: dict[str, Any], outcome: dict[str, Any]) -> tuple[Cell, Outcome]:
        """Return a cell and its outcome from their fields."""
        return Cell(**cell), Outcome(**outcome)


def run_matrix(
    cells: Sequence[Cell],
    setting: Setting,
    results: ResultsFile,
    *,
    workers: int,
    on_done: Callable[[int, Cell], None] | None = None,
) -> None:
    """Run the cells that a file does not know yet, and add them to it.

    Args: workers: processes, at least 1; the results do not depend on it. on_done: told how many are known, and which
    was the last.
    Raises: UsageError, NotFoundError: a cell cannot be run; what the others gave is kept.
    """
    missing = [cell for cell in cells if cell not in results.outcomes]
    known = len(cells) - len(missing)
    with _open_pool(min(workers, len(missing))) as run_all:
        for number, (cell, outcome) in enumerate(run_all(partial(_run, setting), missing), start=known + 1):
            results.add(cell, outcome)
            if on_done:
                on_done(number, cell)


_RunAll = Callable[[Callable[[Cell], tuple[Cell, Outcome]], Sequence[Cell]], Iterator[tuple[Cell, Outcome]]]


@contextmanager
def _open_pool(workers: int) -> Iterator[_RunAll]:
    """Yield what runs cells in any order, on one thread each."""
    if workers <= 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield map
        finally:
            torch.set_num_threads(threads)
        return
    with _start_workers(workers) as pool:  # leaving the block ends them
        yield pool.imap_unordered


def _start_workers(count: int) -> Pool:
    # They inherit that Ctrl-C is ignored: the parent ends them, and none dies with a traceback, even while it loads.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return multiprocessing.get_context("spawn").Pool(count, torch.set_num_threads, (1,))
    finally:
        signal.signal(signal.SIGINT, before)


def _run(setting: Setting, cell: Cell) -> tuple[Cell, Outcome]:
    return cell, run_cell(setting, cell)
