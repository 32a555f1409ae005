"""`fedtrail dispute`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ledger import spec
from ledger.audit import replay
from ledger.chain.reverts import format_time
from ledger.cli.disputes import describe_escrow, describe_fault, fit, list_demands, list_games, to_amount
from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, print_rows
from ledger.cli.participants import find_participant, load_sender
from ledger.cli.progress import say
from ledger.cli.round import number_argument, run_option
from ledger.cli.runs import find_round
from ledger.cli.session import Session, project_options
from ledger.cli.watch import to_row
from ledger.docket import AGGREGATOR, FAULTS, list_faults
from ledger.errors import NotFoundError
from ledger.history import load_round

if TYPE_CHECKING:
    from ledger.chain import Receipt
    from ledger.watching import Challenger, Happening
    from ledger.watching.plans import Plan


@click.group(cls=LazyGroup)
def dispute() -> None:
    """Prove what is wrong on chain, answer what is disputed, and collect the rewards."""


def _challenge(session: Session) -> Challenger:
    from ledger.watching import Challenger

    return Challenger(session.chain, session.operator())


# ---------------------------------------------------------------------------------------------------------------- open


@dispute.command("open")
@number_argument
@run_option
@click.option("--ticket", is_flag=True, help="Buy a ticket first, so that nobody can copy the proof for its reward.")
@click.option("--dry-run", is_flag=True, help="Make the proof, say what it is, send nothing.")
@format_option
@project_options
def open_(session: Session, number: int, run_name: str | None, ticket: bool, dry_run: bool, fmt: str) -> None:
    """Replay round N; if it is wrong, dispute it by the smallest proof: the round is void, and its bond is forfeit.

    A wrong distance of Krum takes a game, which this opens; `fedtrail watch --open-disputes` plays it on.
    `fedtrail dispute resolve N` takes the bond and pays the reward, an hour after the proof.
    """
    from ledger.watching.plans import make_plan

    record = load_round(session.chain, session.store, find_round(session, number, run_name))
    plan = make_plan(record, replay(record))
    told: dict[str, Any] = {"round": record.number, "round_id": record.round_id, **_describe_plan(plan)}
    if not dry_run:
        told |= _dispute(session, record.round_id, plan, ticket=ticket)
        next_ = "watch --open-disputes plays on" if told["phase"] == "unchanged" else f"dispute resolve {number}"
        say(f"next: fedtrail {next_}; the reward is paid an hour after the proof")
    print_record("dispute.open", told, fmt=fmt)


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
    from ledger.watching.games import open_game

    challenger, told = _challenge(session), {}
    if not isinstance(plan, tuple):
        receipt = open_game(session.chain, plan, account=challenger.account)
    else:
        if ticket:
            told["ticket_tx"] = challenger.buy_ticket(round_id, plan[-1]).tx
        receipt = challenger.prove(round_id, *plan)
    return {**told, "tx": receipt.tx, "gas_used": receipt.gas_used, **_describe_outcome(receipt)}


def _describe_outcome(receipt: Receipt) -> dict[str, Any]:
    """Return what the court found, from the events of its transaction."""
    found = {event.name: event.args for event in receipt.events}
    proven = found.get("FraudProven", {})
    values = {name: proven[name] for name in ("coordinate", "claimed", "recomputed") if name in proven}
    return {**values, "phase": "voided" if "Voided" in found else "unchanged"}


# ------------------------------------------------------------------------------------------------------- list and show


@dispute.command("list")
@format_option
@project_options
def list_(session: Session, fmt: str) -> None:
    """List the disputes of the ledger: every fault that was proved, and every game and demand that is open."""
    rows = [describe_fault(fault) for fault in list_faults(session.chain.events(names=FAULTS))]
    rows += [*list_games(session), *list_demands(session)]
    columns = ("round_id", "subject", "reason", "coordinate", "claimed", "recomputed", "status", "reward_wei", "block")
    print_rows("dispute.list", rows, fmt=fmt, columns=columns, empty="nothing was disputed yet")


@dispute.command()
@number_argument
@run_option
@format_option
@project_options
def show(session: Session, number: int, run_name: str | None, fmt: str) -> None:
    """Show the disputes about round N in full: verdict, reward and until when it is kept back, moves, demands."""
    chain, round_id = session.chain, find_round(session, number, run_name)
    view, events = chain.get_round(round_id), chain.events(round_id=round_id)
    faults = [describe_fault(fault) for fault in list_faults(events)]
    told: dict[str, Any] = {
        "round": number,
        "round_id": round_id,
        "phase": view.phase.name.lower(),
        "open_disputes": view.open_disputes,
        "challenge_end": view.challenge_end or None,
        **describe_escrow(session, round_id, view.phase),
        "faults": faults,
        "games": list_games(session, round_id),
        "demands": list_demands(session, round_id),
    }
    print_record("dispute.show", fit(told) if fmt == "table" else told, fmt=fmt)


# -------------------------------------------------------------------------------------------------------------- answer


@dispute.command()
@number_argument
@run_option
@click.option("--as", "who", metavar="AGGREGATOR", help="Whose move in a game it is (key name or number).")
@format_option
@project_options
def answer(session: Session, number: int, run_name: str | None, who: str | None, fmt: str) -> None:
    """Make every move about round N that is due from here: demanded leaves, and with --as an aggregator's in games.

    Anybody who has the bytes may answer a demand for leaves, and earns its reward.
    """
    from ledger.watching import Answerer, GamePlayer

    chain, store, round_id = session.chain, session.store, find_round(session, number, run_name)
    done = list(Answerer(chain, store, session.operator()).look(round_id))
    if who is not None:
        known = find_participant(session, who)
        player = GamePlayer(chain, store, load_sender(session, known), aggregator=known.view.id)
        done += player.look(round_id)
    _print_done("dispute.answer", done, fmt=fmt)


def _print_done(schema: str, done: Sequence[Happening], *, fmt: str) -> None:
    rows = [to_row(one) for one in done]
    columns = ("what", "round_id", "code", "message", "tx")
    print_rows(schema, rows, fmt=fmt, columns=columns, empty="nothing about this round is open here")
    refused = next((one.error for one in done if one.error is not None), None)
    if refused is not None and fmt != "json":
        raise refused


# ------------------------------------------------------------------------------------------------------------- resolve


@dispute.command()
@number_argument
@run_option
@click.option("--shares", is_flag=True, help="Also credit every committed client its part of the bond.")
@click.option("--wait", is_flag=True, help="Wait until the reward can be paid; a devnet moves its clock.")
@format_option
@project_options
def resolve(session: Session, number: int, run_name: str | None, shares: bool, wait: bool, fmt: str) -> None:
    """End what is overdue about round N, take its bond if a proof has voided it, and an hour later pay the challenger.

    Call it twice: the first call takes the bond, a later one pays. With --wait, once. Games whose clock has run out and
    demands that nobody answered in time are closed first, whoever opened them.
    """
    chain, round_id = session.chain, find_round(session, number, run_name)
    _close_overdue(session, round_id)
    if chain.get_round(round_id).phase is not spec.Phase.VOIDED:
        raise NotFoundError(f"round {number} is not void: nothing was proved against its aggregator")
    challenger = _challenge(session)
    if not chain.is_settled(round_id):
        challenger.settle(round_id)
    _pay(session, challenger, round_id, wait=wait)
    if shares:
        _pay_shares(session, round_id)
    print_record("dispute.resolve", _describe_resolution(session, round_id), fmt=fmt)


def _close_overdue(session: Session, round_id: int) -> None:
    from ledger.watching import Demander, GamePlayer

    operator = session.operator()
    done = [
        *Demander(session.chain, operator).close_overdue(round_id),
        *GamePlayer(session.chain, session.store, operator).close_overdue(round_id),
    ]
    for one in done:
        say(f"closed: {one.what}, {one.message}")


def _pay(session: Session, challenger: Challenger, round_id: int, *, wait: bool) -> None:
    reward = session.chain.get_reward(round_id)
    if not any(reward.challenger):
        return  # it is paid
    if wait:
        session.chain.wait_until(reward.payable_from)
    if session.chain.now() >= reward.payable_from:
        challenger.claim_reward(round_id)
    else:
        say(f"the reward can be paid from {format_time(reward.payable_from)} on: call this again then, or with --wait")


def _pay_shares(session: Session, round_id: int) -> None:
    """Credit the clients that committed; only in verified mode does the chain know them, and keeps a part for them."""
    chain = session.chain
    for member in load_round(chain, session.store, round_id).members:
        if chain.has_committed(round_id, member.client) and not chain.has_claimed_share(round_id, member.client):
            key = f"{chain.fingerprint}/dispute/{round_id}/share/{member.client}"
            chain.claim_share(round_id, member.client, key=key, sender=session.operator())


def _describe_resolution(session: Session, round_id: int) -> dict[str, Any]:
    """Return what the bond came to, from the events."""
    faults = list_faults(session.chain.events(names=FAULTS, round_id=round_id))
    fault = next(fault for fault in faults if fault.subject == AGGREGATOR)
    return {
        "round_id": round_id,
        "slashed_participant": fault.loser,
        "to_challenger_wei": to_amount(fault.to_challenger_wei),
        "to_clients_wei": to_amount(fault.to_clients_wei),
        "burnt_wei": to_amount(fault.burnt_wei),
        "payable_from": session.chain.get_reward(round_id).payable_from,
        "paid_to": fault.paid_to,
        "shares_paid": list(fault.shares),
    }
