"""Updates with coordinates of 16 bits (docs/protocol.md §3.6): half the bytes, the same values, roots and rules."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import commitments, spec, spool
from ledger.spec.narrow import MAX_NARROW, decode_narrow

FIELDS = {"domain_separator": b"\x05" * 32, "round_id": 4, "client": 2, "scale_bits": 8, "leaf_log2": 3}
Values = st.lists(st.integers(-MAX_NARROW - 1, MAX_NARROW), min_size=1, max_size=60)


def encode(values: list[int], kind: spec.Kind = spec.Kind.NARROW) -> bytes:
    """Return the blob of an update of this kind."""
    header = spec.VectorHeader(kind=kind, num_examples=3, size=len(values), **FIELDS)
    return spec.encode_vector(header, commitments.encode_payload(header, np.array(values, dtype=np.int32)))


def want(values: list[int], kind: spec.Kind = spec.Kind.NARROW) -> spec.Expectation:
    """Return what a task of this size and kind expects."""
    return spec.Expectation(kind=kind, size=len(values), **FIELDS)


def test_the_bytes_of_a_narrow_update_are_those_of_the_document() -> None:
    blob = encode([1, -2, 300])
    assert blob[2:3] == b"N" and len(blob) == 60 + 2 * 3
    assert blob[60:] == bytes.fromhex("0100feff2c01")


@given(Values)
def test_a_narrow_update_has_the_values_and_the_root_of_a_wide_one(values: list[int]) -> None:
    narrow, wide = spec.decode_vector(encode(values), max_bytes=1000), encode(values, spec.Kind.UPDATE)
    assert narrow.values() == values
    assert narrow.root() == spec.decode_vector(wide, max_bytes=1000).root() == spec.compute_vector_root(values, 3)
    blob, got = commitments.decode_update(encode(values), want=want(values), bound=spec.MAX_BOUND)
    assert (blob, got.tolist(), got.dtype) == (narrow, values, np.int32)
    assert spec.decode_update(encode(values), want=want(values), bound=spec.MAX_BOUND) == narrow


@given(Values)
def test_narrow_and_wide_updates_never_stand_for_each_other(values: list[int]) -> None:
    for kind, other in ((spec.Kind.NARROW, spec.Kind.UPDATE), (spec.Kind.UPDATE, spec.Kind.NARROW)):
        for decode in (spec.decode_update, commitments.decode_update):
            with pytest.raises(spec.WrongVersion):
                decode(encode(values, kind), want=want(values, other), bound=spec.MAX_BOUND)


@pytest.mark.parametrize("decode", [spec.decode_update, commitments.decode_update])
def test_a_narrow_update_is_rejected_as_a_wide_one_is(decode: object) -> None:
    values, blob = [5, -900, 7], encode([5, -900, 7])
    cases = {
        spec.WrongLength: blob[:-1],
        spec.TrailingBytes: blob + b"\0\0",
        spec.OutOfRange: blob,
        spec.WrongExamples: blob[:48] + struct.pack(">I", 0) + blob[52:],
    }
    for error, data in cases.items():
        with pytest.raises(error):
            decode(data, want=want(values), bound=899)  # type: ignore[operator]


def test_a_large_narrow_update_is_widened_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).integers(-MAX_NARROW, MAX_NARROW, 5000).tolist()
    monkeypatch.setattr(spool, "MAPPED_BYTES", 1000)
    _, got = commitments.decode_update(spool.join([encode(values)]), want=want(values), bound=MAX_NARROW)
    assert got.tolist() == values and isinstance(got.base, memoryview)


@pytest.mark.parametrize("text", ["", "int8", "int16 ", "INT16"])
def test_the_term_says_int16_and_nothing_else(text: str) -> None:
    decode_narrow("int16")
    with pytest.raises(spec.NotCanonical):
        decode_narrow(text)
