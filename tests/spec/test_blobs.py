"""Properties of the bytes that travel: round trips, canonical or rejected, bound by the commitment bit for bit."""

from __future__ import annotations

import dataclasses
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import commitments, spec

DOMAIN = spec.keccak256(b"domain")
DIGESTS = st.binary(min_size=32, max_size=32)
UINT32 = st.integers(0, (1 << 32) - 1)
INT32 = st.integers(spec.INT32_MIN, spec.INT32_MAX)
INT16 = st.integers(-(1 << 15), (1 << 15) - 1)
BOUND = spec.MAX_BOUND


@st.composite
def vectors(draw: st.DrawFn) -> tuple[spec.VectorHeader, list[int]]:
    kind = draw(st.sampled_from(spec.Kind))
    values = draw(st.lists(INT16 if kind is spec.Kind.NARROW else INT32, max_size=20))
    header = spec.VectorHeader(
        kind=kind,
        domain_separator=draw(DIGESTS),
        round_id=draw(st.integers(0, (1 << 64) - 1)),
        client=draw(UINT32),
        num_examples=draw(UINT32),
        size=len(values),
        scale_bits=draw(st.integers(0, 255)),
        leaf_log2=draw(st.integers(0, 12)),
    )
    return header, values


CONTENTS = st.none() | st.builds(spec.ContentId, codec=st.sampled_from([0x55, 0x70]), digest=DIGESTS)


@st.composite
def entries_of(draw: st.DrawFn, client: int) -> spec.ManifestEntry:
    content = draw(CONTENTS)
    signature = draw(st.binary(min_size=64, max_size=64)) if content else bytes(64)
    return spec.ManifestEntry(
        client=client, reason=draw(st.integers(0, (1 << 16) - 1)), content=content, signature=signature
    )


@st.composite
def manifests(draw: st.DrawFn) -> spec.Manifest:
    entries = tuple(draw(entries_of(client)) for client in sorted(draw(st.sets(UINT32, max_size=4))))
    return spec.Manifest(
        domain_separator=draw(DIGESTS),
        round_id=draw(st.integers(0, (1 << 64) - 1)),
        base=draw(CONTENTS),
        aggregate=draw(CONTENTS),
        model=draw(CONTENTS),
        entries=entries,
    )


def _encode(header: spec.VectorHeader, values: list[int]) -> bytes:
    letter = "h" if header.kind is spec.Kind.NARROW else "i"
    return spec.encode_vector(header, struct.pack(f"<{len(values)}{letter}", *values))


def _make_update(values: list[int], **changes: object) -> bytes:
    header = spec.VectorHeader(
        kind=spec.Kind.UPDATE,
        domain_separator=DOMAIN,
        round_id=5,
        client=3,
        num_examples=120,
        size=len(values),
        scale_bits=20,
        leaf_log2=3,
    )
    return spec.encode_vector(dataclasses.replace(header, **changes), spec.encode_int32(values))


def _expect(size: int) -> spec.Expectation:
    return spec.Expectation(
        kind=spec.Kind.UPDATE, domain_separator=DOMAIN, round_id=5, client=3, size=size, scale_bits=20, leaf_log2=3
    )


def _commitment(blob: spec.VectorBlob) -> bytes:
    header = blob.header
    return spec.compute_commitment(
        domain_separator=header.domain_separator,
        round_id=header.round_id,
        client=header.client,
        num_examples=header.num_examples,
        root=blob.root(),
    )


@given(vector=vectors())
def test_a_vector_is_what_its_bytes_decode_to(vector: tuple[spec.VectorHeader, list[int]]) -> None:
    header, values = vector
    data = _encode(header, values)
    blob = spec.decode_vector(data, max_bytes=len(data))
    assert (blob.header, blob.values()) == (header, values)
    assert len(data) == header.size_bytes


@given(manifest=manifests())
def test_a_manifest_is_what_its_bytes_decode_to(manifest: spec.Manifest) -> None:
    assert spec.decode_manifest(spec.encode_manifest(manifest)) == manifest


@st.composite
def mutations(draw: st.DrawFn, data: bytes) -> bytes:
    kind = draw(st.sampled_from(["set", "delete", "insert", "cut", "join"]))
    at = draw(st.integers(0, max(0, len(data) - 1)))
    extra = draw(st.binary(min_size=1, max_size=8))
    return {
        "set": data[:at] + extra + data[at + len(extra) :],
        "delete": data[:at] + data[at + 1 :],
        "insert": data[:at] + extra + data[at:],
        "cut": data[:at],
        "join": data + data[at:],
    }[kind]


@given(vector=vectors(), data=st.data())
def test_a_mutated_vector_is_canonical_or_rejected(
    vector: tuple[spec.VectorHeader, list[int]], data: st.DataObject
) -> None:
    header, values = vector
    mutated = data.draw(mutations(_encode(header, values)))
    try:
        blob = spec.decode_vector(mutated, max_bytes=4096)
    except spec.SpecError:
        return
    assert spec.encode_vector(blob.header, blob.payload) == mutated


@given(manifest=manifests(), data=st.data())
def test_a_mutated_manifest_is_canonical_or_rejected(manifest: spec.Manifest, data: st.DataObject) -> None:
    mutated = data.draw(mutations(spec.encode_manifest(manifest)))
    try:
        decoded = spec.decode_manifest(mutated)
    except spec.SpecError:
        return
    assert spec.encode_manifest(decoded) == mutated


@given(data=st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_errors_of_the_specification(data: bytes) -> None:
    for decode in (spec.decode_manifest, lambda b: spec.decode_vector(b, max_bytes=200)):
        with pytest.raises(spec.SpecError):
            decode(data)
        with pytest.raises(spec.SpecError):
            decode(b"FTU\x01" + data[4:])


def test_a_manifest_of_the_most_clients_fits_one_block() -> None:
    nothing = {"base": None, "aggregate": None, "model": None}
    location = {"reason": 801, "content": None, "signature": bytes(64)}
    entries = tuple(spec.ManifestEntry(client=i, **location) for i in range(1, spec.MAX_CLIENTS + 1))
    data = spec.encode_manifest(spec.Manifest(domain_separator=bytes(32), round_id=1, entries=entries, **nothing))
    assert len(data) == 147 + 103 * 10_000 <= spec.MAX_MANIFEST_BYTES
    assert len(spec.decode_manifest(data).entries) == spec.MAX_CLIENTS


def test_a_manifest_above_one_mebibyte_is_not_parsed() -> None:
    with pytest.raises(spec.Oversized):
        spec.decode_manifest(bytes(spec.MAX_MANIFEST_BYTES + 1))


def _flip_bits(data: bytes) -> list[bytes]:
    numbers = (int.from_bytes(data, "big") ^ (1 << bit) for bit in range(8 * len(data)))
    return [number.to_bytes(len(data), "big") for number in numbers]


@pytest.mark.parametrize("values", [[0], [1, -1, BOUND], [5, -5, 0, 7, -7, 100, 3, 2, -BOUND]])
def test_every_one_bit_change_of_an_update_breaks_its_decoding_or_its_commitment(values: list[int]) -> None:
    data = _make_update(values)
    want = _commitment(spec.decode_update(data, want=_expect(len(values)), bound=BOUND))
    for changed in _flip_bits(data):
        try:
            blob = spec.decode_update(changed, want=_expect(len(values)), bound=BOUND)
        except spec.SpecError:
            continue
        assert _commitment(blob) != want


def test_every_one_bit_change_of_the_expectation_is_noticed() -> None:
    data = _make_update([1, 2])
    for changed in _flip_bits(DOMAIN):
        with pytest.raises(spec.WrongDomain):
            spec.decode_update(data, want=dataclasses.replace(_expect(2), domain_separator=changed), bound=BOUND)


@given(values=st.lists(INT32, min_size=1, max_size=12), bound=st.integers(1, BOUND), data=st.data())
def test_fast_decoding_ends_as_the_specifications_does(values: list[int], bound: int, data: st.DataObject) -> None:
    encoded = _make_update(values)
    blob = data.draw(st.just(encoded) | mutations(encoded))
    want = _expect(len(values))
    try:
        expected = spec.decode_update(blob, want=want, bound=bound)
    except spec.SpecError as error:
        with pytest.raises(type(error)) as caught:
            commitments.decode_update(blob, want=want, bound=bound)
        assert str(caught.value) == str(error)
        return
    decoded, array = commitments.decode_update(blob, want=want, bound=bound)
    assert decoded == expected
    assert array.dtype == np.int32
    assert array.tolist() == expected.values()


def test_a_vector_of_another_author_opens_no_commitment() -> None:
    mine = spec.decode_vector(_make_update([1, 2]), max_bytes=4096)
    copied = spec.decode_vector(_make_update([1, 2], client=4), max_bytes=4096)
    assert mine.root() == copied.root()
    assert _commitment(mine) != _commitment(copied)


def test_an_entry_that_was_never_published_carries_no_signature() -> None:
    entry = spec.ManifestEntry(client=1, reason=801, content=None, signature=bytes(63) + b"\x01")
    nothing = {"base": None, "aggregate": None, "model": None}
    data = spec.encode_manifest(spec.Manifest(domain_separator=bytes(32), round_id=1, entries=(entry,), **nothing))
    with pytest.raises(spec.NotCanonical, match="signed"):
        spec.decode_manifest(data)


def test_digests_and_signatures_of_another_length_are_not_encoded() -> None:
    with pytest.raises(spec.WrongLength):
        spec.ContentId(codec=0x55, digest=bytes(31))
    with pytest.raises(spec.TrailingBytes):
        spec.ContentId(codec=0x55, digest=bytes(33))
    entry = spec.ManifestEntry(client=1, reason=0, content=None, signature=bytes(63))
    nothing = {"base": None, "aggregate": None, "model": None}
    with pytest.raises(spec.WrongLength):
        spec.encode_manifest(spec.Manifest(domain_separator=bytes(32), round_id=1, entries=(entry,), **nothing))
