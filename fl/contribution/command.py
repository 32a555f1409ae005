"""`fedtrail contribution show`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.output import format_option, print_rows
from ledger.cli.progress import progress_bar, say
from ledger.cli.runs import find_round, find_run, name_participants
from ledger.cli.session import Session, project_options
from ledger.errors import Interrupted, MissingExtra, NotFoundError
from ledger.records import Grade, Verdict

if TYPE_CHECKING:
    from fl.contribution.games import Utility, Values
    from ledger.records import RoundRecord

COLUMNS = ("client", "name", "value", "exact")
METHODS = ("loo", "shapley", "gtg")
NO_REWARD = (
    "what a client adds by these examples, and nothing else: replaying the last global step scores above honest work, "
    "so never pay by it alone"
)


@click.group()
def contribution() -> None:
    """Ask what single clients added to a model, by a test set."""


@contribution.command()
@click.argument("name", metavar="[RUN]", required=False)
@click.option("--round", "number", type=click.IntRange(min=1), required=True, metavar="N", help="Round of the run.")
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="loo",
    show_default=True,
    help="Leave-one-out, exact Shapley values (up to 10 clients), or GTG-Shapley.",
)
@click.option("--permutations", type=click.IntRange(min=1), help="gtg: permutations; default: five times the clients.")
@click.option(
    "--tolerance",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="gtg: right predictions that do not matter.",
)
@format_option
@project_options
def show(
    session: Session, name: str | None, number: int, method: str, permutations: int | None, tolerance: int, fmt: str
) -> None:
    """Tell how many right predictions on the test set of RUN's script each client of round N is worth.

    The utility of some of the clients is what the model gets right that the round's rule makes of their updates. Values
    are exact fractions. Their grade is CLAIMED: only who has the same test examples can compute them again. No reward
    should depend on them alone.
    """
    try:
        from fl.contribution.coalitions import make_counter, name_test_set, read_game
        from fl.contribution.games import count_coalitions
        from fl.workload import Workload
    except ModuleNotFoundError as error:
        raise MissingExtra(feature="contribution", package=error.name, extra="fl") from error
    from ledger.script import load_script

    run = find_run(session, name)
    record = _load_replayed(session, find_round(session, number, run.name))
    workload = Workload(load_script(Path(session.project.state_dir) / "runs" / run.file))
    clients, utility = read_game(record, make_counter(workload))
    permutations = permutations or 5 * len(clients)
    total = count_coalitions(method, len(clients), permutations)
    try:
        with progress_bar() as bar:
            counted = _Counted(utility, lambda done: bar.update(done, total, f"{method}: coalition {done} of {total}"))
            values = _compute(method, counted, record, len(clients), permutations, tolerance)
            ends = {"nobody": counted(()), "everybody": counted(tuple(range(len(clients))))}
    except KeyboardInterrupt:
        raise Interrupted(hint="the same command starts anew") from None
    rows = _describe(values, clients, name_participants(session, list(clients)))
    test = name_test_set(workload.script.data.name, workload.dataset)
    more = {"method": method, "test_set": test, "right_predictions": ends, "warning": NO_REWARD}
    print_rows("contribution.show", rows, fmt=fmt, columns=COLUMNS, grade=Grade.CLAIMED, envelope=more)
    if fmt == "table":
        gained = f"{ends['nobody']} right predictions before, {ends['everybody']} after"
        say(f"{method} of round {number} on {test}: {gained}")
        say(f"CLAIMED: {NO_REWARD}")


class _Counted:
    """A utility that remembers, and tells how many coalitions it was asked for."""

    def __init__(self, utility: Utility, tell: Any) -> None:
        self._utility, self._tell = utility, tell
        self._known: dict[tuple[int, ...], int] = {}

    def __call__(self, coalition: tuple[int, ...]) -> int:
        if coalition not in self._known:
            self._known[coalition] = self._utility(coalition)
            self._tell(len(self._known))
        return self._known[coalition]


def _load_replayed(session: Session, round_id: int) -> RoundRecord:
    """Return a round whose replay passed. Raises: the first finding of one that did not; NotFoundError: no proposal."""
    from ledger.audit import replay
    from ledger.history import load_round

    record = load_round(session.chain, session.reader, round_id)
    report = replay(record)
    report.raise_for_status()
    if report.verdict is Verdict.NOTHING:
        raise NotFoundError(f"round {round_id} of the ledger ended without a proposal: nobody contributed to it")
    return record


def _compute(method: str, utility: Utility, record: RoundRecord, n: int, permutations: int, tolerance: int) -> Values:
    from fl.contribution.games import compute_gtg_shapley, compute_leave_one_out, compute_shapley
    from ledger import spec

    if method == "loo":
        return compute_leave_one_out(utility, n)
    if method == "shapley":
        return compute_shapley(utility, n)
    seed = spec.compute_seed(record.domain_separator, record.round_id, record.segments_hash)
    return compute_gtg_shapley(utility, n, permutations=permutations, tolerance=tolerance, seed=seed)


def _describe(values: Values, clients: Sequence[int], names: dict[int, str]) -> list[dict[str, Any]]:
    rows = []
    for slot, client in enumerate(clients):
        value = values.get(slot)
        rows.append({"client": client, "name": names.get(client), "value": float(value), "exact": str(value)})
    return rows
