"""`fedtrail explain FT402`."""

from __future__ import annotations

import re
from typing import Any

import click

from ledger.cli.output import format_option, print_record, print_rows
from ledger.errors import FedtrailError, NotFoundError, iter_errors
from ledger.suggestions import suggest

_PART = re.compile(r"^(Cause and fix|Cause|Fix): (.*?)(?=\n(?:Cause|Fix)|\Z)", re.MULTILINE | re.DOTALL)


def catalogue() -> dict[str, type[FedtrailError]]:
    """Return every error class by its code; a code that a subclass inherits is its parent's."""
    found: dict[str, type[FedtrailError]] = {}
    for error in iter_errors():
        if "code" in vars(error):
            found.setdefault(error.code, error)
    return dict(sorted(found.items()))


def describe(error: type[FedtrailError]) -> dict[str, Any]:
    """Return what is known of an error class: title, cause, fix, exit status, message, related codes."""
    text = "\n".join(line.strip() for line in (error.__doc__ or "").strip().splitlines())
    title, _, rest = text.partition("\n\n")
    parts = {name: " ".join(body.split()) for name, body in _PART.findall(rest)}
    both = parts.get("Cause and fix", "")
    family = [c for c, other in catalogue().items() if other.exit_status == error.exit_status and c != error.code]
    return {
        "code": error.code,
        "title": " ".join(title.split()),
        "cause": parts.get("Cause", both) or "the message names it",
        "fix": parts.get("Fix", both) or "the message names it",
        "exit_status": error.exit_status,
        "message": error.template if "template" in vars(error) else "",
        "hint": error.hint_template,
        "related": family,
    }


@click.command()
@click.argument("code", required=False)
@format_option
def explain(code: str | None, fmt: str) -> None:
    """Explain an error CODE such as FT402: what it means, its cause and its fix. Without CODE, list all."""
    known = catalogue()
    if code is None:
        rows = [describe(error) for error in known.values()]
        print_rows("explain", rows, fmt=fmt, columns=("code", "exit_status", "title"))
        return
    wanted = code.upper() if code[:2].upper() == "FT" else f"FT{code}"
    if wanted not in known:
        hint = "fedtrail explain lists all"
        raise NotFoundError(kind="error code", name=code, suggestion=suggest(wanted, known), hint=hint)
    print_record("explain", describe(known[wanted]), fmt=fmt)
