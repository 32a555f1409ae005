"""Real Kubo on the folder of the embedded store: it reads, pins and serves our blocks, and we read its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import BadConfiguration, BlobCorrupt
from ledger.store import EmbeddedStore
from ledger.store.unixfs import CHUNK_BYTES, WIDTH

pytestmark = pytest.mark.ipfs

SIZES = [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 1 << 20, 40 << 20, WIDTH * CHUNK_BYTES + 1]
StartKubo = Callable[[str], Any]


def download(node: Any, cid: object, target: Path) -> bytes:
    assert node.ask("Download", cid, target) == 0
    return target.read_bytes()


def test_kubo_reads_and_pins_the_blocks_that_we_write(start_kubo: StartKubo, tmp_path: Path) -> None:
    before = EmbeddedStore(tmp_path / "repo")
    early = {before.put(blob): blob for blob in (os.urandom(size) for size in SIZES)}
    node = start_kubo("repo")
    while_running = {EmbeddedStore(node.repo).put(blob := os.urandom(600_000)): blob}
    for cid, blob in (early | while_running).items():
        assert node.ask("PinCID", cid) == 0
        assert download(node, cid, tmp_path / "out") == blob
        assert str(cid) in str(node.ask("ListPins"))


def test_kubo_serves_our_blocks_to_another_kubo(start_kubo: StartKubo, tmp_path: Path) -> None:
    ours, theirs = start_kubo("ours"), start_kubo("theirs")
    blob = os.urandom(5_000_000)
    cid = EmbeddedStore(ours.repo).put(blob)
    assert theirs.ask("ConnectToPeer", ours.address) == 0
    assert download(theirs, cid, tmp_path / "out") == blob
    assert EmbeddedStore(theirs.repo).get(cid, max_bytes=len(blob)) == blob  # Kubo wrote these blocks


def test_a_tampered_block_that_kubo_returns_is_caught_by_us(start_kubo: StartKubo, tmp_path: Path) -> None:
    blob = os.urandom(600_000)
    store = EmbeddedStore(tmp_path / "repo")
    cid = store.put(blob)
    path = next(path for path in (store.path / "blocks").rglob("*.data") if path.stat().st_size == CHUNK_BYTES)
    intact = path.read_bytes()
    path.write_bytes(intact[:-1] + bytes([intact[-1] ^ 1]))

    node = start_kubo("repo")
    returned = download(node, cid, tmp_path / "out")
    assert len(returned) == len(blob)
    assert returned != blob  # Kubo does not hash what it reads from its disk
    with pytest.raises(BlobCorrupt):
        store.get(cid, max_bytes=len(blob))

    store.put(blob)
    assert download(node, cid, tmp_path / "out") == store.get(cid, max_bytes=len(blob)) == blob


def test_garbage_collection_leaves_kubos_own_blocks_alone(start_kubo: StartKubo, tmp_path: Path) -> None:
    node = start_kubo("repo")
    (tmp_path / "file").write_bytes(blob := os.urandom(600_000))
    cid = node.ask("AddFile", tmp_path / "file", False)
    with pytest.raises(BadConfiguration, match="ipfs repo gc"):
        EmbeddedStore(node.repo).gc()
    assert download(node, cid, tmp_path / "out") == blob
