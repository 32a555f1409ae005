"""Kernels over coordinates: sums, weighted sums, and sums of what is left between two ranks, divided with rounding.

A step takes one vector of coordinates (8 or 16) of every client, whose values then live in registers, and lets them
pass through a selection network (`networks`). Rows stay where they are; the next lines of each are asked for early.

Why it is exact: coordinates are clamped below 2**23 in magnitude, of at most 255 clients, so that sums fit int32;
`wide` ones, up to 2**31, and weighted ones are summed in doubles, as integers below 2**53. A quotient of integers below
2**53 by rounding to nearest is never rounded up to the next integer: that is farther away than 1 / divisor.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, Literal

from llvmlite import ir

from fl.kernels.compiling import (
    F64,
    I32,
    I64,
    VOID,
    Compiled,
    Values,
    count_up,
    declare,
    list_features,
    load_vector,
    splat,
    start_function,
    store_vector,
)
from fl.kernels.networks import make_selection_network

Kind = Literal["middle", "wide-middle", "weighted", "wrapped"]

MAX_NETWORK = 128
"""Clients of the largest network: 1400 comparators, half a second to compile."""
MAX_SUM = 255
"""Clients whose clamped values can be summed in int32."""
_AHEAD = 128
"""Coordinates that are asked for early: 8 cache lines."""
_ARGUMENTS = (I32.as_pointer().as_pointer(), I64, I64, I32.as_pointer(), I32, F64, F64.as_pointer())
_CTYPES = (
    *(ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p),
    *(ctypes.c_int32, ctypes.c_double, ctypes.c_void_p),
)


def get_width() -> int:
    """Return how many coordinates a step takes: one cache line with AVX-512, else half of one."""
    return 16 if "avx512f" in list_features() else 8


@cache
def compile_kernel(kind: Kind, n: int, trim: int) -> Compiled:
    """Return a function (rows, start, stop, out, bound, divisor, weights) over whole steps from start on.

    Args: kind: `middle`: rdiv of the sum of the clamped values between the ranks; `wide-middle`: the same of values
        that no bound limits; `weighted`: rdiv of Σ w clamp(x); `wrapped`: the sum modulo 2**32. n: clients. trim: how
        many are left out at each end.
    """
    function, builder = start_function(*_ARGUMENTS)
    rows, start, stop, out, *_ = function.args
    width = get_width()
    pointers = [builder.load(builder.gep(rows, [ir.Constant(I64, i)])) for i in range(n)]
    finish = _make_finish(kind, n, trim, function, builder, width)

    def visit(at: Any, _: Values) -> Values:
        _prefetch(builder, pointers, at)
        values = [load_vector(builder, builder.gep(row, [at]), I32, width) for row in pointers]
        store_vector(builder, finish(values), builder.gep(out, [at]))
        return []

    count_up(builder, start, stop, width, visit)
    builder.ret_void()
    return Compiled(builder.module, *_CTYPES)


def _prefetch(builder: ir.IRBuilder, rows: Values, at: Any) -> None:
    early = builder.add(at, ir.Constant(I64, _AHEAD))
    prefetch = declare(builder, "llvm.prefetch.p0", VOID, I32.as_pointer(), I32, I32, I32)
    for row in rows:
        # To read, into the second level: the first is full of values that wait for their comparison.
        prefetch([builder.gep(row, [early]), ir.Constant(I32, 0), ir.Constant(I32, 2), ir.Constant(I32, 1)])


def _make_finish(kind: Kind, n: int, trim: int, function: ir.Function, builder: ir.IRBuilder, width: int) -> Any:
    """Return what makes one vector of results out of n vectors of values; what every step needs is emitted now."""
    bound, divisor, weights = function.args[4:]
    lowest, highest = splat(builder, builder.neg(bound), width), splat(builder, bound, width)
    factors = [
        splat(builder, builder.load(builder.gep(weights, [ir.Constant(I64, i)])), width)
        for i in range(n if kind == "weighted" else 0)
    ]
    integers, doubles = ir.VectorType(I32, width), ir.VectorType(F64, width)
    floor = declare(builder, f"llvm.floor.v{width}f64", doubles, doubles)
    minimum = declare(builder, f"llvm.smin.v{width}i32", integers, integers, integers)
    maximum = declare(builder, f"llvm.smax.v{width}i32", integers, integers, integers)
    half, whole = splat(builder, divisor, width), splat(builder, builder.fadd(divisor, divisor), width)

    def clamp(value: Any) -> Any:
        return minimum([maximum([value, lowest]), highest])

    def select(values: Values) -> Values:
        for i, j in make_selection_network(n, trim):
            values[i], values[j] = minimum([values[i], values[j]]), maximum([values[i], values[j]])
        return values[trim : n - trim]

    def add(values: Values) -> Any:
        total = values[0]
        for value in values[1:]:
            total = builder.add(total, value)
        return total

    def add_doubles(values: Values) -> Any:
        terms = [builder.sitofp(value, doubles) for value in values]
        if factors:
            terms = [builder.fmul(term, factor) for term, factor in zip(terms, factors, strict=True)]
        total = terms[0]
        for term in terms[1:]:
            total = builder.fadd(total, term)
        return total

    def divide(total: Any) -> Any:
        """Return rdiv(total, divisor) = floor((2 total + divisor) / (2 divisor))."""
        doubled = builder.fadd(builder.fadd(total, total), half)
        return builder.fptosi(floor([builder.fdiv(doubled, whole)]), integers)

    if kind == "wrapped":
        return add
    if kind == "weighted":
        return lambda values: divide(add_doubles([clamp(value) for value in values]))
    if kind == "wide-middle":
        return lambda values: divide(add_doubles(select(values)))
    # Clamping keeps the order, so that only what is left needs it.
    return lambda values: divide(builder.sitofp(add([clamp(value) for value in select(values)]), doubles))
