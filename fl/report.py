"""What a run prints: rows for people and programs, the chart, the costs."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from fl.chart import draw_lines
from ledger.cli.output import print_rows
from ledger.units import format_wei

if TYPE_CHECKING:
    from fl.federation.results import Conviction, RoundResult, RunResult
    from ledger.script import Script

_BEFORE = ("round", "commits", "included", "excluded")
_AFTER = ("replay", "block", "gas", "grade")
_GRADES = ("PROVEN", "ATTESTED", "CLAIMED", "MISSING")


def print_result(script: Script, result: RunResult, *, fmt: str, fresh: bool) -> None:
    """Print a run: its rounds; for people also the chart and what it cost.

    Args: fresh: whether every step was taken now; times of a resumed run mean nothing.
    """
    if fmt == "table":
        label = script.run.rule.caption
        accuracies = [f"accuracy {name}" for name in (label, *result.twins)]
        rows = [_describe_for_people(label, result, item) for item in result.rounds]
        print_rows("run", rows, fmt=fmt, columns=(*_BEFORE, *accuracies, *_AFTER))
        print_convictions(result)
        for item in result.rounds:
            if item.problem:
                click.echo(f"\nround {item.task_number} has no sum: {item.problem}; its model is the one before")
        print_rewards(result)
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
        "round": item.task_number,
        "script_round": item.number,
        "round_id": item.round_id,
        "commits": item.committed,
        "included": item.included,
        "excluded": [f"c{client} {code}" for client, code in sorted(left_out)],
        "accuracy": item.accuracy,
        "twins": {k: v[item.number - 1] for k, v in result.twins.items() if len(v) >= item.number},
        "replay": item.verdict if item.conviction is None else "struck",
        "conviction": None if item.conviction is None else _describe_conviction(item.conviction),
        "block": item.block,
        "gas": item.gas_used,
        "problem": item.problem,
        "paid": [{"client": f"c{client}", "wei": str(wei)} for client, wei in item.paid],
        "seconds": item.seconds,
        "grade": item.grade,
    }


def _describe_conviction(conviction: Conviction) -> dict[str, Any]:
    amounts = {name: str(value) for name, value in asdict(conviction).items() if name.endswith("_wei")}
    return {**asdict(conviction), **amounts}


def _name_seed(commitment: int) -> str:
    return f"the seed of {commitment:064x}" if commitment else "no seed"


def print_convictions(result: RunResult) -> None:
    """Say of each proposal that was struck what was wrong, what proved it, and what it cost whom."""
    for item in result.rounds:
        if (found := item.conviction) is None:
            continue
        lost = found.to_challenger_wei + found.to_clients_wei + found.burnt_wei
        shares = (found.to_challenger_wei, found.to_clients_wei, found.burnt_wei)
        challenger, clients, burnt = (format_wei(share) for share in shares)
        n, k, said, right = item.task_number, found.coordinate, found.claimed, found.recomputed
        what = f"said {said} in coordinate {k}, the updates give {right}"
        if k is None:
            what = f"revealed {_name_seed(said)}, {_name_seed(right)} was needed"
        click.echo(f"\nround {n} struck: the aggregator {what}")
        click.echo(f"  proved to the court by {found.function}: one transaction, {found.gas_used:,} gas")
        click.echo(
            f"  aggregator {found.aggregator} lost {format_wei(lost)}: {challenger} to the challenger,", nl=False
        )
        click.echo(f" {clients} to the clients, {burnt} burnt")
        click.echo(f"  round {n + 1}, by another aggregator, stands in its place")


def print_rewards(result: RunResult) -> None:
    """Say what the rounds paid, if they paid anything."""
    by_client: dict[int, int] = {}
    for item in result.rounds:
        for client, wei in item.paid:
            by_client[client] = by_client.get(client, 0) + wei
    if by_client:
        amounts = ", ".join(f"c{client} {format_wei(wei)}" for client, wei in sorted(by_client.items()))
        click.echo(f"\nrewards  {amounts}; an owner takes its credit out with: fedtrail reward withdraw CLIENT")


def print_chart(label: str, result: RunResult) -> None:
    """Print the accuracy of the run, by its rule's label, and of its twins over the rounds that stand."""
    series = {label: [item.accuracy for item in result.rounds if item.conviction is None]}
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
