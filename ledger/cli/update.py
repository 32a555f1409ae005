"""`fedtrail update`."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record
from ledger.cli.participants import find_participant, load_sender
from ledger.cli.round import number_argument, run_option
from ledger.cli.runs import find_round
from ledger.cli.session import Session, project_options


@click.group(cls=LazyGroup)
def update() -> None:
    """Object to what became of a client's update."""


@update.command()
@number_argument
@run_option
@click.option("--client", "who", required=True, metavar="CLIENT", help="Who objects: key name or number.")
@click.option("--reason", required=True, metavar="TEXT", help="Why, in words.")
@click.option(
    "--file", "attached", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="What goes with it."
)
@format_option
@project_options
def contest(
    session: Session, number: int, run_name: str | None, who: str, reason: str, attached: Path | None, fmt: str
) -> None:
    """Object to round N in the name of a client: the objection goes into the store, its digest on chain.

    Others read it with the audit (Q8 names it) and from the store. It is the client's signed word, no proof: what
    is wrong in a round is proved by fedtrail dispute open.
    """
    from ledger.contests import Objection
    from ledger.store import Codec

    known, round_id = find_participant(session, who), find_round(session, number, run_name)
    chain, store = session.chain, session.store
    attachment = None if attached is None else str(store.put(attached))
    objection = Objection(
        chain_id=session.network.chain_id,
        ledger="0x" + chain.contracts.ledger.hex(),
        round_id=round_id,
        client=known.view.id,
        reason=reason,
        attachment=attachment,
    )
    cid = store.put_block(objection.encode(), Codec.RAW)
    store.pin(cid)
    key = f"{session.network.ledger}/contest/{round_id}/{known.view.id}/{cid.digest.hex()}"
    receipt = chain.contest_round(round_id, known.view.id, cid.digest, key=key, sender=load_sender(session, known))
    event = receipt.find("RoundContested")
    record = {"round_id": round_id, "client": known.view.id, "statement": str(cid), "attachment": attachment}
    where = {"block": event.block, "log": event.log_index, "tx": event.tx}
    print_record("update.contest", {**record, **where, "prove": "fedtrail bundle create"}, fmt=fmt)
