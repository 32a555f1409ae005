"""Models are small, seeded, and may come from the user's own module."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fl.models import MODELS, build
from ledger.errors import NotFoundError, UsageError

DIGITS = {"input_shape": (1, 8, 8), "num_classes": 10}


@pytest.mark.parametrize(("name", "count"), [("mlp", 4810), ("cnn", 21546), ("logistic", 650)])
def test_model_has_the_documented_number_of_parameters(name: str, count: int) -> None:
    model = build(name, **DIGITS, seed=0)
    assert sum(parameter.numel() for parameter in model.parameters()) == count
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 9, 11)])
def test_cnn_takes_images_of_other_sizes(shape: tuple[int, int, int]) -> None:
    model = build("cnn", input_shape=shape, num_classes=7, seed=0)
    assert model(torch.zeros(2, *shape)).shape == (2, 7)


@pytest.mark.parametrize("name", ["mlp", "logistic"])
def test_tables_are_taken_too(name: str) -> None:
    assert build(name, input_shape=(30,), num_classes=2, seed=0)(torch.zeros(4, 30)).shape == (4, 2)


def test_cnn_refuses_tables() -> None:
    with pytest.raises(UsageError, match="images"):
        build("cnn", input_shape=(30,), num_classes=2, seed=0)


@pytest.mark.parametrize("name", MODELS)
def test_weights_depend_on_the_seed_alone(name: str) -> None:
    torch.manual_seed(1)
    first = build(name, **DIGITS, seed=3).state_dict()
    torch.manual_seed(2)
    again, other = build(name, **DIGITS, seed=3).state_dict(), build(name, **DIGITS, seed=4).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_building_leaves_the_global_generator_as_it_was() -> None:
    torch.manual_seed(1)
    want = torch.rand(3)
    torch.manual_seed(1)
    build("mlp", **DIGITS, seed=9)
    assert torch.equal(torch.rand(3), want)


def test_own_model_is_built_from_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
from torch import nn
def wide(*, input_shape, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.Linear(128, num_classes))
def wrong(*, input_shape, num_classes):
    return {"not": "a module"}
constant = 5
"""
    (tmp_path / "hospital_models.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    first, again = (build("hospital_models:wide", **DIGITS, seed=1) for _ in range(2))
    assert first(torch.zeros(1, 1, 8, 8)).shape == (1, 10)
    assert torch.equal(first.state_dict()["1.weight"], again.state_dict()["1.weight"])
    with pytest.raises(UsageError, match=r"torch\.nn\.Module"):
        build("hospital_models:wrong", **DIGITS, seed=1)
    with pytest.raises(UsageError, match="expected a function"):
        build("hospital_models:constant", **DIGITS, seed=1)
    with pytest.raises(NotFoundError, match="absent"):
        build("hospital_models:absent", **DIGITS, seed=1)


@pytest.mark.parametrize("name", ["", "resnet", "no_such_module:f", ":f", "m:", ".relative:f", "os:path.join"])
def test_unknown_model_lists_those_that_are_known(name: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        build(name, **DIGITS, seed=0)
    assert "mlp" in caught.value.hint


def test_one_class_is_refused() -> None:
    with pytest.raises(UsageError, match="1 classes"):
        build("mlp", input_shape=(4,), num_classes=1, seed=0)
