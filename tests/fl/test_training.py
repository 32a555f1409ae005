"""Local training gives the same bytes for the same seed, and learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from fl import data
from fl.data import Examples
from fl.layout import flatten, layout_of
from fl.models import build
from fl.training import TrainingConfig, evaluate, train_locally
from ledger.errors import UsageError
from ledger.spec.errors import NonFinite

DIGITS = data.load("digits")
PART = DIGITS.take(np.arange(71))
SHORT = TrainingConfig(epochs=1)


def model(name: str = "mlp") -> nn.Module:
    return build(name, input_shape=DIGITS.input_shape, num_classes=10, seed=0)


def trained_bytes(network: nn.Module, *, seed: int = 5, config: TrainingConfig = SHORT, part: Examples = PART) -> bytes:
    state = train_locally(network, network.state_dict(), part, config, seed=seed)
    return flatten(state, layout_of(state)).tobytes()


@pytest.mark.parametrize("name", ["mlp", "cnn", "logistic"])
def test_one_seed_gives_the_same_bytes_whatever_the_global_generator(name: str) -> None:
    torch.manual_seed(1)
    first = trained_bytes(model(name))
    torch.manual_seed(2)
    assert trained_bytes(model(name)) == first
    assert trained_bytes(model(name), seed=6) != first


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_thread_count_does_not_change_the_bytes(name: str) -> None:
    before = torch.get_num_threads()
    config = TrainingConfig(epochs=1, batch_size=512)
    part = DIGITS.take(np.arange(1024))
    try:
        torch.set_num_threads(1)
        first = trained_bytes(model(name), config=config, part=part)
        torch.set_num_threads(2)
        assert trained_bytes(model(name), config=config, part=part) == first
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_dropout_draws_from_the_seed_too() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Dropout(0.5), nn.Linear(32, 10))
    torch.manual_seed(1)
    first = trained_bytes(network)
    torch.manual_seed(2)
    assert trained_bytes(network) == first


def test_training_leaves_model_state_and_global_generator_alone() -> None:
    network = model().eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    torch.manual_seed(1)
    want = torch.rand(3)
    torch.manual_seed(1)
    train_locally(network, network.state_dict(), PART, SHORT, seed=0)
    assert torch.equal(torch.rand(3), want)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert not network.training


def test_training_starts_from_the_state_not_from_the_model() -> None:
    state, other = model().state_dict(), build("mlp", input_shape=(1, 8, 8), num_classes=10, seed=99)
    first = train_locally(model(), state, PART, SHORT, seed=0)
    second = train_locally(other, state, PART, SHORT, seed=0)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_one_step_is_the_gradient_step_worked_by_hand() -> None:
    # Two classes, weights 0: softmax is (1/2, 1/2), so the gradient of row c is x * (1/2 - [c is the label]).
    network = nn.Sequential(nn.Linear(2, 2, bias=False))
    state = {"0.weight": torch.zeros(2, 2)}
    part = Examples(x=np.array([[2.0, 4.0]], dtype=np.float32), y=np.array([1]))
    config = TrainingConfig(epochs=1, batch_size=1, learning_rate=0.5, momentum=0.0)
    trained = train_locally(network, state, part, config, seed=0)
    assert trained["0.weight"].tolist() == [[-0.5, -1.0], [0.5, 1.0]]


def test_digits_are_learnt() -> None:
    network = model()
    before = evaluate(network, network.state_dict(), DIGITS.test)
    everything = Examples(x=DIGITS.x_train, y=DIGITS.y_train)
    state = train_locally(network, network.state_dict(), everything, TrainingConfig(epochs=5), seed=0)
    after = evaluate(network, state, DIGITS.test)
    assert before.accuracy < 0.3 and after.accuracy > 0.93
    assert after.loss < before.loss and after.num_examples == 359


def test_evaluation_counts_by_hand() -> None:
    network = nn.Sequential(nn.Linear(2, 2, bias=False))
    state = {"0.weight": torch.eye(2)}
    x = np.array([[1, 0], [1, 0], [0, 1], [0, 0]], dtype=np.float32)
    metrics = evaluate(network, state, Examples(x=x, y=np.array([0, 1, 1, 0])))
    assert metrics.accuracy == 0.75
    high, low = -math.log(math.e / (math.e + 1)), -math.log(1 / (math.e + 1))
    assert metrics.loss == pytest.approx((2 * high + low + math.log(2)) / 4, rel=1e-6)


def test_evaluation_does_not_depend_on_its_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate(model(), model().state_dict(), DIGITS.test)
    monkeypatch.setattr("fl.training.EVALUATION_BATCH", 7)
    pieces = evaluate(model(), model().state_dict(), DIGITS.test)
    assert pieces.accuracy == whole.accuracy and pieces.loss == pytest.approx(whole.loss, rel=1e-5)


def test_batch_normalisation_survives_one_example_more_than_the_batch() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.BatchNorm1d(10))
    state = train_locally(network, network.state_dict(), DIGITS.take(np.arange(17)), SHORT, seed=0)
    assert int(state["2.num_batches_tracked"]) == 2


def test_diverged_training_is_refused_with_the_tensor() -> None:
    network = model()
    config = TrainingConfig(epochs=3, learning_rate=1e30)
    state = train_locally(network, network.state_dict(), PART, config, seed=0)
    with pytest.raises(NonFinite, match=r"tensor fc\d\.\w+ holds \d+"):
        flatten(state, layout_of(state))


def test_client_without_examples_is_refused() -> None:
    empty = DIGITS.take(np.array([], dtype=np.int64))
    with pytest.raises(UsageError, match="without examples"):
        train_locally(model(), model().state_dict(), empty, SHORT, seed=0)
    with pytest.raises(UsageError, match="no examples"):
        evaluate(model(), model().state_dict(), empty)


@pytest.mark.parametrize(
    "field",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"momentum": 1.0},
        {"momentum": -0.1},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(field: dict) -> None:
    with pytest.raises(UsageError, match=next(iter(field))):
        TrainingConfig(**field)
