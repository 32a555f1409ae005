"""After a finalised round: the aggregator records the scores of its clients, once."""

from __future__ import annotations

from fl.federation.context import Context, RoundPlan
from ledger.records import RoundRecord
from ledger.scoring import Standing, can_be_scored, compute_method, score_round


def record_scores(ctx: Context, plan: RoundPlan, record: RoundRecord, before: Standing) -> Standing:
    """Record the scores that the script asks for; return what those of the next round build upon.

    They are computed from chain and store, as everybody can: a run that goes on after a crash comes to the same ones,
    and what was sent before is not sent again.
    """
    section = ctx.script.scores
    if section is None or not can_be_scored(record):
        return before
    scores, after = score_round(record, before)
    for done, kind in enumerate(section.record, start=1):
        key = ctx.key(*plan.key("scores", kind))
        entries, party = tuple(scores.sheets[kind].items()), plan.aggregator
        ctx.chain.record_scores(
            plan.round_id,
            kind,
            entries,
            compute_method(kind),
            key=key,
            sender=party.account,
            scorer=party.participant,
        )
        ctx.tell("score", plan.number, done, len(section.record))
    return after
