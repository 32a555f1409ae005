"""The scores of a round, and what the next round's build upon: values in, values out, nothing is fetched."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ledger import errors, spec
from ledger.aggregation.blocks import Int32Array
from ledger.aggregation.distances import compute_gram
from ledger.audit import decode_published
from ledger.audit.replaying import read_included
from ledger.records import RoundRecord
from ledger.scoring import formulas
from ledger.scoring.formulas import ONE

ANOMALY_LIMIT = 3 * ONE
"""An anomaly above it is told, and costs trust."""
EFFORT_LIMIT = ONE // 4
"""An effort below it is a free-rider's."""
_UNAVAILABLE = 801

METHODS = {
    "anomaly": "fedtrail score 1: anomaly = (D - med D) / (1.4826 max(MAD D, med D / 4)), D = med distance to others",
    "trust": "fedtrail score 1: trust += (s - trust) / 4 from 1/2, s = anomaly <= 3, effort >= 1/4, not excluded",
    "influence": "fedtrail score 1: influence = w <x, a> / sum |w <x, a>|, a = aggregate of the round",
    "effort": "fedtrail score 1: effort = min(1, |x| / med |x|, N / max(med N, 1/5)), N = novelty",
    "novelty": "fedtrail score 1: novelty = 1 - |cos(x, last global step)|",
    "duplicate": "fedtrail score 1: duplicate = 1 - max(0, cos(x, y)) over all other updates y",
}
"""How each kind is computed, in words whose hash goes with it onto the ledger; docs/monitoring.md has the details."""
KINDS = tuple(METHODS)


def compute_method(kind: str) -> bytes:
    """Return the SHA-256 of the words that say how a kind of score is computed."""
    return hashlib.sha256(METHODS[kind].encode("ascii")).digest()


Sheet = Mapping[int, int]
"""Client -> score of one kind, in units of 2**-16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known before a round of a task, from the finalised rounds before it."""

    trust: Sheet = field(default_factory=dict)
    """Of every client that was scored before."""
    step: Int32Array | None = None
    """What the last finalised round added to the model, int32[d]; None before the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundScores:
    """Every score of one round."""

    round_id: int
    """Number within the ledger."""
    number: int
    """Number within the task."""
    sheets: Mapping[str, Sheet]
    """By kind. Trust has clients that the round excluded, too; the others have the included ones."""


def can_be_scored(record: RoundRecord) -> bool:
    """Return whether a round shows single updates: sums of masked ones do not."""
    return record.task.rule is not spec.Rule.SUM32 and not record.degree


def require_single_updates(record: RoundRecord) -> None:
    """Return if a round shows single updates. Raises: RuleNotApplicable: its task sums masked ones."""
    if not can_be_scored(record):
        raise errors.RuleNotApplicable("a sum of masked updates shows nothing of single clients")


def score_round(record: RoundRecord, before: Standing) -> tuple[RoundScores, Standing]:
    """Return the scores of a round with a proposal, and what the next round's build upon.

    The round's replay must have passed: what it includes is taken as it is.

    Raises: Unavailable: an update, or the aggregate, is not there. RuleNotApplicable: the task sums masked updates.
    """
    require_single_updates(record)
    included = read_included(record)
    root = record.proposal.aggregate_root if record.proposal else spec.ZERO_DIGEST
    published = decode_published(record, record.aggregate, root)
    if published is None or len(included.members) != record.included:
        consequence = f"; round {record.number} cannot be scored"
        raise errors.Unavailable(
            cid=record.aggregate.cid or "(of an update)", found=0, stores=1, seconds=0.0, consequence=consequence
        )
    clients = [member.client for member in included.members]
    is_weighted = record.task.rule is spec.Rule.WEIGHTED_MEAN
    sheets = score_updates(
        clients,
        included.values,
        aggregate=published,
        step=before.step,
        weights=included.weights if is_weighted else [1] * len(clients),
        bound=record.task.bound,
    )
    faulty = [client for client, reason in record.exclusions if reason != _UNAVAILABLE]
    trust = _compute_trust(before.trust, sheets, faulty)
    scores = RoundScores(round_id=record.round_id, number=record.number, sheets={**sheets, "trust": trust})
    return scores, Standing(trust={**before.trust, **trust}, step=published)


def score_updates(
    clients: Sequence[int],
    updates: Sequence[Int32Array],
    *,
    aggregate: Int32Array,
    step: Int32Array | None,
    weights: Sequence[int],
    bound: int,
) -> dict[str, Sheet]:
    """Return every score but trust of the updates of a round.

    Args: clients: n ids. updates: n rows int32[d]. aggregate: int32[d], what the rule made of them. step: int32[d],
    what the round before added; None for the first. weights: n integers ≥ 0. bound: coordinates are clamped to it.
    """
    n = len(updates)
    last = np.zeros_like(aggregate) if step is None else step
    everything = compute_gram([*updates, last, aggregate], bound)
    gram = [row[:n] for row in everything[:n]]
    squares = [gram[i][i] for i in range(n)]
    novelties = formulas.measure_novelty(squares, everything[n][:n], everything[n][n])
    found = {
        "anomaly": formulas.measure_anomaly(gram),
        "influence": formulas.measure_influence(everything[n + 1][:n], weights),
        "effort": formulas.measure_effort(formulas.measure_strength(gram), novelties),
        "novelty": novelties,
        "duplicate": formulas.measure_duplicates(gram),
    }
    return {kind: dict(zip(clients, values, strict=True)) for kind, values in found.items()}


def _compute_trust(before: Sheet, sheets: Mapping[str, Sheet], faulty: Sequence[int]) -> dict[int, int]:
    good = {
        client: value <= ANOMALY_LIMIT and sheets["effort"][client] >= EFFORT_LIMIT
        for client, value in sheets["anomaly"].items()
    } | dict.fromkeys(faulty, False)
    return {
        client: formulas.update_trust(before.get(client, formulas.FIRST_TRUST), is_good=is_good)
        for client, is_good in sorted(good.items())
    }
