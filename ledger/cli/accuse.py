"""`fedtrail dispute open`: which fault, by which evidence, to which court."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.audit import replay
from ledger.cli.output import format_option, print_record, print_rows
from ledger.cli.participants import find_participant
from ledger.cli.progress import say
from ledger.cli.round import number_argument, run_option
from ledger.cli.runs import find_round
from ledger.cli.session import Session, project_options
from ledger.docket import encode_reason
from ledger.errors import NotFoundError
from ledger.history import load_round

if TYPE_CHECKING:
    from ledger.availability import Certificate, Demand
    from ledger.chain import CommitteeView, Receipt
    from ledger.records import RoundRecord
    from ledger.statements import Signed, SignedCommitment
    from ledger.watching.plans import Plan

AUTO = "auto"
_CLAUSES = {
    "wrong-entry": "1",
    "wrong-members": "6",
    "wrong-aggregate": "7",
    "wrong-matrix": "8",
    "wrong-model": "9",
    "wrong-weight": "11",
    "wrong-distance": "11",
    "wrong-seed": "11",
}
"""Faults that a replay finds, and the check that finds them."""

_EVIDENT = ("omitted-commitment", "out-of-bound", "equivocation", "double-attestation", "unserved")
"""Faults that no replay finds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What an accusation is made from."""

    session: Session
    record: RoundRecord
    files: tuple[Path, ...]
    """Evidence that was named."""
    client: str | None
    """Key name or number of the accused client."""


@click.command("open")
@number_argument
@run_option
@click.option(
    "--kind",
    type=click.Choice([AUTO, *_CLAUSES, *_EVIDENT]),
    default=AUTO,
    show_default=True,
    help="Which fault; auto: what the replay finds and is cheapest to prove.",
)
@click.option(
    "--evidence",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A receipt, a signed commitment or an attestor's statement; more than one where two contradict each other.",
)
@click.option("--client", metavar="CLIENT", help="Whose update is beyond the bound (key name or number).")
@click.option("--ticket", is_flag=True, help="Buy a ticket first, so that nobody can copy the proof for its reward.")
@click.option("--dry-run", is_flag=True, help="Make the proof, say what it is, send nothing.")
@format_option
@project_options
def open_(
    session: Session,
    number: int,
    run_name: str | None,
    kind: str,
    files: tuple[Path, ...],
    client: str | None,
    ticket: bool,
    dry_run: bool,
    fmt: str,
) -> None:
    """Dispute round N by the smallest proof of what a replay finds: the round is void, and its bond is forfeit.

    A wrong distance of Krum takes a game, which this opens; `fedtrail watch --open-disputes` plays it on. A wrong
    matrix is proved from a leaf that somebody has demanded. `fedtrail dispute resolve N` takes the bond and pays the
    reward, an hour after the proof.

    Other kinds accuse somebody of what no replay shows. omitted-commitment: the aggregator signed a receipt and left
    its client out (the receipt; those of this project are found). out-of-bound: a client committed to a coordinate
    beyond the bound. equivocation: a client signed two commitments (both; of a list's client, the other one).
    double-attestation: an attestor made two statements (both; or the one that is not in the certificate). unserved:
    nobody showed an update that the signers of a certificate had vouched for.
    """
    record = load_round(session.chain, session.reader, find_round(session, number, run_name))
    case = _Case(session=session, record=record, files=files, client=client)
    plans: Sequence[Plan] = _KINDS[kind](case) if kind in _KINDS else [_plan_by_replay(case, _CLAUSES.get(kind))]
    told: list[dict[str, Any]] = []
    for plan in plans:
        told.append({"round": record.number, "round_id": record.round_id, **_describe_plan(plan)})
        if not dry_run:
            told[-1] |= _dispute(session, record.round_id, plan, ticket=ticket)
    if not dry_run:
        is_game = not isinstance(plans[-1], tuple)
        next_ = "watch --open-disputes plays on" if is_game else f"dispute resolve {number}"
        say(f"next: fedtrail {next_}; the reward is paid an hour after the proof")
    if len(told) == 1:
        print_record("dispute.open", told[0], fmt=fmt)
    else:
        print_rows("dispute.open.several", told, fmt=fmt, columns=tuple(told[0]))


# --------------------------------------------------------------------------------------------------------------- plans


def _plan_by_replay(case: _Case, clause: str | None) -> Plan:
    """Return how what a replay finds is disputed. Args: clause: only this check's findings; None for all."""
    from ledger.watching.demands import fetch_matrix_leaves
    from ledger.watching.plans import is_matrix_wrong, make_plan

    report = replay(case.record)
    if clause is not None:
        findings = tuple(finding for finding in report.findings if finding.clause == clause)
        if not findings:
            raise NotFoundError(f"check ({clause}) of the replay finds nothing wrong with round {case.record.number}")
        report = replace(report, findings=findings)
    shown = fetch_matrix_leaves(case.session.chain, case.record.round_id) if is_matrix_wrong(report) else {}
    return make_plan(case.record, report, shown)


def _plan_omission(case: _Case) -> list[Plan]:
    from ledger.accusations import accuse_of_omission
    from ledger.statements import read_receipts

    folder = case.session.project.state_dir / "receipts" / case.session.chain.fingerprint
    receipts = _read_commitments(case) if case.files else read_receipts(folder, case.record.round_id)
    return [(accuse_of_omission(case.record, receipts),)]


def _plan_equivocation(case: _Case) -> list[Plan]:
    from ledger.accusations import accuse_of_equivocation

    return [(accuse_of_equivocation(case.record, _read_commitments(case)),)]


def _read_commitments(case: _Case) -> list[SignedCommitment]:
    from ledger.statements import MAX_COMMITMENT_BYTES, decode_commitment, read_file

    return [decode_commitment(read_file(path, MAX_COMMITMENT_BYTES)) for path in case.files]


def _plan_out_of_bound(case: _Case) -> list[Plan]:
    from ledger.accusations import accuse_of_going_beyond_the_bound

    client = None if case.client is None else find_participant(case.session, case.client).view.id
    return [(accuse_of_going_beyond_the_bound(case.record, client),)]


def _plan_double_attestation(case: _Case) -> list[Plan]:
    from ledger.accusations import accuse_of_double_attestation
    from ledger.statements import MAX_STATEMENT_BYTES, decode_signed, read_file

    signed = [decode_signed(read_file(path, MAX_STATEMENT_BYTES)) for path in case.files]
    return [(accuse_of_double_attestation(case.record.round_id, [*signed, *_read_certified(case)]),)]


def _plan_unserved(case: _Case) -> list[Plan]:
    from ledger.accusations import accuse_of_not_serving, list_signers

    certified, demand = _find_certificate(case), _find_withheld(case)
    if certified is None or demand is None:
        raise NotFoundError(f"no update of round {case.record.number} was certified and then not shown on demand")
    certificate, committee = certified
    reason = encode_reason("withheld update")
    due = [
        attestor
        for attestor in list_signers(certificate, committee.ids)
        if not case.session.chain.get_reward(case.record.round_id, attestor, reason).proven_at
    ]
    if not due:
        raise NotFoundError(f"every signer of the certificate of round {case.record.number} has been accused already")
    return [(accuse_of_not_serving(case.record, demand, certificate, committee.ids, who),) for who in due]


def _find_certificate(case: _Case) -> tuple[Certificate, CommitteeView] | None:
    """Return the round's certificate, and the committee whose signatures it has."""
    from ledger.availability import Certificate

    chain = case.session.chain
    for event in chain.events(names=("Certified",), round_id=case.record.round_id):
        committee = chain.list_committees()[event.args["epoch"] - 1]
        names = ("excluded", "signers", "signatures")
        return Certificate(**{name: event.args[name] for name in names}), committee
    return None


def _read_certified(case: _Case) -> list[Signed]:
    """Return what the signers of the round's certificate stated."""
    from ledger.accusations import list_signed

    found = _find_certificate(case)
    return [] if found is None else list_signed(case.record.segments_hash, found[0], found[1].ids)


def _find_withheld(case: _Case) -> Demand | None:
    """Return a demand for an included update that was closed because nobody answered it."""
    from ledger.availability import Subject, compute_demand_hash, read_demand

    chain = case.session.chain
    demanded = chain.events(names=("LeavesDemanded",), round_id=case.record.round_id)
    demands = [read_demand(event.args["demand"]) for event in demanded]
    ended = {event.args["demand_hash"] for event in chain.events(names=("LeavesWithheld",))} if demands else set()
    updates = (demand for demand in demands if demand.subject is Subject.UPDATE)
    return next((demand for demand in updates if compute_demand_hash(demand) in ended), None)


_KINDS: dict[str, Callable[[_Case], Sequence[Plan]]] = {
    "omitted-commitment": _plan_omission,
    "out-of-bound": _plan_out_of_bound,
    "equivocation": _plan_equivocation,
    "double-attestation": _plan_double_attestation,
    "unserved": _plan_unserved,
}


# ------------------------------------------------------------------------------------------------------------- sending


def _describe_plan(plan: Plan) -> dict[str, Any]:
    if isinstance(plan, tuple):
        *before, last = plan
        packed = [len(step.arguments[-1]) for step in (*before[1:], last)]  # opening a session packs nothing
        names = {"proof": last.function if not before else "session", "transactions": len(plan)}
        return {**names, "proof_bytes": sum(packed), "proof_hash": last.proof_hash}
    low, high, distance = plan.arguments[-3:]
    return {"proof": plan.function, "slots": [low, high], "posted_distance": str(distance)}


def _dispute(session: Session, round_id: int, plan: Plan, *, ticket: bool) -> dict[str, Any]:
    """Send the proof, with a ticket before it if asked for, or open the game."""
    from ledger.watching import Challenger
    from ledger.watching.games import open_game

    challenger, told = Challenger(session.chain, session.operator()), {}
    if not isinstance(plan, tuple):
        receipt = open_game(session.chain, plan, account=challenger.account)
    else:
        if ticket:
            told["ticket_tx"] = challenger.buy_ticket(round_id, plan[-1]).tx
        receipt = challenger.prove(round_id, *plan)
    return {**told, "tx": receipt.tx, "gas_used": receipt.gas_used, **_describe_outcome(receipt)}


def _describe_outcome(receipt: Receipt) -> dict[str, Any]:
    """Return what the court found, and whom it made pay at once, from the events of its transaction."""
    found = {event.name: event.args for event in receipt.events}
    proven, slashed = found.get("FraudProven") or found.get("SeedFraudProven", {}), found.get("Slashed")
    names = ("coordinate", "owner", "peer", "claimed", "recomputed")
    values = {name: proven[name] for name in names if name in proven}
    if slashed is not None:
        values["slashed_participant"] = slashed["id"]
    return {**values, "phase": "voided" if "Voided" in found else "unchanged"}
