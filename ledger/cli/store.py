"""`fedtrail store`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, print_rows, to_plain
from ledger.cli.session import Session, project_options
from ledger.errors import UsageError
from ledger.store import Cid, EmbeddedStore

MAX_BYTES = 1 << 30


@click.group(cls=LazyGroup)
def store() -> None:
    """Put blobs into the content store and get them out."""


@store.command()
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@format_option
@project_options
def add(session: Session, paths: tuple[Path, ...], fmt: str) -> None:
    """Store and pin FILEs; print their CIDs."""
    rows = []
    for path in paths:
        cid = session.store.put(path)
        rows.append({"cid": cid, "size_bytes": session.store.stat(cid).size_bytes, "file": path})
    print_rows("store.add", rows, fmt=fmt, columns=("cid", "size_bytes", "file"))


@store.command()
@click.argument("cid")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write; default: stdout.")
@click.option("--max-bytes", default=MAX_BYTES, show_default=True, type=click.IntRange(min=1), help="Refuse more.")
@project_options
def get(session: Session, cid: str, output: Path | None, max_bytes: int) -> None:
    """Write the blob of CID to a file or to stdout; every block is hashed first."""
    if output is None and sys.stdout.isatty():
        raise UsageError("a blob is binary; it was not written to the terminal", hint="use -o FILE or a pipe")
    data = session.store.get(Cid.from_text(cid), max_bytes=max_bytes)
    if output is None:
        sys.stdout.buffer.write(data)
    else:
        output.write_bytes(data)


@store.command()
@click.argument("cid")
@format_option
@project_options
def stat(session: Session, cid: str, fmt: str) -> None:
    """Show the sizes of the blob of CID, as its root states them."""
    found = session.store.stat(Cid.from_text(cid))
    record = {**to_plain(found), "cid": found.cid, "pinned": session.store.is_pinned(found.cid)}
    print_record("store.stat", record, fmt=fmt)


@store.command()
@click.argument("cid")
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@project_options
def export(session: Session, cid: str, path: Path) -> None:
    """Write the blob of CID as a CAR archive; `ipfs dag import` reads it too."""
    session.store.export_car(Cid.from_text(cid), path)
    click.echo(path)


@store.command("import")
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@format_option
@project_options
def import_(session: Session, path: Path, fmt: str) -> None:
    """Store and pin the blob of a CAR archive; every block is hashed first."""
    cid = session.store.import_car(path)
    record = {"cid": cid, "size_bytes": session.store.stat(cid).size_bytes, "file": path}
    print_rows("store.import", [record], fmt=fmt, columns=("cid", "size_bytes", "file"))


@store.command("list")
@format_option
@project_options
def list_(session: Session, fmt: str) -> None:
    """List the pinned blobs of the embedded store."""
    if not isinstance(session.store, EmbeddedStore):
        raise UsageError("only the embedded store lists its pins", hint=f"ask the daemon at {session.project.ipfs}")
    rows = []
    for cid in session.store.list_pins():
        found = session.store.stat(cid)
        rows.append({"cid": cid, "size_bytes": found.size_bytes, "num_blocks": found.num_blocks})
    columns = ("cid", "size_bytes", "num_blocks")
    print_rows("store.list", rows, fmt=fmt, columns=columns, empty="nothing is pinned")
