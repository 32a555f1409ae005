"""A kernel for inner products of clamped integer vectors, exact through doubles and int64.

A block of coordinates is clamped and converted to doubles once. Clients are then taken in tiles of 4 by 4, of which
only the lower triangle is computed: a step multiplies one vector of 4 clients, which stay in the first level of the
cache, with that of 4 others, and adds to 16 accumulators in registers. A coordinate is below 2**23 in magnitude, so
that the at most 64 products that a lane adds up in a block are below 2**52: doubles hold every partial sum. Blocks are
added lane by lane in int64, over at most 2**16 coordinates below 2**62.
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
"""Over which one array of sums may be used."""
BLOCK = 256
"""Coordinates: 8 clients of it fit the first level of a cache, a hundred the second."""
_GAP = 16
"""Doubles between two rows of a block, so that they do not compete for the same lines of a cache."""
STRIDE = BLOCK + _GAP
"""Doubles of one row of the memory that a call works in."""
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


@cache
def compile_gram() -> Compiled:
    """Return a function (rows, tiles, start, stop, memory, out, bound) over whole steps from start on.

    It adds to out, int64[tiles, tiles, TILE, TILE, get_width()], the inner products of clamped rows, each as what the
    lanes of a vector add up to, tile (i, j) for all j <= i.

    Args, when called: rows: TILE * tiles pointers. memory: float64[TILE * tiles, STRIDE].
    """
    function, builder = start_function(*_ARGUMENTS)
    rows, tiles, start, stop, memory, out, bound = function.args
    number, most = builder.mul(tiles, ir.Constant(I64, TILE)), ir.Constant(I64, BLOCK)
    smaller = declare(builder, "llvm.smin.i64", I64, I64, I64)
    blocks = builder.sdiv(builder.add(builder.sub(stop, start), ir.Constant(I64, BLOCK - 1)), most)

    def visit_block(block: Any, _: Values) -> Values:
        at = builder.add(start, builder.mul(block, most))
        size = smaller([most, builder.sub(stop, at)])
        _convert(builder, (rows, number), (at, size), memory, bound)
        _multiply_tiles(builder, tiles, memory, size, out)
        return []

    count_up(builder, _ZERO, blocks, 1, visit_block)
    builder.ret_void()
    return Compiled(builder.module, *_CTYPES)


def _multiply_tiles(builder: ir.IRBuilder, tiles: Any, memory: Any, size: Any, out: Any) -> None:
    """Emit the loops over the tiles of the lower triangle."""

    def visit_row(i: Any, _: Values) -> Values:
        def visit(j: Any, _: Values) -> Values:
            tile = builder.add(builder.mul(i, tiles), j)
            place = builder.mul(tile, ir.Constant(I64, TILE * TILE * get_width()))
            left, right = (_find_rows(builder, memory, side) for side in (i, j))
            _multiply(builder, left, right, size, builder.gep(out, [place]))
            return []

        return count_up(builder, _ZERO, builder.add(i, _ONE), 1, visit)

    count_up(builder, _ZERO, tiles, 1, visit_row)


def _convert(builder: ir.IRBuilder, rows: tuple[Any, Any], part: tuple[Any, Any], memory: Any, bound: Any) -> None:
    """Emit what clamps a part (start, size) of all rows (pointers, number), and stores it as doubles."""
    width, (pointers, number), (start, size) = get_width(), rows, part
    narrow = ir.VectorType(I32, width)
    highest, lowest = splat(builder, bound, width), splat(builder, builder.neg(bound), width)
    minimum = declare(builder, f"llvm.smin.v{width}i32", narrow, narrow, narrow)
    maximum = declare(builder, f"llvm.smax.v{width}i32", narrow, narrow, narrow)

    def visit_row(row: Any, _: Values) -> Values:
        source = builder.gep(builder.load(builder.gep(pointers, [row])), [start])
        target = builder.gep(memory, [builder.mul(row, ir.Constant(I64, STRIDE))])

        def visit(at: Any, _: Values) -> Values:
            value = load_vector(builder, builder.gep(source, [at]), I32, width)
            doubles = builder.sitofp(minimum([maximum([value, lowest]), highest]), ir.VectorType(F64, width))
            store_vector(builder, doubles, builder.gep(target, [at]))
            return []

        return count_up(builder, _ZERO, size, width, visit)

    count_up(builder, _ZERO, number, 1, visit_row)


def _find_rows(builder: ir.IRBuilder, memory: Any, tile: Any) -> Values:
    numbers = [builder.add(builder.mul(tile, ir.Constant(I64, TILE)), ir.Constant(I64, k)) for k in range(TILE)]
    return [builder.gep(memory, [builder.mul(number, ir.Constant(I64, STRIDE))]) for number in numbers]


def _multiply(builder: ir.IRBuilder, left: Values, right: Values, size: Any, out: Any) -> None:
    """Emit the loop over the coordinates of one tile, and add its sums to out."""
    width = get_width()
    integers = ir.VectorType(I64, width)
    add_product = _make_add_product(builder, width)

    def visit(at: Any, sums: Values) -> Values:
        a, b = ([load_vector(builder, builder.gep(row, [at]), F64, width) for row in side] for side in (left, right))
        return [add_product([x, y, total]) for total, (x, y) in zip(sums, [(x, y) for x in a for y in b], strict=True)]

    results = count_up(builder, _ZERO, size, width, visit, [constants(F64, [0.0] * width)] * TILE**2)
    for k, result in enumerate(results):
        place = builder.gep(out, [ir.Constant(I64, k * width)])
        total = builder.add(load_vector(builder, place, I64, width), builder.fptosi(result, integers))
        store_vector(builder, total, place)


def _make_add_product(builder: ir.IRBuilder, width: int) -> Callable[[Values], Any]:
    """Return what emits x y + total, which is exact here with one rounding as with two."""
    doubles = ir.VectorType(F64, width)
    if "fma" in list_features() or "neon" in list_features():
        return declare(builder, f"llvm.fma.v{width}f64", doubles, doubles, doubles, doubles)
    return lambda values: builder.fadd(builder.fmul(values[0], values[1]), values[2])
