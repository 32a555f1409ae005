"""Numbers: the fixed-point format and its rounding (docs/protocol.md §1).

A real value v is the integer v_q = round_half_even(v * 2**scale_bits). Coordinates are int32. From quantisation on,
every step is exact integer arithmetic, so that nobody's sum depends on the order of its terms.
"""

from __future__ import annotations

import math

from ledger.spec.errors import NonFinite

INT32_MIN = -(1 << 31)
INT32_MAX = (1 << 31) - 1
MAX_SCALE_BITS = 30
MAX_BOUND = (1 << 23) - 1
"""Largest |coordinate| a task may allow: one squared difference then fits 2**48, 1024 of them fit int64."""
MAX_EXAMPLES_CAP = (1 << 20) - 1
"""Largest weight of one client."""
MAX_NUM_EXAMPLES = (1 << 32) - 1
MAX_SIZE = (1 << 32) - 1


def rdiv(a: int, b: int) -> int:
    """Return a / b rounded to the nearest integer, halves up: floor((2a + b) / 2b) (§1.3).

    Args: a: any integer. b: positive.
    """
    return (2 * a + b) // (2 * b)


def clamp(x: int, bound: int) -> int:
    """Return x limited to [-bound, bound] (§1.4)."""
    return max(-bound, min(bound, x))


def wrap32(x: int) -> int:
    """Return x modulo 2**32, read as a signed 32-bit integer (§1.5)."""
    return ((x + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def saturate32(x: int) -> int:
    """Return x limited to the int32 range (§1.6: the model step)."""
    return max(INT32_MIN, min(INT32_MAX, x))


def quantize(value: float, scale_bits: int, bound: int) -> int:
    """Return clamp(round_half_even(value * 2**scale_bits), bound) (§1.2).

    The product is exact in double precision for a float32 value, so only the one stated rounding happens.

    Raises: NonFinite: value is NaN or infinite.
    """
    if not math.isfinite(value):
        raise NonFinite(tensor="value", count=1)
    return clamp(round(value * (1 << scale_bits)), bound)


def dequantize(value_q: int, scale_bits: int) -> float:
    """Return value_q / 2**scale_bits (exact in double precision for int32)."""
    return value_q / (1 << scale_bits)
