"""Where compiled kernels plug in: the same functions as here, faster, equal bit for bit.

`ledger` compiles nothing. The trainer's half, when it is present, installs a way to load its kernels (`fl.kernels`),
and the fast paths ask for them when a round is large enough to pay for it. Without them numpy does the same work. Which
of the two ran cannot be seen in a result; and neither accuses anybody: only `spec` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # the command line starts without numpy
    import numpy as np
    from numpy.typing import NDArray

    from ledger.spec import Bytes

    Int32Array = NDArray[np.int32]

MIN_ENTRIES = 1 << 19
"""Coordinates of all clients, below which numpy is done before a kernel is compiled."""
MIN_BYTES = 1 << 23
"""Bytes, below which hashlib is done before a kernel is compiled."""


class Kernels(Protocol):
    """Compiled code. Every function may decline by returning None: the caller then does it with numpy or hashlib.

    Rows are int32[d] each, of equal length. Bounds are 1 to 2**23 - 1.
    """

    def sum32(self, rows: Sequence[Int32Array]) -> Int32Array | None:
        """Return the sums modulo 2**32."""

    def reduce_middle(
        self, rows: Sequence[Int32Array], *, bound: int | None, trim: int, divisor: int
    ) -> Int32Array | None:
        """Return rdiv(what is left of the clamped values without the `trim` lowest and highest, divisor).

        Args: bound: None for values that are not clamped. divisor: below 2**52, and so large that results are int32.
        """

    def reduce_weighted(
        self, rows: Sequence[Int32Array], *, bound: int, weights: Sequence[int], divisor: int
    ) -> Int32Array | None:
        """Return rdiv(Σ w clamp(x), divisor), for weights >= 0 whose sum is at most the divisor."""

    def reduce_mixed(
        self, rows: Sequence[Int32Array], mixture: Sequence[Sequence[int]], *, trim: int, divisor: int
    ) -> Int32Array | None:
        """Return what reduce_middle returns for the vectors Σ mixture[k][i] x[i].

        Args: rows: below 2**23 in magnitude. mixture: one integer a row, for every vector. divisor: below 2**52.
        """

    def compute_gram(self, rows: Sequence[Int32Array], *, bound: int) -> list[list[int]] | None:
        """Return the n × n exact inner products of the clamped rows."""

    def add_mask(self, total: NDArray[np.uint32], seed: bytes, sign: int) -> int:
        """Add sign times the mask of a seed (docs/protocol.md §11.1) to the first coordinates of a total, in place.

        Args: total: uint32[d], contiguous. seed: 32 bytes. sign: 1 or -1.
        Returns: how many coordinates are done, a multiple of 8; 0 declines.
        """

    def hash_chunks(self, prefix: bytes, data: memoryview, chunk_bytes: int) -> bytes | None:
        """Return the SHA-256 of prefix | chunk of every chunk, 32 bytes each, one after the other.

        Args: prefix: one byte. data: a whole number of chunks, contiguous bytes.
        """

    def hash_pieces(self, pieces: Sequence[Bytes]) -> list[bytes] | None:
        """Return the SHA-256 of every piece. Args: pieces: at least one, wherever each of them is."""


Load = Callable[[], Kernels | None]

_load: Load | None = None


def install(load: Load | None) -> None:
    """Say how kernels are loaded. Args: load: called when they are first needed, and again each time; None: nothing."""
    global _load
    _load = load


def find_for_entries(entries: int) -> Kernels | None:
    """Return the kernels if there are any and so many coordinates, over all clients, are worth it."""
    return _load() if _load is not None and entries >= MIN_ENTRIES else None


def find_for_bytes(size: int) -> Kernels | None:
    """Return the kernels if there are any and so many bytes to hash are worth it."""
    return _load() if _load is not None and size >= MIN_BYTES else None
