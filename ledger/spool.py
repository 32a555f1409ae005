"""Blobs larger than a mebibyte: kept in files without names, and read through maps of them (`ledger.mapped`).

Whatever else makes something large, and may not know of files, keeps it here too, once this module is loaded.
"""

from __future__ import annotations

import itertools
import mmap
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ledger import mapped
from ledger.spec import Bytes

MAPPED_BYTES = 1 << 20
"""Blobs beyond it are kept in a file."""
_MAX_FILES = 1 << 16


def join(pieces: Iterable[Bytes], folder: Path | None = None) -> Bytes:
    """Return all pieces as one: in memory, or beyond MAPPED_BYTES as a read-only map of a file without a name.

    Args: folder: of the file; None for the system's folder of temporary files.
    """
    held: list[Bytes] = []
    pieces, size = iter(pieces), 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > MAPPED_BYTES:
            _allow_many_files()
            with tempfile.TemporaryFile(dir=folder) as file:
                file.writelines(itertools.chain(held, pieces))
                file.flush()
                return map_file(file.fileno())
    return b"".join(held)


@cache
def _allow_many_files() -> None:
    """Let this process have as many files open as it may: every map holds one, and a round has a thousand clients."""
    try:
        import resource
    except ModuleNotFoundError:  # a system without such limits
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, _MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def map_file(descriptor: int) -> memoryview:
    """Return the content of a file that is open, read-only; it may be closed. The file must not be empty."""
    return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))


mapped.install(join)
