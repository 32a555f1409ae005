"""The layout's bytes, its coordinates, and the way of a state_dict to a vector and back."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from ledger.layout import MAX_LAYOUT_BYTES, Layout, decode_layout, encode_layout, locate
from ledger.spec.errors import NotCanonical, OutOfRange, Oversized

MLP = Layout(
    names=("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"),
    shapes=((64, 64), (64,), (10, 64), (10,)),
)


def layout_json(tensors: object, **more: object) -> bytes:
    return json.dumps(
        {"format": "fedtrail-layout-1", "tensors": tensors, **more},
        separators=(",", ":"),
    ).encode()


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
