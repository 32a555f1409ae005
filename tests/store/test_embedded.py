"""The embedded store: what it acknowledged is there, and what is there is what was stored."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors import (
    BadConfiguration,
    BlobCorrupt,
    NotCanonical,
    NotFoundError,
    Oversized,
    StoreUnreachable,
    Unavailable,
)
from ledger.store import Cid, Codec, ContentStore, EmbeddedStore, open_store
from ledger.store.unixfs import CHUNK_BYTES, MAX_BLOCK_BYTES

BLOB = bytes(range(251)) * 3000  # three leaves and a root
ROOT_AND_LEAVES = 4
fixture_is_shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def block_files(store: EmbeddedStore) -> list[Path]:
    return sorted((store.path / "blocks").rglob("*.data"))


near_boundaries = st.builds(
    lambda chunks, offset: max(0, chunks * CHUNK_BYTES + offset), st.integers(0, 3), st.integers(-2, 2)
)


@settings(fixture_is_shared, max_examples=40)
@given(size=near_boundaries | st.integers(0, 3000), seed=st.binary(min_size=1, max_size=8))
def test_a_blob_comes_back(size: int, seed: bytes, store: EmbeddedStore) -> None:
    blob = (seed * (size // len(seed) + 1))[:size]
    cid = store.put(blob)
    assert store.get(cid, max_bytes=size) == blob
    stat = store.stat(cid)
    assert (stat.cid, stat.size_bytes) == (cid, size)
    assert stat.num_blocks == (1 if size <= CHUNK_BYTES else 1 + -(-size // CHUNK_BYTES))
    assert store.is_pinned(cid)


@pytest.mark.parametrize("size", [0, 5, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_a_file_gets_the_identifier_of_its_bytes(size: int, store: EmbeddedStore, tmp_path: Path) -> None:
    blob = os.urandom(size)
    (tmp_path / "blob").write_bytes(blob)
    assert store.put(tmp_path / "blob") == store.put(blob)


def test_the_folder_is_laid_out_like_kubos_flatfs(store: EmbeddedStore) -> None:
    store.put(b"hello world")
    assert (store.path / "blocks" / "SHARDING").read_text() == "/repo/flatfs/shard/v1/next-to-last/2\n"
    # `ipfs add --cid-version=1` of the same bytes makes this file
    path = store.path / "blocks/32/CIQLSTJHXGJU2PQIUUXFFV62PWV7VREE57RXUU4A52IIR55M4LX432I.data"
    assert path.read_bytes() == b"hello world"


@settings(fixture_is_shared, max_examples=80)
@given(which=st.integers(0, ROOT_AND_LEAVES - 1), bit=st.integers(min_value=0))
def test_every_changed_bit_of_a_stored_block_is_caught(which: int, bit: int, store: EmbeddedStore) -> None:
    cid = store.put(BLOB)
    path = block_files(store)[which]
    intact = path.read_bytes()
    changed = bytearray(intact)
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    path.write_bytes(changed)
    try:
        with pytest.raises(BlobCorrupt) as caught:
            store.get(cid, max_bytes=len(BLOB))
        assert caught.value.detail["got"] == Cid.of(bytes(changed)).digest.hex()
        assert store.block_path(caught.value.detail["cid"]) == path  # type: ignore[arg-type]
    finally:
        path.write_bytes(intact)
    assert store.get(cid, max_bytes=len(BLOB)) == BLOB


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b"", lambda b: b * 40])
def test_a_block_of_another_length_is_caught(change: object, store: EmbeddedStore) -> None:
    cid = store.put(bytes(CHUNK_BYTES))
    path = store.block_path(cid)
    path.write_bytes(damaged := change(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(BlobCorrupt) as caught:
        store.get(cid, max_bytes=CHUNK_BYTES)
    assert caught.value.detail["got"] == Cid.of(damaged).digest.hex()


def test_a_put_repairs_a_corrupt_block(store: EmbeddedStore) -> None:
    cid = store.put(BLOB)
    for path in block_files(store):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert store.put(BLOB) == cid
    assert store.get(cid, max_bytes=len(BLOB)) == BLOB


def test_a_put_leaves_intact_blocks_alone(store: EmbeddedStore) -> None:
    store.put(BLOB)
    before = [path.stat().st_ino for path in block_files(store)]
    store.put(BLOB)
    assert [path.stat().st_ino for path in block_files(store)] == before


def test_an_absent_blob_is_unavailable_and_accuses_nobody(store: EmbeddedStore) -> None:
    cid = Cid.of(b"never stored")
    for ask in (store.get_block, store.stat, store.pin, lambda cid: store.get(cid, max_bytes=100)):
        with pytest.raises(Unavailable) as caught:
            ask(cid)
        assert (caught.value.detail["cid"], caught.value.exit_status) == (cid, 8)
    assert not store.is_pinned(cid)


def test_a_missing_leaf_is_named(store: EmbeddedStore) -> None:
    cid = store.put(BLOB)
    leaf = Cid.of(BLOB[CHUNK_BYTES : 2 * CHUNK_BYTES])
    store.block_path(leaf).unlink()
    with pytest.raises(Unavailable, match=str(leaf)):
        store.get(cid, max_bytes=len(BLOB))


@pytest.mark.parametrize("blob", [b"four", BLOB])
def test_a_blob_above_the_limit_is_refused(blob: bytes, store: EmbeddedStore) -> None:
    cid = store.put(blob)
    with pytest.raises(Oversized):
        store.get(cid, max_bytes=len(blob) - 1)
    assert store.get(cid, max_bytes=len(blob)) == blob


def test_a_block_larger_than_ipfs_carries_is_not_read(store: EmbeddedStore) -> None:
    cid = store.put_block(bytes(MAX_BLOCK_BYTES + 1))
    with pytest.raises((Oversized, BlobCorrupt)):
        store.get_block(cid)


def test_an_absent_file_is_named(store: EmbeddedStore, tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(NotFoundError, match=str(path)):
            store.put(path)


def test_blocks_are_stored_and_read_one_by_one(store: EmbeddedStore) -> None:
    cid = store.put_block(b"\x0a\x00", Codec.DAG_PB)
    assert cid.codec is Codec.DAG_PB
    assert store.get_block(cid) == b"\x0a\x00"
    assert store.list_pins() == []
    with pytest.raises(NotCanonical):
        store.get(cid, max_bytes=100)


def test_pins_are_listed_kept_over_reopening_and_removed(store: EmbeddedStore) -> None:
    cids = sorted((store.put(bytes([i])) for i in range(5)), key=str)
    (store.path / "pins" / ".DS_Store").touch()
    assert EmbeddedStore(store.path).list_pins() == cids
    store.unpin(cids[0])
    store.unpin(cids[0])
    assert store.list_pins() == cids[1:]
    assert not store.is_pinned(cids[0])
    store.pin(cids[0])
    assert store.list_pins() == cids


def test_only_a_complete_intact_blob_is_pinned(store: EmbeddedStore) -> None:
    cid = store.put(BLOB)
    store.unpin(cid)
    leaf = store.block_path(Cid.of(BLOB[:CHUNK_BYTES]))
    intact = leaf.read_bytes()
    leaf.write_bytes(b"x" * CHUNK_BYTES)
    with pytest.raises(BlobCorrupt):
        store.pin(cid)
    leaf.unlink()
    with pytest.raises(Unavailable):
        store.pin(cid)
    assert not store.is_pinned(cid)
    leaf.write_bytes(intact)
    store.pin(cid)


def test_garbage_collection_removes_what_no_pin_needs(store: EmbeddedStore) -> None:
    shared = bytes(CHUNK_BYTES)
    kept, dropped = store.put(shared + b"kept"), store.put(shared + b"dropped")
    loose = store.put_block(b"loose")
    store.unpin(dropped)
    assert store.gc() == 3  # the root and the last leaf of the dropped blob, and the loose block
    assert store.get(kept, max_bytes=1 << 20) == shared + b"kept"
    for cid in (dropped, loose):
        with pytest.raises(Unavailable):
            store.get_block(cid)
    assert store.gc() == 0


def test_garbage_collection_removes_nothing_while_a_pinned_blob_is_damaged(store: EmbeddedStore) -> None:
    store.put(BLOB)
    loose = store.put_block(b"loose")
    store.block_path(Cid.of(BLOB[:CHUNK_BYTES])).unlink()
    with pytest.raises(Unavailable):
        store.gc()
    assert store.get_block(loose) == b"loose"


def test_garbage_collection_leaves_a_kubo_repository_alone(store: EmbeddedStore) -> None:
    (store.path / "datastore_spec").touch()
    loose = store.put_block(b"a block of Kubo's")
    with pytest.raises(BadConfiguration, match="ipfs repo gc"):
        store.gc()
    assert store.get_block(loose)


def test_what_a_killed_writer_left_is_removed_when_the_store_is_opened(store: EmbeddedStore) -> None:
    left = store.path / "tmp" / "4711-0011223344556677"
    left.write_bytes(b"half a block")
    EmbeddedStore(store.path)
    assert not left.exists()


def test_an_opening_store_does_not_take_a_living_writers_file(store: EmbeddedStore) -> None:
    partial = store.path / "tmp" / "4711-0011223344556677"
    with store._lock.writing():
        partial.write_bytes(b"half a block")
        EmbeddedStore(store.path)
        assert partial.exists()


def test_a_write_that_the_disk_refuses_leaves_nothing_behind(store: EmbeddedStore) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            store.put(BLOB)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((store.path / "tmp").iterdir()) == block_files(store) == store.list_pins() == []
    store.put(BLOB)


def test_blocks_are_on_disk_before_their_names_and_names_before_the_pin(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}")) if sys.platform == "linux" else Path("?")
        synced.append(path)
        if path == store.path / "blocks":
            assert not store.list_pins()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    store.put(BLOB)
    if sys.platform != "linux":
        pytest.skip("only Linux tells which file a descriptor is")
    files, folders = synced[:ROOT_AND_LEAVES], synced[ROOT_AND_LEAVES:]
    assert {path.parent for path in files} == {store.path / "tmp"}
    assert set(folders) == {path.parent for path in block_files(store)} | {store.path / "blocks", store.path / "pins"}
    assert folders[-1] == store.path / "pins"


def test_blobs_put_together_get_the_identifiers_that_they_get_alone(store: EmbeddedStore, tmp_path: Path) -> None:
    other = EmbeddedStore(tmp_path / "other")
    blobs = [BLOB, b"", BLOB[:1000], BLOB]
    assert store.put_all(blobs) == [other.put(blob) for blob in blobs]
    assert set(store.list_pins()) == set(other.list_pins())
    assert [store.get(cid, max_bytes=len(BLOB)) for cid in store.put_all(blobs)] == blobs


def test_of_blobs_put_together_none_is_stored_when_one_is_absent(store: EmbeddedStore, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        store.put_all([BLOB, tmp_path / "absent"])
    assert store.list_pins() == []
    assert block_files(store) == []
    assert list((store.path / "tmp").iterdir()) == []


def test_a_path_that_is_no_folder_or_another_sharding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadConfiguration, match="file"):
        EmbeddedStore(tmp_path / "file")
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks" / "SHARDING").write_text("/repo/flatfs/shard/v1/prefix/3\n")
    with pytest.raises(BadConfiguration, match="sharding"):
        EmbeddedStore(tmp_path)


def test_open_store_opens_the_embedded_store_or_a_daemons(tmp_path: Path) -> None:
    embedded: ContentStore = open_store(tmp_path / "store")
    assert embedded.get(embedded.put(b"x"), max_bytes=1) == b"x"
    daemon = open_store(tmp_path / "store", ipfs="/ip4/127.0.0.1/tcp/9", timeout_seconds=1)
    with pytest.raises(StoreUnreachable):
        daemon.put(b"x")
    with pytest.raises(BadConfiguration, match="multiaddr"):
        open_store(tmp_path / "store", ipfs="localhost:5001")


def _put_many(path: Path, offset: int, done: multiprocessing.Queue[list[str]]) -> None:
    store = EmbeddedStore(path)
    cids = [store.put(i.to_bytes(2) * 200_000) for i in range(offset, offset + 12)]
    done.put([str(cid) for cid in cids])


def test_processes_write_overlapping_blobs_while_another_collects_garbage(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    done: multiprocessing.Queue[list[str]] = context.Queue()
    writers = [context.Process(target=_put_many, args=(tmp_path / "store", 6 * k, done)) for k in range(2)]
    for writer in writers:
        writer.start()
    store = EmbeddedStore(tmp_path / "store")
    acknowledged: list[Cid] = []
    while len(acknowledged) < 24:
        store.gc()
        if not done.empty():
            acknowledged += map(Cid.from_text, done.get())
        assert any(writer.is_alive() for writer in writers) or not done.empty() or len(acknowledged) == 24
    for writer in writers:
        writer.join()
    assert len(set(acknowledged)) == 18
    for cid in acknowledged:
        assert len(store.get(cid, max_bytes=400_000)) == 400_000
        assert store.is_pinned(cid)


def test_threads_write_the_same_blob_at_once(store: EmbeddedStore) -> None:
    cids: list[Cid] = []
    threads = [threading.Thread(target=lambda: cids.append(store.put(BLOB))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cids) == 8
    assert set(cids) == {store.put(BLOB)}
    assert store.get(cids[0], max_bytes=len(BLOB)) == BLOB
