"""The kernels as `ledger` calls them: what they suit, threads by range, and what is left over at an end.

Threads share coordinates or chunks, so that each result is made by one of them in one order: their number shows in no
bit. Memory beyond the arguments and the result is a few kilobytes.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fl.kernels import coordinates, gram, lanes, masks, mixing, sha256
from ledger.aggregation.blocks import Int32Array
from ledger.mapped import iter_parts
from ledger.spec import Bytes

_MAX_EXACT = 1 << 53
"""Doubles hold every integer up to here."""
_SHARE_ENTRIES = 1 << 18
_SHARE_BYTES = 1 << 18
"""Work that pays for waking a thread."""
_HALF_BITS = 32
_LOW_HALF = (1 << _HALF_BITS) - 1
_DIGEST_BYTES = 32
_VALUE_BITS = 23
_MIXED_COORDINATES = 1 << 13
"""Of a block of mixtures, which a thread makes, reduces and forgets."""


class CompiledKernels:
    """Kernels compiled by LLVM for this processor: an implementation of `ledger.kernels.Kernels`."""

    def sum32(self, rows: Sequence[Int32Array]) -> Int32Array | None:
        """Return the sums modulo 2**32, or None: too many rows, or scattered ones."""
        return _reduce("wrapped", rows, limit=coordinates.MAX_SUM)

    def reduce_middle(
        self, rows: Sequence[Int32Array], *, bound: int | None, trim: int, divisor: int
    ) -> Int32Array | None:
        """Return rdiv of the sum between two ranks, or None: too many rows, or scattered ones."""
        limit = coordinates.MAX_NETWORK if trim else coordinates.MAX_SUM
        kind: coordinates.Kind = "wide-middle" if bound is None else "middle"
        return _reduce(kind, rows, limit=limit, trim=trim, bound=bound or 1, divisor=divisor)

    def reduce_weighted(
        self, rows: Sequence[Int32Array], *, bound: int, weights: Sequence[int], divisor: int
    ) -> Int32Array | None:
        """Return rdiv of the weighted sum, or None: too many rows, scattered ones, or sums beyond 2**53."""
        if 2 * bound * sum(weights) + divisor >= _MAX_EXACT:
            return None
        factors = np.array(weights, dtype=np.float64)
        return _reduce("weighted", rows, limit=coordinates.MAX_SUM, bound=bound, divisor=divisor, weights=factors)

    def reduce_mixed(
        self, rows: Sequence[Int32Array], mixture: Sequence[Sequence[int]], *, trim: int, divisor: int
    ) -> Int32Array | None:
        """Return rdiv of the sum between two ranks of mixtures, or None: too many or too large ones, scattered rows."""
        size = max(sum(map(abs, row)) for row in mixture) << _VALUE_BITS
        kept = len(mixture) - 2 * trim
        fits = size < 1 << 31 and kept * size < divisor << 31 and len(mixture) <= coordinates.MAX_NETWORK
        return _reduce_mixed(rows, mixture, trim, divisor) if fits and not _are_scattered(rows) else None

    def compute_gram(self, rows: Sequence[Int32Array], *, bound: int) -> list[list[int]] | None:
        """Return the inner products of the clamped rows, or None: too short, or scattered rows."""
        return None if len(rows[0]) < gram.get_width() or _are_scattered(rows) else _multiply(rows, bound)

    def add_mask(self, total: NDArray[np.uint32], seed: bytes, sign: int) -> int:
        """Add a mask; return how many coordinates are done: all but the last few."""
        maker = masks if sha256.is_supported() else lanes
        step = maker.LANES * masks.WORDS_PER_BLOCK
        done: int = len(total) - len(total) % step
        if not done:
            return 0
        call, address = maker.compile_masking().call, total.ctypes.data
        text = np.frombuffer(seed, dtype=np.uint8)

        def work(start: int, stop: int) -> None:
            call(text.ctypes.data, start * maker.LANES, stop * maker.LANES, sign, address)

        _share(work, done // step, least=_SHARE_BYTES // (step * 4))
        return done

    def hash_chunks(self, prefix: bytes, data: memoryview, chunk_bytes: int) -> bytes | None:
        """Return the digests, or None: no SHA instructions, or too few chunks."""
        count = len(data) // chunk_bytes
        if not sha256.is_supported() or count < sha256.LANES:
            return None
        source = np.frombuffer(data, dtype=np.uint8)
        digests = np.empty(count * _DIGEST_BYTES, dtype=np.uint8)
        call = sha256.compile_hashing(prefix, chunk_bytes).call

        def work(start: int, stop: int) -> None:
            # The last step goes over chunks that the one before may have done already.
            for first, last in ((start, stop - (stop - start) % sha256.LANES), (stop - sha256.LANES, stop)):
                chunks, target = source.ctypes.data + first * chunk_bytes, digests.ctypes.data + first * _DIGEST_BYTES
                call(chunks, last - first, target, chunk_bytes)

        _share(work, count, least=max(sha256.LANES, _SHARE_BYTES // chunk_bytes))
        return digests.tobytes()

    def hash_pieces(self, pieces: Sequence[Bytes]) -> list[bytes] | None:
        """Return the digests, or None: no SHA instructions, fewer than two pieces, or pieces that differ in length."""
        size = len(pieces[0])
        if not sha256.is_supported() or len(pieces) < sha256.LANES or any(len(piece) != size for piece in pieces):
            return None
        addresses = [np.frombuffer(piece, dtype=np.uint8).ctypes.data for piece in pieces]
        digests = np.empty((len(pieces), _DIGEST_BYTES), dtype=np.uint8)
        call = sha256.compile_hashing(b"", size).call

        def work(start: int, stop: int) -> None:
            for pair in range(start, stop):
                first = min(sha256.LANES * pair, len(pieces) - sha256.LANES)  # the last may be done twice
                a, b = addresses[first : first + sha256.LANES]
                call(a, sha256.LANES, digests[first:].ctypes.data, b - a)

        _share(work, -(-len(pieces) // sha256.LANES), least=max(1, _SHARE_BYTES // (sha256.LANES * size)))
        return [digest.tobytes() for digest in digests]


def _reduce(
    kind: coordinates.Kind,
    rows: Sequence[Int32Array],
    *,
    limit: int,
    trim: int = 0,
    bound: int = 1,
    divisor: int = 1,
    weights: NDArray[np.float64] | None = None,
) -> Int32Array | None:
    n, d, width = len(rows), len(rows[0]), coordinates.get_width()
    if n > limit or _are_scattered(rows):
        return None
    if d < width:
        padded = [np.pad(row, (0, width - d)) for row in rows]
        wide = _reduce(kind, padded, limit=limit, trim=trim, bound=bound, divisor=divisor, weights=weights)
        return None if wide is None else wide[:d]
    call = coordinates.compile_kernel(kind, n, trim).call
    addresses = _list_addresses(rows)
    result = np.empty(d, dtype=np.int32)
    factors = None if weights is None else weights.ctypes.data

    def work(start: int, stop: int) -> None:
        # The last step goes over coordinates that the one before may have done already.
        for first in (start, stop - width):
            call(addresses.ctypes.data, first, stop, result.ctypes.data, bound, divisor, factors)

    _share_parts(work, rows, least=max(width, _SHARE_ENTRIES // n))
    return result


def _reduce_mixed(rows: Sequence[Int32Array], mixture: Sequence[Sequence[int]], trim: int, divisor: int) -> Int32Array:
    n, m, d, step = len(rows), len(mixture), len(rows[0]), mixing.get_step()
    if d < step:
        return _reduce_mixed([np.pad(row, (0, step - d)) for row in rows], mixture, trim, divisor)[:d]
    mix, reduce = mixing.compile_mixing().call, coordinates.compile_kernel("wide-middle", m, trim).call
    parts = mixing.encode_mixture(mixture)
    addresses = _list_addresses(rows)
    result = np.empty(d, dtype=np.int32)

    def work(start: int, stop: int) -> None:
        block = np.empty((m, _MIXED_COORDINATES), dtype=np.int32)
        mixed = _list_addresses(block)
        for first in [*range(start, stop - step, _MIXED_COORDINATES), stop - step]:
            last = min(first + _MIXED_COORDINATES, stop)
            mix(addresses.ctypes.data, n, first, last, mixed.ctypes.data, m, *(part.ctypes.data for part in parts))
            width = (last - first) // step * step
            reduce(mixed.ctypes.data, 0, width, result.ctypes.data + 4 * first, 1, divisor, None)

    _share_parts(work, rows, least=max(step, _SHARE_ENTRIES // n))
    return result


def _list_addresses(rows: Sequence[Int32Array] | Int32Array) -> NDArray[np.uintp]:
    return np.array([row.ctypes.data for row in rows], dtype=np.uintp)


def _are_scattered(rows: Sequence[Int32Array]) -> bool:
    return any(row.strides != (row.itemsize,) for row in rows)


def _multiply(rows: Sequence[Int32Array], bound: int) -> list[list[int]]:
    n, d = len(rows), len(rows[0])
    tiles = -(-n // gram.TILE)
    padded = [*rows, *[rows[-1]] * (tiles * gram.TILE - n)]
    addresses = _list_addresses(padded)
    call, whole = gram.compile_gram().call, d - d % gram.get_width()
    shape = tiles, tiles, gram.TILE, gram.TILE
    sums: list[NDArray[np.int64]] = []

    def work(start: int, stop: int) -> None:
        halves = np.zeros((2, *shape), dtype=np.int64)
        memory = np.empty((len(padded), gram.STRIDE))
        for first in range(start, stop, gram.MAX_COORDINATES):
            lanes, last = np.zeros((*shape, gram.get_width()), dtype=np.int64), min(first + gram.MAX_COORDINATES, stop)
            call(addresses.ctypes.data, tiles, first, last, memory.ctypes.data, lanes.ctypes.data, bound)
            part = lanes.sum(axis=-1)
            halves += part >> _HALF_BITS, part & _LOW_HALF
        sums.append(halves)  # in any order: integers

    _share_parts(work, [row[:whole] for row in rows], step=gram.get_width(), least=_SHARE_ENTRIES // n)
    rest = np.stack([np.clip(row[whole:], -bound, bound) for row in rows]).astype(np.int64)
    high, low = np.sum(sums, axis=0)
    return _join(high, low, rest @ rest.T)


def _join(high: NDArray[np.int64], low: NDArray[np.int64], rest: NDArray[np.int64]) -> list[list[int]]:
    """Return the whole symmetric matrix of Python's integers from tiles of halves, lower triangle."""
    n, size = len(rest), high.shape[0] * gram.TILE
    halves = zip(*(tiles.swapaxes(1, 2).reshape(size, size)[:n, :n].tolist() for tiles in (high, low)), strict=True)
    sums = [[(h << _HALF_BITS) + part for h, part in zip(*row, strict=True)] for row in halves]
    return [[sums[max(i, j)][min(i, j)] + int(rest[i, j]) for j in range(n)] for i in range(n)]


def _share_parts(work: Callable[[int, int], None], rows: Sequence[Int32Array], *, least: int, step: int = 1) -> None:
    """Call work(start, stop) for ranges of coordinates, whole steps but at the end; mapped rows are forgotten behind.

    Args: least: coordinates that pay for waking a thread. step: 1 to 64, a power of two.
    """
    for part in iter_parts(rows):

        def work_on_steps(start: int, stop: int, part: slice = part) -> None:
            work(part.start + start * step, min(part.start + stop * step, part.stop))

        _share(work_on_steps, -(-(part.stop - part.start) // step), least=-(-least // step))


def _share(work: Callable[[int, int], None], count: int, *, least: int) -> None:
    """Call work(start, stop) for ranges of 0 to count, in as many threads as there are cores and shares."""
    shares = max(1, min(count_threads(), count // least))
    edges = [count * share // shares for share in range(shares + 1)]
    ranges = list(itertools.pairwise(edges))
    others = [_pool().submit(work, *each) for each in ranges[1:]]
    work(*ranges[0])
    for other in others:
        other.result()


def count_threads() -> int:
    """Return how many threads kernels use: OMP_NUM_THREADS, else one a core that this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=count_threads(), thread_name_prefix="kernel")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has none of its parent's threads
