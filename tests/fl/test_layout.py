"""The layout's bytes, its coordinates, and the way of a state_dict to a vector and back."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from fl.layout import apply_vector, flatten, layout_of, unflatten
from fl.models import build
from ledger.layout import MAX_LAYOUT_BYTES, Layout, decode_layout, encode_layout, locate
from ledger.spec.errors import NonFinite, NotCanonical, OutOfRange, Oversized, WrongShape

MLP = Layout(
    names=("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"),
    shapes=((64, 64), (64,), (10, 64), (10,)),
)


def layout_json(tensors: object, **more: object) -> bytes:
    return json.dumps(
        {"format": "fedtrail-layout-1", "tensors": tensors, **more},
        separators=(",", ":"),
    ).encode()


def test_terms_are_part_of_the_document_and_are_found_by_name() -> None:
    layout = Layout(names=("w",), shapes=((4,),), terms=(("masking", "degree(3)"), ("validation", "norm(300)")))
    want = b'"format":"fedtrail-layout-3","terms":[["masking","degree(3)"],["validation","norm(300)"]],"tensors"'
    assert want in encode_layout(layout)
    assert decode_layout(encode_layout(layout)) == layout
    assert (layout.term("validation"), layout.term("noise")) == ("norm(300)", None)


def test_layout_bytes_are_those_of_the_documented_example() -> None:
    layout = Layout(names=("fc1.weight", "fc1.bias"), shapes=((64, 64), (64,)))
    want = b'{"format":"fedtrail-layout-1","tensors":[["fc1.weight",[64,64]],["fc1.bias",[64]]]}'
    assert encode_layout(layout) == want
    assert decode_layout(want) == layout


def test_layout_with_a_single_number_round_trips() -> None:
    layout = Layout(names=("scale", "w"), shapes=((), (2, 3, 4)))
    assert decode_layout(encode_layout(layout)) == layout
    assert layout.size == 25


@pytest.mark.parametrize(
    "blob",
    [
        pytest.param(b"", id="empty"),
        pytest.param(encode_layout(MLP)[:-1], id="truncated"),
        pytest.param(encode_layout(MLP) + b"\n", id="trailing"),
        pytest.param(encode_layout(MLP).replace(b",", b", ", 1), id="whitespace"),
        pytest.param(encode_layout(MLP).replace(b"layout-1", b"layout-2"), id="version"),
        pytest.param(layout_json([["a", [1]]], extra=1), id="extra-key"),
        pytest.param(b'{"tensors":[["a",[1]]],"format":"fedtrail-layout-1"}', id="reordered"),
        pytest.param(
            b'{"format":"fedtrail-layout-3","terms":[["b","1"],["a","1"]],"tensors":[["a",[1]]]}', id="terms-fall"
        ),
        pytest.param(b'{"format":"fedtrail-layout-3","terms":[],"tensors":[["a",[1]]]}', id="no-terms"),
        pytest.param(b'{"format":"fedtrail-layout-3","terms":[["a",1]],"tensors":[["a",[1]]]}', id="term-no-text"),
        pytest.param(b'{"format":"fedtrail-layout-1","terms":[["a","1"]],"tensors":[["a",[1]]]}', id="terms-in-1"),
        pytest.param(
            b'{"format":"fedtrail-layout-1","tensors":[],"tensors":[["a",[1]]]}',
            id="duplicate-key",
        ),
        pytest.param(layout_json([]), id="no-tensor"),
        pytest.param(layout_json({"a": [1]}), id="tensors-not-a-list"),
        pytest.param(layout_json([["a"]]), id="no-shape"),
        pytest.param(layout_json([["a", 1]]), id="shape-not-a-list"),
        pytest.param(layout_json([["a", [1]], ["a", [2]]]), id="one-name-twice"),
        pytest.param(layout_json([["", [1]]]), id="empty-name"),
        pytest.param(layout_json([["a" * 257, [1]]]), id="long-name"),
        pytest.param(layout_json([["\x1b[31m", [1]]]), id="terminal-escape"),
        pytest.param(layout_json([["\ud800", [1]]]), id="surrogate"),
        pytest.param(layout_json([[7, [1]]]), id="name-not-text"),
        pytest.param(layout_json([[["a"], [1]]]), id="name-is-a-list"),
        pytest.param(layout_json([["a", [0]]]), id="zero-dimension"),
        pytest.param(layout_json([["a", [-1, -1]]]), id="negative-dimensions"),
        pytest.param(layout_json([["a", [1.0]]]), id="float-dimension"),
        pytest.param(layout_json([["a", [True]]]), id="boolean-dimension"),
        pytest.param(layout_json([["a", [1] * 17]]), id="many-dimensions"),
        pytest.param(layout_json([["a", [2**16, 2**16, 2]]]), id="too-many-coordinates"),
        pytest.param(
            b'{"format":"fedtrail-layout-1","tensors":[["a",[1e400]]]}',
            id="infinite-dimension",
        ),
        pytest.param(b"9" * 5000, id="huge-integer"),
        pytest.param(b"[" * 100_000, id="deep-nesting"),
        pytest.param(b'"\xff"', id="not-ascii"),
    ],
)
def test_bytes_that_no_layout_encodes_to_are_refused(blob: bytes) -> None:
    with pytest.raises(NotCanonical):
        decode_layout(blob)


def test_deep_nesting_is_refused_even_where_a_library_raised_the_recursion_limit() -> None:
    program = (
        "import sys; sys.setrecursionlimit(100_000)\n"
        "from ledger.errors import NotCanonical; from ledger.layout import decode_layout\n"
        "try: decode_layout(b'[' * 1_000_000)\n"
        "except NotCanonical: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "refused"), done.stderr


def test_brackets_within_a_tensor_name_are_no_nesting() -> None:
    layout = Layout(names=('blocks[[[["{{{{\\',), shapes=((2,),))
    assert decode_layout(encode_layout(layout)) == layout


def test_oversized_layout_is_refused_before_parsing() -> None:
    with pytest.raises(Oversized) as caught:
        decode_layout(b"[" * (MAX_LAYOUT_BYTES + 1))
    assert caught.value.detail == {
        "got": MAX_LAYOUT_BYTES + 1,
        "want": MAX_LAYOUT_BYTES,
    }


def test_layout_that_would_not_be_read_is_not_written() -> None:
    names = tuple(f"{index:0200d}" for index in range(6000))
    with pytest.raises(Oversized):
        encode_layout(Layout(names=names, shapes=((1,),) * 6000))


@pytest.mark.parametrize(
    ("coordinate", "want"),
    [
        (0, "fc1.weight[0,0]"),
        (3 * 64 + 17, "fc1.weight[3,17]"),
        (4095, "fc1.weight[63,63]"),
        (4096, "fc1.bias[0]"),
        (4160, "fc2.weight[0,0]"),
        (4809, "fc2.bias[9]"),
    ],
)
def test_locate_names_the_tensor_and_the_index(coordinate: int, want: str) -> None:
    assert locate(MLP, coordinate) == want


def test_locate_agrees_with_numpy_in_four_dimensions() -> None:
    layout = Layout(names=("s", "conv.weight"), shapes=((), (8, 3, 5, 2)))
    assert locate(layout, 0) == "s"
    for offset in range(240):
        index = ",".join(str(int(i)) for i in np.unravel_index(offset, (8, 3, 5, 2)))
        assert locate(layout, 1 + offset) == f"conv.weight[{index}]"


@pytest.mark.parametrize("coordinate", [-1, 4810])
def test_locate_refuses_a_coordinate_outside_the_vector(coordinate: int) -> None:
    with pytest.raises(OutOfRange):
        locate(MLP, coordinate)


def test_auditors_layout_does_not_import_torch() -> None:
    code = "import sys, ledger.layout; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def small_state() -> dict[str, torch.Tensor]:
    return {
        "w": torch.arange(6, dtype=torch.float32).reshape(2, 3),
        "num_batches_tracked": torch.tensor(7),
        "scale": torch.tensor(0.5),
    }


def test_state_goes_to_a_vector_and_back() -> None:
    state = small_state()
    layout = layout_of(state)
    assert layout == Layout(names=("w", "scale"), shapes=((2, 3), ()))
    vector = flatten(state, layout)
    assert vector.dtype == np.float32 and vector.tolist() == [0, 1, 2, 3, 4, 5, 0.5]
    tensors = unflatten(vector, layout)
    assert set(tensors) == {"w", "scale"} and all(torch.equal(tensors[name], state[name]) for name in tensors)


def test_located_coordinate_is_the_element_of_the_tensor() -> None:
    model = build("cnn", input_shape=(1, 8, 8), num_classes=10, seed=0)
    state = model.state_dict()
    layout = layout_of(state)
    vector = flatten(state, layout)
    for coordinate in (0, 159, 160, 1000, 21545):
        name, _, index = locate(layout, coordinate).rstrip("]").partition("[")
        assert vector[coordinate] == state[name][tuple(int(i) for i in index.split(","))]


def test_order_of_the_state_does_not_change_the_vector() -> None:
    state = small_state()
    layout = layout_of(state)
    assert np.array_equal(flatten(dict(reversed(state.items())), layout), flatten(state, layout))


def test_transposed_tensor_is_read_in_its_own_order() -> None:
    state = {"w": torch.arange(6, dtype=torch.float32).reshape(3, 2).T}
    assert flatten(state, layout_of(state)).tolist() == [0, 2, 4, 1, 3, 5]


def test_integer_buffers_keep_the_global_value() -> None:
    state = small_state()
    layout = layout_of(state)
    after = apply_vector(state, np.ones(7, dtype=np.float32), layout)
    assert list(after) == list(state)
    assert after["num_batches_tracked"].item() == 7 and after["w"].tolist() == [[1, 1, 1], [1, 1, 1]]
    after["num_batches_tracked"] += 1
    assert state["num_batches_tracked"].item() == 7


def test_model_with_batch_normalisation_loads_what_came_back() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 10))
    state = model.state_dict()
    layout = layout_of(state)
    assert "1.num_batches_tracked" not in layout.names and "1.running_var" in layout.names
    model.load_state_dict(apply_vector(state, flatten(state, layout) + np.float32(1), layout))
    assert torch.equal(model.state_dict()["1.running_var"], torch.full((4,), 2.0))


def test_unflattened_tensors_share_no_memory_with_the_vector() -> None:
    layout = Layout(names=("w",), shapes=((2,),))
    vector = np.zeros(2, dtype=np.float32)
    tensors = unflatten(vector, layout)
    vector[0] = 1
    assert tensors["w"].tolist() == [0, 0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_non_finite_values_are_refused_with_tensor_and_count(bad: float) -> None:
    state = small_state()
    layout = layout_of(state)
    state["w"][0, 1] = state["w"][1, 2] = bad
    with pytest.raises(NonFinite) as caught:
        flatten(state, layout)
    assert caught.value.detail == {"tensor": "w", "count": 2}
    with pytest.raises(NonFinite, match="scale"):
        unflatten(np.array([0, 0, 0, 0, 0, 0, bad], dtype=np.float32), layout)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"w": torch.zeros(3, 2)}, id="shape"),
        pytest.param({"w": torch.zeros(2, 3, dtype=torch.float64)}, id="double"),
        pytest.param({"w": torch.zeros(2, 3, dtype=torch.float16)}, id="half"),
        pytest.param({"w": torch.zeros(2, 3, dtype=torch.complex64)}, id="complex"),
        pytest.param({"w": torch.zeros(2, 3, dtype=torch.int64)}, id="integer-instead-of-float"),
        pytest.param({"extra": torch.zeros(1)}, id="added-tensor"),
    ],
)
def test_state_of_another_model_is_refused(change: dict[str, torch.Tensor]) -> None:
    layout = layout_of(small_state())
    with pytest.raises(WrongShape):
        flatten({**small_state(), **change}, layout)


def test_missing_tensor_is_refused() -> None:
    layout = layout_of(small_state())
    state = {"w": torch.zeros(2, 3)}
    with pytest.raises(WrongShape, match="scale"):
        flatten(state, layout)
    with pytest.raises(WrongShape, match="scale"):
        apply_vector(state, np.zeros(7, dtype=np.float32), layout)


@pytest.mark.parametrize("vector", [np.zeros(6, np.float32), np.zeros(7, np.float64), np.zeros((1, 7), np.float32)])
def test_vector_of_another_length_or_type_is_refused(vector: np.ndarray) -> None:
    with pytest.raises(WrongShape, match="the vector"):
        unflatten(vector, layout_of(small_state()))


def test_model_in_double_precision_is_told_how_to_convert() -> None:
    with pytest.raises(WrongShape) as caught:
        layout_of(nn.Linear(2, 2).double().state_dict())
    assert "model.float()" in caught.value.hint
