"""The attestors' side of a run: they are named as the board's committee, and certify each round before its proposal."""

from __future__ import annotations

from fl.federation.context import Context, Party, Roster, RoundPlan
from fl.federation.sealing import read_as
from ledger import spec
from ledger.attesting import Attestor, make_committee_key
from ledger.chain import RoundView


def name_committee(ctx: Context, roster: Roster) -> None:
    """Let the run's attestors certify the rounds that open from now on, unless they do already.

    A board has one committee at a time: that of an earlier run keeps the rounds that are open.
    """
    if ctx.script.availability is None:
        return
    ids, threshold = sorted(party.participant for party in roster.attestors), ctx.script.availability.signatures
    key = make_committee_key(ctx.chain, ids, threshold)
    if key is not None:
        ctx.chain.name_committee(ids, threshold, key=key, sender=roster.operator)


def certify(ctx: Context, roster: Roster, plan: RoundPlan) -> None:
    """Let every attestor fetch, judge and sign, until one of them has certified the round.

    Raises: what kept an attestor from it, such as a store that does not answer.
    """
    committee = [_make_attestor(ctx, roster, party) for party in roster.attestors]
    while committee and (view := _find_uncertified(ctx, plan)) is not None:
        for done, attestor in enumerate(committee, start=1):
            list(attestor.attest(view))
            ctx.tell("attest", plan.number, done, len(committee))
        if _find_uncertified(ctx, plan) is not None:
            ctx.chain.wait_until(ctx.chain.now() + 1)  # for blocks on top of the end of the data phase


def _find_uncertified(ctx: Context, plan: RoundPlan) -> RoundView | None:
    """Return the round while it can and must still be certified."""
    view = ctx.chain.get_round(plan.round_id)
    is_open = view.phase is spec.Phase.OPEN and ctx.chain.now() <= view.propose_end
    return view if is_open and ctx.chain.get_certificate(plan.round_id) is None else None


def find_certified(ctx: Context, plan: RoundPlan) -> dict[int, int]:
    """Return whom the round's certificate excludes, and the reason; empty where there is none."""
    found = ctx.chain.events(names=("Certified",), round_id=plan.round_id)
    return dict(spec.decode_exclusions(found[0].args["excluded"])) if found else {}


def _make_attestor(ctx: Context, roster: Roster, party: Party) -> Attestor:
    return Attestor(
        ctx.chain,
        read_as(ctx, roster, [party]),
        participant=party.participant,
        load_key=lambda _: party.account,  # that of the round already
        relayer=roster.operator,
        publications=ctx.folder("publications"),
        statements=ctx.folder("statements"),
    )
