"""Scores: exact, the same in every order and scale, and able to tell what they are for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from round_maker import RoundMaker, make_task, update_values

from ledger import errors, spec
from ledger.scoring import (
    ANOMALY_LIMIT,
    EFFORT_LIMIT,
    KINDS,
    ONE,
    Sheet,
    Standing,
    compute_method,
    score_round,
    score_updates,
)
from ledger.spec.gram import compute_gram

BOUND = (1 << 23) - 1


def score(
    updates: NDArray[np.int32], *, step: NDArray[np.int32] | None = None, weights: list[int] | None = None
) -> dict[str, Sheet]:
    n = len(updates)
    return score_updates(
        range(1, n + 1),
        updates,
        aggregate=updates.astype(np.int64).mean(axis=0).astype(np.int32),
        step=step,
        weights=weights or [1] * n,
        bound=BOUND,
    )


def draw(seed: int, n: int, d: int = 64) -> NDArray[np.int32]:
    """Return n honest updates: a common direction, and noise of each one's own."""
    source = np.random.default_rng(seed)
    common = source.normal(0, 1000, d)
    made: NDArray[np.int32] = (common + source.normal(0, 1500, (n, d))).astype(np.int32)
    return made


matrices = st.tuples(st.integers(1, 12), st.integers(1, 9), st.integers(0, 2**32 - 1)).map(
    lambda shape: np.random.default_rng(shape[2]).integers(-BOUND, BOUND + 1, shape[:2], dtype=np.int32)
)


@given(updates=matrices, data=st.data())
def test_the_order_of_clients_moves_scores_and_changes_none(updates: NDArray[np.int32], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(updates))))
    step = updates[0] // 3
    here, there = score(updates, step=step), score(updates[order], step=step)
    for kind in here:
        assert [here[kind][slot + 1] for slot in order] == list(there[kind].values())


@given(updates=matrices, factor=st.integers(2, 50))
def test_scores_do_not_depend_on_the_unit_of_the_updates(updates: NDArray[np.int32], factor: int) -> None:
    small = updates // factor
    here, there = score(small, step=small[0]), score(small * factor, step=small[0])
    for kind in ("effort", "novelty", "duplicate", "influence"):
        for one, other in zip(here[kind].values(), there[kind].values(), strict=True):
            assert abs(one - other) <= (2 if kind != "influence" else ONE // 100)
    assert all(abs(here["anomaly"][i] - there["anomaly"][i]) <= 8 for i in here["anomaly"])


@given(updates=matrices)
def test_scores_stay_in_their_ranges(updates: NDArray[np.int32]) -> None:
    found = score(updates, step=updates[-1])
    assert all(0 <= value <= ONE for kind in ("effort", "novelty") for value in found[kind].values())
    assert all(0 <= value <= ONE for value in found["duplicate"].values())
    assert sum(map(abs, found["influence"].values())) <= ONE + len(updates)
    assert all(-(2**63) <= value < 2**63 for sheet in found.values() for value in sheet.values())


@given(updates=matrices)
def test_the_formulas_are_those_of_the_page_within_their_unit(updates: NDArray[np.int32]) -> None:
    step = np.roll(updates[0], 1)
    found = score(updates, step=step)
    wide = updates.astype(np.float64)
    norms, last = np.linalg.norm(wide, axis=1), np.linalg.norm(step.astype(np.float64))
    cosines = np.abs(wide @ step) / np.maximum(norms * last, 1e-300)
    for slot, client in enumerate(found["novelty"]):
        assert found["novelty"][client] / ONE == pytest.approx(
            1 - cosines[slot] if norms[slot] and last else float(norms[slot] > 0), abs=1e-4
        )


def test_one_of_four_clients_that_is_far_away_is_told_apart() -> None:
    updates = draw(1, 4)
    updates[2] *= -10
    found = score(updates)["anomaly"]
    assert found[3] > 5 * ANOMALY_LIMIT
    assert all(found[client] < ANOMALY_LIMIT for client in (1, 2, 4))


@pytest.mark.parametrize("n", [4, 5, 10, 33])
def test_honest_updates_are_no_anomaly_and_show_effort(n: int) -> None:
    for seed in range(20):
        found = score(draw(seed, n), step=draw(seed + 100, 1)[0])
        assert max(found["anomaly"].values()) <= ANOMALY_LIMIT
        assert min(found["effort"].values()) >= EFFORT_LIMIT


@pytest.mark.parametrize("kind", ["zero", "small noise", "replay", "reversed replay", "disguised replay"])
def test_who_contributes_nothing_shows_no_effort(kind: str) -> None:
    updates, step = draw(3, 5), draw(4, 1)[0]
    noise = np.random.default_rng(5).normal(0, 1, step.shape)
    updates[4] = {
        "zero": np.zeros_like(step),
        "small noise": (noise * 20).astype(np.int32),
        "replay": step,
        "reversed replay": -2 * step,
        "disguised replay": (step + 0.3 * step.std() * noise).astype(np.int32),
    }[kind]
    effort = score(updates, step=step)["effort"]
    assert [client for client in effort if effort[client] < EFFORT_LIMIT] == [5]


def test_copies_are_duplicates_of_each_other_and_so_are_two_zeros() -> None:
    updates = draw(6, 6)
    updates[5] = updates[0]
    updates[2] = updates[3] = 0
    found = score(updates)["duplicate"]
    assert [client for client in found if found[client] <= 1] == [1, 3, 4, 6]


def test_influence_is_the_share_of_a_weighted_means_squared_norm() -> None:
    updates, weights = np.abs(draw(7, 4)), [1, 2, 3, 4]
    aggregate = (updates * np.array(weights)[:, None]).sum(axis=0) // 10
    found = score_updates(
        range(4), updates, aggregate=aggregate.astype(np.int32), step=None, weights=weights, bound=BOUND
    )["influence"]
    gram = compute_gram([*updates.tolist(), aggregate.tolist()])
    for client, weight in enumerate(weights):
        assert found[client] / ONE == pytest.approx(weight * gram[client][4] / 10 / gram[4][4], abs=1e-3)


# ------------------------------------------------------------------------------------------------------------- rounds


def test_trust_begins_in_the_middle_and_moves_by_a_quarter() -> None:
    record = RoundMaker().record()
    scores, after = score_round(record, Standing())
    assert set(scores.sheets) == set(KINDS)
    bad = {c for c, v in scores.sheets["anomaly"].items() if v > ANOMALY_LIMIT}
    bad |= {c for c, v in scores.sheets["effort"].items() if v < EFFORT_LIMIT}
    want = {c: (ONE * 3 // 8 if c in bad else ONE * 5 // 8) for c in (2, 3, 5, 8, 9)}
    assert scores.sheets["trust"] == after.trust == want
    again, _ = score_round(record, after)
    good = next(c for c in want if c not in bad)
    # The same updates again are nothing new; that is the last step's direction, which the aggregate is near to.
    assert again.sheets["novelty"][good] < scores.sheets["novelty"][good]


def test_a_client_that_was_excluded_for_a_fault_loses_trust_and_one_that_was_unavailable_does_not() -> None:
    maker = RoundMaker(reasons={3: 711, 5: 801}, silent={5})
    blob = maker.blob(3) + b"\x00"
    record = replace(maker, published={3: blob}).record()
    scores, _ = score_round(record, Standing(trust={3: ONE, 5: ONE}))
    assert scores.sheets["trust"][3] == ONE * 3 // 4
    assert 5 not in scores.sheets["trust"]
    assert set(scores.sheets["anomaly"]) == {2, 8, 9}


def test_the_scores_of_a_round_are_those_of_the_clamped_updates() -> None:
    record = RoundMaker().record()
    published = score_round(record, Standing())[0].sheets["novelty"]
    assert published == dict.fromkeys((2, 3, 5, 8, 9), ONE)
    task = make_task(bound=50)
    values = np.array([update_values(client) for client in (2, 3, 5)], dtype=np.int32)
    cut = np.clip(values, -task.bound, task.bound)
    both = [
        score_updates(range(3), matrix, aggregate=cut[0], step=None, weights=[1] * 3, bound=task.bound)
        for matrix in (values, cut)
    ]
    assert both[0] == both[1]


def test_a_round_with_an_update_missing_is_not_scored() -> None:
    record = RoundMaker().record()
    gone = replace(record, updates={**record.updates, 5: replace(record.updates[5], data=None)})
    with pytest.raises(errors.Unavailable):
        score_round(gone, Standing())


def test_a_sum_of_masked_updates_is_not_scored() -> None:
    with pytest.raises(spec.RuleNotApplicable):
        score_round(RoundMaker(task=make_task(rule=spec.Rule.SUM32, rule_param=0)).record(), Standing())


def test_the_words_of_every_method_have_a_hash_of_their_own() -> None:
    assert len({compute_method(kind) for kind in KINDS}) == len(KINDS)
