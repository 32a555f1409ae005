"""CAR archives: what goes out comes back, and nothing else gets in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors import BlobCorrupt, FedtrailError, NotCanonical, NotFoundError, Oversized, Unavailable, WrongLength
from ledger.store import Cid, Codec, EmbeddedStore, car
from ledger.store.unixfs import CHUNK_BYTES, MAX_BLOCK_BYTES
from ledger.store.varint import encode_varint

BLOB = bytes(range(251)) * 3000  # three leaves


@pytest.fixture
def other(tmp_path: Path) -> EmbeddedStore:
    return EmbeddedStore(tmp_path / "other")


@pytest.fixture
def archive(store: EmbeddedStore, tmp_path: Path) -> Path:
    path = tmp_path / "blob.car"
    store.export_car(store.put(BLOB), path)
    return path


def assert_nothing_was_stored(store: EmbeddedStore) -> None:
    assert store.list_pins() == []
    assert list((store.path / "blocks").rglob("*.data")) == []


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 175 * CHUNK_BYTES])
def test_a_blob_travels_in_an_archive(size: int, store: EmbeddedStore, other: EmbeddedStore, tmp_path: Path) -> None:
    blob = os.urandom(size)
    cid = store.put(blob)
    store.export_car(cid, tmp_path / "blob.car")
    assert other.import_car(tmp_path / "blob.car") == cid
    assert other.get(cid, max_bytes=size) == blob
    assert other.is_pinned(cid)
    other.export_car(cid, tmp_path / "again.car")
    assert (tmp_path / "again.car").read_bytes() == (tmp_path / "blob.car").read_bytes()


def test_repeated_blocks_are_written_once(store: EmbeddedStore, other: EmbeddedStore, tmp_path: Path) -> None:
    zeros = bytes(20 * CHUNK_BYTES)
    cid = store.put(zeros)
    store.export_car(cid, tmp_path / "zeros.car")
    assert (tmp_path / "zeros.car").stat().st_size < 2 * CHUNK_BYTES
    assert other.get(other.import_car(tmp_path / "zeros.car"), max_bytes=len(zeros)) == zeros


def test_an_archive_packed_in_one_pass_holds_the_same_blob(store: EmbeddedStore, tmp_path: Path) -> None:
    tree = car.pack_file(
        tmp_path / "packed.car", [BLOB[:CHUNK_BYTES], BLOB[CHUNK_BYTES : 2 * CHUNK_BYTES], BLOB[2 * CHUNK_BYTES :]]
    )
    assert store.import_car(tmp_path / "packed.car") == tree.cid == store.put(BLOB)


def test_repeated_blocks_are_packed_once(tmp_path: Path) -> None:
    car.pack_file(tmp_path / "zeros.car", [bytes(CHUNK_BYTES)] * 20)
    assert (tmp_path / "zeros.car").stat().st_size < 2 * CHUNK_BYTES


def test_an_export_that_fails_leaves_no_file(store: EmbeddedStore, tmp_path: Path) -> None:
    cid = store.put(BLOB)
    store.block_path(Cid.of(BLOB[:CHUNK_BYTES])).unlink()
    target = tmp_path / "out" / "blob.car"
    target.parent.mkdir()
    with pytest.raises(Unavailable):
        store.export_car(cid, target)
    assert list(target.parent.iterdir()) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(position=st.integers(min_value=0), mask=st.integers(1, 255))
def test_no_changed_byte_of_an_archive_gets_in(
    position: int, mask: int, archive: Path, other: EmbeddedStore, tmp_path: Path
) -> None:
    data = bytearray(archive.read_bytes())
    # Half of the positions lie in header, links and section starts, which are a small part of the bytes.
    data[position % (len(data) if position % 2 else 700)] ^= mask
    (tmp_path / "changed.car").write_bytes(data)
    with pytest.raises(FedtrailError):
        other.import_car(tmp_path / "changed.car")
    assert_nothing_was_stored(other)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(length=st.integers(min_value=0))
def test_no_truncated_archive_gets_in(length: int, archive: Path, other: EmbeddedStore, tmp_path: Path) -> None:
    data = archive.read_bytes()
    (tmp_path / "short.car").write_bytes(data[: length % (len(data) if length % 2 else 400)])
    with pytest.raises((WrongLength, Unavailable)):
        other.import_car(tmp_path / "short.car")
    assert_nothing_was_stored(other)


def _header(root: Cid) -> bytes:
    return car.encode_header(root)


LEAF, NO_FILE = Cid.of(b"leaf"), Cid.of(b"\x08\x01", Codec.DAG_PB)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", WrongLength),
        (b"\0" * 100, NotCanonical),
        (b"\x0a\xa1gversion\x02" + b"\0" * 100, NotCanonical),  # the first bytes of a CAR v2
        (_header(LEAF), Unavailable),
        (_header(LEAF).replace(b"version\x01", b"version\x02"), NotCanonical),
        (_header(LEAF) + b"\x00", NotCanonical),
        (_header(LEAF) + b"\x80", WrongLength),
        (_header(LEAF) + b"\xa8\x00" + LEAF.to_bytes() + b"leaf", NotCanonical),  # a padded varint
        (_header(LEAF) + encode_varint(2**40), Oversized),
        (_header(LEAF) + encode_varint(37 + MAX_BLOCK_BYTES), Oversized),
        (_header(LEAF) + car.encode_section(LEAF, b"leaf")[:-1], WrongLength),
        (_header(LEAF) + car.encode_section(LEAF, b"leap"), BlobCorrupt),
        (_header(LEAF) + car.encode_section(LEAF, b"leaf") + b"\x24" + b"\x01\x71" + LEAF.to_bytes()[2:], NotCanonical),
        (_header(LEAF) + car.encode_section(LEAF, b"leaf") + car.encode_section(Cid.of(b"x"), b"x"), NotCanonical),
        (_header(NO_FILE) + car.encode_section(NO_FILE, b"\x08\x01"), NotCanonical),
    ],
    ids=[
        "empty", "zeros", "version-2", "no-blocks", "header-version", "empty-section", "varint-cut", "varint-padded",
        "section-huge", "block-too-large", "block-cut", "block-changed", "identifier-of-another-codec", "extra-block",
        "root-no-file",
    ],
)  # fmt: skip
def test_malformed_archives_are_refused(
    data: bytes, error: type[FedtrailError], store: EmbeddedStore, tmp_path: Path
) -> None:
    (tmp_path / "bad.car").write_bytes(data)
    with pytest.raises(error):
        store.import_car(tmp_path / "bad.car")
    assert_nothing_was_stored(store)


def test_a_repeated_section_does_no_harm(store: EmbeddedStore, tmp_path: Path) -> None:
    (tmp_path / "twice.car").write_bytes(_header(LEAF) + 2 * car.encode_section(LEAF, b"leaf"))
    assert store.get(store.import_car(tmp_path / "twice.car"), max_bytes=4) == b"leaf"


def test_each_copy_of_a_repeated_section_is_checked(store: EmbeddedStore, tmp_path: Path) -> None:
    sections = car.encode_section(LEAF, b"leap") + car.encode_section(LEAF, b"leaf")
    (tmp_path / "twice.car").write_bytes(_header(LEAF) + sections)
    with pytest.raises(BlobCorrupt):
        store.import_car(tmp_path / "twice.car")


def test_an_archive_of_countless_tiny_blocks_is_refused(store: EmbeddedStore, tmp_path: Path) -> None:
    tiny = b"".join(car.encode_section(Cid.of(i.to_bytes(3)), i.to_bytes(3)) for i in range(500))
    (tmp_path / "tiny.car").write_bytes(_header(LEAF) + tiny)
    with pytest.raises(NotCanonical, match="blocks within"):
        store.import_car(tmp_path / "tiny.car")


def test_an_archive_above_the_limit_is_refused_unread(archive: Path, other: EmbeddedStore) -> None:
    size = archive.stat().st_size
    with pytest.raises(Oversized):
        other.import_car(archive, max_bytes=size - 1)
    other.import_car(archive, max_bytes=size)


def test_an_absent_archive_is_named(store: EmbeddedStore, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no file '.*none\.car'"):
        store.import_car(tmp_path / "none.car")
