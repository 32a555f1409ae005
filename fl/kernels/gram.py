"""A kernel for inner products of clamped integer vectors, exact through doubles and int64.

A block of coordinates is clamped and converted to doubles once, and stays in the cache. Clients are then taken in
tiles of 4 by 4, of which only the lower triangle is computed: a step multiplies one vector of 4 clients with that of 4
others, and adds to 16 accumulators in registers. A coordinate is below 2**23 in magnitude, so that the 128 products
that a lane adds up in a block are below 2**53: doubles hold every partial sum. Lanes and blocks are added in int64.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

from llvmlite import ir

from fl.kernels.compiling import (
    F64,
    I32,
    I64,
    Compiled,
    Values,
    constants,
    count_up,
    declare,
    list_features,
    load_vector,
    splat,
    start_function,
    store_vector,
)

TILE = 4
MAX_COORDINATES = 1 << 16
"""Over which one array of sums may be used: they are below 2**62."""
_EXACT = 128
_GAP = 16
"""Doubles between two rows of a block, so that they do not compete for the same lines of a cache."""
_DOUBLES = F64.as_pointer()
_ARGUMENTS = (I32.as_pointer().as_pointer(), I64, I64, I64, _DOUBLES, I64.as_pointer(), I32)
_CTYPES = (
    *(ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64),
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32),
)
_ZERO, _ONE = ir.Constant(I64, 0), ir.Constant(I64, 1)


def get_width() -> int:
    """Return how many coordinates a step takes: as many doubles as a register holds."""
    return 8 if "avx512f" in list_features() else 4


def get_block() -> int:
    """Return how many coordinates a call may take."""
    return _EXACT * get_width()


def get_stride() -> int:
    """Return the doubles of one row of the memory that a call works in."""
    return get_block() + _GAP


@cache
def compile_gram() -> Compiled:
    """Return a function (rows, tiles, start, stop, memory, out, bound) over whole steps from start on.

    It adds to out, int64[tiles, tiles, TILE, TILE], the inner products of clamped rows, tile (i, j) for all j <= i.
    rows: TILE * tiles of them. memory: float64[TILE * tiles, get_stride()].
    """
    function, builder = start_function(*_ARGUMENTS)
    rows, tiles, start, stop, memory, out, bound = function.args
    size = builder.sub(stop, start)
    _convert(builder, (rows, builder.mul(tiles, ir.Constant(I64, TILE))), (start, size), memory, bound)

    def visit_row(i: Any, _: Values) -> Values:
        def visit(j: Any, _: Values) -> Values:
            place = builder.mul(builder.add(builder.mul(i, tiles), j), ir.Constant(I64, TILE * TILE))
            left, right = (_find_rows(builder, memory, tile) for tile in (i, j))
            _multiply(builder, left, right, size, builder.gep(out, [place]))
            return []

        return count_up(builder, _ZERO, builder.add(i, _ONE), 1, visit)

    count_up(builder, _ZERO, tiles, 1, visit_row)
    builder.ret_void()
    return Compiled(builder.module, *_CTYPES)


def _convert(builder: ir.IRBuilder, rows: tuple[Any, Any], part: tuple[Any, Any], memory: Any, bound: Any) -> None:
    """Emit what clamps a part (start, size) of all rows (pointers, number), and stores it as doubles."""
    width, (pointers, number), (start, size) = get_width(), rows, part
    narrow = ir.VectorType(I32, width)
    highest, lowest = splat(builder, bound, width), splat(builder, builder.neg(bound), width)
    minimum = declare(builder, f"llvm.smin.v{width}i32", narrow, narrow, narrow)
    maximum = declare(builder, f"llvm.smax.v{width}i32", narrow, narrow, narrow)

    def visit_row(row: Any, _: Values) -> Values:
        source = builder.gep(builder.load(builder.gep(pointers, [row])), [start])
        target = builder.gep(memory, [builder.mul(row, ir.Constant(I64, get_stride()))])

        def visit(at: Any, _: Values) -> Values:
            value = load_vector(builder, builder.gep(source, [at]), I32, width)
            doubles = builder.sitofp(minimum([maximum([value, lowest]), highest]), ir.VectorType(F64, width))
            store_vector(builder, doubles, builder.gep(target, [at]))
            return []

        return count_up(builder, _ZERO, size, width, visit)

    count_up(builder, _ZERO, number, 1, visit_row)


def _find_rows(builder: ir.IRBuilder, memory: Any, tile: Any) -> Values:
    numbers = [builder.add(builder.mul(tile, ir.Constant(I64, TILE)), ir.Constant(I64, k)) for k in range(TILE)]
    return [builder.gep(memory, [builder.mul(number, ir.Constant(I64, get_stride()))]) for number in numbers]


def _multiply(builder: ir.IRBuilder, left: Values, right: Values, size: Any, out: Any) -> None:
    """Emit the loop over the coordinates of one tile, and add its sums to out."""
    width = get_width()
    integers = ir.VectorType(I64, width)
    add_product = _make_add_product(builder, width)

    def visit(at: Any, sums: Values) -> Values:
        a, b = ([load_vector(builder, builder.gep(row, [at]), F64, width) for row in side] for side in (left, right))
        return [add_product([x, y, total]) for total, (x, y) in zip(sums, [(x, y) for x in a for y in b], strict=True)]

    results = count_up(builder, _ZERO, size, width, visit, [constants(F64, [0.0] * width)] * TILE**2)
    reduce = declare(builder, f"llvm.vector.reduce.add.v{width}i64", I64, integers)
    for k, result in enumerate(results):
        place = builder.gep(out, [ir.Constant(I64, k)])
        builder.store(builder.add(builder.load(place), reduce([builder.fptosi(result, integers)])), place)


def _make_add_product(builder: ir.IRBuilder, width: int) -> Callable[[Values], Any]:
    """Return what emits x y + total, which is exact here with one rounding as with two."""
    doubles = ir.VectorType(F64, width)
    if "fma" in list_features() or "neon" in list_features():
        return declare(builder, f"llvm.fma.v{width}f64", doubles, doubles, doubles, doubles)
    return lambda values: builder.fadd(builder.fmul(values[0], values[1]), values[2])
