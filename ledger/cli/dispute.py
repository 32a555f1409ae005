"""`fedtrail dispute`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ledger import spec
from ledger.chain.reverts import format_time
from ledger.cli.disputes import describe_escrow, describe_fault, fit, list_demands, list_games, to_amount
from ledger.cli.lazy import LazyCommand, LazyGroup
from ledger.cli.output import format_option, print_record, print_rows
from ledger.cli.participants import find_participant, load_sender
from ledger.cli.progress import say
from ledger.cli.round import number_argument, run_option
from ledger.cli.runs import find_round
from ledger.cli.session import Session, project_options
from ledger.cli.watch import to_row
from ledger.docket import AGGREGATOR, FAULTS, encode_reason, list_faults
from ledger.errors import NotFoundError
from ledger.history import load_round

if TYPE_CHECKING:
    from ledger.chain import RewardView
    from ledger.docket import Fault
    from ledger.watching import Challenger, Happening


_OPEN = LazyCommand("ledger.cli.accuse:open_", "Dispute a round by the smallest proof of what is wrong with it.")


@click.group(cls=LazyGroup, lazy={"open": _OPEN})
def dispute() -> None:
    """Prove what is wrong on chain, answer what is disputed, and collect the rewards."""


def _challenge(session: Session) -> Challenger:
    from ledger.watching import Challenger

    return Challenger(session.chain, session.operator())


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

    chain, store, round_id = session.chain, session.reader, find_round(session, number, run_name)
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


# -------------------------------------------------------------------------------------------------------------- demand


@dispute.command()
@number_argument
@run_option
@click.option(
    "--client", required=True, metavar="CLIENT", help="Who is to show what it committed to (key name or number)."
)
@format_option
@project_options
def demand(session: Session, number: int, run_name: str | None, client: str, fmt: str) -> None:
    """Demand that CLIENT shows a leaf, drawn at random, of what it committed to in round N.

    In tasks with an availability board, from the end of the commit phase until attestors have certified the round. The
    demand's bond pays for the answer; where there is none in time, `fedtrail dispute resolve N` brings it back, and the
    client loses a fifth of its stake. Leaves of proposed vectors are demanded by `fedtrail watch --open-disputes`.
    """
    from ledger.watching import Demander

    record = load_round(session.chain, session.store, find_round(session, number, run_name))
    known = find_participant(session, client)
    done = Demander(session.chain, session.operator()).demand_commitment(record, known.view.id)
    _print_done("dispute.demand", [done], fmt=fmt)
    say(f"next: fedtrail dispute show {number} tells whether it was answered, and until when it can be")


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
    demands that nobody answered in time are closed first, whoever opened them. Who proved that a client or an attestor
    is at fault is paid, too.
    """
    chain, round_id = session.chain, find_round(session, number, run_name)
    _close_overdue(session, round_id)
    is_void = chain.get_round(round_id).phase is spec.Phase.VOIDED
    punished = [fault for fault in list_faults(chain.events(names=FAULTS, round_id=round_id)) if fault.subject]
    if not is_void and not punished:
        raise NotFoundError(f"round {number} is not void: nothing was proved against anybody")
    challenger = _challenge(session)
    if is_void:
        if not chain.is_settled(round_id):
            challenger.settle(round_id)
        _pay(session, challenger, round_id, wait=wait)
    for fault in punished:
        _pay_for_fault(session, challenger, fault, wait=wait)
    if shares and is_void:
        _pay_shares(session, round_id)
    print_record("dispute.resolve", _describe_resolution(session, round_id), fmt=fmt)


def _close_overdue(session: Session, round_id: int) -> None:
    from ledger.watching import Demander, GamePlayer

    operator = session.operator()
    done = [
        *Demander(session.chain, operator).close_overdue(round_id),
        *GamePlayer(session.chain, session.reader, operator).close_overdue(round_id),
    ]
    for one in done:
        say(f"closed: {one.what}, {one.message}")


def _pay(session: Session, challenger: Challenger, round_id: int, *, wait: bool) -> None:
    if _is_payable(session, session.chain.get_reward(round_id), wait=wait):
        challenger.claim_reward(round_id)


def _pay_for_fault(session: Session, challenger: Challenger, fault: Fault, *, wait: bool) -> None:
    reason = encode_reason(fault.reason)
    if _is_payable(session, session.chain.get_reward(fault.round_id, fault.subject, reason), wait=wait):
        challenger.claim_punishment(fault.round_id, fault.subject, reason)


def _is_payable(session: Session, reward: RewardView, *, wait: bool) -> bool:
    """Whether a reward is owed and its hour is over; with `wait`, wait for that."""
    if not any(reward.challenger):
        return False  # it is paid
    if wait:
        session.chain.wait_until(reward.payable_from)
    is_over = session.chain.now() >= reward.payable_from
    if not is_over:
        say(f"the reward can be paid from {format_time(reward.payable_from)} on: call this again then, or with --wait")
    return is_over


def _pay_shares(session: Session, round_id: int) -> None:
    """Credit the clients that committed; only in verified mode does the chain know them, and keeps a part for them."""
    chain = session.chain
    for member in load_round(chain, session.reader, round_id).members:
        if chain.has_committed(round_id, member.client) and not chain.has_claimed_share(round_id, member.client):
            key = f"{chain.fingerprint}/dispute/{round_id}/share/{member.client}"
            chain.claim_share(round_id, member.client, key=key, sender=session.operator())


def _describe_resolution(session: Session, round_id: int) -> dict[str, Any]:
    """Return what the bond came to, or else the stake of the first who paid, from the events."""
    faults = list_faults(session.chain.events(names=FAULTS, round_id=round_id))
    fault = min(faults, key=lambda fault: fault.subject != AGGREGATOR)
    reason = encode_reason(fault.reason) if fault.subject else bytes(32)
    return {
        "round_id": round_id,
        "slashed_participant": fault.loser,
        "to_challenger_wei": to_amount(fault.to_challenger_wei),
        "to_clients_wei": to_amount(fault.to_clients_wei),
        "burnt_wei": to_amount(fault.burnt_wei),
        "payable_from": session.chain.get_reward(round_id, fault.subject, reason).payable_from,
        "paid_to": fault.paid_to,
        "shares_paid": list(fault.shares),
    }
