"""`fedtrail dispute`."""

from __future__ import annotations

from typing import Any

import click

from ledger.audit import replay
from ledger.chain import Event
from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, print_rows
from ledger.cli.round import number_argument, run_option
from ledger.cli.runs import find_round
from ledger.cli.session import Session, project_options
from ledger.history import load_round
from ledger.proving import make_proof


@click.group(cls=LazyGroup)
def dispute() -> None:
    """Prove a wrong aggregate on chain, and see what became of it."""


@dispute.command("open")
@number_argument
@run_option
@click.option("--dry-run", is_flag=True, help="Make the proof, say what it is, send nothing.")
@format_option
@project_options
def open_(session: Session, number: int, run_name: str | None, dry_run: bool, fmt: str) -> None:
    """Replay round N; if it is wrong, prove it to the court: the round is void, the aggregator loses its bond."""
    record = load_round(session.chain, session.store, find_round(session, number, run_name))
    proof = make_proof(record, replay(record))
    told: dict[str, Any] = {
        "round": record.number,
        "round_id": record.round_id,
        "proof": proof.function,
        "proof_bytes": len(proof.arguments[-1]),
        "proof_hash": proof.proof_hash,
    }
    if not dry_run:
        key = f"{session.chain.fingerprint}/dispute/{record.round_id}/{proof.proof_hash.hex()}"
        receipt = session.chain.prove(proof, key=key, sender=session.operator())
        told |= {"tx": receipt.tx, "gas_used": receipt.gas_used, **_describe_outcome(receipt.events)}
    print_record("dispute.open", told, fmt=fmt)


def _describe_outcome(events: tuple[Event, ...]) -> dict[str, Any]:
    """Return what the court found and what it cost whom, from the events of its transaction."""
    found = {event.name: event.args for event in events}
    proven, slashed = found["FraudProven"], found["Slashed"]
    return {
        "coordinate": proven["coordinate"],
        "claimed": proven["claimed"],
        "recomputed": proven["recomputed"],
        "slashed_participant": slashed["id"],
        "to_challenger_wei": str(slashed["to_challenger"]),
        "to_clients_wei": str(slashed["to_clients"]),
        "burnt_wei": str(slashed["burnt"]),
        "phase": "voided" if "Voided" in found else "unchanged",
    }


@dispute.command("list")
@format_option
@project_options
def list_(session: Session, fmt: str) -> None:
    """List every fraud that was proved to the court."""
    rows = [
        {
            "round_id": event.args["round_id"],
            "subject": event.args["subject"] or "aggregator",
            "reason": bytes(event.args["reason"]).rstrip(b"\x00").decode("ascii", "replace"),
            "coordinate": event.args["coordinate"],
            "claimed": event.args["claimed"],
            "recomputed": event.args["recomputed"],
            "challenger": event.args["challenger"],
            "block": event.block,
        }
        for event in session.chain.events(names=("FraudProven",))
    ]
    columns = ("round_id", "subject", "reason", "coordinate", "claimed", "recomputed", "block")
    print_rows("dispute.list", rows, fmt=fmt, columns=columns)
