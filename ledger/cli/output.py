"""What a command prints: one set of rows, in the format that the user chose."""

from __future__ import annotations

import csv
import dataclasses
import enum
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import click

FORMATS = ("table", "json", "ndjson", "csv")
LARGEST_JSON_INT = 2**53 - 1
_IDS = re.compile(r"(.*_)?(id|client|participant|aggregator|chain|block|nonce|wei)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

Row = Mapping[str, Any]
F = TypeVar("F", bound=Callable[..., Any])


def format_option(command: F) -> F:
    """Add --format to a command that prints data."""
    option = click.option(
        "--format",
        "fmt",
        type=click.Choice(FORMATS),
        default="table",
        envvar="FEDTRAIL_FORMAT",
        show_default=True,
        help="How data is printed.",
    )
    return option(command)


def print_rows(
    schema: str,
    rows: Sequence[Row],
    *,
    fmt: str,
    columns: Sequence[str],
    empty: str = "",
    grade: str | None = None,
    envelope: Mapping[str, object] | None = None,
) -> None:
    """Print a list of rows.

    Args: schema: name of the data, such as `key.list`. columns: keys shown in a table, in order; JSON has all keys.
    empty: said instead of an empty table, on stderr. grade: how well the whole is known. envelope: more of JSON's.
    """
    if fmt == "json":
        print_json(_envelope(schema, [to_plain(row) for row in rows], {"grade": grade, **(envelope or {})}))
    elif fmt == "ndjson":
        for row in rows:
            click.echo(json.dumps(to_plain(row)))
    elif fmt == "csv":
        _print_csv(rows, columns)
    elif rows:
        print_table(rows, columns)
    elif empty:
        click.echo(empty, err=True)


def print_record(schema: str, record: Row, *, fmt: str, **envelope: object) -> None:
    """Print one thing with its properties; None is shown as `-`."""
    if fmt == "json":
        print_json(_envelope(schema, to_plain(record), envelope))
    elif fmt == "ndjson":
        click.echo(json.dumps(to_plain(record)))
    elif fmt == "csv":
        _print_csv([record], list(record))
    else:
        width = max(map(len, record))
        for key, value in record.items():
            click.echo(f"{key.replace('_', ' '):{width}}  {to_text(value)}")


def print_json(document: object) -> None:
    """Print a document on stdout."""
    click.echo(json.dumps(document, indent=2))


def print_table(rows: Sequence[Row], columns: Sequence[str], *, file: Any = None) -> None:
    """Print rows as a table; nothing is cut when the output is no terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    stream = file or sys.stdout
    terminal = stream.isatty()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        numbers = any(isinstance(row.get(column), (int, float, Decimal)) for row in rows)
        justify: Any = "right" if numbers else "left"
        table.add_column(Text(column.replace("_", " ")), justify=justify, no_wrap=not terminal)
    for row in rows:
        table.add_row(*(Text(to_text(row.get(column))) for column in columns))
    if terminal:
        Console(file=stream, highlight=False).print(table)
        return
    buffer = io.StringIO()
    Console(file=buffer, width=100_000, highlight=False).print(table)
    stream.writelines(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines())


def to_text(value: object) -> str:
    """Return a value for people."""
    if value is None or value in ("", (), []):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    plain = to_plain(value)
    if isinstance(plain, list):
        return ", ".join(to_text(item) for item in plain)
    if isinstance(plain, dict):
        return ", ".join(f"{key}={to_text(item)}" for key, item in plain.items())
    return printable(str(plain))


def to_plain(value: Any, key: str = "") -> Any:
    """Return a value as JSON has it: bytes as 0x hex, identifiers and large integers as strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type) and type(value).__str__ is object.__str__:
        return {f.name: to_plain(getattr(value, f.name), f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_plain(v, str(k)) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_plain(item, key) for item in value]
    if isinstance(value, enum.Enum):
        return value.value if isinstance(value.value, str) else value.name.lower()
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return str(value) if abs(value) > LARGEST_JSON_INT or _IDS.fullmatch(key) else value
    if isinstance(value, float):
        return value
    return str(value)  # a Path, a Decimal, a Cid: whatever says how it is written


def printable(text: str) -> str:
    """Return text with control characters escaped: names and messages may come from strangers."""
    return _CONTROL.sub(lambda match: match[0] if match[0] in "\n\t" else f"\\x{ord(match[0]):02x}", text)


def shorten(digest: str | bytes | Path | None) -> str:
    """Return a hash or address in a form that fits a table: `0x5fbd..0aa3`."""
    if digest is None:
        return "-"
    text = "0x" + digest.hex() if isinstance(digest, bytes) else str(digest)
    return text if len(text) <= 16 else f"{text[:8]}..{text[-4:]}"


def _envelope(schema: str, data: object, more: Mapping[str, object]) -> dict[str, Any]:
    extra = {key: to_plain(value, key) for key, value in more.items() if value is not None}
    return {"schema": f"fedtrail/{schema}/v1", "ok": True, "data": data, "warnings": [], **extra}


def _print_csv(rows: Iterable[Row], columns: Sequence[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        plain = {key: to_plain(value, key) for key, value in row.items()}
        writer.writerow([_to_cell(plain.get(column)) for column in columns])


def _to_cell(value: Any) -> Any:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, (list, dict, bool)) else value
