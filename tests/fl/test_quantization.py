"""Clipping and quantisation: the specification's integers, saturation reported, bad numbers refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fl import quantization
from fl.quantization import clip_l2, dequantize, quantize
from ledger import spec

FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
NEAR_TIES = st.integers(-9, 9).map(lambda n: n / 2)
DELTAS = hnp.arrays(np.float32, st.integers(0, 40), elements=FLOAT32 | NEAR_TIES)
SCALES = st.integers(0, spec.MAX_SCALE_BITS)


@given(delta=DELTAS, scale_bits=SCALES, bound=st.integers(1, spec.MAX_BOUND))
def test_quantize_is_the_specifications_and_counts_saturation(delta: np.ndarray, scale_bits: int, bound: int) -> None:
    got = quantize(delta, scale_bits=scale_bits, bound=bound)
    assert got.values.tolist() == [spec.quantize(float(v), scale_bits, bound) for v in delta]
    assert got.values.dtype == np.int32
    assert got.saturated == sum(abs(round(float(v) * (1 << scale_bits))) > bound for v in delta)


def test_a_coordinate_at_the_bound_is_not_saturated_and_the_next_one_is() -> None:
    delta = np.array([100.0, -100.0, 100.4, 101.0, -101.0], dtype=np.float32)
    got = quantize(delta, scale_bits=0, bound=100)
    assert (got.values.tolist(), got.saturated) == ([100, -100, 100, 100, -100], 2)


def test_quantize_does_not_depend_on_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    delta = np.random.default_rng(5).normal(0, 4, 1000).astype(np.float32)
    whole = quantize(delta, scale_bits=20, bound=spec.MAX_BOUND)
    monkeypatch.setattr(quantization, "_BLOCK", 7)
    parts = quantize(delta, scale_bits=20, bound=spec.MAX_BOUND)
    assert parts.values.tolist() == whole.values.tolist()
    assert parts.saturated == whole.saturated > 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused_and_counted(bad: float) -> None:
    delta = np.array([0.5, bad, 1.0, bad], dtype=np.float32)
    for call in (
        lambda: quantize(delta, scale_bits=20, bound=100),
        lambda: clip_l2(delta, 1.0),
        lambda: clip_l2(delta, None),
    ):
        with pytest.raises(spec.NonFinite) as caught:
            call()
        assert caught.value.detail["count"] == 2


@pytest.mark.parametrize("delta", [np.zeros(3), np.zeros(3, dtype=np.int32), np.zeros((2, 2), dtype=np.float32)])
def test_anything_but_a_vector_of_float32_is_refused(delta: np.ndarray) -> None:
    with pytest.raises(spec.WrongShape):
        quantize(delta, scale_bits=20, bound=100)
    with pytest.raises(spec.WrongShape):
        clip_l2(delta, 1.0)


@pytest.mark.parametrize(("scale_bits", "bound"), [(-1, 100), (31, 100), (20, 0), (20, 1 << 23)])
def test_a_format_that_no_task_may_have_is_refused(scale_bits: int, bound: int) -> None:
    with pytest.raises(spec.InvalidTask):
        quantize(np.zeros(3, dtype=np.float32), scale_bits=scale_bits, bound=bound)


@given(delta=DELTAS, clip_norm=st.floats(1e-3, 1e3))
def test_clipping_keeps_the_direction_and_bounds_the_norm(delta: np.ndarray, clip_norm: float) -> None:
    clipped = clip_l2(delta, clip_norm)
    norm = float(np.linalg.norm(delta.astype(np.float64)))
    assert clipped.dtype == np.float32
    assert np.linalg.norm(clipped.astype(np.float64)) <= max(clip_norm * (1 + 2**-22), 1e-40)
    if norm <= clip_norm * (1 - 1e-9):
        assert clipped.tolist() == delta.tolist()
    elif norm > clip_norm * (1 + 1e-9):
        np.testing.assert_allclose(clipped, delta.astype(np.float64) * (clip_norm / norm), rtol=1e-6, atol=1e-44)


def test_no_clip_norm_clips_nothing() -> None:
    delta = np.full(4, 1e6, dtype=np.float32)
    assert clip_l2(delta, None).tolist() == delta.tolist()


def test_a_three_four_five_triangle_is_clipped_to_length_one() -> None:
    assert clip_l2(np.array([3.0, -4.0], dtype=np.float32), 1.0).tolist() == [np.float32(0.6), np.float32(-0.8)]


def test_the_input_is_never_changed() -> None:
    delta = np.array([3.0, 4.0], dtype=np.float32)
    clip_l2(delta, 1.0)
    quantize(delta, scale_bits=0, bound=3)
    assert delta.tolist() == [3.0, 4.0]


@pytest.mark.parametrize("clip_norm", [None, 0.0005, 0.3, 1e9])
def test_clipping_while_quantising_gives_the_bytes_of_one_after_the_other(
    clip_norm: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    delta = np.random.default_rng(5).normal(0, 0.01, 3001).astype(np.float32)
    want = quantize(clip_l2(delta, clip_norm), scale_bits=20, bound=3000)
    for block in (1 << 16, 100):
        monkeypatch.setattr("fl.quantization._BLOCK", block)
        got = quantize(delta, scale_bits=20, bound=3000, clip_norm=clip_norm)
        assert (got.values.tolist(), got.saturated) == (want.values.tolist(), want.saturated)
        want = quantize(clip_l2(delta, clip_norm), scale_bits=20, bound=3000)


@given(values=hnp.arrays(np.int32, st.integers(0, 40), elements=st.integers(-(1 << 24), 1 << 24)), scale_bits=SCALES)
def test_dequantize_is_exact_up_to_two_to_the_24(values: np.ndarray, scale_bits: int) -> None:
    floats = dequantize(values, scale_bits)
    assert floats.dtype == np.float32
    assert [float(v) for v in floats] == [spec.dequantize(v, scale_bits) for v in values.tolist()]


def test_dequantize_of_large_values_is_the_nearest_float32() -> None:
    assert dequantize(np.array([(1 << 31) - 1, (1 << 24) + 1], dtype=np.int32), 0).tolist() == [2.0**31, 2.0**24]
