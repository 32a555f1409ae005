"""Runs that are killed with SIGKILL at a chosen step, each in a forked process."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fl.federation import Federation
from ledger.chain.connection import Connection
from ledger.journal import Journal
from ledger.project import Project
from ledger.store import EmbeddedStore

STEPS = (
    (Journal, "note"),
    (Journal, "write"),
    (Journal, "settle"),
    (EmbeddedStore, "put"),
    (EmbeddedStore, "put_block"),
    (EmbeddedStore, "pin"),
    (Connection, "batch"),
)
"""What reaches a disk or a node: a process may die before and after each."""


def _is_step(name: str, args: tuple[Any, ...]) -> bool:
    """Reading the chain changes nothing: only broadcasts count among the requests."""
    return name != "batch" or any(method == "eth_sendRawTransaction" for method, _ in args[0])


def count_and_kill(at: int | None) -> Callable[[], int]:
    """Patch every step of this process to be counted, twice each: before and after. Kill the process at one."""
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def patch(owner: type, name: str) -> None:
        original = getattr(owner, name)

        def stepped(self: object, *args: Any, **kwargs: Any) -> Any:
            counted = _is_step(name, args)
            if counted:
                tick()
            result = original(self, *args, **kwargs)
            if counted:
                tick()
            return result

        setattr(owner, name, stepped)

    for owner, name in STEPS:
        patch(owner, name)
    return lambda: count


def in_child(work: Callable[[], None]) -> int:
    """Run work in a forked process; return its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def load_everything() -> None:
    """Import in the parent what every child would spend seconds on: torch's optimisers, web3, eth_account."""
    import eth_account  # noqa: F401
    import torch
    import web3  # noqa: F401

    torch.set_num_threads(1)
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)


def run_and_die(folder: Path, script: Path, *, at: int | None, report: Path | None = None) -> int:
    """Start a run in a child and kill it at a step; return the exit status. `report` receives the number of steps."""

    def work() -> None:
        counted = count_and_kill(at)
        Federation.start(Project.find(folder), script).run()
        if report:
            report.write_text(str(counted()))

    return in_child(work)


def resume(folder: Path, name: str, report: Path) -> int:
    """Resume a run in a child; `report` receives the model's digest and the gas; return the exit status."""

    def work() -> None:
        result = Federation.resume(Project.find(folder), name).run()
        verdicts = ",".join(r.verdict for r in result.rounds)
        report.write_text(f"{verdicts} {hash(result.model)}")

    return in_child(work)
