"""Progress on stderr, for people only: nothing is written when stderr is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import click

from ledger.errors import UsageError


class Progressing(Protocol):
    """A bar that can be moved."""

    def update(self, done: float, total: float, text: str) -> None:
        """Show how much of the whole is done, and what is being done."""


class _Silent:
    def update(self, done: float, total: float, text: str) -> None:
        del done, total, text


class _Bar:
    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def update(self, done: float, total: float, text: str) -> None:
        self._progress.update(self._task, completed=done, total=total, description=text)


def progress_bar() -> AbstractContextManager[Progressing]:
    """Return a bar with what is done, how far, and for how long; silent when stderr is no terminal."""
    return _rich_bar() if sys.stderr.isatty() else nullcontext(_Silent())


@contextmanager
def _rich_bar() -> Iterator[Progressing]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        yield _Bar(progress)


def say(text: str) -> None:
    """Say something to a person: on stderr, so that data on stdout stays clean."""
    click.echo(text, err=True)


def confirm(question: str) -> None:
    """Ask before something is destroyed. Raises: UsageError: the answer is no, or there is nobody to ask."""
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        agreed = False
        say("")
    if not agreed:
        raise UsageError("not confirmed; nothing was changed", hint="scripts pass --yes")
