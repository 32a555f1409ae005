"""The game that a round is: what the model of some of its clients would get right."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from fl.contribution.games import Coalition, Utility
from fl.data import Dataset
from fl.workload import Vector, Workload
from ledger import errors, spec
from ledger.aggregation import aggregate, apply_model_step
from ledger.audit import decode_published
from ledger.audit.replaying import read_included
from ledger.records import RoundRecord
from ledger.scoring import require_single_updates

CountCorrect = Callable[[Vector], int]
"""From a global model, int32[d], to its right predictions."""


def make_counter(workload: Workload) -> CountCorrect:
    """Return what counts a model's right predictions on the test part of a workload's data."""
    examples = len(workload.dataset.y_test)
    return lambda model_q: round(workload.evaluate(model_q) * examples)


def name_test_set(name: str, dataset: Dataset) -> str:
    """Return a test set's name: values hold for these examples alone, and who has them can compute them again."""
    digest = hashlib.sha256()
    for part in (dataset.x_test, dataset.y_test):
        digest.update(np.ascontiguousarray(part).tobytes())
    return f"{name} test, {len(dataset.y_test)} examples, sha256 {digest.hexdigest()}"


def read_game(record: RoundRecord, count: CountCorrect) -> tuple[tuple[int, ...], Utility]:
    """Return the clients that a round includes, and the utility of coalitions of their slots.

    The model of a coalition is the round's base model plus the round's rule over the coalition's updates; with fewer
    updates than the rule takes nothing is added. Everybody's is the round's own model, bit for bit.

    Raises: Unavailable: an update or the base model is not there. RuleNotApplicable: the task sums masked updates.
    """
    require_single_updates(record)
    included = read_included(record)
    base = decode_published(record, record.base, record.base_model)
    if base is None or len(included.members) != record.included or not included.members:
        what = record.base.cid or "(of an update)"
        consequence = f"; contributions to round {record.number} cannot be computed"
        raise errors.Unavailable(cid=what, found=0, stores=1, seconds=0.0, consequence=consequence)
    clients = tuple(member.client for member in included.members)
    fewest = spec.compute_min_updates(record.task.rule, record.task.rule_param, record.task.rule_select)

    def utility(coalition: Coalition) -> int:
        if len(coalition) < max(fewest, 1):
            return count(base)
        weights = [included.weights[slot] for slot in coalition]
        params = record.make_rule_params([clients[slot] for slot in coalition], weights)
        return count(apply_model_step(base, aggregate(params, [included.values[slot] for slot in coalition], weights)))

    return clients, utility
