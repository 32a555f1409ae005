"""`fedtrail monitor`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.output import format_option, print_rows, printable, to_plain
from ledger.cli.progress import say
from ledger.cli.runs import find_run, find_task, list_runs
from ledger.cli.session import Session, project_options
from ledger.cli.watch import follow_options, repeat
from ledger.errors import FindingsError, NotFoundError, UsageError
from ledger.scoring import ONE

if TYPE_CHECKING:
    from ledger.alerting import Alert, Limits, Monitor

COLUMNS = ("rule", "round", "client", "value", "limit", "code", "message")
ANY = "any"
Row = dict[str, Any]


def limit_options(command: Any) -> Any:
    """Add where scores become alerts."""
    for name, text in (
        ("duplicate", "Alert where 1 - the largest cosine to another update is below; default 0.05."),
        ("effort", "Alert where effort is below; default 0.25."),
        ("trust", "Alert where trust is below; default 0.3."),
        ("anomaly", "Alert where anomaly is above; default 3."),
    ):
        command = click.option(f"--{name}", type=click.FloatRange(min=0, max=1000), metavar="X", help=text)(command)
    return command


@click.command()
@click.option("--run", "run_name", metavar="NAME", help="Only the rounds of this run.")
@limit_options
@click.option(
    "--fail-on",
    "fail_on",
    multiple=True,
    metavar="RULE",
    help="End with exit status 9 at an alert of this rule, or of any; may be given several times.",
)
@click.option(
    "--metrics-port", type=click.IntRange(0, 65535), metavar="PORT", help="Serve Prometheus metrics on 127.0.0.1."
)
@follow_options
@format_option
@project_options
def monitor(
    session: Session,
    run_name: str | None,
    anomaly: float | None,
    trust: float | None,
    effort: float | None,
    duplicate: float | None,
    fail_on: tuple[str, ...],
    metrics_port: int | None,
    once: bool,
    interval: float,
    timeout: float | None,
    fmt: str,
) -> None:
    """Replay and score every round as it appears, and tell what people should look at. Ctrl-C ends it.

    Rules: anomaly, trust, duplicate, free-rider, missing, excluded, replay, evidence, score, late-aggregator,
    key-rotation. Started again, it tells all that still holds. It sends nothing: `fedtrail watch` disputes.
    """
    _check_rules(fail_on)
    limits = _make_limits({"anomaly": anomaly, "trust": trust, "effort": effort, "duplicate": duplicate})
    watcher = _make_monitor(session, run_name, limits)
    runs = {task_id: run.name for run in list_runs(session) if (task_id := find_task(session.chain, run))}
    with _serving(watcher, runs, metrics_port):
        if once:
            _print_once(list(watcher.look()), fail_on, fmt)
            return
        if fmt == "csv":
            click.echo(",".join(COLUMNS))
        repeat(
            lambda: _look(session, watcher, metrics_port),
            lambda alert: _tell(alert, fail_on, fmt),
            interval=interval,
            timeout=timeout,
        )


def _check_rules(fail_on: tuple[str, ...]) -> None:
    from ledger.alerting import RULES

    for rule in fail_on:
        if rule not in (*RULES, ANY):
            raise UsageError(f"no rule '{rule}'", hint=f"rules: {', '.join((*RULES, ANY))}")


def _make_limits(given: dict[str, float | None]) -> Limits:
    from ledger.alerting import Limits

    return Limits(**{name: round(value * ONE) for name, value in given.items() if value is not None})


def _make_monitor(session: Session, run_name: str | None, limits: Limits) -> Monitor:
    from ledger.alerting import Monitor

    task_id = None
    if run_name is not None:
        task_id = find_task(session.chain, find_run(session, run_name))
        if task_id is None:
            raise NotFoundError(f"run '{run_name}' has no task in the ledger yet", hint="fedtrail run resume")
    return Monitor(session.chain, session.reader, task_id=task_id, limits=limits)


def _serving(watcher: Monitor, runs: dict[int, str], port: int | None) -> AbstractContextManager[object]:
    if port is None:
        return nullcontext()
    from ledger.alerting.metrics import HOST, serving

    @contextmanager
    def announced() -> Iterator[None]:
        with serving(watcher.tally, runs, port=port) as taken:
            say(f"metrics: http://{HOST}:{taken}/metrics")
            yield

    return announced()


def _look(session: Session, watcher: Monitor, port: int | None) -> Iterator[Alert]:
    from ledger.alerting.local import read_local

    if port is not None:  # before what may end the command
        watcher.tally.local = read_local(session.project, session.chain)
    yield from watcher.look()


def _print_once(alerts: list[Alert], fail_on: tuple[str, ...], fmt: str) -> None:
    rows = [_to_row(alert) for alert in alerts]
    if fmt == "table":
        for row in rows:
            click.echo(_to_line(row))
        if not rows:
            say("no alerts")
    else:
        print_rows("monitor", rows, fmt=fmt, columns=COLUMNS)
    for alert in alerts:
        _judge(alert, fail_on)


def _tell(alert: Alert, fail_on: tuple[str, ...], fmt: str) -> None:
    row = _to_row(alert)
    if fmt == "table":
        click.echo(_to_line(row))
    elif fmt == "csv":
        click.echo(",".join(json.dumps(cell) if "," in cell else cell for cell in _to_cells(row)))
    else:
        click.echo(json.dumps(to_plain(row)))
    _judge(alert, fail_on)


def _judge(alert: Alert, fail_on: tuple[str, ...]) -> None:
    """Raise: FindingsError: an alert of a rule that ends the command."""
    if alert.rule in fail_on or ANY in fail_on:
        raise FindingsError(f"{alert.rule}: {alert.message}", hint="docs/monitoring.md tells what each rule means")


def _to_row(alert: Alert) -> Row:
    return {
        "rule": alert.rule,
        "round": alert.number,
        "round_id": alert.round_id,
        "client": alert.client,
        "value": None if alert.value is None else alert.value / ONE,
        "limit": None if alert.limit is None else alert.limit / ONE,
        "code": alert.error.code if alert.error else None,
        "message": alert.message,
    }


def _to_cells(row: Row) -> list[str]:
    plain = to_plain(row)
    return ["" if plain[column] is None else str(plain[column]) for column in COLUMNS]


def _to_line(row: Row) -> str:
    where = f"round {row['round']}  " if row["round"] else ""
    code = f"{row['code']}  " if row["code"] else ""
    return printable(f"{row['rule']:<15}  {where}{code}{row['message']}")
