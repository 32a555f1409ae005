"""Large aggregates and trees in shards: ranges of coordinates, each computed by itself, put together exactly.

Everything here is a sum of integers or a concatenation over ranges, so that where a range ends shows in no bit. What is
sharded are the primitives of `ledger.kernels`: aggregators and replays go through them, and neither knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl.kernels import load
from ledger.aggregation import coordinatewise
from ledger.aggregation.distances import compute_gram
from ledger.spec import Bytes

Int32Array = NDArray[np.int32]

SHARD_BYTES = 1 << 25
"""Of a shard's input: large beside what it costs to send it, small beside a worker's memory."""
_ALIGNMENT = 64
"""Coordinates: no two shards share a cache line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A primitive of `ledger.kernels` over a range of coordinates, or of chunks."""

    primitive: str
    """Its name."""
    data: NDArray[Any]
    """int32[n, width], or bytes as uint8."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What it takes beside the data."""


Map = Callable[[Iterable[Shard]], Iterator[Any]]
"""Computes shards anywhere and yields their results in order."""


def compute_shard(shard: Shard) -> Any:
    """Return what a primitive makes of a shard, or None when nothing here computes it: with this machine's kernels."""
    return _PRIMITIVES[shard.primitive](shard.data, **shard.arguments)


def _sum32(data: Any) -> Int32Array:
    return coordinatewise.compute_sum32(data)


def _reduce_middle(data: Any, *, bound: int | None, trim: int, divisor: int) -> Int32Array | None:
    if bound is not None and divisor == len(data) - 2 * trim:
        return coordinatewise.compute_trimmed_mean(data, bound, trim)  # numpy where there are no kernels
    fast = load()
    return None if fast is None else fast.reduce_middle(list(data), bound=bound, trim=trim, divisor=divisor)


def _reduce_weighted(data: Any, *, bound: int, weights: Sequence[int], divisor: int) -> Int32Array | None:
    if divisor == sum(weights):
        return coordinatewise.compute_weighted_mean(data, bound, weights)
    fast = load()
    return None if fast is None else fast.reduce_weighted(list(data), bound=bound, weights=weights, divisor=divisor)


def _reduce_mixed(data: Int32Array, *, mixture: Sequence[Sequence[int]], trim: int, divisor: int) -> Int32Array | None:
    fast = load()
    return None if fast is None else fast.reduce_mixed(list(data), mixture, trim=trim, divisor=divisor)


def _compute_gram(data: Any, *, bound: int) -> list[list[int]]:
    return compute_gram(data, bound)


def _hash_chunks(data: NDArray[np.uint8], *, prefix: bytes, chunk_bytes: int) -> bytes | None:
    fast = load()
    return None if fast is None else fast.hash_chunks(prefix, data.data, chunk_bytes)


_PRIMITIVES: Mapping[str, Callable[..., Any]] = {
    "sum32": _sum32,
    "reduce_middle": _reduce_middle,
    "reduce_weighted": _reduce_weighted,
    "reduce_mixed": _reduce_mixed,
    "compute_gram": _compute_gram,
    "hash_chunks": _hash_chunks,
}


class ShardedKernels:
    """`ledger.kernels.Kernels` over shards; what one shard declines, all decline.

    Args: run: computes shards. count: fewest shards, so that no worker is idle; more where one would be too large.
    """

    def __init__(self, run: Map, *, count: int) -> None:
        self._run = run
        self._count = count

    def sum32(self, rows: Sequence[Int32Array]) -> Int32Array | None:
        """Return the sums modulo 2**32."""
        return self._concatenate(rows, "sum32", {})

    def reduce_middle(
        self, rows: Sequence[Int32Array], *, bound: int | None, trim: int, divisor: int
    ) -> Int32Array | None:
        """Return rdiv(what is left without the `trim` lowest and highest values, divisor)."""
        return self._concatenate(rows, "reduce_middle", {"bound": bound, "trim": trim, "divisor": divisor})

    def reduce_weighted(
        self, rows: Sequence[Int32Array], *, bound: int, weights: Sequence[int], divisor: int
    ) -> Int32Array | None:
        """Return rdiv(Σ w clamp(x), divisor)."""
        arguments = {"bound": bound, "weights": list(weights), "divisor": divisor}
        return self._concatenate(rows, "reduce_weighted", arguments)

    def reduce_mixed(
        self, rows: Sequence[Int32Array], mixture: Sequence[Sequence[int]], *, trim: int, divisor: int
    ) -> Int32Array | None:
        """Return what reduce_middle returns for the vectors Σ mixture[k][i] x[i]."""
        return self._concatenate(rows, "reduce_mixed", {"mixture": mixture, "trim": trim, "divisor": divisor})

    def compute_gram(self, rows: Sequence[Int32Array], *, bound: int) -> list[list[int]] | None:
        """Return the exact inner products: the sums of those of all shards."""
        total = np.zeros((len(rows), len(rows)), dtype=object)
        for part in self._run(self._cut(rows, "compute_gram", {"bound": bound})):
            total += np.array(part, dtype=object)
        return [[int(entry) for entry in row] for row in total]

    def add_mask(self, total: NDArray[np.uint32], seed: bytes, sign: int) -> int:
        """Add a mask in this process: it is made of 32 bytes, and sending its result would cost more."""
        fast = load()
        return 0 if fast is None else fast.add_mask(total, seed, sign)

    def hash_chunks(self, prefix: bytes, data: memoryview, chunk_bytes: int) -> bytes | None:
        """Return the SHA-256 of prefix | chunk of every chunk."""
        step = max(1, self._size_shard(len(data)) // chunk_bytes) * chunk_bytes
        view, arguments = np.frombuffer(data, dtype=np.uint8), {"prefix": prefix, "chunk_bytes": chunk_bytes}
        cut = (
            Shard(primitive="hash_chunks", data=view[start : start + step], arguments=arguments)
            for start in range(0, len(view), step)
        )
        parts = list(self._run(cut))
        return None if None in parts else b"".join(parts)

    def hash_pieces(self, pieces: Sequence[Bytes]) -> list[bytes] | None:
        """Return the SHA-256 of pieces, made here: they were read here, and go to disk here."""
        fast = load()
        return None if fast is None else fast.hash_pieces(pieces)

    def _concatenate(
        self, rows: Sequence[Int32Array], primitive: str, arguments: Mapping[str, Any]
    ) -> Int32Array | None:
        result = np.empty(len(rows[0]), dtype=np.int32)
        at = 0
        for part in self._run(self._cut(rows, primitive, arguments)):
            if part is None:
                return None
            result[at : at + len(part)] = part
            at += len(part)
        return result

    def _cut(self, rows: Sequence[Int32Array], primitive: str, arguments: Mapping[str, Any]) -> Iterator[Shard]:
        a_coordinate = 4 * len(rows)
        width = self._size_shard(len(rows[0]) * a_coordinate) // a_coordinate
        step = max(_ALIGNMENT, width // _ALIGNMENT * _ALIGNMENT)
        for start in range(0, len(rows[0]), step):
            data = np.stack([row[start : start + step] for row in rows])
            yield Shard(primitive=primitive, data=data, arguments=arguments)

    def _size_shard(self, total_bytes: int) -> int:
        return min(SHARD_BYTES, -(-total_bytes // self._count))
