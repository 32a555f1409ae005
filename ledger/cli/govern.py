"""`fedtrail contract govern`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record
from ledger.cli.participants import find_participant, to_address, unique_key
from ledger.cli.progress import say
from ledger.cli.session import Session, project_options
from ledger.errors import NotEligible, UsageError

if TYPE_CHECKING:
    from ledger.chain import Call, Receipt


@click.group(cls=LazyGroup)
def govern() -> None:
    """Do what a ledger's governor or guardian may do; the operator sends.

    Where a timelock governs, the first call of a command schedules the act, and a later one executes it.
    """


wait_option = click.option(
    "--wait", is_flag=True, help="Wait until a timelock lets it happen; a devnet moves its clock."
)


@govern.command()
@click.argument("attestors", metavar="ATTESTOR...", nargs=-1, required=True)
@click.option(
    "--threshold", type=click.IntRange(min=1), help="Signatures that a certificate needs. [default: a majority]"
)
@wait_option
@format_option
@project_options
def committee(session: Session, attestors: tuple[str, ...], threshold: int | None, wait: bool, fmt: str) -> None:
    """Let each ATTESTOR (key name or number) certify, together, the rounds that open from now on.

    Rounds that are open keep the committee that they have.
    """
    from ledger.attesting import make_committee_key
    from ledger.chain import Role

    found = [find_participant(session, who) for who in attestors]
    for known in found:
        if known.view.role is not Role.ATTESTOR:
            raise NotEligible(who=known.name or known.view.id, what="attest", reason="it is registered as another role")
    ids = sorted({known.view.id for known in found})
    signatures = threshold or len(ids) // 2 + 1
    key = make_committee_key(session.chain, ids, signatures)
    told = {"ids": ids, "threshold": signatures}
    if key is None:
        told |= {"status": "done", "executable_from": None, "tx": None}
    else:
        call = session.chain.contracts.to("board", "setCommittee", ids, signatures)
        told |= _govern(session, call, key, wait=wait)
    print_record("contract.govern.committee", told, fmt=fmt)


@govern.command()
@click.argument("ledger")
@wait_option
@format_option
@project_options
def successor(session: Session, ledger: str, wait: bool, fmt: str) -> None:
    """Name the address LEDGER as the one that takes this ledger's place, once and for ever; nothing here changes."""
    from eth_utils.address import is_address

    if not is_address(ledger):
        raise UsageError(f"'{ledger}' is no address")
    call = session.chain.contracts.to_ledger("nameSuccessor", to_address(ledger))
    told = _govern(session, call, f"{session.chain.fingerprint}/successor/{ledger.lower()}", wait=wait)
    print_record("contract.govern.successor", {"successor": ledger, **told}, fmt=fmt)


def _govern(session: Session, call: Call, key: str, *, wait: bool) -> dict[str, Any]:
    """Let the governor act: at once, or by its timelock as far as time allows; return how far that was."""
    from ledger.chain.governing import DONE, make_act
    from ledger.chain.reverts import format_time

    chain, operator = session.chain, session.operator()
    if not chain.has_timelock:
        return _describe(chain.send(call, key=key, sender=operator))
    act = make_act(call, key)
    executable_from = chain.schedule(act, key=key, sender=operator)
    if executable_from == DONE:
        return {"status": "done", "executable_from": None, "tx": None}
    if wait:
        chain.wait_until(executable_from)
    if chain.now() >= executable_from:
        return _describe(chain.execute(act, key=key, sender=operator))
    say(f"scheduled: call this again from {format_time(executable_from)} on, or with --wait")
    return {"status": "scheduled", "executable_from": executable_from, "tx": None}


def _describe(receipt: Receipt) -> dict[str, Any]:
    return {"status": "done", "executable_from": None, "tx": receipt.tx}


# ------------------------------------------------------------------------------------------------------------ guardian


@govern.command()
@click.argument("task", type=click.IntRange(min=1))
@format_option
@project_options
def pause(session: Session, task: int, fmt: str) -> None:
    """Stop the open round of TASK (a number) for a while: nobody commits or proposes. The guardian may.

    Proofs, answers, finalisation and withdrawals go on.
    """
    receipt = session.chain.pause(task, key=unique_key(session, "pause", task), sender=session.operator())
    told = {"task": task, "paused_at": session.chain.get_paused_at(task), "tx": receipt.tx}
    print_record("contract.govern.pause", told, fmt=fmt)


@govern.command()
@click.argument("task", type=click.IntRange(min=1))
@format_option
@project_options
def resume(session: Session, task: int, fmt: str) -> None:
    """End the pause of TASK: the guardian at any time, anybody once the longest pause is over."""
    receipt = session.chain.resume(task, key=unique_key(session, "resume", task), sender=session.operator())
    seconds = receipt.find("Resumed").args["paused_seconds"]
    told = {"task": task, "paused_seconds": seconds, "tx": receipt.tx}
    print_record("contract.govern.resume", told, fmt=fmt)
