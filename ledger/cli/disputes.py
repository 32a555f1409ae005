"""Disputes as rows: what `fedtrail dispute list` and `show` print."""

from __future__ import annotations

from typing import Any

from ledger import spec
from ledger.chain.reverts import format_time
from ledger.cli.output import to_plain
from ledger.cli.session import Session
from ledger.docket import Fault


def describe_fault(fault: Fault) -> dict[str, Any]:
    """Return a proven fault as a row."""
    return {
        "round_id": fault.round_id,
        "subject": fault.subject or "aggregator",
        "reason": fault.reason,
        "status": fault.status,
        "challenger": fault.challenger,
        "prover": fault.prover,
        "coordinate": fault.coordinate,
        "claimed": fault.claimed,
        "recomputed": fault.recomputed,
        "loser": fault.loser,
        "reward_wei": to_amount(fault.to_challenger_wei),
        "to_clients_wei": to_amount(fault.to_clients_wei),
        "burnt_wei": to_amount(fault.burnt_wei),
        "paid_to": fault.paid_to,
        "shares_paid": list(fault.shares),
        "block": fault.block,
        "tx": fault.tx,
    }


def list_games(session: Session, round_id: int | None = None) -> list[dict[str, Any]]:
    """Return the open games as rows."""
    from ledger.watching.games import fetch_open_games

    return [
        {
            "round_id": one.game.round_id,
            "subject": "aggregator",
            "reason": f"distance of slots {one.game.low} and {one.game.high}",
            "status": "game open",
            "challenger": one.challenger,
            "claimed": one.game.distance,
            "on_turn": "aggregator" if one.game.is_aggregators_turn() else "challenger",
            "until": one.game.move_by,
            "blocks": min(1 << one.game.height, one.game.blocks),
        }
        for one in fetch_open_games(session.chain, round_id)
    ]


def list_demands(session: Session, round_id: int | None = None) -> list[dict[str, Any]]:
    """Return the open demands as rows."""
    from ledger.watching.demands import fetch_open_demands
    from ledger.watching.leaves import describe

    return [
        {
            "round_id": demand.round_id,
            "subject": demand.client or "aggregator",
            "reason": f"{describe(demand)} demanded",
            "status": "demand open",
            "challenger": demand.challenger,
            "until": demand.deadline,
            "reward_wei": str(demand.reward_wei),
        }
        for demand in fetch_open_demands(session.chain, round_id)
    ]


def to_amount(amount_wei: int | None) -> str | None:
    """Return an amount as JSON has it."""
    return None if amount_wei is None else str(amount_wei)


def describe_escrow(session: Session, round_id: int, phase: spec.Phase) -> dict[str, Any]:
    """Return who is to be paid for a voided round, by which ticket, and until when that can be contested."""
    from ledger.watching import get_standing

    if phase is not spec.Phase.VOIDED:
        return {"challenger": None, "proven_at": None, "contestable_until": None, "claimed_by_ticket_of": None}
    standing = get_standing(session.chain, round_id)
    return {
        "challenger": standing.challenger if any(standing.challenger) else None,
        "proven_at": standing.proven_at,
        "contestable_until": standing.escrow_until,
        "claimed_by_ticket_of": standing.claimed_by or None,
    }


def fit(told: dict[str, Any]) -> dict[str, Any]:
    """Return a record whose lists and times people can read."""
    times = ("challenge_end", "proven_at", "contestable_until", "claimed_by_ticket_of")
    shown = {key: format_time(told[key]) if told[key] else None for key in times}
    kept = {key: value for key, value in told.items() if not isinstance(value, list)}
    numbered = {
        f"{name} {at}": ", ".join(f"{k} {v}" for k, v in to_plain(row).items() if v not in (None, [], ""))
        for name, rows in told.items()
        if isinstance(rows, list)
        for at, row in enumerate(rows, start=1)
    }
    return {**kept, **shown, **numbered}
