"""Clients refuse a model that is not the ledger's: the attack of `fl.attacks.inversion.imprint` never starts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fl import data, models
from fl.attacks.inversion.imprint import make_imprint
from fl.federation.base import verify_model
from fl.layout import flatten, layout_of
from fl.workload import Vector
from ledger import commitments
from ledger.errors import ForeignModel

SCALE_BITS, MODEL_LOG2 = 20, 6


def quantize_model(model: torch.nn.Module) -> Vector:
    state = model.state_dict()
    return np.rint(flatten(state, layout_of(state)) * float(1 << SCALE_BITS)).astype(np.int32)


def verify(model_q: Vector, root: bytes) -> None:
    verify_model(model_q, root=root, model_log2=MODEL_LOG2, round_id=7)


@pytest.mark.parametrize("name", models.MODELS)
def test_one_unit_in_any_tensor_is_refused(name: str) -> None:
    model = models.build(name, input_shape=(1, 8, 8), num_classes=10, seed=1)
    model_q, layout = quantize_model(model), layout_of(model.state_dict())
    root = commitments.compute_vector_root(model_q, MODEL_LOG2)
    verify(model_q, root)
    generator, start, refused, tried = np.random.default_rng(1), 0, 0, 0
    for size in layout.sizes:
        places = {start, start + size - 1, *(start + generator.integers(0, size, 8)).tolist()}
        for place in places:
            for unit in (-1, 1):
                changed = model_q.copy()
                changed[place] += unit
                tried += 1
                with pytest.raises(ForeignModel):
                    verify(changed, root)
                refused += 1
        start += size
    assert (refused, start) == (tried, len(model_q))
    assert tried >= 2 * 2 * len(layout.sizes)


def test_an_imprint_model_is_refused() -> None:
    model = models.build("mlp", input_shape=(1, 8, 8), num_classes=10, seed=1)
    root = commitments.compute_vector_root(quantize_model(model), MODEL_LOG2)
    crooked = make_imprint(model, torch.tensor(data.load("digits").x_test))
    with pytest.raises(ForeignModel) as raised:
        verify(quantize_model(crooked), root)
    assert (raised.value.code, raised.value.exit_status) == ("FT728", 7)
    assert root.hex() in str(raised.value)


def test_a_model_of_another_length_is_refused() -> None:
    model_q = quantize_model(models.build("logistic", input_shape=(1, 8, 8), num_classes=10, seed=1))
    root = commitments.compute_vector_root(model_q, MODEL_LOG2)
    for other in (model_q[:-1], np.append(model_q, np.int32(0))):
        with pytest.raises(ForeignModel):
            verify(other, root)
