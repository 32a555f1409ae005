"""A kernel for inner products of clamped integer vectors, exact in int64.

Clients are taken in tiles of 4 by 4, of which only the lower triangle is computed: a step multiplies one vector of
coordinates of 4 clients with that of 4 others, and adds to 16 accumulators in registers. A coordinate is below 2**23 in
magnitude, so that sums over at most 2**16 coordinates are below 2**62.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

from llvmlite import ir

from fl.kernels.compiling import (
    I32,
    I64,
    Compiled,
    Values,
    constants,
    declare,
    list_features,
    load_vector,
    splat,
    start_function,
)

TILE = 4
MAX_COORDINATES = 1 << 16
"""Over which one array of sums may be used."""
BLOCK = 1024
"""Coordinates of a call: those of a hundred clients fit the second level of a cache, for every tile to come."""
_ARGUMENTS = (I32.as_pointer().as_pointer(), I64, I64, I64, I64.as_pointer(), I32)
_CTYPES = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int32)


def get_width() -> int:
    """Return how many coordinates a step takes: as many int64 as a register holds."""
    return 8 if "avx512f" in list_features() else 4


@cache
def compile_gram() -> Compiled:
    """Return a function (rows, tiles, start, stop, out, bound) over whole steps from start on.

    It adds to out, int64[tiles, tiles, TILE, TILE], the inner products of clamped rows, tile (i, j) for all j <= i.
    """
    function, builder = start_function(*_ARGUMENTS)
    rows, tiles, start, stop, out, bound = function.args
    load = _make_load(builder, bound)

    def visit(i: Any, j: Any) -> None:
        sides = [[_load_pointer(builder, rows, tile, k) for k in range(TILE)] for tile in (i, j)]
        place = builder.mul(builder.add(builder.mul(i, tiles), j), ir.Constant(I64, TILE * TILE))
        _multiply(builder, load, sides, (start, stop), builder.gep(out, [place]))

    def visit_row(i: Any) -> None:
        _count(builder, builder.add(i, ir.Constant(I64, 1)), lambda j: visit(i, j))

    _count(builder, tiles, visit_row)
    builder.ret_void()
    return Compiled(builder.module, *_CTYPES)


def _count(builder: ir.IRBuilder, count: Any, body: Callable[[Any], None]) -> None:
    """Emit a loop over 0 to count - 1; count is at least 1."""
    before, loop = builder.block, builder.append_basic_block()
    builder.branch(loop)
    builder.position_at_end(loop)
    index = builder.phi(I64)
    index.add_incoming(ir.Constant(I64, 0), before)
    body(index)
    following = builder.add(index, ir.Constant(I64, 1))
    index.add_incoming(following, builder.block)
    end = builder.append_basic_block()
    builder.cbranch(builder.icmp_signed("<", following, count), loop, end)
    builder.position_at_end(end)


def _load_pointer(builder: ir.IRBuilder, rows: Any, tile: Any, k: int) -> Any:
    number = builder.add(builder.mul(tile, ir.Constant(I64, TILE)), ir.Constant(I64, k))
    return builder.load(builder.gep(rows, [number]))


def _make_load(builder: ir.IRBuilder, bound: Any) -> Callable[[Any], Any]:
    width = get_width()
    wide, narrow = ir.VectorType(I64, width), ir.VectorType(I32, width)
    highest, lowest = splat(builder, bound, width), splat(builder, builder.neg(bound), width)
    minimum = declare(builder, f"llvm.smin.v{width}i32", narrow, narrow, narrow)
    maximum = declare(builder, f"llvm.smax.v{width}i32", narrow, narrow, narrow)

    def load(address: Any) -> Any:
        value = load_vector(builder, address, I32, width)
        return builder.sext(minimum([maximum([value, lowest]), highest]), wide)

    return load


def _multiply(
    builder: ir.IRBuilder, load: Callable[[Any], Any], sides: list[Values], limits: tuple[Any, Any], out: Any
) -> None:
    """Emit the loop over the coordinates of one tile, and add its sums to out."""
    width, (start, stop) = get_width(), limits
    wide = ir.VectorType(I64, width)
    before, loop = builder.block, builder.append_basic_block()
    builder.branch(loop)
    builder.position_at_end(loop)
    at = builder.phi(I64)
    at.add_incoming(start, before)
    sums = [builder.phi(wide) for _ in range(TILE * TILE)]
    left, right = ([load(builder.gep(pointer, [at])) for pointer in side] for side in sides)
    products = [builder.mul(a, b) for a in left for b in right]
    results = [builder.add(total, product) for total, product in zip(sums, products, strict=True)]
    following = builder.add(at, ir.Constant(I64, width))
    at.add_incoming(following, loop)
    for total, result in zip(sums, results, strict=True):
        total.add_incoming(constants(I64, [0] * width), before)
        total.add_incoming(result, loop)
    after, end = builder.add(following, ir.Constant(I64, width)), builder.append_basic_block()
    builder.cbranch(builder.icmp_signed("<=", after, stop), loop, end)
    builder.position_at_end(end)
    reduce = declare(builder, f"llvm.vector.reduce.add.v{width}i64", I64, wide)
    for k, result in enumerate(results):
        place = builder.gep(out, [ir.Constant(I64, k)])
        builder.store(builder.add(builder.load(place), reduce([result])), place)
