"""From float32 updates to the integers of the ledger, saturation reported (docs/protocol.md §1)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from ledger import spec
from ledger.spec.errors import InvalidTask, NonFinite, WrongShape

Float32Array = NDArray[np.float32]

_BLOCK = 1 << 16
"""Coordinates converted at a time: a block stays in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    """An update in the number format of the ledger."""

    values: NDArray[np.int32]
    """int32[d], every coordinate within the bound."""
    saturated: int
    """Coordinates that the bound cut off."""


def clip_l2(delta: Float32Array, clip_norm: float | None) -> Float32Array:
    """Scale delta to an L2 norm of at most clip_norm (McMahan et al. 2018).

    The norm is a sum of exact squares in double precision, in an order that threads do not change. The result is
    rounded to float32, so that its norm may exceed clip_norm by 2**-23 of it.

    Args: delta: float32[d]. clip_norm: positive, or None for no clipping.
    Returns: delta itself when it is short enough.
    Raises: NonFinite: delta holds NaN or an infinity. WrongShape: delta is no vector of float32.
    """
    _verify_delta(delta)
    factor = _find_factor(delta, clip_norm)
    if factor is None:
        return delta
    clipped = np.empty_like(delta)
    for start in range(0, delta.size, _BLOCK):
        _scale(delta[start : start + _BLOCK], factor, clipped[start : start + _BLOCK])
    return clipped


def _find_factor(delta: Float32Array, clip_norm: float | None) -> float | None:
    """Return what to multiply a vector with; None where it stays as it is."""
    norm = 0.0 if clip_norm is None else sqrt(_sum_squares(delta))
    return None if clip_norm is None or norm <= clip_norm else clip_norm / norm


def _scale(part: Float32Array, factor: float, out: Float32Array) -> None:
    out[:] = part.astype(np.float64) * factor


def _sum_squares(delta: Float32Array) -> float:
    """Return what numpy's pairwise summation of all squares gives, halved as numpy halves it, a block at a time."""
    if delta.size <= _BLOCK:
        doubles = delta.astype(np.float64)
        return float(np.sum(np.square(doubles, out=doubles)))
    half = delta.size // 2
    half -= half % 8
    return _sum_squares(delta[:half]) + _sum_squares(delta[half:])


def quantize(delta: Float32Array, *, scale_bits: int, bound: int, clip_norm: float | None = None) -> Quantized:
    """Return clamp(round_half_even(x * 2**scale_bits), bound) per coordinate x, as `spec.quantize` does (§1.2).

    Args: delta: float32[d]. scale_bits: 0 to 30. bound: 1 to 2**23 - 1. clip_norm: the x are those of
        `clip_l2(delta, clip_norm)`, made and quantised a block at a time.
    Raises: NonFinite: delta holds NaN or an infinity. WrongShape: delta is no vector of float32.
        InvalidTask: scale_bits or bound is out of its range.
    """
    _verify_format(scale_bits, bound)
    _verify_delta(delta)
    factor, scale = _find_factor(delta, clip_norm), np.float32(1 << scale_bits)
    values, saturated = np.empty(delta.shape, dtype=np.int32), 0
    buffer = np.empty(min(_BLOCK, delta.size), dtype=np.float32)
    for start in range(0, delta.size, _BLOCK):
        part = delta[start : start + _BLOCK]
        rounded = buffer[: part.size]
        if factor is not None:
            _scale(part, factor, rounded)
            part = rounded
        # A float32 times a power of two is exact, or infinite far beyond any bound; np.rint rounds halves to even.
        with np.errstate(over="ignore"):
            np.multiply(part, scale, out=rounded)
        np.rint(rounded, out=rounded)
        if rounded.max() > bound or rounded.min() < -bound:
            saturated += int(np.count_nonzero(np.abs(rounded) > bound))
            np.clip(rounded, -bound, bound, out=rounded)
        values[start : start + _BLOCK] = rounded
    return Quantized(values=values, saturated=saturated)


def dequantize(values: NDArray[np.int32], scale_bits: int) -> NDArray[np.float32]:
    """Return values / 2**scale_bits as float32; exact while |value| <= 2**24, else rounded to the nearest float32.

    Args: values: int32[d]. scale_bits: 0 to 30.
    """
    return (values / float(1 << scale_bits)).astype(np.float32)


def _verify_delta(delta: Float32Array) -> None:
    if delta.dtype != np.float32 or delta.ndim != 1:
        raise WrongShape(field="the vector", got=f"{delta.dtype} {list(delta.shape)}", want="float32 [d]")
    bad = 0
    for start in range(0, delta.size, _BLOCK):
        bad += int(np.count_nonzero(~np.isfinite(delta[start : start + _BLOCK])))
    if bad:
        raise NonFinite(tensor="delta", count=bad)


def _verify_format(scale_bits: int, bound: int) -> None:
    if not 0 <= scale_bits <= spec.MAX_SCALE_BITS:
        raise InvalidTask(field="scale_bits", got=scale_bits, want=f"0 to {spec.MAX_SCALE_BITS}")
    if not 1 <= bound <= spec.MAX_BOUND:
        raise InvalidTask(field="bound", got=bound, want=f"1 to {spec.MAX_BOUND}")
