"""After a finalised round: the aggregator records the scores of its clients and of its model, once."""

from __future__ import annotations

import hashlib
import json

from fl.federation.context import Context, RoundPlan
from ledger import spec
from ledger.records import RoundRecord
from ledger.scoring import Standing, can_be_scored, compute_method, score_round
from ledger.store import Codec

EVALUATION = "test/accuracy"
"""What is stated of a model: split and metric."""


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


def record_evaluation(ctx: Context, plan: RoundPlan, record: RoundRecord, accuracy: float) -> None:
    """State how good the model is after a finalised round, where the script asks for it: the aggregator's word.

    The document that says what was measured is in the store; its digest stands in place of a score's words.

    Args: accuracy: on the test part, 0 to 1.
    """
    if not ctx.script.run.record_accuracy:
        return
    document = _describe_evaluation(ctx, record, accuracy)
    ctx.store.pin(ctx.store.put_block(document, Codec.RAW))
    party = plan.aggregator
    ctx.chain.record_scores(
        plan.round_id,
        EVALUATION,
        [(party.participant, round(accuracy * spec.SCORE_UNITS))],
        hashlib.sha256(document).digest(),
        key=ctx.key(*plan.key("evaluation")),
        sender=party.account,
        scorer=party.participant,
    )


def _describe_evaluation(ctx: Context, record: RoundRecord, accuracy: float) -> bytes:
    data = ctx.workload.dataset
    said = {
        "format": "fedtrail-evaluation-1",
        "domain_separator": "0x" + record.domain_separator.hex(),
        "round_id": record.round_id,
        "model_root": "0x" + record.proposal.model_root.hex() if record.proposal else None,
        "data": f"{data.name}: {data.source}",
        "split": "test",
        "examples": len(data.y_test),
        "metric": "accuracy",
        "value": f"{accuracy:.6f}",
    }
    return json.dumps(said, sort_keys=True, indent=1).encode() + b"\n"
