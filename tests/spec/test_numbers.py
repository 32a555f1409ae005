"""Properties of the number format, against exact fractions and NumPy's wrapping."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ledger import spec

INT = st.integers(-(1 << 70), 1 << 70)
FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(a=INT, b=st.integers(1, 1 << 40))
def test_rdiv_is_the_nearest_integer_with_halves_up(a: int, b: int) -> None:
    assert spec.rdiv(a, b) == floor(Fraction(a, b) + Fraction(1, 2))


@given(value=FLOAT32, scale_bits=st.integers(0, 30), bound=st.integers(1, spec.MAX_BOUND))
def test_quantize_rounds_the_exact_product_half_to_even(value: float, scale_bits: int, bound: int) -> None:
    exact = Fraction(value) * (1 << scale_bits)
    assert spec.quantize(value, scale_bits, bound) == max(-bound, min(bound, round(exact)))


@given(value=st.integers(-spec.MAX_BOUND, spec.MAX_BOUND), scale_bits=st.integers(0, 30))
def test_a_quantised_value_survives_the_way_to_floats_and_back(value: int, scale_bits: int) -> None:
    number = spec.dequantize(value, scale_bits)
    assert float(np.float32(number)) == number
    assert spec.quantize(number, scale_bits, spec.MAX_BOUND) == value


@given(x=INT)
def test_wrapping_and_saturating_agree_with_numpy(x: int) -> None:
    assert spec.wrap32(x) == int(np.array(x % (1 << 32), dtype=np.uint32).view(np.int32))
    assert spec.saturate32(x) == int(np.clip(x, -(1 << 31), (1 << 31) - 1))


@given(values=st.lists(st.integers(spec.INT32_MIN, spec.INT32_MAX), max_size=30))
def test_int32_bytes_are_those_of_numpy(values: list[int]) -> None:
    assert spec.encode_int32(values) == np.array(values, dtype="<i4").tobytes()
    assert spec.decode_int32(spec.encode_int32(values)) == values
