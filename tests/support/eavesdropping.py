"""Somebody who reads the wire between a run and its node, every file that the run leaves, and every log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from forwarding import forwarding
from numpy.typing import NDArray

WINDOW_BYTES = 16
_FEWEST_DIFFERENT = 8
"""A window with fewer different bytes, such as zeros, says nothing about where it comes from."""
_HEX = re.compile(rb"[0-9a-fA-F]{32,}")


@contextmanager
def tap(rpc: str, tape: list[bytes]) -> Iterator[str]:
    """Yield the address of a wire to a node; what crosses it, either way, is added to the tape."""

    def handle(asked: bytes, told: bytes) -> bytes:
        tape.extend((asked, told))
        return told

    with forwarding(rpc, handle, timeout=120) as address:
        yield address


def read_files(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def cut_windows(secret: bytes) -> set[bytes]:
    """Return all windows of 16 bytes of a secret that would be recognised elsewhere."""
    windows = (secret[at : at + WINDOW_BYTES] for at in range(len(secret) - WINDOW_BYTES + 1))
    return {window for window in windows if len(set(window)) >= _FEWEST_DIFFERENT}


def find_windows(windows: set[bytes], seen: Iterable[tuple[str, bytes]]) -> set[str]:
    """Return the names of what holds one of the windows, as bytes or in hex."""
    heads = np.zeros(1 << 24, dtype=np.bool_)
    heads[_read_heads(b"".join(sorted(windows)))[::WINDOW_BYTES]] = True
    return {name for name, data in seen if any(_holds(windows, heads, part) for part in _decode(data))}


def _holds(windows: set[bytes], heads: NDArray[np.bool_], data: bytes) -> bool:
    """Tell whether data holds a window. Args: heads: which first three bytes a window may have."""
    places = np.flatnonzero(heads[_read_heads(data)]).tolist()
    return any(data[at : at + WINDOW_BYTES] in windows for at in places)


def _read_heads(data: bytes) -> NDArray[np.uint32]:
    """Return the three bytes from every place on as a number."""
    octets = np.frombuffer(data, dtype=np.uint8).astype(np.uint32)
    return octets[:-2] << 16 | octets[1:-1] << 8 | octets[2:]


def _decode(data: bytes) -> Iterator[bytes]:
    yield data
    yield b"".join(bytes.fromhex(run[: len(run) // 2 * 2].decode()) for run in _HEX.findall(data))
