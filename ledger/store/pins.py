"""Pins, and the lock that keeps garbage collection away from writers.

A pin is an empty file named by its CID: creating one is atomic, survives kill -9, and needs no lock between
processes. The lock is flock(2), which the kernel releases when its holder dies.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import NotAContentId
from ledger.store.cid import Cid
from ledger.store.flatfs import sync_path


class Pins:
    """The set of pinned roots of one store.

    Args: path: folder of the pin files. Created if absent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(parents=True, exist_ok=True)

    def add(self, *cids: Cid) -> None:
        """Pin roots, durably when this returns."""
        for cid in cids:
            self._entry(cid).touch()
        sync_path(self._path)

    def remove(self, cid: Cid) -> None:
        """Unpin a root; nothing happens if it was not pinned."""
        self._entry(cid).unlink(missing_ok=True)
        sync_path(self._path)

    def __contains__(self, cid: Cid) -> bool:
        return self._entry(cid).exists()

    def __iter__(self) -> Iterator[Cid]:
        """Yield the pinned roots in the order of their text; files of other names are not pins."""
        for name in sorted(os.listdir(self._path)):
            try:
                yield Cid.from_text(name)
            except NotAContentId:
                continue

    def _entry(self, cid: Cid) -> Path:
        return self._path / str(cid)


class WriterLock:
    """Many writers or one collector, across threads and processes.

    Args: path: the lock file. Created if absent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock with other writers; wait for a collector to finish."""
        with self._held(fcntl.LOCK_SH):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock alone; wait until no writer is left."""
        with self._held(fcntl.LOCK_EX):
            yield

    @contextmanager
    def alone_if_free(self) -> Iterator[bool]:
        """Hold the lock alone if nobody holds it; tell whether it is held."""
        try:
            with self._held(fcntl.LOCK_EX | fcntl.LOCK_NB):
                yield True
        except BlockingIOError:
            yield False

    @contextmanager
    def _held(self, operation: int) -> Iterator[None]:
        with self._path.open("ab") as file:
            fcntl.flock(file, operation)
            yield
