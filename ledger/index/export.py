"""Write an index out for other programs: complete under the name that was asked for, or not there at all.

What is in no export: who is behind an owner's address, and who has read what. Every format is written from one copy
of the index, from which that is erased.
"""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ledger.errors import MissingExtra, UsageError
from ledger.index.opening import list_tables, list_views

FORMATS = ("csv", "ndjson", "parquet", "sqlite")
PRIVATE = ("org", "access_log")
"""Tables that stay on this machine."""
TABLES = ("chain", "block", "event", "reorg", "artifact", "verification")
"""Tables that are exported beside the views of facts."""

_LARGEST_JSON_INT = 2**53 - 1
_BATCH_ROWS = 10_000
_ARROW_TYPES = {"integer": "int64", "real": "float64", "blob": "binary"}

Observer = Callable[[int, int, str], None]
Writer = Callable[[Path, sqlite3.Connection, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """One relation that was written."""

    name: str
    """Table or view."""
    rows: int
    """Its rows."""
    file: Path
    """Where it is."""


def export_index(db: sqlite3.Connection, target: Path, kind: str, observe: Observer) -> list[Exported]:
    """Write an index to a file (sqlite), or each relation to a file of one folder (csv, ndjson, parquet).

    Args: target: file or folder to make. kind: one of FORMATS.
    Raises: UsageError: the target is there already; MissingExtra: parquet without pyarrow.
    """
    if target.exists():
        raise UsageError(f"{target} exists already; nothing was written", hint="choose another name with -o")
    if kind == "parquet":
        _import_arrow()
    target.parent.mkdir(parents=True, exist_ok=True)
    with _workshop(target) as folder:
        copy, made = folder / "copy.sqlite", folder / target.name
        write_copy(db, copy)
        with closing(sqlite3.connect(copy)) as source:
            names = [*TABLES, *list_views(source)]
            if kind == "sqlite":
                made = copy
                rows = {name: _count(source, name) for name in names}
            else:
                made.mkdir()
                rows = {}
                for done, name in enumerate(names):
                    observe(done, len(names), name)
                    rows[name] = _WRITERS[kind](made / f"{name}.{kind}", source, name)
        made.rename(target)
    files = {name: target if kind == "sqlite" else target / f"{name}.{kind}" for name in names}
    return [Exported(name=name, rows=count, file=files[name]) for name, count in rows.items()]


@contextmanager
def _workshop(target: Path) -> Iterator[Path]:
    """Yield a folder beside the target, empty also where a killed export left one; it is gone afterwards."""
    folder = target.parent / f".{target.name}.partial"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_copy(db: sqlite3.Connection, copy: Path) -> None:
    """Write the index as it is now into a new file, without what is private: not even in pages that are free."""
    db.execute("VACUUM INTO ?", (str(copy),))
    with closing(sqlite3.connect(copy, isolation_level=None)) as made:
        made.execute("PRAGMA secure_delete=ON")
        for table in {*PRIVATE} & {*list_tables(made)}:
            made.execute(f"DELETE FROM {table}")


def _count(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {name}").fetchone()[0])


def _select(db: sqlite3.Connection, name: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    cursor = db.execute(f"SELECT * FROM {name}")
    return [column[0] for column in cursor.description], cursor


def _write_csv(path: Path, db: sqlite3.Connection, name: str) -> int:
    columns, rows = _select(db, name)
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([_to_text(value) for value in row])
            count += 1
    return count


def _write_ndjson(path: Path, db: sqlite3.Connection, name: str) -> int:
    columns, rows = _select(db, name)
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(dict(zip(columns, map(_to_json, row), strict=True))) + "\n")
            count += 1
    return count


def _write_parquet(path: Path, db: sqlite3.Connection, name: str) -> int:
    arrow, parquet = _import_arrow()
    columns, rows = _select(db, name)
    types = [_find_type(db, name, column) for column in columns]
    schema = arrow.schema([(column, arrow.type_for_alias(kind)) for column, kind in zip(columns, types, strict=True)])
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        while batch := list(islice(rows, _BATCH_ROWS)):
            values = [
                [_to_string(each) for each in column] if kind == "string" else list(column)
                for column, kind in zip(zip(*batch, strict=True), types, strict=True)
            ]
            writer.write_table(arrow.table(dict(zip(columns, values, strict=True)), schema=schema))
            count += len(batch)
    return count


def _import_arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra(feature="parquet", package="pyarrow", extra="parquet") from None
    return pyarrow, pyarrow.parquet


def _find_type(db: sqlite3.Connection, name: str, column: str) -> str:
    """Return the type of a column whose values have one; views declare none."""
    found = db.execute(f'SELECT DISTINCT typeof("{column}") FROM {name}').fetchall()
    kinds = {kind for (kind,) in found} - {"null"}
    return _ARROW_TYPES.get(kinds.pop(), "string") if len(kinds) == 1 else "string"


def _to_string(value: Any) -> str | None:
    return None if value is None else str(_to_text(value))


def _to_text(value: Any) -> Any:
    return "0x" + value.hex() if isinstance(value, bytes) else value


def _to_json(value: Any) -> Any:
    is_large = isinstance(value, int) and abs(value) > _LARGEST_JSON_INT
    return str(value) if is_large else _to_text(value)


_WRITERS: dict[str, Writer] = {"csv": _write_csv, "ndjson": _write_ndjson, "parquet": _write_parquet}
