"""Masks of secure aggregation by plain vector instructions: SHA-256 of as many blocks at once as a register has lanes.

A block is sha256(seed | u64): one compression whose first eight rounds read the seed alone, and are done once a mask
(docs/protocol.md §11.1). For processors without SHA instructions; with registers of 512 bits it takes no longer than
those instructions do. Source: FIPS 180-4.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

from llvmlite import ir

from fl.kernels import sha256
from fl.kernels.compiling import (
    I8,
    I32,
    I64,
    Compiled,
    Values,
    constants,
    count_up,
    declare,
    load_vector,
    splat,
    start_function,
    store_vector,
)

LANES = 16
"""Blocks at once: of registers of 512 bits; LLVM makes two or four of one where they are shorter."""
WORDS_PER_BLOCK = 8
_SEED_BYTES, _BITS, _PADDING = 32, 320, 0x80000000
_VECTOR = ir.VectorType(I32, LANES)


@cache
def compile_masking() -> Compiled:
    """Return a function (seed, first, stop, sign, total) that adds sign times the mask words of some blocks to a total.

    Args, when called: seed: 32 bytes. first, stop: blocks, a multiple of LANES apart. sign: 1 or -1 as i32. total: u32
    of coordinate 0.
    """
    function, builder = start_function(I8.as_pointer(), I64, I64, I32, I8.as_pointer())
    seed, first, stop, sign, total = function.args
    secret = [_load_word(builder, seed, at) for at in range(8)]
    start = [_fill(word) for word in sha256.START_WORDS]
    begun, signs = _run_rounds(builder, start, secret, range(8)), splat(builder, sign, LANES)
    numbers = constants(I32, list(range(LANES)))

    def visit(block: Any, _: Values) -> Values:
        low = builder.add(splat(builder, builder.trunc(block, I32), LANES), numbers)
        high = splat(builder, builder.trunc(builder.lshr(block, ir.Constant(I64, 32)), I32), LANES)
        words = [*secret, high, low, _fill(_PADDING), *[_fill(0)] * 4, _fill(_BITS)]
        after = _run_rounds(builder, begun, _extend(builder, words), range(8, 64))
        digests = [builder.add(a, b) for a, b in zip(start, after, strict=True)]
        address = builder.gep(total, [builder.mul(block, ir.Constant(I64, _SEED_BYTES))])
        for at, mask in enumerate(_transpose(builder, digests)):
            place = builder.gep(address, [ir.Constant(I64, 4 * LANES * at)])
            held = load_vector(builder, place, I32, LANES)
            store_vector(builder, builder.add(held, builder.mul(_swap_bytes(builder, mask), signs)), place)
        return []

    count_up(builder, first, stop, LANES, visit)
    builder.ret_void()
    return Compiled(builder.module, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int32, ctypes.c_void_p)


def _fill(value: int) -> Any:
    return constants(I32, [value] * LANES)


def _load_word(builder: ir.IRBuilder, data: Any, at: int) -> Any:
    word = load_vector(builder, builder.gep(data, [ir.Constant(I64, 4 * at)]), I32, 1)
    return _swap_bytes(builder, splat(builder, builder.extract_element(word, ir.Constant(I32, 0)), LANES))


def _swap_bytes(builder: ir.IRBuilder, vector: Any) -> Any:
    return declare(builder, f"llvm.bswap.v{LANES}i32", _VECTOR, _VECTOR)([vector])


def _rotate(builder: ir.IRBuilder, x: Any, bits: int) -> Any:
    rotate = declare(builder, f"llvm.fshr.v{LANES}i32", _VECTOR, _VECTOR, _VECTOR, _VECTOR)
    return rotate([x, x, _fill(bits)])


def _mix(builder: ir.IRBuilder, x: Any, turns: Sequence[int], shift: int = 0) -> Any:
    """Return the exclusive or of x rotated by each number, and shifted by one."""
    parts = [_rotate(builder, x, bits) for bits in turns]
    parts += [builder.lshr(x, _fill(shift))] if shift else []
    mixed = parts[0]
    for part in parts[1:]:
        mixed = builder.xor(mixed, part)
    return mixed


def _extend(builder: ir.IRBuilder, words: Values) -> Values:
    """Return the 64 words of the schedule, of the 16 of a block."""
    words = list(words)
    for at in range(16, 64):
        small = _mix(builder, words[at - 15], (7, 18), 3)
        large = _mix(builder, words[at - 2], (17, 19), 10)
        words.append(builder.add(builder.add(words[at - 16], words[at - 7]), builder.add(small, large)))
    return words


def _run_rounds(builder: ir.IRBuilder, state: Values, words: Values, rounds: Sequence[int]) -> Values:
    a, b, c, d, e, f, g, h = state
    for at in rounds:
        choice = builder.xor(g, builder.and_(e, builder.xor(f, g)))
        majority = builder.or_(builder.and_(a, b), builder.and_(c, builder.or_(a, b)))
        keyed = builder.add(words[at], _fill(sha256.ROUND_WORDS[at]))
        first = builder.add(builder.add(h, keyed), builder.add(_mix(builder, e, (6, 11, 25)), choice))
        second = builder.add(_mix(builder, a, (2, 13, 22)), majority)
        a, b, c, d, e, f, g, h = builder.add(first, second), a, b, c, builder.add(d, first), e, f, g
    return [a, b, c, d, e, f, g, h]


def _transpose(builder: ir.IRBuilder, digests: Values) -> Values:
    """Return the words block by block, of eight vectors with a word of every block."""
    rows = digests
    while len(rows) > 1:
        half = len(rows) // 2
        rows = [_interleave(builder, rows[at], rows[at + half]) for at in range(half)]
    starts = range(0, LANES * WORDS_PER_BLOCK, LANES)
    return [builder.shuffle_vector(rows[0], rows[0], constants(I32, [*range(at, at + LANES)])) for at in starts]


def _interleave(builder: ir.IRBuilder, a: Any, b: Any) -> Any:
    size = a.type.count
    turns = [lane for at in range(size) for lane in (at, size + at)]
    return builder.shuffle_vector(a, b, constants(I32, turns))
