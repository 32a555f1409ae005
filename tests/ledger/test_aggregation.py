"""The fast paths of the rules equal the specification bit for bit, whatever the order, block or threads."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ledger import commitments, spec
from ledger.aggregation import aggregate, apply_model_step, blocks, compute_aux, distances, select_updates

B = spec.MAX_BOUND
MAX, MIN = spec.INT32_MAX, spec.INT32_MIN
EXTREMES = st.sampled_from([B, -B, B + 1, -B - 1, MAX, MIN, MIN + 1, 0, 1, -1])
VALUES = EXTREMES | st.integers(-3, 3) | st.integers(MIN, MAX)
"""Few small numbers, so that ties are common; the edges of every range; anything."""


@st.composite
def rounds(draw: st.DrawFn, rule: spec.Rule) -> tuple[spec.RuleParams, np.ndarray, list[int]]:
    n = draw(st.integers(3 if rule >= spec.Rule.KRUM else 1, 12))
    updates = draw(hnp.arrays(np.int32, st.tuples(st.just(n), st.integers(0, 5)), elements=VALUES))
    weights = draw(st.lists(st.integers(0, (1 << 32) - 1) | st.integers(0, 9), min_size=n, max_size=n))
    parameter = select = 0
    if rule is spec.Rule.TRIMMED_MEAN:
        parameter = draw(st.integers(0, (n - 1) // 2))
    if rule in (spec.Rule.KRUM, spec.Rule.MULTI_KRUM):
        parameter = draw(st.integers(0, (n - 3) // 2))
    if rule is spec.Rule.MULTI_KRUM:
        select = draw(st.integers(1, n - parameter))
    params = spec.RuleParams(
        rule=rule,
        parameter=parameter,
        select=select,
        bound=draw(st.sampled_from([1, 2, 100, B])),
        examples_cap=draw(st.sampled_from([1, 5, 1000, spec.MAX_EXAMPLES_CAP])),
        **(_stages(n) if rule is spec.Rule.COMPOSED else {}),
    )
    return params, updates, weights


def _stages(n: int, text: bytes = b"drop(3)+multi-krum(2)+mean@1") -> dict[str, Any]:
    """One composition for them all: tests/ledger/test_compositions.py has the others."""
    context = spec.Context(clients=tuple(range(1, n + 1)), weights=(1,) * n, seed=bytes(32))
    return {"composition": spec.decode_composition(text), "context": context}


def _params(rule: spec.Rule, n: int, **changes: Any) -> spec.RuleParams:
    byzantine = {spec.Rule.TRIMMED_MEAN: (n - 1) // 3, spec.Rule.KRUM: (n - 3) // 2, spec.Rule.MULTI_KRUM: (n - 3) // 2}
    fields = {
        "rule": rule,
        "parameter": byzantine.get(rule, 0),
        "select": 2 if rule is spec.Rule.MULTI_KRUM else 0,
        "bound": B,
        "examples_cap": 1000,
    }
    stages = {"parameter": 5, **_stages(n)} if rule is spec.Rule.COMPOSED else {}
    return spec.RuleParams(**(fields | stages | changes))


@pytest.mark.parametrize("rule", spec.Rule)
@given(data=st.data())
def test_every_rule_is_the_specifications(rule: spec.Rule, data: st.DataObject) -> None:
    params, updates, weights = data.draw(rounds(rule))
    got = aggregate(params, updates, weights)
    assert got.dtype == np.int32
    assert got.tolist() == spec.aggregate(params, updates.tolist(), weights)


@pytest.mark.parametrize("rule", spec.Rule)
@given(data=st.data())
def test_the_auxiliary_data_of_every_rule_are_the_specifications(rule: spec.Rule, data: st.DataObject) -> None:
    params, updates, weights = data.draw(rounds(rule))
    assert compute_aux(params, updates, weights) == spec.compute_aux(params, updates.tolist(), weights)


def test_a_weighted_mean_in_which_nobody_weighs_anything_is_zero() -> None:
    params, updates = _params(spec.Rule.WEIGHTED_MEAN, 2), np.full((2, 3), 7, dtype=np.int32)
    assert aggregate(params, updates, [0, 0]).tolist() == spec.aggregate(params, updates.tolist(), [0, 0]) == [0, 0, 0]


@pytest.mark.parametrize("rule", spec.Rule)
@pytest.mark.parametrize("n", [5, 8, 33])
def test_every_rule_is_the_specifications_over_several_blocks(rule: spec.Rule, n: int, monkeypatch: Any) -> None:
    rng = np.random.default_rng(n)
    updates = rng.integers(-2 * B, 2 * B, (n, 777), dtype=np.int32)
    num_examples = rng.integers(1, 3000, n).tolist()
    params = _params(rule, n)
    whole = aggregate(params, updates, num_examples)
    assert whole.tolist() == spec.aggregate(params, updates.tolist(), num_examples)
    monkeypatch.setattr(distances, "_BLOCK_ENTRIES", 100)
    for split in (blocks.iter_blocks, blocks.iter_parts):
        monkeypatch.setattr(split, "__kwdefaults__", {"entries": 100})
    assert aggregate(params, updates, num_examples).tolist() == whole.tolist()


@pytest.mark.parametrize("rule", spec.Rule)
def test_client_order_does_not_matter_without_ties(rule: spec.Rule) -> None:
    updates = np.random.default_rng(3).integers(-B, B, (5, 6), dtype=np.int32)
    num_examples, params = [1, 20, 300, 4000, 7], _params(rule, 5)
    results = {
        commitments.compute_vector_root(aggregate(params, updates[list(order)], [num_examples[i] for i in order]), 3)
        for order in permutations(range(5))
    }
    assert len(results) == 1


@pytest.mark.parametrize("rule", spec.Rule)
def test_the_layout_in_memory_does_not_matter(rule: spec.Rule) -> None:
    updates = np.random.default_rng(4).integers(MIN, MAX, (7, 200), dtype=np.int32)
    wide = np.zeros((14, 400), dtype=np.int32)
    wide[::2, ::2] = updates
    for same in (np.asfortranarray(updates), wide[::2, ::2]):
        got = aggregate(_params(rule, 7), same, [1] * 7)
        assert got.tolist() == aggregate(_params(rule, 7), updates, [1] * 7).tolist()


@pytest.mark.parametrize("size", [1, 65, 5000])
@pytest.mark.parametrize("kind", ["alternating", "all-low", "random-extremes"])
def test_gram_distances_are_exact_at_the_extremes(size: int, kind: str) -> None:
    rng = np.random.default_rng(size)
    signs = {
        "alternating": np.where(np.arange(6)[:, None] % 2, -1, 1) * np.ones(size, dtype=np.int32),
        "all-low": -np.ones((6, size), dtype=np.int32),
        "random-extremes": rng.choice([-1, 1], (6, size)),
    }[kind]
    updates = (signs * B).astype(np.int32)
    updates[3, 0] -= 1  # beyond the bound on one side, inside on the other
    updates[4, -1] = 0
    clamped = np.clip(updates, -B, B).tolist()
    want = [[spec.compute_squared_distance(a, b) for b in clamped] for a in clamped]
    assert distances.compute_distances(updates, B) == want
    params = _params(spec.Rule.KRUM, 6)
    scores = spec.compute_krum_scores(clamped, params.parameter)
    assert select_updates(params, updates) == spec.select_lowest(scores, 1)


def test_gram_distances_are_exact_beyond_int64() -> None:
    # (2 B)**2 * d passes 2**63 from d = 2**15 on: a Gram matrix in int64 alone would wrap.
    d = 40_000
    updates = np.array([[B], [-B], [0]], dtype=np.int32) * np.ones(d, dtype=np.int32)
    want = 4 * B * B * d
    assert want > 1 << 63
    assert distances.compute_distances(updates, B) == [
        [0, want, want // 4],
        [want, 0, want // 4],
        [want // 4] * 2 + [0],
    ]


@pytest.mark.parametrize("rule", [spec.Rule.MEAN, spec.Rule.WEIGHTED_MEAN, spec.Rule.MEDIAN, spec.Rule.TRIMMED_MEAN])
@pytest.mark.parametrize("value", [B, -B])
def test_sums_of_many_clients_at_the_extremes_do_not_overflow(rule: spec.Rule, value: int) -> None:
    n = 3000
    updates = np.full((n, 3), value, dtype=np.int32)
    params = _params(rule, n, examples_cap=spec.MAX_EXAMPLES_CAP)
    assert aggregate(params, updates, [spec.MAX_NUM_EXAMPLES] * n).tolist() == [value] * 3


def test_parameters_beyond_the_proofs_of_range_are_left_to_the_specification() -> None:
    updates = np.full((5, 2), MAX, dtype=np.int32)
    updates[0] = MIN
    for changes in ({"bound": MAX}, {"examples_cap": 1 << 62}, {"bound": MAX, "examples_cap": 1 << 40}):
        for rule in spec.Rule:
            params = _params(rule, 5, **changes)
            want = spec.aggregate(params, updates.tolist(), [1 << 60] * 5)
            assert aggregate(params, updates, [1 << 60] * 5).tolist() == want


@pytest.mark.parametrize("seed", range(4))
def test_krum_beyond_the_proof_of_range_is_left_to_the_specification(seed: int) -> None:
    # Both far ones lie near 2**78 from the middle and differ by 1; their limbs' sums pass 2**53, where doubles round.
    far = np.random.default_rng(seed).integers(MAX - (1 << 20), MAX, 1 << 16, dtype=np.int32)
    updates = np.stack([far, -far, np.zeros_like(far)])
    updates[:2, 0] = 1, 0
    params = _params(spec.Rule.KRUM, 3, bound=MAX)
    assert aggregate(params, updates, [1] * 3).tolist() == updates[1].tolist()


@pytest.mark.parametrize("rule", spec.Rule)
def test_too_few_updates_are_refused_as_the_specification_refuses_them(rule: spec.Rule) -> None:
    params = _params(rule, 9)
    few = np.zeros((spec.compute_min_updates(rule, params.parameter, params.select) - 1, 2), dtype=np.int32)
    with pytest.raises(spec.RuleNotApplicable) as want:
        spec.aggregate(params, few.tolist(), [1] * len(few))
    with pytest.raises(spec.RuleNotApplicable) as got:
        aggregate(params, few, [1] * len(few))
    assert str(got.value) == str(want.value)


@pytest.mark.parametrize("updates", [np.zeros((3, 2)), np.zeros((3, 2), dtype=np.int64), np.zeros(3, dtype=np.int32)])
def test_anything_but_a_matrix_of_int32_is_refused(updates: np.ndarray) -> None:
    with pytest.raises(spec.WrongShape):
        aggregate(_params(spec.Rule.MEAN, 3), updates, [1, 1, 1])


def test_updates_are_never_changed() -> None:
    updates = np.random.default_rng(8).integers(MIN, MAX, (7, 50), dtype=np.int32)
    before = updates.copy()
    for rule in spec.Rule:
        aggregate(_params(rule, 7), updates, [1] * 7)
    assert (updates == before).all()


@pytest.mark.parametrize("rule", spec.Rule)
def test_memory_beyond_the_updates_is_bounded(rule: spec.Rule) -> None:
    updates = np.random.default_rng(9).integers(-B, B, (16, 400_000), dtype=np.int32)  # 25.6 MB
    aggregate(_params(rule, 16), updates[:, :100], [1] * 16)
    tracemalloc.start()
    aggregate(_params(rule, 16), updates, [1] * 16)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 14_000_000  # the result takes 1.6 MB


THREADS = """
import numpy as np
from ledger.aggregation import aggregate
from ledger import commitments, spec
updates = np.random.default_rng(1).integers(-2**23, 2**23, (20, 30000), dtype=np.int32)
for rule in spec.Rule:
    krum = rule in (spec.Rule.KRUM, spec.Rule.MULTI_KRUM)
    params = spec.RuleParams(
        rule=rule, parameter=4 if krum or rule is spec.Rule.TRIMMED_MEAN else 0,
        select=6 if rule is spec.Rule.MULTI_KRUM else 0, bound=2**23 - 1, examples_cap=50,
        composition=spec.decode_composition(b"drop(3)+arc+nnm+geometric-median@4"),
        context=spec.Context(clients=tuple(range(20)), weights=(1,) * 20, seed=bytes(32)))
    print(rule.name, commitments.compute_vector_root(aggregate(params, updates, range(1, 21)), 8).hex())
"""


def test_the_number_of_threads_does_not_matter() -> None:
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    outputs = {
        subprocess.run(
            [sys.executable, "-c", THREADS],
            env=os.environ | dict.fromkeys(names, str(threads)),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in (1, 2, 3)
    }
    assert len(outputs) == 1
    assert outputs.pop().count("\n") == len(spec.Rule)


@given(pair=hnp.arrays(np.int32, st.tuples(st.just(2), st.integers(0, 20)), elements=VALUES))
def test_the_model_step_is_the_specifications(pair: np.ndarray) -> None:
    model, step = pair
    got = apply_model_step(model, step)
    assert got.dtype == np.int32
    assert got.tolist() == spec.apply_model_step(model.tolist(), step.tolist())


def test_a_model_step_of_another_length_is_refused() -> None:
    with pytest.raises(spec.WrongLength):
        apply_model_step(np.zeros(3, dtype=np.int32), np.zeros(2, dtype=np.int32))
