"""A kernel for integer mixtures of vectors: row k of what comes out is Σ mixture[k][i] x[i], modulo 2**32.

Where most parts of a row are equal, as in sums over nearest neighbours, only the others are looked at: the row is the
sum of all vectors times its most common part, and corrections.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from fl.kernels.compiling import (
    I32,
    I64,
    Compiled,
    Values,
    constants,
    count_up,
    list_features,
    load_vector,
    splat,
    start_function,
    store_vector,
)

_VECTORS = 4
"""Of one step, so that a part is read once for all of them."""
_ROWS = I32.as_pointer().as_pointer()
_ARGUMENTS = (_ROWS, I64, I64, I64, _ROWS, I64, I64.as_pointer(), I32.as_pointer(), I32.as_pointer())
_CTYPES = (
    *(ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64),
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
)
_ZERO, _ONE = ir.Constant(I64, 0), ir.Constant(I64, 1)


def get_step() -> int:
    """Return how many coordinates a step takes."""
    return _VECTORS * _get_width()


def _get_width() -> int:
    return 16 if "avx512f" in list_features() else 8


def encode_mixture(mixture: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Return ends, int64[m]: where each row ends in what follows; slots and parts: of each row first (any slot, the
    common part), then (slot, difference) for every part that differs.
    """
    ends, slots, parts = [], [], []
    for row in mixture:
        common = Counter(row).most_common(1)[0][0]
        corrections = [(slot, part - common) for slot, part in enumerate(row) if part != common]
        slots += [0, *(slot for slot, _ in corrections)]
        parts += [common, *(difference for _, difference in corrections)]
        ends.append(len(slots))
    return np.array(ends, dtype=np.int64), np.array(slots, dtype=np.int32), np.array(parts, dtype=np.int32)


@cache
def compile_mixing() -> Compiled:
    """Return a function (rows, n, start, stop, out, m, ends, slots, parts) over whole steps from start on.

    It writes coordinates from start on of m mixtures of n rows to the beginning of m rows of out.
    """
    function, builder = start_function(*_ARGUMENTS)
    rows, n, start, stop, out, m, ends, slots, parts = function.args

    def load(row: Any, at: Any) -> Values:
        pointer = builder.load(builder.gep(rows, [row]))
        places = [builder.add(at, ir.Constant(I64, vector * _get_width())) for vector in range(_VECTORS)]
        return [load_vector(builder, builder.gep(pointer, [place]), I32, _get_width()) for place in places]

    def read_part(i: Any) -> Any:
        return splat(builder, builder.load(builder.gep(parts, [i])), _get_width())

    def visit(at: Any, _: Values) -> Values:
        def add_row(row: Any, sums: Values) -> Values:
            return [builder.add(a, b) for a, b in zip(sums, load(row, at), strict=True)]

        def correct(i: Any, sums: Values) -> Values:
            slot, part = builder.sext(builder.load(builder.gep(slots, [i])), I64), read_part(i)
            terms = [builder.mul(value, part) for value in load(slot, at)]
            return [builder.add(a, b) for a, b in zip(sums, terms, strict=True)]

        def mix(k: Any, carried: Values) -> Values:
            first, last = carried[0], builder.load(builder.gep(ends, [k]))
            common = read_part(first)
            begun = [builder.mul(total, common) for total in totals]
            results = count_up(builder, builder.add(first, _ONE), last, 1, correct, begun)
            target = builder.gep(builder.load(builder.gep(out, [k])), [builder.sub(at, start)])
            for vector, result in enumerate(results):
                store_vector(builder, result, builder.gep(target, [ir.Constant(I64, vector * _get_width())]))
            return [last]

        zeros = [constants(I32, [0] * _get_width())] * _VECTORS
        totals = count_up(builder, _ZERO, n, 1, add_row, zeros)
        count_up(builder, _ZERO, m, 1, mix, [_ZERO])
        return []

    count_up(builder, start, stop, get_step(), visit)
    builder.ret_void()
    return Compiled(builder.module, *_CTYPES)
