"""What a client does to its update before it commits: exact clipping, noise, and training that is noisy itself."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fl import models
from fl.data import Examples
from fl.privacy.dpsgd import SampledTraining, train_privately
from fl.privacy.mechanisms import clip_exactly, protect
from fl.training import TrainingConfig
from fl.workload import Workload
from ledger.accounting import compute_least_epsilon, compute_spend
from ledger.errors import UsageError
from ledger.script import parse_script
from ledger.spec.noise import Noise

BOUND = (1 << 23) - 1
LOCAL = Noise(mechanism="local", clip=1 << 16, variance=1 << 32, shares=1, delta=10**7, budget=10**7)


@given(
    arrays.arrays(np.int32, st.integers(1, 40), elements=st.integers(-BOUND, BOUND)),
    st.integers(1, 1 << 26),
)
def test_clipped_vectors_are_never_longer_than_the_clip_and_hardly_shorter(values, clip):
    square = sum(int(v) ** 2 for v in values)
    clipped = [int(v) for v in clip_exactly(values, clip)]
    assert sum(v * v for v in clipped) <= clip * clip
    if square <= clip * clip:
        assert clipped == values.tolist()
    else:
        for before, after in zip(values.tolist(), clipped, strict=True):
            ideal = Fraction(abs(before)) * Fraction(clip) / Fraction(square**0.5)
            assert before * after >= 0
            assert ideal - 2 <= abs(after) <= ideal + 1


def test_a_long_vector_of_largest_values_is_clipped_without_overflow():
    values = np.full(1 << 18, BOUND, dtype=np.int32)
    assert int(np.square(clip_exactly(values, 1 << 20)).sum()) <= 1 << 40


def test_a_client_sends_its_clipped_update_with_noise_of_the_stated_variance():
    values = np.full(40_000, 1 << 20, dtype=np.int32)
    sent = protect(values, LOCAL, bound=BOUND)
    residue = sent - clip_exactly(values, LOCAL.clip)
    assert abs(residue.std() / 2**16 - 1) < 0.03
    assert abs(residue.mean()) < 5 * 2**16 / 200


def test_under_central_noise_the_giver_alone_adds_it_and_nothing_else():
    noise = replace(LOCAL, mechanism="central")
    values = np.full(4096, 5, dtype=np.int32)
    assert protect(values, noise, bound=BOUND).tolist() == values.tolist()
    given_ = protect(np.full(4096, 1 << 20, dtype=np.int32), noise, bound=BOUND, is_giver=True)
    assert abs(given_.mean()) < 5 * 2**16 / 64
    assert given_.std() > 2**15


def test_what_leaves_the_number_format_is_cut_off():
    loud = replace(LOCAL, variance=1 << 46)
    sent = protect(np.zeros(1000, dtype=np.int32), loud, bound=1000)
    assert sent.dtype == np.int32
    assert np.abs(sent).max() == 1000


def make_script(**noise: object) -> bytes:
    options = ", ".join(f"{key}: {value}" for key, value in noise.items())
    return (
        "fedtrail: 1\nrun: {name: n, rounds: 1, rule: {name: mean}}\nmodel: {entry: logistic}\n"
        f"clients: {{count: 5}}\nformat: {{scale_bits: 16}}\ntraining: {{epochs: 1}}\nnoise: {{{options}}}\n"
    ).encode()


def fixed(size: int) -> bytes:
    return hashlib.shake_256(b"noise").digest(size)


def test_noise_is_not_seeded_by_the_script():
    script = parse_script(make_script(mechanism="local", clip=0.5, multiplier=2, budget=100), name="s.yaml")
    workload = Workload(script)
    base = workload.compute_genesis()
    first, second = (workload.compute_update(1, 1, base).values for _ in range(2))
    assert first.tolist() != second.tolist()
    again = [Workload(script, random_bytes=fixed).compute_update(1, 1, base).values.tolist() for _ in range(2)]
    assert again[0] == again[1]


def test_every_step_of_dp_sgd_clips_each_example_and_adds_noise_even_if_it_chose_nobody():
    model = models.build("logistic", input_shape=(64,), num_classes=10, seed=1)
    part = Examples(x=np.ones((50, 64), dtype=np.float32) * 100, y=np.zeros(50, dtype=np.int64))
    config = TrainingConfig(learning_rate=1.0, momentum=0.0)

    def learn(multiplier: float, rate: float) -> np.ndarray:
        how = SampledTraining(clip_norm=0.5, multiplier=multiplier, rate=rate, steps=1)
        state = train_privately(model, model.state_dict(), part, config, how)
        before = model.state_dict()
        return torch.cat([(state[name] - before[name]).reshape(-1) for name in before]).numpy()

    clipped = learn(0.0, 1.0)
    assert np.linalg.norm(clipped) <= 0.5 * 1.0001
    silent = learn(2.0, 1e-12)
    assert abs(silent.std() - 2.0 * 0.5 / 1) < 0.1
    assert learn(2.0, 1.0).tolist() != learn(2.0, 1.0).tolist()


def test_dp_sgd_refuses_a_model_that_mixes_examples():
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4))
    part = Examples(x=np.ones((3, 4), dtype=np.float32), y=np.zeros(3, dtype=np.int64))
    how = SampledTraining(clip_norm=1.0, multiplier=1.0, rate=0.5, steps=1)
    with pytest.raises(UsageError, match="DP-SGD"):
        train_privately(model, model.state_dict(), part, TrainingConfig(), how)


def test_no_distinguisher_refutes_the_claimed_epsilon():
    """A canary of norm C is in the update or not; the best test there is looks along it."""
    from scipy.stats import beta

    claimed = Noise(mechanism="local", clip=3000, variance=3000**2, shares=1, delta=10**7, budget=10**7)
    canary = np.full(16, 5000, dtype=np.int32)
    trials, threshold = 4000, 0.5 * 3000
    direction = clip_exactly(canary, 3000) / 3000

    def count(values: np.ndarray) -> int:
        return sum(float(direction @ protect(values, claimed, bound=BOUND)) > threshold for _ in range(trials))

    hits, false_alarms = count(canary), count(np.zeros(16, dtype=np.int32))
    low = float(beta.ppf(0.0005, hits, trials - hits + 1))
    high = float(beta.ppf(0.9995, false_alarms + 1, trials - false_alarms))
    found = compute_least_epsilon(low, high, 1e-5)
    assert 0.5 < found < compute_spend(claimed, 1, 16).epsilon
