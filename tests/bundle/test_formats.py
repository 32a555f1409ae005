"""Manifest, signatures and seals: canonical or rejected, and for the right key only."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import artifacts
from ledger.bundle.envelope import sign_manifest, verify_envelope
from ledger.bundle.format import (
    BlockRef,
    FileInfo,
    Gap,
    Kind,
    Level,
    Manifest,
    decode_json,
    decode_manifest,
    encode_json,
    encode_manifest,
    is_name,
    sort_gaps,
)
from ledger.bundle.sealing import (
    get_public,
    load_recipient_key,
    load_signing_key,
    make_recipient_key,
    make_signing_key,
    parse_recipient,
    seal,
    unseal,
)
from ledger.chain import Role
from ledger.dsse import encode_pae
from ledger.errors import (
    BlobCorrupt,
    ConfigurationError,
    KeyExists,
    KeyMissing,
    NotCanonical,
    SpecError,
    UsageError,
    WrongPassword,
    WrongSigner,
)
from ledger.store import Cid

CID = Cid.of(b"blob")
BLOCK = BlockRef(number=7, hash=b"\x07" * 32)
MANIFEST = Manifest(
    level=Level.PARTNER,
    partner=3,
    recipient=None,
    chain_id=31337,
    contracts={key: bytes([number]) * 20 for number, key in enumerate(artifacts.KEYS)},
    first_block=BLOCK,
    last_block=BLOCK,
    min_stake_wei={Role.CLIENT: 1, Role.AGGREGATOR: 2, Role.ATTESTOR: 3},
    tasks=(1, 4),
    gaps=(Gap(cid=str(CID), kind=Kind.UPDATE, round_id=2, code="FT801"),),
    files={"README.txt": FileInfo(size_bytes=3, sha256="0" * 64)},
)


def test_a_manifest_is_read_as_it_was_written() -> None:
    data = encode_manifest(MANIFEST)
    assert decode_manifest(data) == MANIFEST
    assert data.endswith(b"}\n")
    assert b" " not in data


WRONG: list[dict[str, Any]] = [
    {"format": "fedtrail-bundle-2"},
    {"level": "secret"},
    {"partner": None},
    {"partner": "03"},
    {"recipient": "0" * 64},
    {"chain_id": 31337},
    {"contracts": {}},
    {"first_block": {"number": "8", "hash": "0x" + "07" * 32}},
    {"last_block": {"number": "7", "hash": "0x" + "07" * 31}},
    {"min_stake_wei": {"1": "1", "2": "2"}},
    {"min_stake_wei": {"1": "1", "2": "2", "3": str(2**256)}},
    {"tasks": ["4", "1"]},
    {"tasks": "14"},
    {"gaps": [{"cid": "x", "kind": "update", "round": "2", "code": "FT801"}]},
    {"gaps": [{"cid": str(CID), "kind": "update", "round": "2", "code": "FT802"}]},
    {"files": {"../README.txt": {"bytes": "3", "sha256": "0" * 64}}},
    {"files": {"manifest.json": {"bytes": "3", "sha256": "0" * 64}}},
    {"files": {"README.txt": {"bytes": "3", "sha256": "0" * 64, "more": ""}}},
    {"more": ""},
]


@pytest.mark.parametrize("change", WRONG, ids=lambda change: json.dumps(change)[:40])
def test_a_manifest_that_misstates_something_is_refused(change: dict[str, Any]) -> None:
    document = {**json.loads(encode_manifest(MANIFEST)), **change}
    with pytest.raises(NotCanonical):
        decode_manifest(encode_json(document))


@pytest.mark.parametrize("key", sorted(json.loads(encode_manifest(MANIFEST))))
def test_a_manifest_without_one_of_its_keys_is_refused(key: str) -> None:
    document = json.loads(encode_manifest(MANIFEST))
    del document[key]
    with pytest.raises(NotCanonical):
        decode_manifest(encode_json(document))


@given(data=st.binary(max_size=300))
def test_whatever_bytes_come_as_a_manifest_they_are_refused(data: bytes) -> None:
    with pytest.raises(SpecError):
        decode_manifest(data)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"{ }\n", b'{"b":1,"a":2}\n', b'{"a":1,"a":1}\n', b"[" * 100_000, b"NaN\n", b'"\xc3\xa4"\n']
)
def test_json_that_is_not_canonical_is_refused(data: bytes) -> None:
    with pytest.raises(NotCanonical):
        decode_json(data, what="it")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../x",
        "blobs/../x",
        "blobs/x",
        "sealed/",
        "exports/.x",
        "exports/a/b",
        "README.txt\n",
        "a\0b",
    ],
)
def test_a_bundle_has_no_other_names(name: str) -> None:
    assert not is_name(name)


def test_a_bundle_has_these_names() -> None:
    names = [
        f"blobs/{CID}",
        f"sealed/{CID}",
        "exports/prov.jsonld",
        "checkpoints/a.note",
        "facts.sqlite",
        "report.html",
    ]
    assert all(map(is_name, names))


def test_gaps_come_in_one_order_and_once() -> None:
    gaps = [Gap(cid=str(CID), kind=Kind.UPDATE, round_id=number, code="FT801") for number in (10, 2, None, 2)]
    assert [gap.round_id for gap in sort_gaps(gaps)] == [None, 2, 10]
    with pytest.raises(NotCanonical):
        decode_manifest(encode_manifest(replace(MANIFEST, gaps=tuple(gaps))))


def test_a_seal_opens_for_its_reader_and_its_name_only(tmp_path: Path) -> None:
    public = make_recipient_key(tmp_path / "a.pem", "secret")
    make_recipient_key(tmp_path / "b.pem", None)
    key, other = load_recipient_key(tmp_path / "a.pem", "secret"), load_recipient_key(tmp_path / "b.pem", None)
    assert get_public(key) == public == parse_recipient(public.hex())
    sealed = seal(b"blob", CID, public)
    assert len(sealed) == len(b"blob") + 48
    assert unseal(sealed, CID, key) == b"blob"
    assert sealed != seal(b"blob", CID, public)
    wrong = [(sealed, CID, other), (sealed, Cid.of(b"x"), key), (sealed[:-1], CID, key), (b"", CID, key)]
    for data, cid, opener in wrong:
        with pytest.raises(BlobCorrupt):
            unseal(data, cid, opener)


def test_key_files_are_encrypted_private_and_of_one_kind(tmp_path: Path) -> None:
    make_recipient_key(tmp_path / "a.pem", "secret")
    make_signing_key(tmp_path / "s.pem", None)
    assert (tmp_path / "a.pem").stat().st_mode & 0o777 == 0o600
    (tmp_path / "junk.pem").write_text("junk")
    with pytest.raises(WrongPassword):
        load_recipient_key(tmp_path / "a.pem", "other")
    with pytest.raises(KeyExists):
        make_signing_key(tmp_path / "a.pem", None)
    with pytest.raises(KeyMissing):
        load_recipient_key(tmp_path / "none.pem", None)
    for path in (tmp_path / "s.pem", tmp_path / "junk.pem"):
        with pytest.raises(ConfigurationError):
            load_recipient_key(path, None)
    with pytest.raises(UsageError):
        parse_recipient("AB" * 32)


def test_signatures_add_up_and_each_is_checked(tmp_path: Path) -> None:
    publics = [make_signing_key(tmp_path / f"{name}.pem", None).hex() for name in "ab"]
    keys = [load_signing_key(tmp_path / f"{name}.pem", None) for name in "ab"]
    envelope = sign_manifest(b"manifest", keys[1], sign_manifest(b"manifest", keys[0]))
    assert sorted(verify_envelope(envelope, b"manifest")) == sorted(publics)
    assert sign_manifest(b"manifest", keys[0], envelope) == envelope
    with pytest.raises(NotCanonical, match="not one over this manifest"):
        verify_envelope(envelope, b"other manifest")
    document = json.loads(envelope)
    document["signatures"][0]["keyid"] = "ed25519:" + "00" * 32
    with pytest.raises(WrongSigner):
        verify_envelope(encode_json(document), b"manifest")
    for change in ({"payloadType": "text/plain"}, {"signatures": []}, {"signatures": [{}]}, {"more": 1}):
        with pytest.raises(NotCanonical):
            verify_envelope(encode_json({**json.loads(envelope), **change}), b"manifest")


def test_what_is_signed_is_that_of_the_specification() -> None:
    """DSSE, protocol.md: the test vector."""
    assert encode_pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
