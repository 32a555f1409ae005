"""Attacks do what their formulas say, and the demo's story holds in plain floats before any ledger."""

from __future__ import annotations

import numpy as np
import pytest

from fl import attacks, data
from fl.attacks import LabelFlip, SignFlip, get_attack
from fl.layout import apply_vector, flatten, layout_of, unflatten
from fl.models import build
from fl.partitions import partition_dirichlet
from fl.training import TrainingConfig, evaluate, train_locally
from ledger.errors import NotFoundError, UsageError
from ledger.spec.errors import NonFinite


def test_label_flip_mirrors_the_classes_and_nothing_else() -> None:
    x, y = np.ones((3, 2), dtype=np.float32), np.array([0, 3, 9])
    poisoned_x, poisoned_y = LabelFlip().poison_data(x, y, 10)
    assert poisoned_y.tolist() == [9, 6, 0] and y.tolist() == [0, 3, 9]
    assert np.array_equal(poisoned_x, x)
    delta = np.array([1, -2], dtype=np.float32)
    assert np.array_equal(LabelFlip().poison_delta(delta), delta)


def test_sign_flip_reverses_and_enlarges_the_update() -> None:
    delta = np.array([1.0, -0.5, 0.0], dtype=np.float32)
    poisoned = SignFlip().poison_delta(delta)
    assert poisoned.tolist() == [-4.0, 2.0, 0.0] and poisoned.dtype == np.float32
    assert delta.tolist() == [1.0, -0.5, 0.0]
    assert get_attack("sign-flip", factor=1.0).poison_delta(delta).tolist() == [-1.0, 0.5, 0.0]


def test_nan_attack_is_refused_by_name_of_the_tensor() -> None:
    layout = layout_of(build("mlp", input_shape=(64,), num_classes=10, seed=0).state_dict())
    honest = np.zeros(layout.size, dtype=np.float32)
    poisoned = get_attack("nan", coordinate=4100).poison_delta(honest)
    assert np.isfinite(honest).all()
    with pytest.raises(NonFinite, match=r"fc1\.bias holds 1 "):
        unflatten(poisoned, layout)


@pytest.mark.parametrize("name", attacks.ATTACKS)
def test_registry_gives_attacks_by_their_names(name: str) -> None:
    assert get_attack(name).name == name


def test_misspelt_attack_gets_a_suggestion() -> None:
    with pytest.raises(NotFoundError, match="did you mean sign-flip"):
        get_attack("signflip")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("sign-flip", {"strength": 2.0}),
        ("label-flip", {"factor": 2.0}),
        ("sign-flip", {"factor": 0.0}),
        ("sign-flip", {"factor": float("nan")}),
        ("nan", {"coordinate": -1}),
    ],
)
def test_wrong_parameters_are_refused(name: str, parameters: dict) -> None:
    with pytest.raises(UsageError):
        get_attack(name, **parameters)


def accuracy_after_rounds(seed: int, attack: attacks.Attack | None, *, trim: int) -> float:
    """Plain federated averaging in floats: 10 clients, Dirichlet(1), 5 rounds, the last 3 clients dishonest."""
    digits = data.load("digits", seed=seed)
    parts = partition_dirichlet(digits.y_train, 10, alpha=1.0, seed=seed, min_examples=32)
    model = build("mlp", input_shape=digits.input_shape, num_classes=10, seed=seed)
    state, layout = model.state_dict(), layout_of(model.state_dict())
    for round_id in range(5):
        vector, deltas = flatten(state, layout), []
        for client, part in enumerate(parts):
            examples = digits.take(part)
            trained = train_locally(model, state, examples, TrainingConfig(), seed=100 * round_id + client)
            delta = flatten(trained, layout) - vector
            deltas.append(attack.poison_delta(delta) if attack and client >= 7 else delta)
        middle = np.sort(np.stack(deltas), axis=0)[trim : 10 - trim].mean(axis=0)
        state = apply_vector(state, vector + middle, layout)
    return evaluate(model, state, digits.test).accuracy


def test_nobody_attacking_both_rules_learn() -> None:
    assert accuracy_after_rounds(1, None, trim=0) > 0.9
    assert accuracy_after_rounds(1, None, trim=3) > 0.9


def test_defended_sign_flip_by_three_of_ten_clients_breaks_the_mean_and_not_the_trimmed_mean() -> None:
    for seed in (0, 1):
        assert accuracy_after_rounds(seed, SignFlip(), trim=0) < 0.5
        assert accuracy_after_rounds(seed, SignFlip(), trim=3) > 0.8
