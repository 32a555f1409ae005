"""What a run prints: rows for people and programs, the chart, the costs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from fl.chart import draw_lines
from ledger.cli.output import print_rows

if TYPE_CHECKING:
    from fl.federation.results import RoundResult, RunResult
    from ledger.script import Script

_BEFORE = ("round", "commits", "included", "excluded")
_AFTER = ("replay", "block", "gas", "grade")
_GRADES = ("PROVEN", "ATTESTED", "CLAIMED", "MISSING")


def print_result(script: Script, result: RunResult, *, fmt: str, fresh: bool) -> None:
    """Print a run: its rounds; for people also the chart and what it cost.

    Args: fresh: whether every step was taken now; times of a resumed run mean nothing.
    """
    if fmt == "table":
        label = script.run.rule.label
        accuracies = [f"accuracy {name}" for name in (label, *result.twins)]
        rows = [_describe_for_people(label, result, item) for item in result.rounds]
        print_rows("run", rows, fmt=fmt, columns=(*_BEFORE, *accuracies, *_AFTER))
        print_chart(label, result)
        print_costs(result, fresh=fresh)
        return
    rows = [_describe(result, item) for item in result.rounds]
    grade = max((item.grade for item in result.rounds), key=_GRADES.index, default=None)
    more = {
        "run": result.name,
        "task_id": result.task_id,
        "verdict": result.verdict,
        "costs": _costs(result, fresh=fresh),
    }
    columns = (*_BEFORE, "accuracy", "twins", *_AFTER)
    print_rows("run", rows, fmt=fmt, columns=columns, grade=grade, envelope=more)


def _describe_for_people(label: str, result: RunResult, item: RoundResult) -> dict[str, Any]:
    row = _describe(result, item)
    accuracies = {f"accuracy {name}": value for name, value in {label: item.accuracy, **row["twins"]}.items()}
    return {**row, **accuracies, "commits": f"{item.committed}/{result.clients}"}


def _describe(result: RunResult, item: RoundResult) -> dict[str, Any]:
    left_out = [(client, code) for client, code in (*item.excluded, *item.refused)]
    return {
        "round": item.number,
        "round_id": item.round_id,
        "commits": item.committed,
        "included": item.included,
        "excluded": [f"c{client} {code}" for client, code in sorted(left_out)],
        "accuracy": item.accuracy,
        "twins": {k: v[item.number - 1] for k, v in result.twins.items() if len(v) >= item.number},
        "replay": item.verdict,
        "block": item.block,
        "gas": item.gas_used,
        "seconds": item.seconds,
        "grade": item.grade,
    }


def print_chart(label: str, result: RunResult) -> None:
    """Print the accuracy of the run, by its rule's label, and of its twins over the rounds."""
    series = {label: [item.accuracy for item in result.rounds]}
    series |= {f"{label} (no ledger)": list(values) for label, values in result.twins.items()}
    unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    click.echo("\naccuracy on held-out data")
    for line in draw_lines(series, ascii_only=not unicode):
        click.echo(line)


def print_costs(result: RunResult, *, fresh: bool) -> None:
    """Print gas and time per round."""
    costs = _costs(result, fresh=fresh)
    gas, gas_per_client = costs["gas_per_round"], costs["gas_per_client_and_round"]
    click.echo(f"\ngas   {gas:,} a round, {gas_per_client:,} a client and round")
    if costs["ledger_share"] is not None:
        share = f"{costs['ledger_share']:.0%} of it for the ledger: commit, publish, propose, replay, finalise"
        click.echo(f"time  {costs['seconds_per_round']:.2f} s a round, {share}")


def _costs(result: RunResult, *, fresh: bool) -> dict[str, Any]:
    rounds, commits = len(result.rounds), sum(item.committed for item in result.rounds)
    seconds = sum(item.seconds for item in result.rounds)
    training = sum(item.training_seconds for item in result.rounds)
    return {
        "gas_per_round": result.gas_used // max(rounds, 1),
        "gas_per_client_and_round": result.gas_used // max(commits, 1),
        "seconds_per_round": round(seconds / max(rounds, 1), 4),
        "ledger_share": round((seconds - training) / seconds, 4) if fresh and seconds else None,
    }
