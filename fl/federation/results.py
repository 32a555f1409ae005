"""What a run reports: frozen data for the screen, for JSON and for the script's expectations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fl.workload import Vector
from ledger.records import AuditReport, Grade, Verdict
from ledger.script import Script


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One step of a run, for a progress display."""

    stage: str
    """set-up, keys, mask, key, train, commit, publish, attest, aggregate, decrypt, replay, finalise, score, reward,
    twin.
    """
    round: int
    """Round of the run, 0 during set-up."""
    rounds: int
    """Rounds that the script asks for."""
    done: int
    """Steps done in this stage."""
    total: int
    """Steps of this stage."""
    text: str = ""
    """What is being done, for people."""


Observer = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conviction:
    """A proposal that the court struck, and what that cost whom."""

    function: str
    """Proof, by the court's function."""
    coordinate: int | None
    """First coordinate that is wrong; None where it is a revealed seed."""
    claimed: int
    """What the aggregator said there; of a seed its commitment, 0 for none."""
    recomputed: int
    """What the rule gives; of a seed the commitment to the needed one, 0 for none."""
    aggregator: int
    """Participant that lost its bond."""
    gas_used: int
    """Gas of the proof."""
    to_challenger_wei: int
    """Its reward, after an hour in escrow."""
    to_clients_wei: int
    """The clients' share."""
    burnt_wei: int
    """What nobody gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """One round as it ended."""

    number: int
    """Round of the run, from 1; a round that was struck and the one in its place have the same."""
    task_number: int
    """Number among all rounds of the task, from 1: what commands call the round."""
    round_id: int
    """Its number in the ledger."""
    committed: int
    """Commitments on the chain."""
    included: int
    """Updates in the aggregate."""
    excluded: tuple[tuple[int, str], ...]
    """(client of the script, FT code) excluded by the proposal."""
    refused: tuple[tuple[int, str], ...]
    """(client of the script, FT code) that never got as far as a commitment."""
    accuracy: float
    """Accuracy of the global model after the round, 0 to 1: the evaluator's word, not replayed."""
    verdict: Verdict
    """Outcome of the replay."""
    grade: Grade
    """How well the round is known."""
    block: int
    """Block of the proposal."""
    gas_used: int
    """Gas of all transactions of the round."""
    seconds: float
    """Wall time of the round."""
    training_seconds: float
    """Part of it spent on training and quantising: what plain federated learning does too."""
    problem: str = ""
    """Why a masked or homomorphic round ended without a sum; empty where it did not."""
    report: AuditReport
    """The replay."""
    paid: tuple[tuple[int, int], ...] = ()
    """(client of the script, wei) of the rewards that the round paid."""
    conviction: Conviction | None = None
    """Set if the proposal was struck: the round has no effect, and another one took its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A run as it ended."""

    name: str
    """Of the script."""
    task_id: int
    """The run's task in the ledger."""
    clients: int
    """Clients of the script."""
    rounds: tuple[RoundResult, ...]
    """In order."""
    twins: dict[str, tuple[float, ...]]
    """Accuracy by round of the same learning without a ledger, by rule."""
    twin_seconds: dict[str, float]
    """Wall time of those runs."""
    model_q: Vector
    """The last global model in fixed point, int32[d]."""

    @property
    def model(self) -> tuple[int, ...]:
        """The last global model as integers."""
        return tuple(self.model_q.tolist())

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the rounds that were not struck."""
        order = (Verdict.FAIL, Verdict.INCOMPLETE, Verdict.PASS, Verdict.NOTHING)
        found = {result.verdict for result in self.rounds if result.conviction is None}
        return next((verdict for verdict in order if verdict in found), Verdict.NOTHING)

    @property
    def gas_used(self) -> int:
        """Gas of all rounds."""
        return sum(result.gas_used for result in self.rounds)


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    "<": lambda a, b: a < b,
}


def find_unmet(script: Script, result: RunResult) -> list[str]:
    """Return the expectations of a script that a run did not meet, in words; empty when all were met."""
    expect, unmet = script.expect, []
    if expect.replay and result.verdict != expect.replay:
        unmet.append(f"replay: expected {expect.replay}, found {result.verdict}")
    if expect.accuracy and result.rounds:
        value = expect.accuracy.lstrip("<>=")
        comparison, want = expect.accuracy.removesuffix(value), float(value)
        got = result.rounds[-1].accuracy
        if not _COMPARISONS[comparison](got, want):
            unmet.append(f"accuracy: expected {expect.accuracy}, found {got:.3f}")
    for want_excluded in expect.excluded or ():
        for number in want_excluded.rounds:
            unmet.extend(_find_unmet_exclusion(result, number, want_excluded.client, want_excluded.code))
    return unmet


def _find_unmet_exclusion(result: RunResult, number: int, client: int, code: str | None) -> list[str]:
    rounds = {r.number: r for r in result.rounds}
    if number not in rounds:
        return [f"excluded: round {number} did not take place"]
    outcomes = dict(rounds[number].excluded + rounds[number].refused)
    if client not in outcomes:
        return [f"excluded: expected client {client} in round {number}, found {sorted(outcomes) or 'nobody'}"]
    if code and outcomes[client] != code:
        return [f"excluded: expected client {client} in round {number} with {code}, found {outcomes[client]}"]
    return []
