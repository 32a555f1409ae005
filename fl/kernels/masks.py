"""Masks of secure aggregation: SHA-256 in counter mode, added where it is made, with the SHA instructions of x86.

A block is sha256(seed | u64): one compression of constant padding, two blocks side by side (docs/protocol.md §11.1).
Its first eight rounds read the seed alone, and are done once a mask.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from llvmlite import ir

from fl.kernels import sha256
from fl.kernels.compiling import I8, I32, I64, Compiled, Values, constants, load_vector, start_function, store_vector

LANES = sha256.LANES
WORDS_PER_BLOCK = 8
_SEED_BYTES, _BITS = 32, 320
_PADDING = 0x80000000
_GROUPS_OF_SEED = 2
"""Groups of four rounds that read the seed alone."""


@cache
def compile_masking() -> Compiled:
    """Return a function (seed, first, stop, sign, total) that adds sign times the mask words of some blocks to a total.

    Args, when called: seed: 32 bytes. first, stop: blocks, at least LANES, a multiple of it apart. sign: 1 or -1 as
    i32. total: u32 of coordinate 0.
    """
    function, builder = start_function(I8.as_pointer(), I64, I64, I32, I8.as_pointer())
    seed, first, stop, sign, total = function.args
    secret = [
        sha256._swap_bytes(builder, load_vector(builder, builder.gep(seed, [ir.Constant(I64, at)]), I8, 16))
        for at in (0, 16)
    ]
    signs: Any = ir.Constant(ir.VectorType(I32, 4), ir.Undefined)
    for lane in range(4):
        signs = builder.insert_element(signs, sign, ir.Constant(I32, lane))
    start: list[Values] = [list(sha256._START)] * LANES
    begun = sha256._run_rounds(builder, start[:1], [secret], last=_GROUPS_OF_SEED) * LANES
    before, loop, end = builder.block, function.append_basic_block("blocks"), function.append_basic_block("end")
    builder.branch(loop)
    builder.position_at_end(loop)
    block = builder.phi(I64)
    block.add_incoming(first, before)
    numbers = [builder.add(block, ir.Constant(I64, lane)) for lane in range(LANES)]
    words = [[*secret, _count(builder, number), constants(I32, [0, 0, 0, _BITS])] for number in numbers]
    rounds = sha256._run_rounds(builder, begun, words, first=_GROUPS_OF_SEED)
    for number, state in zip(numbers, sha256._feed_forward(builder, start, rounds), strict=True):
        _add(builder, state, signs, builder.gep(total, [builder.mul(number, ir.Constant(I64, _SEED_BYTES))]))
    following = builder.add(block, ir.Constant(I64, LANES))
    block.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, stop), loop, end)
    builder.position_at_end(end)
    builder.ret_void()
    arguments = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int32, ctypes.c_void_p)
    return Compiled(builder.module, *arguments)


def _count(builder: ir.IRBuilder, number: Any) -> Any:
    """Return the four words after the seed: the block's number, and the first of the padding."""
    words = constants(I32, [0, 0, _PADDING, 0])
    high = builder.trunc(builder.lshr(number, ir.Constant(I64, 32)), I32)
    words = builder.insert_element(words, high, ir.Constant(I32, 0))
    return builder.insert_element(words, builder.trunc(number, I32), ir.Constant(I32, 1))


def _add(builder: ir.IRBuilder, state: Values, signs: Any, address: Any) -> None:
    """Add a digest, read as little-endian words."""
    for half, lanes in enumerate(([3, 2, 7, 6], [1, 0, 5, 4])):
        words = sha256._swap_bytes(builder, builder.shuffle_vector(state[0], state[1], constants(I32, lanes)))
        place = builder.gep(address, [ir.Constant(I64, 16 * half)])
        held = builder.bitcast(load_vector(builder, place, I8, 16), ir.VectorType(I32, 4))
        added = builder.add(held, builder.mul(words, signs))
        store_vector(builder, added, place)
