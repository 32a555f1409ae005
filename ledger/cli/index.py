"""`fedtrail index`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.failures import FailedWithData
from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, print_rows
from ledger.cli.progress import progress_bar, say
from ledger.cli.session import Session, project_options
from ledger.errors import FedtrailError, Reorganised

if TYPE_CHECKING:
    from ledger.index.sync import Reorg, SyncResult
    from ledger.index.verify import IndexReport
    from ledger.store import ContentStore

blobs_option = click.option(
    "--blobs/--no-blobs", default=True, show_default=True, help="Read manifests, lists and updates from the store."
)


@click.group("index", cls=LazyGroup)
def index() -> None:
    """Keep what the chain holds in one SQLite file, to be asked offline.

    The index is a copy that anybody can make again; `fedtrail index verify` tells whether it is a true one.
    """


def _get_path(session: Session) -> Path:
    from ledger.index.opening import FILE_NAME

    return session.project.state_dir / FILE_NAME


def _get_store(session: Session, blobs: bool) -> ContentStore | None:
    return session.store if blobs else None


@index.command("sync")
@click.option(
    "--finality",
    type=click.Choice(["latest", "safe", "final"]),
    default="latest",
    show_default=True,
    help="How sure a block must be to be read.",
)
@blobs_option
@format_option
@project_options
def sync_(session: Session, finality: str, blobs: bool, fmt: str) -> None:
    """Read new blocks, and mark those that a reorganisation took away.

    Each batch is kept when it is read: an interrupted sync goes on where it was. Exit status 4: a block was taken away
    that had counted as final, or the chain was reset (FT405).
    """
    from ledger.index.opening import open_index
    from ledger.index.source import NodeSource
    from ledger.index.sync import sync

    path, store = _get_path(session), _get_store(session, blobs)
    with progress_bar() as bar, closing(open_index(path, create=True)) as db:
        result = sync(db, NodeSource(session.network), store, until=finality, observe=bar.update)
    _tell(path, result, fmt, "index.sync")


def _tell(path: Path, result: SyncResult, fmt: str, schema: str) -> None:
    """Print what a sync did; reorganisations are warnings, and a failure where one went past finality."""
    warnings = [_to_error(reorg, result) for reorg in result.reorgs]
    record = {
        "index": path,
        "epoch": result.epoch,
        "block": result.tip.number,
        "hash": result.tip.hash or None,
        "blocks_added": result.blocks,
        "events_added": result.events,
        "reorgs": len(result.reorgs),
        "safe_block": result.heads.safe,
        "final_block": result.heads.final,
        "chain_block": result.heads.latest,
        **{f"blobs_{status}": result.blobs[status] for status in ("ok", "missing", "corrupt")},
    }
    broken = [error for reorg, error in zip(result.reorgs, warnings, strict=True) if reorg.past_final]
    if broken and fmt == "json":
        raise FailedWithData(broken[0], record)
    for warning in warnings:
        if warning not in broken:
            say(str(warning))
    print_record(schema, record, fmt=fmt, warnings=[str(warning) for warning in warnings])
    if broken:
        raise broken[0]


def _to_error(reorg: Reorg, result: SyncResult) -> Reorganised:
    plain = Reorganised(depth=reorg.depth, block=reorg.fork + 1, events=reorg.events, tip=result.tip.number)
    if not reorg.past_final:
        return plain
    hint = "see Cause and Fix: fedtrail explain FT406"
    return Reorganised(f"{plain.message}; blocks had counted as final", hint=hint, **plain.detail)


@index.command()
@format_option
@project_options
def status(session: Session, fmt: str) -> None:
    """Show how far the index is, what it holds, and whether it was verified. Works offline, too."""
    from ledger.index.database import get_epoch
    from ledger.index.opening import open_index, reading

    path = _get_path(session)
    with closing(open_index(path)) as db, reading(db):
        epoch = get_epoch(db)
        record = {"index": path, "size_bytes": path.stat().st_size, **_describe_chain(session, db, epoch)}
        record |= _count(db)
    print_record("index.status", record, fmt=fmt)


def _describe_chain(session: Session, db: sqlite3.Connection, epoch: sqlite3.Row | None) -> dict[str, Any]:
    from ledger.index.database import get_fingerprint, get_tip
    from ledger.index.source import NodeSource

    if epoch is None:
        return {"epoch": None}
    tip = get_tip(db, epoch["chain"])
    last = "SELECT max(number) FROM block WHERE chain = ? AND canon = 1 AND finality = 'final'"
    told = {
        "epoch": epoch["chain"],
        "chain_id": epoch["chain_id"],
        "contract": epoch["contract"],
        "deploy_block": epoch["deploy_block"],
        "block": tip.number,
        "hash": tip.hash or None,
        "final_block": db.execute(last, (epoch["chain"],)).fetchone()[0],
        "verified": _describe_verification(db),
    }
    try:
        source = NodeSource(session.network)
        is_same = source.read_fingerprint() == get_fingerprint(epoch)
        latest = source.read_heads().latest
        return {**told, "chain": "same" if is_same else "another (FT405)", "blocks_behind": latest - tip.number}
    except FedtrailError as problem:
        say(f"{problem}")
        return {**told, "chain": f"not compared ({problem.code})", "blocks_behind": None}


def _describe_verification(db: sqlite3.Connection) -> str | None:
    query = """SELECT v.verdict, v.at, b.number FROM verification v JOIN block b ON b.hash = v.subject
        WHERE v.chk = 'index' ORDER BY v.id DESC LIMIT 1"""
    row = db.execute(query).fetchone()
    return f"{row['verdict']} up to block {row['number']}, at {row['at']}" if row else None


def _count(db: sqlite3.Connection) -> dict[str, int]:
    queries = {
        "events": "SELECT count(*) FROM facts",
        "events_orphaned": "SELECT count(*) FROM event WHERE orphaned_by IS NOT NULL",
        "reorgs": "SELECT count(*) FROM reorg",
        "epochs": "SELECT count(*) FROM chain",
    }
    statuses = {f"blobs_{each}": f"SELECT count(*) FROM artifact WHERE status = '{each}'" for each in _STATUSES}
    return {name: db.execute(query).fetchone()[0] for name, query in (queries | statuses).items()}


_EXPORTED = ("name", "rows", "file")
_ENDINGS = {"sqlite": ".sqlite", "prov-jsonld": ".jsonld"}
"""Kinds that are one file."""
_STATUSES = ("ok", "missing", "corrupt")


@index.command("verify")
@blobs_option
@format_option
@project_options
def verify_(session: Session, blobs: bool, fmt: str) -> None:
    """Derive the index once more from the chain, from proven receipts, and compare it table by table.

    Exit status 7: it differs. 8: blobs that it was made from are missing now. Reports say whether their index passed.
    """
    from ledger.index.opening import open_index
    from ledger.index.verify import ProvenSource, verify_index

    with progress_bar() as bar, closing(open_index(_get_path(session))) as db:
        source, store = ProvenSource(session.network), _get_store(session, blobs)
        report = verify_index(db, source, store, observe=bar.update)
    rows = [_describe_table(each) for each in report.tables]
    try:
        report.raise_for_status()
    except FedtrailError as problem:
        if fmt == "json":
            raise FailedWithData(problem, rows) from None
        _print_report(report, rows, fmt)
        raise
    _print_report(report, rows, fmt)


def _describe_table(report: Any) -> dict[str, Any]:
    same = report.root == report.chain_root
    return {
        "table": report.table,
        "rows": report.rows,
        "verdict": "same" if same else "differs",
        "root": report.root,
        "chain_root": report.chain_root,
        "differences": list(report.differences),
    }


def _print_report(report: IndexReport, rows: list[dict[str, Any]], fmt: str) -> None:
    asof = {"block": report.block, "hash": report.block_hash}
    columns = ("table", "rows", "verdict", "root")
    grade = "CLAIMED" if report.wrong else "PROVEN"
    print_rows("index.verify", rows, fmt=fmt, columns=columns, grade=grade, envelope={"asof": asof})
    for row in rows:
        for difference in row["differences"] if fmt == "table" else ():
            say(f"  {row['table']}: {difference}")
    if report.unread:
        say(f"{report.unread} events name blobs that are missing; what those would say is not known")


@index.command("rebuild")
@click.option("--new-epoch", is_flag=True, help="Follow another chain from now on; what is known of this one is kept.")
@blobs_option
@format_option
@project_options
def rebuild_(session: Session, new_epoch: bool, blobs: bool, fmt: str) -> None:
    """Make the index anew from the chain; the old file is kept beside it.

    With --new-epoch, after a reset (FT405): keep all that is there, and begin a new epoch behind it.
    """
    from ledger.index.opening import open_index
    from ledger.index.rebuild import rebuild
    from ledger.index.source import NodeSource
    from ledger.index.sync import sync

    path, store, source = _get_path(session), _get_store(session, blobs), NodeSource(session.network)
    with progress_bar() as bar:
        if new_epoch:
            with closing(open_index(path, create=True)) as db:
                result = sync(db, source, store, new_epoch=True, observe=bar.update)
        else:
            result = rebuild(path, source, store, observe=bar.update)
    _tell(path, result, fmt, "index.rebuild")


@index.command("export")
@click.option(
    "--as",
    "kind",
    type=click.Choice(["csv", "ndjson", "parquet", "prov-jsonld", "sqlite"]),
    required=True,
    help="What to write.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File (sqlite, prov-jsonld) or folder to make.")
@format_option
@project_options
def export_(session: Session, kind: str, output: Path | None, fmt: str) -> None:
    """Write all tables and views out, as one SQLite file or as one file each; or the rounds as one graph (W3C PROV).

    Labels and contacts of participants and the access log stay here.
    """
    from ledger.exports.prov_of_index import export_prov
    from ledger.index.export import export_index
    from ledger.index.opening import open_index

    target = output or Path(f"ledger-index{_ENDINGS.get(kind, '-' + kind)}")
    if kind == "prov-jsonld":
        with closing(open_index(_get_path(session))) as db:
            nodes = export_prov(db, target)
        print_rows("index.export", [{"name": "nodes", "rows": nodes, "file": target}], fmt=fmt, columns=_EXPORTED)
        return
    with progress_bar() as bar, closing(open_index(_get_path(session))) as db:
        written = export_index(db, target, kind, bar.update)
    print_rows("index.export", [_to_row(each) for each in written], fmt=fmt, columns=_EXPORTED)


def _to_row(exported: Any) -> dict[str, Any]:
    return {"name": exported.name, "rows": exported.rows, "file": exported.file}
