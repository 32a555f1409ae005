"""Rewards of a run: promised once, before its first round, and claimed for the clients after each finalised one."""

from __future__ import annotations

from fl.federation.context import Context, Roster, RoundPlan
from ledger.records import RoundRecord
from ledger.rewards import list_memberships, make_admission

Paid = tuple[tuple[int, int], ...]
"""(client of the script, wei), in rising client."""


def fund(ctx: Context, roster: Roster, task_id: int) -> int | None:
    """Promise what the script asks for, and return the pool's number; None for a script without rewards."""
    section = ctx.script.rewards
    if section is None:
        return None
    key = ctx.key("rewards", "fund")
    # Written down before it is sent: a run that goes on after a crash must ask for the same.
    if (note := ctx.journal.get_note(key)) is None:
        note = {"until": ctx.chain.now() + section.reclaim_seconds}
        ctx.journal.note(key, note)
    receipt = ctx.chain.fund_rewards(
        task_id,
        section.fund_wei,
        rate_wei=section.rate_wei,
        cap_wei=section.cap_wei,
        until=note["until"],
        key=key,
        sender=roster.operator,
    )
    return int(receipt.find("PoolFunded").args["pool_id"])


def claim(ctx: Context, roster: Roster, plan: RoundPlan, record: RoundRecord, pool_id: int | None) -> Paid:
    """Claim what a finalised round pays its members, as far as the pool goes, and return what was paid.

    The record's proposal is the task's last finalised one: nothing follows it in the task's head yet.
    """
    if pool_id is None:
        return ()
    key = ctx.key(*plan.key("rewards"))
    ctx.chain.admit_round(make_admission(record), key=f"{key}/admit", sender=roster.operator)
    members = list_memberships(record)
    owed = {each.client: ctx.chain.get_round_reward(pool_id, plan.round_id, each.client) for each in members}
    unpaid = [m for m in members if not ctx.chain.has_been_paid(pool_id, plan.round_id, m.client)]
    left_wei, payable = ctx.chain.get_reward_pool(pool_id).left_wei, []
    for member in unpaid:
        if 0 < owed[member.client] <= left_wei:
            left_wei -= owed[member.client]
            payable.append(member)
    ctx.chain.claim_round_rewards(pool_id, plan.round_id, payable, key=key, sender=roster.operator)
    ctx.tell("reward", plan.number, 1, 1)
    left_out = {member.client for member in unpaid} - {member.client for member in payable}
    return tuple((roster.number_of(client), wei) for client, wei in owed.items() if client not in left_out)
