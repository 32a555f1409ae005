"""What commands share that read the index: which block, which task, who is called what, and the log of who looked."""

from __future__ import annotations

import functools
import getpass
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ledger.cli.progress import say
from ledger.cli.runs import list_runs
from ledger.cli.session import Session
from ledger.endpoints import verify_rpc
from ledger.errors import FedtrailError, FindingsError, NotFoundError, UsageError
from ledger.suggestions import suggest

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

    from ledger.chain import Network
    from ledger.index.reading import AsOf, Reader, Value
    from ledger.records import AuditReport, RoundRecord
    from ledger.reports.running import Answer

F = TypeVar("F", bound=Callable[..., Any])

HEAD_SECONDS = 3
"""How long the chain may take to say how far it is."""
GRADES = {"P": "PROVEN", "A": "ATTESTED", "C": "CLAIMED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a command reads of the index."""

    at_block: int | None
    """Last block that counts."""
    finality: str
    """How sure it must be."""
    seconds: float
    """Longest time of a query."""
    offline: bool
    """Whether the chain is not asked how far it is."""


def place_options(command: F) -> F:
    """Add the options that say as of when, and pass a Place."""

    @functools.wraps(command)
    def wrapper(
        *args: object, at_block: int | None, finality: str, seconds: float, offline: bool, **kwargs: object
    ) -> object:
        place = Place(at_block=at_block, finality=finality, seconds=seconds, offline=offline)
        return command(*args, place=place, **kwargs)

    for option in (
        click.option("--offline", is_flag=True, help="Do not ask the chain how far it is."),
        click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(0.1), help="Longest query."),
        click.option(
            "--finality",
            type=click.Choice(("latest", "safe", "final")),
            default="final",
            show_default=True,
            help="Blocks that count.",
        ),
        click.option("--at-block", type=click.IntRange(min=0), metavar="N", help="The ledger as it was after block N."),
    ):
        wrapper = option(wrapper)
    return wrapper  # type: ignore[return-value]  # click calls it with the options that were added


def scope_options(command: F) -> F:
    """Add --run and --task."""
    for option in (
        click.option("--task", "task_id", type=click.IntRange(min=1), help="Only this task; default: all."),
        click.option("--run", "run_name", metavar="NAME", help="Only the task of this run."),
    ):
        command = option(command)
    return command


fail_option = click.option(
    "--fail-on",
    metavar="any|grade<P",
    help="Exit with status 9 on any finding, or on a row below a grade: P proven, A attested, C claimed.",
)


def find_path(session: Session) -> Path:
    """Return where the project's index is."""
    from ledger.index.opening import FILE_NAME

    return session.project.state_dir / FILE_NAME


@contextmanager
def open_place(session: Session, place: Place) -> Iterator[Reader]:
    """Open the project's index as of a place, with the signed statements of the project's files in it."""
    from ledger.index.reading import Finality, open_reader

    take_in_signoffs(session)
    finality = Finality(place.finality)
    with open_reader(find_path(session), at_block=place.at_block, finality=finality, seconds=place.seconds) as reader:
        yield reader


def find_folder(session: Session) -> Path:
    """Return where signed statements are as files: in the project, not in its state, which may be thrown away."""
    return session.project.root / "signoffs"


def take_in_signoffs(session: Session) -> None:
    """Put statements that are files into the index, which may have been built anew since."""
    folder = find_folder(session)
    if folder.is_dir() and find_path(session).exists():
        from ledger.index import signoffs
        from ledger.index.opening import open_index

        with closing(open_index(find_path(session))) as index:
            signoffs.store(index, signoffs.read_files(folder))


def find_scope(session: Session, reader: Reader, run_name: str | None, task_id: int | None) -> tuple[int | None, str]:
    """Return a task and what it is called; None for all tasks.

    Raises: UsageError: both are named. NotFoundError: no such run here, or its task is not in the index.
    """
    if run_name and task_id:
        raise UsageError("--run and --task exclude each other")
    if run_name is None:
        known = reader.query("SELECT task FROM tasks WHERE task = :task", {"task": task_id}).rows
        if task_id and not known:
            raise NotFoundError(kind="task", name=task_id, suggestion=f" by block {reader.as_of.block}")
        return task_id, f"Task {task_id}" if task_id else "All tasks of the ledger"
    runs = {run.name: run.script_digest for run in list_runs(session)}
    if run_name not in runs:
        raise NotFoundError(kind="run", name=run_name, suggestion=suggest(run_name, runs), hint="fedtrail run list")
    found = reader.query(
        "SELECT max(task) FROM tasks WHERE script_digest = :digest", {"digest": "0x" + runs[run_name]}
    ).rows[0][0]
    if found is None:
        where = f": its task is not in the index by block {reader.as_of.block}"
        raise NotFoundError(kind="run", name=run_name, suggestion=where, hint="fedtrail index sync")
    return found, f"Run {run_name} (task {found})"


def name_keys(session: Session) -> dict[str, str]:
    """Return the names of this project's keys by address, 0x hex in lower case."""
    return {session.keys.plain_address(name): name for name in session.keys.names()}


def read_warnings(session: Session, as_of: AsOf, place: Place) -> list[str]:
    """Return what readers must know of the index, and how far the chain is beyond it."""
    from ledger.reports.assembling import list_warnings

    return list_warnings(as_of, None if place.offline else _ask_head(session))


def _ask_head(session: Session) -> int | None:
    """Return the chain's last block, or None. One question: importing web3 for it would take longer than all else."""
    import json
    import urllib.request

    question = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}).encode()
    try:
        request = urllib.request.Request(session.network.rpc, question, {"Content-Type": "application/json"})
        with _open_directly(session.network).open(request, timeout=HEAD_SECONDS) as answer:
            return int(json.loads(answer.read(1 << 16))["result"], 16)
    except (FedtrailError, OSError, ValueError, KeyError, TypeError):
        return None


def _open_directly(network: Network) -> OpenerDirector:
    """Return what opens a node's URL: a node is no business of proxies, and its certificate is verified as always."""
    import ssl
    import urllib.request

    verify_rpc(network.rpc)
    context = ssl.create_default_context(cafile=network.ca_file)
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))


def describe_as_of(as_of: AsOf) -> dict[str, Any]:
    """Return what JSON says of the moment that data is about."""
    return {"chain": as_of.chain_id, "block": as_of.block, "hash": as_of.hash, "finality": as_of.finality}


def log_access(session: Session, action: str, target: str, outcome: str) -> None:
    """Note who looked at what, as this machine knows them; an index that cannot be written is said to be so."""
    from ledger.index.opening import now, open_index, writing

    try:
        with closing(open_index(find_path(session))) as index, writing(index):
            row = (now(), getpass.getuser(), action, target[:200], outcome)
            index.execute("INSERT INTO access_log(at, who, action, target, outcome) VALUES (?, ?, ?, ?, ?)", row)
    except (sqlite3.Error, FedtrailError, OSError) as problem:
        say(f"this access could not be logged: {problem}")


def keep_verdict(session: Session, record: RoundRecord, report: AuditReport) -> None:
    """Note in the index what a replay established, so that reports know it; without an index nothing is noted."""
    from ledger.index.opening import open_index
    from ledger.index.verdicts import record_replay

    if find_path(session).exists():
        try:
            with closing(open_index(find_path(session))) as index:
                record_replay(index, record, report)
        except (sqlite3.Error, FedtrailError, OSError) as problem:
            say(f"this verdict could not be noted in the index: {problem}")


def parse_parameters(given: tuple[str, ...]) -> dict[str, Value | str]:
    """Return NAME=VALUE pairs. Raises: UsageError."""
    pairs: dict[str, Value | str] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"'{text}' is no NAME=VALUE")
        pairs[name] = value
    return pairs


def find_failures(answers: Mapping[str, Answer], fail_on: str | None) -> FindingsError | None:
    """Return what --fail-on asks for, or nothing.

    Raises: UsageError: it is neither `any` nor `grade<` P, A or C.
    """
    from ledger.records import Grade

    if fail_on is None:
        return None
    _, sign, letter = fail_on.partition("grade<")
    if fail_on != "any" and (not sign or letter not in GRADES):
        raise UsageError(f"--fail-on is '{fail_on}', expected any, grade<P, grade<A or grade<C")
    found = []
    for name, answer in answers.items():
        rows = answer.findings if fail_on == "any" else answer.list_below(Grade(GRADES[letter]))
        if rows:
            found.append(f"{name} {answer.query.slug}: {len(rows)} row{'' if len(rows) == 1 else 's'}")
        elif fail_on != "any" and answer.missing:
            found.append(f"{name} {answer.query.slug}: {answer.missing} {answer.query.gap}")
    return FindingsError("; ".join(found)) if found else None
