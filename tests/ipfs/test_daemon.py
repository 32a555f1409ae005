"""The daemon's store against a real daemon: js-ipfs, or the one that FEDTRAIL_IPFS_API names."""

from __future__ import annotations

import os
import time
from pathlib import Path

import ipfshttpclient
import pytest

from ledger.errors import BlobCorrupt, Oversized, Unavailable
from ledger.store import Cid, ContentStore, EmbeddedStore, open_store
from ledger.store.flatfs import Flatfs
from ledger.store.kubo import KuboStore
from ledger.store.unixfs import CHUNK_BYTES, WIDTH

pytestmark = pytest.mark.ipfs_daemon

TIMEOUT_SECONDS = 10.0
SIZES = [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 1 << 20, WIDTH * CHUNK_BYTES + 1]


@pytest.fixture
def daemon(daemon_address: str) -> ContentStore:
    return open_store("unused", ipfs=daemon_address, timeout_seconds=TIMEOUT_SECONDS)


@pytest.fixture
def embedded(tmp_path: Path) -> EmbeddedStore:
    return EmbeddedStore(tmp_path / "embedded")


@pytest.mark.parametrize("size", SIZES)
def test_a_blob_comes_back_under_the_identifier_of_the_embedded_store(
    size: int, daemon: ContentStore, embedded: EmbeddedStore, tmp_path: Path
) -> None:
    blob = os.urandom(size)
    (tmp_path / "blob").write_bytes(blob)
    cid = daemon.put(tmp_path / "blob")
    assert cid == embedded.put(blob)
    assert daemon.get(cid, max_bytes=size) == blob
    assert daemon.stat(cid) == embedded.stat(cid)
    assert daemon.is_pinned(cid)


def test_the_daemon_itself_reads_the_file_and_exports_our_archive(
    daemon: ContentStore, daemon_address: str, embedded: EmbeddedStore, tmp_path: Path
) -> None:
    blob = os.urandom(700_000)
    cid = daemon.put(blob)
    embedded.put(blob)
    embedded.export_car(cid, tmp_path / "embedded.car")
    daemon.export_car(cid, tmp_path / "daemon.car")
    with ipfshttpclient.Client(daemon_address, timeout=TIMEOUT_SECONDS) as client:
        assert client.cat(str(cid)) == blob
        theirs = client.dag.export(str(cid))
    assert (tmp_path / "embedded.car").read_bytes() == (tmp_path / "daemon.car").read_bytes() == theirs


def test_an_archive_goes_from_the_embedded_store_into_the_daemon(
    daemon: ContentStore, embedded: EmbeddedStore, tmp_path: Path
) -> None:
    blob = os.urandom(700_000)
    cid = embedded.put(blob)
    embedded.export_car(cid, tmp_path / "blob.car")
    assert daemon.import_car(tmp_path / "blob.car") == cid
    assert daemon.get(cid, max_bytes=len(blob)) == blob
    assert daemon.is_pinned(cid)


def test_pins_come_and_go(daemon: ContentStore) -> None:
    cid = daemon.put(blob := os.urandom(700_000))
    daemon.unpin(cid)
    daemon.unpin(cid)
    assert not daemon.is_pinned(cid)
    daemon.pin(cid)
    assert daemon.is_pinned(cid)
    leaf = Cid.of(blob[:CHUNK_BYTES])
    assert not daemon.is_pinned(leaf)  # kept by its root, not pinned itself


def test_a_block_goes_in_alone(daemon: ContentStore) -> None:
    cid = daemon.put_block(block := os.urandom(100))
    assert daemon.get_block(cid) == block
    assert not daemon.is_pinned(cid)


def test_an_absent_block_is_unavailable_in_bounded_time(daemon_address: str) -> None:
    daemon = open_store("unused", ipfs=daemon_address, timeout_seconds=2)
    started = time.monotonic()
    for call in (daemon.get_block, daemon.stat, daemon.pin):
        with pytest.raises(Unavailable):
            call(Cid.of(os.urandom(32)))
    assert time.monotonic() - started < 3 * 3 * 2


def test_a_blob_above_the_limit_is_refused(daemon: ContentStore) -> None:
    cid = daemon.put(blob := os.urandom(700_000))
    with pytest.raises(Oversized):
        daemon.get(cid, max_bytes=len(blob) - 1)


def test_a_block_tampered_with_on_the_daemons_disk_is_caught(daemon: ContentStore, own_daemon_repo: Path) -> None:
    if "FEDTRAIL_IPFS_API" in os.environ:
        pytest.skip("the disk of the daemon in FEDTRAIL_IPFS_API is not ours")
    blob = os.urandom(700_000)
    cid = daemon.put(blob)
    path = Flatfs(own_daemon_repo).block_path(Cid.of(blob[:CHUNK_BYTES]))
    path.write_bytes(tampered := b"?" + path.read_bytes()[1:])
    with pytest.raises(BlobCorrupt) as caught:
        daemon.get(cid, max_bytes=len(blob))
    assert caught.value.detail["got"] == Cid.of(tampered).digest.hex()


def test_the_daemon_tells_its_version(daemon: KuboStore) -> None:
    assert daemon.get_version()
