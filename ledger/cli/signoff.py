"""`fedtrail signoff`."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.indexed import (
    Place,
    find_folder,
    find_path,
    find_scope,
    log_access,
    name_keys,
    open_place,
    parse_parameters,
    place_options,
    scope_options,
)
from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, print_rows, shorten
from ledger.cli.session import Session, project_options
from ledger.errors import NotFoundError, UsageError, WrongSigner

if TYPE_CHECKING:
    from ledger.index.reading import Reader
    from ledger.index.signoffs import Signoff

key_option = click.option("--key", required=True, metavar="NAME", help="Key of this project that signs.")
name_option = click.option("--name", required=True, metavar="TEXT", help="Printed name of the person who signs.")


@click.group(cls=LazyGroup)
def signoff() -> None:
    """Sign off rounds and files: who, when, in which role, and what the signature means.

    A statement names its record by a digest, so it cannot be moved to another one. It is a file in signoffs/ and a row
    of the index; nothing of it goes on chain.
    """


@signoff.command()
@scope_options
@click.option("--round", "number", type=click.IntRange(min=1), metavar="N", help="Finalised round of the run or task.")
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Sign this file instead.")
@key_option
@name_option
@click.option("--role", default="reviewer", show_default=True, help="In which capacity.")
@click.option("--meaning", required=True, metavar="TEXT", help="What the signature means: review, approval, ...")
@click.option("--metric", "metrics", multiple=True, metavar="SPLIT/NAME=NUMBER", help="What was measured.")
@place_options
@format_option
@project_options
def add(
    session: Session,
    run_name: str | None,
    task_id: int | None,
    number: int | None,
    file: Path | None,
    key: str,
    name: str,
    role: str,
    meaning: str,
    metrics: tuple[str, ...],
    place: Place,
    fmt: str,
) -> None:
    """Sign a finalised round, whose head covers everything before it, or a file such as a report."""
    from ledger.index.signoffs import Signoff, compute_file_record, encode_metrics

    if number is None and file is None:
        raise UsageError("name what is signed: --round N or --file FILE")
    with open_place(session, place) as reader:
        task, _ = find_scope(session, reader, run_name, task_id)
        round_id, head = _find_round(reader, task, number)
    statement = Signoff(
        chain_id=reader.as_of.chain_id,
        contract=reader.as_of.contract,
        task=task or 0,
        round_id=round_id,
        record=compute_file_record(file) if file else head,
        name=name,
        role=role,
        meaning=meaning,
        metrics=encode_metrics({k: str(v) for k, v in parse_parameters(metrics).items()}),
        signed_at=int(time.time()),
    )
    signed = sign_and_keep(session, statement, key)
    log_access(session, "signoff", f"task {task or 0}, round {number or 0}", "signed")
    about = {"task": signed.task, "round": number, "record": signed.record, "signer": signed.signer}
    print_record("signoff.add", {"signoff": signed.digest, "name": name, "role": role, **about}, fmt=fmt)


def _find_round(reader: Reader, task: int | None, number: int | None) -> tuple[int, str]:
    """Return id and head of a finalised round; zeros if none is named."""
    if number is None:
        return 0, ""
    if task is None:
        raise UsageError("--round counts within a run or a task: give --run NAME or --task N")
    wanted = {"task": task, "round": number}
    sql = "SELECT round_id, head FROM phases WHERE phase = 'finalised' AND task = :task AND round = :round"
    found = reader.query(sql, wanted).rows
    if not found:
        there = f" that is finalised by block {reader.as_of.block}"
        raise NotFoundError(kind="round", name=number, suggestion=there, hint=f"fedtrail audit run Q6 --task {task}")
    (round_id, head), *_ = found
    return round_id, head


def sign_and_keep(session: Session, statement: Signoff, key: str) -> Signoff:
    """Sign a statement with a key of the project, write its file, and put it into the index."""
    from ledger.index import signoffs
    from ledger.index.opening import open_index

    signed = signoffs.sign(statement, session.keys.load(key, session.password()))
    signoffs.write_file(signed, find_folder(session))
    with closing(open_index(find_path(session))) as index:
        signoffs.store(index, [signed])
    return signed


@signoff.command("list")
@place_options
@format_option
@project_options
def list_(session: Session, place: Place, fmt: str) -> None:
    """List what people signed about this deployment; every signature is checked. Exit status 7: one is wrong."""
    with open_place(session, place) as reader:
        table = reader.query("SELECT * FROM signoffs ORDER BY signed_at, digest")
    keys = name_keys(session)
    rows = [_describe(row, keys, fmt) for row in table.to_dicts()]
    columns = ("name", "role", "meaning", "signed", "task", "round", "record", "key", "metrics", "valid")
    print_rows("signoff.list", rows, fmt=fmt, columns=columns, empty="nobody has signed anything yet")
    for row in table.to_dicts():
        if not row["valid"]:
            raise WrongSigner(
                f"the statement {row['digest']} of {row['name']!r} is not signed by {row['signer']}",
                hint="somebody changed it, or the index; compare with the files in signoffs/",
            )


def _describe(row: dict[str, Any], keys: dict[str, str], fmt: str) -> dict[str, Any]:
    signed = datetime.fromtimestamp(row["signed_at"], UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    told = {**row, "signed": signed, "key": keys.get(row["signer"]), "valid": bool(row["valid"])}
    if fmt != "table":
        return told
    metrics = None if row["metrics"] == "{}" else row["metrics"]
    return {**told, "record": shorten(row["record"]), "key": told["key"] or shorten(row["signer"]), "metrics": metrics}
