"""`fedtrail watch`."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ledger.cli.failures import FailedWithData
from ledger.cli.output import format_option, print_rows, printable, to_plain
from ledger.cli.participants import find_participant, load_sender
from ledger.cli.progress import say
from ledger.cli.session import Session, project_options
from ledger.errors import ChainError, FedtrailError, NotFoundError

if TYPE_CHECKING:
    from ledger.watching import Happening, Player, Watcher

COLUMNS = ("what", "round", "round_id", "verdict", "grade", "code", "message", "tx")
Row = dict[str, Any]
Look = Callable[[], Iterator["Happening"]]
T = TypeVar("T")


def follow_options(command: Any) -> Any:
    """Add what every command takes that follows the ledger."""
    for option in (
        click.option("--timeout", type=click.FloatRange(min=0), metavar="S", help="End after this many seconds."),
        click.option(
            "--interval",
            type=click.FloatRange(min=0.01),
            default=5.0,
            show_default=True,
            metavar="S",
            help="Seconds between two looks.",
        ),
        click.option("--once", is_flag=True, help="Look once, do what is due, and end."),
    ):
        command = option(command)
    return command


@click.command()
@click.option("--open-disputes", is_flag=True, help="Prove what is wrong to the court, and collect the reward.")
@click.option("--defend", metavar="AGGREGATOR", help="Answer for this aggregator (key name or number) in disputes.")
@click.option("--run", "run_name", metavar="NAME", help="Only the rounds of this run.")
@follow_options
@format_option
@project_options
def watch(
    session: Session,
    open_disputes: bool,
    defend: str | None,
    run_name: str | None,
    once: bool,
    interval: float,
    timeout: float | None,
    fmt: str,
) -> None:
    """Replay every proposal as it appears; with --open-disputes, prove frauds and collect the rewards.

    A round is judged once: a watcher that is started again goes on where it was, and sends nothing twice. Ctrl-C ends
    it. With --once the exit status is that of the first finding: 7 for something wrong, 8 for missing evidence.
    """
    watcher = _make_watcher(session, open_disputes=open_disputes, defend=defend, run_name=run_name)
    if once:
        print_once("watch", watcher.look(), fmt=fmt)
    else:
        follow(watcher.look, interval=interval, timeout=timeout, fmt=fmt)


def _make_watcher(session: Session, *, open_disputes: bool, defend: str | None, run_name: str | None) -> Watcher:
    from ledger.watching import Challenger, Demander, GamePlayer, Watcher

    chain, store = session.chain, session.reader
    players = _make_defenders(session, defend) if defend else []
    task_id = _find_task(session, run_name) if run_name else None
    if not open_disputes:
        return Watcher(chain, store, task_id=task_id, players=players)
    me = session.operator()
    return Watcher(
        chain,
        store,
        task_id=task_id,
        challenger=Challenger(chain, me),
        demander=Demander(chain, me),
        players=[GamePlayer(chain, store, me), *players],
    )


def _make_defenders(session: Session, who: str) -> list[Player]:
    """Return those who answer for an aggregator whose key is in this project."""
    from ledger.watching import Answerer, GamePlayer

    known = find_participant(session, who)
    key, number = load_sender(session, known), known.view.id
    chain, store = session.chain, session.reader
    return [GamePlayer(chain, store, key, aggregator=number), Answerer(chain, store, key, aggregator=number)]


def _find_task(session: Session, run_name: str) -> int:
    from ledger.cli.runs import find_run, find_task

    task_id = find_task(session.chain, find_run(session, run_name))
    if task_id is None:
        raise NotFoundError(f"run '{run_name}' has no task in the ledger yet", hint="fedtrail run resume")
    return task_id


# -------------------------------------------------------------------------------------------------------------- follow


def print_once(schema: str, happenings: Iterator[Happening], *, fmt: str) -> None:
    """Print what one look found, and end as the first finding says.

    Raises: FailedWithData: with JSON, so that it holds both; else the finding's error.
    """
    found, rows = [], []
    for one in happenings:
        found.append(one)
        rows.append(to_row(one))
        if fmt == "table":
            click.echo(to_line(rows[-1]))
    error = find_worst(found)
    if error is not None and fmt == "json":
        raise FailedWithData(error, rows)
    if fmt != "table":
        print_rows(schema, rows, fmt=fmt, columns=COLUMNS)
    elif not rows:
        say("nothing new")
    if error is not None:
        raise error


def find_worst(happenings: list[Happening]) -> FedtrailError | None:
    """Return the finding that decides the exit status: something wrong before something missing."""
    errors = [one.error for one in happenings if one.error is not None]
    return next((error for error in errors if error.exit_status == 7), errors[0] if errors else None)


def follow(look: Look, *, interval: float, timeout: float | None, fmt: str) -> None:
    """Look again and again, and tell everything as it happens (see `repeat`)."""
    if fmt == "csv":
        click.echo(",".join(COLUMNS))
    repeat(look, lambda one: print_now(to_row(one), fmt=fmt), interval=interval, timeout=timeout)


def repeat(
    look: Callable[[], Iterator[T]], tell: Callable[[T], None], *, interval: float, timeout: float | None
) -> None:
    """Look again and again until the time is over or somebody ends it.

    A node that does not answer for a while ends nothing.
    """
    ends_at = None if timeout is None else time.monotonic() + timeout
    with ending_cleanly():
        while ends_at is None or time.monotonic() < ends_at:
            try:
                for one in look():
                    tell(one)
            except ChainError as error:
                say(f"{error.code}: {printable(error.message)}; trying again")
            left = interval if ends_at is None else min(interval, ends_at - time.monotonic())
            time.sleep(max(0.0, left))


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end what is inside, without an error: it is all in the journal."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        say("ended; started again, it goes on where it was")
    finally:
        signal.signal(signal.SIGTERM, before)


def print_now(row: Row, *, fmt: str) -> None:
    """Print one thing on a line of its own, at once."""
    if fmt == "table":
        click.echo(to_line(row))
    elif fmt == "csv":
        click.echo(",".join(json.dumps(value) if "," in value else value for value in _to_cells(row)))
    else:
        click.echo(json.dumps(to_plain(row)))


def _to_cells(row: Row) -> list[str]:
    plain = to_plain(row)
    return ["" if plain[column] is None else str(plain[column]) for column in COLUMNS]


def to_row(happening: Happening) -> Row:
    """Return what happened as commands print it."""
    error = happening.error
    return {
        "what": str(happening.what),
        "round": happening.number,
        "round_id": happening.round_id,
        "verdict": happening.verdict,
        "grade": happening.grade,
        "code": error.code if error else None,
        "message": error.message if error else happening.message or None,
        "tx": happening.tx,
    }


def to_line(row: Row) -> str:
    """Return what happened as one line for people."""
    plain = to_plain(row)
    parts = [plain[name] for name in ("verdict", "grade", "code") if plain[name]]
    head = f"round {plain['round_id']}  {plain['what']}  {'  '.join(parts)}".rstrip()
    tail = [plain["message"] or "", f"(tx {plain['tx']})" if plain["tx"] else ""]
    return printable("  ".join([head, *filter(None, tail)]))
