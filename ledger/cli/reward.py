"""`fedtrail reward`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, print_rows
from ledger.cli.participants import find_participant, load_owner, to_text, unique_key
from ledger.cli.progress import say
from ledger.cli.round import number_argument, run_option
from ledger.cli.runs import find_round, find_run, find_task
from ledger.cli.session import Session, project_options
from ledger.errors import NotFoundError
from ledger.units import format_wei, parse_seconds, parse_wei

if TYPE_CHECKING:
    from ledger.chain import PoolView


@click.group(cls=LazyGroup)
def reward() -> None:
    """Promise, claim, show and take out pay for updates that went into finalised rounds.

    A round pays a member for its inclusion and its stake, both of which the chain shows; no score decides. A stake pays
    the same under one identity and under many, as long as the pool has no cap.
    """


@reward.command()
@click.argument("amount")
@click.option("--rate", required=True, metavar="AMOUNT", help="What a round pays for each ether of a client's stake.")
@click.option("--cap", metavar="AMOUNT", help="Stake of one client that counts at most; default: all of it.")
@click.option("--for", "period", default="30d", show_default=True, help="Until the sponsor may take the rest back.")
@run_option
@format_option
@project_options
def fund(
    session: Session, amount: str, rate: str, cap: str | None, period: str, run_name: str | None, fmt: str
) -> None:
    """Promise AMOUNT, such as 1ether, to the clients of a run's rounds that open from now on; the operator pays."""
    from ledger.chain import UNCAPPED_WEI

    task_id = _find_task(session, run_name)
    receipt = session.chain.fund_rewards(
        task_id,
        parse_wei(amount),
        rate_wei=parse_wei(rate),
        cap_wei=UNCAPPED_WEI if cap is None else parse_wei(cap),
        until=session.chain.now() + parse_seconds(period),
        key=unique_key(session, "rewards", task_id),
        sender=session.operator(),
    )
    pool = session.chain.get_reward_pool(receipt.find("PoolFunded").args["pool_id"])
    print_record("reward.fund", _describe(pool, fmt), fmt=fmt)


@reward.command()
@number_argument
@click.option("--client", "who", metavar="CLIENT", help="Only for this client: key name or number.")
@run_option
@format_option
@project_options
def claim(session: Session, number: int, who: str | None, run_name: str | None, fmt: str) -> None:
    """Claim what pools owe the members of round N; the operator sends, the clients' owners are credited."""
    from ledger.history import load_round
    from ledger.rewards import list_memberships, make_admission

    chain, round_id = session.chain, find_round(session, number, run_name)
    record = load_round(chain, session.reader, round_id)
    only = find_participant(session, who).view.id if who else None
    members = [each for each in list_memberships(record) if only in (None, each.client)]
    opened_at = chain.get_round(round_id).opened_at
    pools = [pool for pool in chain.list_reward_pools(record.task_id) if pool.since <= opened_at]
    prefix = f"{session.network.ledger}/reward/{round_id}"
    if pools and members and not chain.is_admitted(round_id):
        later = chain.events(names=("RoundOpened", "Proposed", "Finalised"))
        chain.admit_round(make_admission(record, later), key=f"{prefix}/admit", sender=session.operator())
    rows = []
    for pool in pools:
        left_wei, payable = pool.left_wei, []
        for member in members:
            wei = chain.get_round_reward(pool.pool_id, round_id, member.client)
            state = "paid before" if chain.has_been_paid(pool.pool_id, round_id, member.client) else "paid"
            if state == "paid" and not 0 < wei <= left_wei:
                state = "the pool has not enough left" if wei else "nothing is owed"
            elif state == "paid":
                left_wei -= wei
                payable.append(member)
            rows.append({"pool": pool.pool_id, "client": member.client, **_amount("reward", wei, fmt), "state": state})
        key = f"{prefix}/{pool.pool_id}"
        chain.claim_round_rewards(pool.pool_id, round_id, payable, key=key, sender=session.operator())
    columns = ("pool", "client", *_amount("reward", 0, fmt), "state")
    print_rows("reward.claim", rows, fmt=fmt, columns=columns, empty="no pool covers this round, or it has no member")


@reward.command()
@run_option
@format_option
@project_options
def show(session: Session, run_name: str | None, fmt: str) -> None:
    """Show the pools of a run, and what they have paid."""
    chain, task_id = session.chain, _find_task(session, run_name)
    pools = chain.list_reward_pools(task_id)
    paid = {pool.pool_id: 0 for pool in pools}
    for event in chain.events(names=("RewardPaid",)):
        if event.args["pool_id"] in paid:
            paid[event.args["pool_id"]] += event.args["amount_wei"]
    rows = [{**_describe(pool, fmt), **_amount("paid", paid[pool.pool_id], fmt)} for pool in pools]
    names = [name for key in ("rate", "cap", "left", "paid") for name in _amount(key, 0, fmt)]
    columns = ("pool", "task", *names, "until", "sponsor")
    print_rows("reward.show", rows, fmt=fmt, columns=columns, empty="nobody has promised rewards for this run")


@reward.command()
@click.argument("pool_id", metavar="POOL", type=click.IntRange(min=1))
@click.option("--wait", is_flag=True, help="Wait until the pool's time is over; a devnet moves its clock.")
@format_option
@project_options
def reclaim(session: Session, pool_id: int, wait: bool, fmt: str) -> None:
    """Take back what POOL has left, once its time is over; the operator must be its sponsor."""
    chain = session.chain
    pool = chain.get_reward_pool(pool_id)
    if wait:
        chain.wait_until(pool.until + 1)
    operator = session.operator()
    chain.reclaim_rewards(pool_id, key=unique_key(session, "reclaim", pool_id), sender=operator)
    say(f"{format_wei(pool.left_wei)} are credit of {operator.address}")
    print_record("reward.reclaim", _describe(chain.get_reward_pool(pool_id), fmt), fmt=fmt)


@reward.command()
@click.argument("who", metavar="CLIENT")
@format_option
@project_options
def withdraw(session: Session, who: str, fmt: str) -> None:
    """Pay out the credit of CLIENT's owner: rewards and shares; its stake stays."""
    known = find_participant(session, who)
    wei, owner = session.chain.get_credit(known.view.owner), load_owner(session, known)
    session.chain.claim(known.view.owner, key=unique_key(session, "claim", known.view.id), sender=owner)
    record = {"id": known.view.id, "name": known.name, "owner": to_text(known.view.owner)}
    print_record("reward.withdraw", {**record, **_amount("paid", wei, fmt)}, fmt=fmt)


def _find_task(session: Session, run_name: str | None) -> int:
    known = find_run(session, run_name)
    task_id = find_task(session.chain, known)
    if task_id is None:
        raise NotFoundError(kind="task of run", name=known.name, suggestion=": it has not come that far")
    return task_id


def _describe(pool: PoolView, fmt: str) -> dict[str, Any]:
    from ledger.chain import UNCAPPED_WEI

    cap = {"cap": "none"} if pool.cap_wei == UNCAPPED_WEI and fmt == "table" else _amount("cap", pool.cap_wei, fmt)
    amounts = {**_amount("rate", pool.rate_wei, fmt), **cap, **_amount("left", pool.left_wei, fmt)}
    where = {"pool": pool.pool_id, "task": pool.task_id}
    return {**where, **amounts, "since": pool.since, "until": pool.until, "sponsor": to_text(pool.sponsor)}


def _amount(name: str, wei: int, fmt: str) -> dict[str, Any]:
    return {name: format_wei(wei)} if fmt == "table" else {f"{name}_wei": wei}
