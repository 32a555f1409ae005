"""The JavaScript implementation of IPFS gives our files our identifiers and reads our archives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.store import EmbeddedStore, unixfs
from ledger.store.unixfs import CHUNK_BYTES, WIDTH, Shape

pytestmark = pytest.mark.ipfs

SIZES = [
    0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 1 << 20, 40 << 20,
    WIDTH * CHUNK_BYTES, WIDTH * CHUNK_BYTES + 1, 2 * WIDTH * CHUNK_BYTES + 12_345,
]  # fmt: skip


def pattern(size: int) -> bytes:
    """Return the file that the scripts make of that size."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [
        (Shape(), SIZES),
        (Shape(chunk_bytes=4, width=3), range(350)),  # every tree up to five layers
        (Shape(chunk_bytes=1, width=WIDTH), [174, 175, 174 * 174, 174 * 174 + 1, 2 * 174 * 174]),
    ],
    ids=["profile", "deep", "wide"],
)
def test_files_have_the_identifiers_that_ipfs_gives_them(
    shape: Shape, sizes: list[int], run_javascript: Callable[..., bytes]
) -> None:
    theirs = run_javascript("add.mjs", shape.chunk_bytes, shape.width, *sizes).decode().split()
    ours = [
        str(unixfs.add_file(unixfs.split_bytes(pattern(size), shape.chunk_bytes), lambda cid, block: None, shape).cid)
        for size in sizes
    ]
    assert ours == theirs


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES + 1, 40 << 20, WIDTH * CHUNK_BYTES + 1])
def test_ipfs_reads_our_archives(size: int, run_javascript: Callable[..., bytes], tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "store")
    store.export_car(store.put(pattern(size)), tmp_path / "ours.car")
    assert run_javascript("read_car.mjs", tmp_path / "ours.car") == pattern(size)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES + 1, 5_000_000])
def test_we_read_the_archives_of_ipfs(size: int, run_javascript: Callable[..., bytes], tmp_path: Path) -> None:
    text = run_javascript("write_car.mjs", size, tmp_path / "theirs.car").decode().strip()
    store = EmbeddedStore(tmp_path / "store")
    cid = store.import_car(tmp_path / "theirs.car")
    assert str(cid) == text
    assert store.get(cid, max_bytes=size) == pattern(size)
