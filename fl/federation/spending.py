"""Privacy during a run: a round that a client cannot afford is refused, and what each round cost goes on the ledger."""

from __future__ import annotations

from fl.federation.context import Context, Roster, RoundPlan
from fl.workload import find_absent
from ledger.accounting import exceeds
from ledger.errors import BudgetExceeded
from ledger.spec.noise import PICO
from ledger.spending import compute_spends, count_uses


def verify_budgets(ctx: Context, roster: Roster, task_id: int, number: int) -> None:
    """Return if every client that is to take part in the next round can afford it.

    Counted are the commitments on the chain, so that a run that goes on elsewhere comes to the same.

    Args: number: of the round within the run; it has not been opened yet.
    Raises: BudgetExceeded: names the first client that cannot.
    """
    noise = ctx.workload.noise
    if noise is None:
        return
    uses, absent = count_uses(ctx.chain, ctx.store, task_id), find_absent(ctx.script, number)
    known: dict[int, float | None] = {}
    for client, party in enumerate(roster.clients, start=1):
        rounds = uses[party.participant] + 1
        if rounds not in known:
            known[rounds] = exceeds(noise, rounds, ctx.workload.layout.size)
        epsilon = known[rounds]
        if epsilon is not None and client not in absent:
            want, delta = noise.epsilon_budget, noise.delta / PICO
            raise BudgetExceeded(who=party.name, got=epsilon, want=want, delta=delta, round_number=number)


def record_spends(ctx: Context, plan: RoundPlan) -> None:
    """Let the aggregator state what the task has spent of each committed client's privacy, this round included."""
    noise = ctx.workload.noise
    if noise is None:
        return
    task_id = ctx.chain.get_round(plan.round_id).task_id
    before = count_uses(ctx.chain, ctx.store, task_id, up_to=plan.round_id - 1)
    uses = count_uses(ctx.chain, ctx.store, task_id, up_to=plan.round_id)
    spends = compute_spends(noise, uses, ctx.workload.layout.size)
    entries = [
        (client, spend.micro_epsilon, noise.delta) for client, spend in spends.items() if uses[client] > before[client]
    ]
    if not entries:
        return
    ctx.chain.record_spend(
        plan.round_id,
        entries,
        noise.label,
        key=ctx.key(*plan.key("spend")),
        sender=plan.aggregator.account,
        speaker=plan.aggregator.participant,
    )
