"""Content identifiers: canonical or rejected."""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import NotAContentId
from ledger.store import Cid, Codec

HELLO = (
    "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"  # `echo -n "hello world" | ipfs add --cid-version=1`
)


def test_the_identifier_of_hello_world_is_the_one_that_ipfs_prints() -> None:
    assert str(Cid.of(b"hello world")) == HELLO


@given(digest=st.binary(min_size=32, max_size=32), codec=st.sampled_from(Codec))
def test_text_and_bytes_lead_back_to_the_identifier(digest: bytes, codec: Codec) -> None:
    cid = Cid(codec=codec, digest=digest)
    assert Cid.from_text(str(cid)) == cid
    assert Cid.from_bytes(cid.to_bytes()) == cid
    assert len(str(cid)) == 59


@given(
    text=st.text(max_size=70) | st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=58, max_size=60).map("b".__add__)
)
def test_a_text_is_the_canonical_spelling_or_refused(text: str) -> None:
    try:
        assert str(Cid.from_text(text)) == text
    except NotAContentId as error:
        assert error.code == "FT502"


@given(data=st.binary(max_size=40))
def test_bytes_are_the_canonical_encoding_or_refused(data: bytes) -> None:
    with contextlib.suppress(NotAContentId):
        assert Cid.from_bytes(data).to_bytes() == data


_DIGEST = hashlib.sha256(b"").digest()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "starts with 'b'"),
        (HELLO[:-1], "36"),
        (HELLO + "a", "36"),
        (HELLO.upper(), "starts with 'b'"),
        ("b" + HELLO[1:].upper(), "lower-case"),
        (HELLO[:-1] + "f", "canonical"),  # the same bytes, with the unused last bits set
        (HELLO + "=", "padding|36"),
        (HELLO[:20] + "1" + HELLO[21:], "[Nn]on-base32"),
        ("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG", "CIDv0"),
        ("b" * 10_000, "10000 characters"),
        (" " + HELLO, "starts with 'b'"),
        ("bäääää", "lower-case"),
    ],
)
def test_other_texts_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(NotAContentId, match=reason) as caught:
        Cid.from_text(text)
    assert len(caught.value.message) < 250


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x12\x20" + _DIGEST, "CIDv0"),
        (b"\x02\x55\x12\x20" + _DIGEST, "version 2"),
        (b"\x01\x71\x12\x20" + _DIGEST, "codec 0x71"),
        (b"\x01\x55\x1b\x20" + _DIGEST, "multihash prefix 1b20"),
        (b"\x01\x55\x12\x1f" + _DIGEST, "multihash prefix 121f"),
        (b"\x01\x55\x12\x20" + _DIGEST[:-1], "35 bytes"),
        (b"\x01\x55\x12\x20" + _DIGEST + b"\0", "37 bytes"),
    ],
)
def test_other_bytes_are_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(NotAContentId, match=reason):
        Cid.from_bytes(data)


def test_a_digest_of_another_length_makes_no_identifier() -> None:
    with pytest.raises(NotAContentId, match="31 bytes"):
        Cid(codec=Codec.RAW, digest=bytes(31))


def test_identifiers_of_a_block_differ_by_codec() -> None:
    assert Cid.of(b"x", Codec.RAW) != Cid.of(b"x", Codec.DAG_PB)
    assert repr(Cid.of(b"hello world")) == f"Cid({HELLO})"
