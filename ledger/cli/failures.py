"""From any exception to the lines and the exit status that people and programs get."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import click

from ledger.cli.output import print_json, printable, to_plain
from ledger.errors import ConfigurationError, FedtrailError, Interrupted, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a command failed."""

    code: str
    """FTnnn."""
    exit_status: int
    """Of the process."""
    message: str
    """What happened."""
    hint: str
    """What to do, or nothing."""
    detail: dict[str, object]
    """The values in the message."""
    data: object = None
    """What the command found out nevertheless."""

    def report(self, arguments: Sequence[str]) -> int:
        """Print the failure and return the exit status; with JSON asked for, its envelope goes to stdout too."""
        click.echo(f"{self.code}: {printable(self.message)}", err=True)
        if self.hint:
            click.echo(f"  hint: {printable(self.hint)}", err=True)
        if find_format(arguments) == "json":
            error = {"code": self.code, "exit": self.exit_status, "message": self.message, "hint": self.hint}
            found = {} if self.data is None else {"data": to_plain(self.data)}
            print_json({"ok": False, "error": {**error, "detail": to_plain(self.detail)}, **found})
        return self.exit_status


class FailedWithData(Exception):
    """A failure of a command that has data to show in JSON nevertheless, such as the findings of a replay."""

    def __init__(self, error: FedtrailError, data: object) -> None:
        super().__init__(str(error))
        self.error = error
        self.data = data


def to_failure(error: BaseException, *, debug: bool = False) -> Failure:
    """Return how an exception is told; what is no FedtrailError or misuse is a bug, and said to be one."""
    data = error.data if isinstance(error, FailedWithData) else None
    known = _to_known(error.error if isinstance(error, FailedWithData) else error)
    if known is None:
        hint = "" if debug else "this is a bug; fedtrail --debug COMMAND prints the traceback"
        message = f"unexpected failure: {type(error).__name__}: {error}"
        return Failure(code=FedtrailError.code, exit_status=1, message=message, hint=hint, detail={})
    return Failure(
        code=known.code,
        exit_status=known.exit_status,
        message=known.message,
        hint=known.hint,
        detail=known.detail,
        data=data,
    )


def _to_known(error: BaseException) -> FedtrailError | None:
    if isinstance(error, FedtrailError):
        return error
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return Interrupted(hint="")
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "fedtrail"
        return UsageError(error.format_message().rstrip("."), hint=f"{path} --help")
    if isinstance(error, click.ClickException):
        return UsageError(error.format_message())
    if isinstance(error, OSError) and error.filename is not None:
        return ConfigurationError(f"{error.filename}: {error.strerror}", hint="check that the path is there and yours")
    return None


def find_format(arguments: Sequence[str]) -> str:
    """Return the output format that was asked for, also when the command line could not be parsed."""
    chosen = os.environ.get("FEDTRAIL_FORMAT", "table")
    for index, argument in enumerate(arguments):
        if argument == "--format" and index + 1 < len(arguments):
            chosen = arguments[index + 1]
        elif argument.startswith("--format="):
            chosen = argument.partition("=")[2]
    return chosen
