"""`fedtrail round`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from ledger import spec
from ledger.audit import iter_messages, replay
from ledger.cli.explanations import explain_round
from ledger.cli.failures import FailedWithData
from ledger.cli.indexed import keep_verdict
from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, print_table, printable, to_plain
from ledger.cli.progress import progress_bar
from ledger.cli.runs import find_round, name_participants
from ledger.cli.session import Session, project_options
from ledger.errors import NotAReader
from ledger.history import load_round
from ledger.records import AuditReport, Fetched, Finding, RoundRecord, name_rule, read_num_examples

run_option = click.option("--run", "run_name", metavar="NAME", help="Run of the round; default: the latest.")
number_argument = click.argument("number", metavar="N", type=click.IntRange(min=1))


@click.group("round", cls=LazyGroup)
def round_group() -> None:
    """Show, replay and explain rounds.

    N counts within the run, from 1. In a project that started no run itself, N is the round's id in the ledger.
    """


@round_group.command("replay")
@number_argument
@run_option
@format_option
@project_options
def replay_(session: Session, number: int, run_name: str | None, fmt: str) -> None:
    """Recompute round N from what the clients signed, and compare with the chain.

    Exit status 7: something is proved wrong. 8: evidence is missing, which accuses nobody.
    """
    with progress_bar() as bar:
        record = load_round(session.chain, session.reader, find_round(session, number, run_name), bar.update)
        report = replay(record, on_progress=bar.update)
    keep_verdict(session, record, report)
    summary = _summarise(record, report)
    if report.findings and fmt == "json":
        raise FailedWithData(report.findings[0].error, summary)
    if fmt == "table":
        print_record("round.replay", {**summary, "findings": len(report.findings)}, fmt=fmt)
        for message in iter_messages(report):
            click.echo(f"  {printable(message)}")
    else:
        print_record("round.replay", summary, fmt=fmt, grade=report.grade, asof=_as_of(session, record))
    report.raise_for_status()


def _summarise(record: RoundRecord, report: AuditReport) -> dict[str, Any]:
    return {
        "round": report.number,
        "round_id": report.round_id,
        "phase": record.phase,
        "verdict": report.verdict,
        "grade": report.grade,
        "committed": report.committed,
        "included": report.included,
        "aggregate_root": report.aggregate_root if any(report.aggregate_root) else None,
        "block": record.block,
        "attested": list(report.attested),
        "findings": [_describe_finding(finding) for finding in report.findings],
    }


def _describe_finding(finding: Finding) -> dict[str, Any]:
    error = finding.error
    return {
        "check": finding.clause,
        "code": error.code,
        "participant": finding.participant,
        "accuses": finding.accuses,
        "message": error.message,
        "detail": error.detail,
    }


def _as_of(session: Session, record: RoundRecord) -> dict[str, Any]:
    return {"chain": session.network.chain_id, "block": record.block, "hash": record.block_hash}


@round_group.command()
@number_argument
@run_option
@project_options
def explain(session: Session, number: int, run_name: str | None) -> None:
    """Tell in words what is known of round N, how well, and why."""
    record = load_round(session.chain, session.reader, find_round(session, number, run_name))
    for line in explain_round(record, replay(record)):
        click.echo(printable(line))


@round_group.command()
@number_argument
@run_option
@format_option
@project_options
def show(session: Session, number: int, run_name: str | None, fmt: str) -> None:
    """Show round N as the ledger has it: phases, updates, proposal."""
    round_id = find_round(session, number, run_name)
    record = load_round(session.chain, session.reader, round_id)
    view: Any = session.chain.get_round(round_id)
    names = name_participants(session, [*(m.client for m in record.members), record.aggregator])
    overview = _describe_round(record, names)
    (opened,) = session.chain.events(names=("RoundOpened",), round_id=round_id)
    phases, updates = _describe_phases(view, opened.args), _describe_updates(record, names)
    if fmt != "table":
        asof = _as_of(session, record)
        print_record("round.show", {**overview, "phases": phases, "updates": updates}, fmt=fmt, asof=asof)
        return
    print_record("round.show", overview, fmt=fmt)
    click.echo()
    print_table(phases, ("until", "time", "what"))
    click.echo()
    print_table(updates, ("client", "name", "commitment", "num_examples", "size_bytes", "status", "cid"))


def _describe_round(record: RoundRecord, names: dict[int, str]) -> dict[str, Any]:
    task, proposal = record.task, record.proposal
    roots = {k: v for k, v in to_plain(proposal).items() if k.endswith("_root")} if proposal else {}
    return {
        "round": record.number,
        "round_id": record.round_id,
        "task_id": record.task_id,
        "phase": record.phase,
        "rule": name_rule(task),
        "mode": task.mode.name.lower().replace("_", "-"),
        "aggregator": record.aggregator,
        "aggregator_name": names.get(record.aggregator),
        "committed": record.committed,
        "excluded": len(record.exclusions),
        "base_model": record.base_model,
        **roots,
        "manifest_cid": record.manifest.cid or None,
        "block": record.block,
        "block_hash": record.block_hash,
    }


def _describe_phases(view: Any, opened: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Describe the deadlines: of an open round as they are now, of another one as it opened."""
    rows = [
        {"until": "commit end", "at": view.commit_end or opened["commit_end"], "what": "clients commit"},
        {"until": "data end", "at": view.data_end or opened["data_end"], "what": "clients publish their updates"},
        {"until": "propose end", "at": view.propose_end or opened["propose_end"], "what": "the aggregator proposes"},
        {"until": "challenge end", "at": view.challenge_end, "what": "anybody may challenge"},
    ]
    reached = [row for row in rows if row["at"]]
    return [{**row, "time": datetime.fromtimestamp(row["at"], UTC).strftime("%Y-%m-%d %H:%M:%SZ")} for row in reached]


def _tell_bytes(fetched: Fetched) -> str:
    if isinstance(fetched.problem, NotAReader):
        return "encrypted to others"
    return "bytes missing" if fetched.missing else "bytes corrupt"


def _describe_updates(record: RoundRecord, names: dict[int, str]) -> list[dict[str, Any]]:
    reasons, told = dict(record.exclusions), _tell_rejections(record)
    rows = []
    for member in record.members:
        fetched = record.updates[member.client]
        status = f"excluded: FT{reasons[member.client]}" if member.client in reasons else "included"
        status += told.get(member.client, "")
        if fetched.data is None:
            status += f", {_tell_bytes(fetched)}"
        rows.append(
            {
                "client": member.client,
                "name": names.get(member.client),
                "commitment": member.commitment,
                "num_examples": read_num_examples(fetched.data),
                "size_bytes": None if fetched.data is None else len(fetched.data),
                "status": status if record.proposal else "committed",
                "cid": fetched.cid or None,
            }
        )
    return rows


def _tell_rejections(record: RoundRecord) -> dict[int, str]:
    """Return what was measured of each client that the task's validation rejects; it follows from the updates alone."""
    if not any(reason in spec.REASONS for _, reason in record.exclusions):
        return {}
    return {error.detail["client"]: f" ({error.message})" for error in replay(record).rejections}  # type: ignore[misc]
