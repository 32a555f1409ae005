"""SHA-256 of many chunks of equal length, with the SHA instructions of x86, two chunks side by side.

One chunk's rounds wait for each other; two chunks fill the gaps. The digest of prefix | chunk is a leaf of a chunk tree
or, for chunks of 64 bytes, a node (docs/protocol.md §2.2). Source: FIPS 180-4; the order of the instructions is that of
Intel's "SHA Extensions" (Gulley et al. 2013).
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from llvmlite import ir

from fl.kernels.compiling import (
    I8,
    I32,
    I64,
    VOID,
    Compiled,
    Values,
    constants,
    count_up,
    declare,
    list_features,
    load_vector,
    start_function,
    store_vector,
)

LANES = 2
_BLOCK = 64
_LENGTH = 8
"""Bytes at the end of the padding that say the length in bits."""
_V4, _V16 = ir.VectorType(I32, 4), ir.VectorType(I8, 16)


def _first_primes(count: int) -> list[int]:
    primes: list[int] = []
    candidate = 2
    while len(primes) < count:
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
        candidate += 1
    return primes


def _root_bits(prime: int, degree: int) -> int:
    """Return the first 32 bits of the fraction of a prime's square or cube root."""
    low, high = 0, 1 << 40
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**degree <= prime << 32 * degree else (low, middle)
    return low & 0xFFFFFFFF


ROUND_WORDS = [_root_bits(prime, 3) for prime in _first_primes(64)]
"""The constant of every round."""
_A, _B, _C, _D, _E, _F, _G, _H = (_root_bits(prime, 2) for prime in _first_primes(8))
START_WORDS = (_A, _B, _C, _D, _E, _F, _G, _H)
"""The state before a first block."""
_START = constants(I32, [_F, _E, _B, _A]), constants(I32, [_H, _G, _D, _C])
"""The two halves of the state, as the instructions hold them."""


def is_supported() -> bool:
    """Return whether this processor has the instructions."""
    return {"sha", "ssse3", "sse4.1"} <= list_features()


@cache
def compile_hashing(prefix: bytes, chunk_bytes: int) -> Compiled:
    """Return a function (data, count, out, stride) that writes sha256(prefix | chunk), 32 bytes, of every chunk.

    Args: prefix: one byte or none. chunk_bytes: at least 1. When called, count: a multiple of LANES; stride: bytes from
    the beginning of one chunk to that of the next, any.
    """
    function, builder = start_function(I8.as_pointer(), I64, I8.as_pointer(), I64)
    data, count, out, stride = function.args
    tails = [_make_tail(builder, prefix, chunk_bytes) for _ in range(LANES)]

    def visit(index: Any, _: Values) -> Values:
        numbers = [builder.add(index, ir.Constant(I64, lane)) for lane in range(LANES)]
        chunks = [builder.gep(data, [builder.mul(i, stride)]) for i in numbers]
        states = _hash(builder, prefix, chunk_bytes, chunks, tails)
        for number, state in zip(numbers, states, strict=True):
            _store_digest(builder, state, builder.gep(out, [builder.mul(number, ir.Constant(I64, 32))]))
        return []

    count_up(builder, ir.Constant(I64, 0), count, LANES, visit)
    builder.ret_void()
    return Compiled(builder.module, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)


def _split(prefix: bytes, chunk_bytes: int) -> tuple[int, int, int]:
    """Return the whole blocks of prefix | chunk, the chunk's bytes after them, and the blocks of the tail."""
    whole = (len(prefix) + chunk_bytes) // _BLOCK
    rest = (len(prefix) + chunk_bytes) % _BLOCK if whole else chunk_bytes
    used = rest if whole else rest + len(prefix)
    return whole, rest, -(-(used + 1 + _LENGTH) // _BLOCK)


def _make_tail(builder: ir.IRBuilder, prefix: bytes, chunk_bytes: int) -> Any:
    """Return memory for the last blocks of a chunk: padding and length are there, the chunk's last bytes will be."""
    whole, rest, blocks = _split(prefix, chunk_bytes)
    lead = b"" if whole else prefix
    padded = (lead + bytes(rest) + b"\x80").ljust(blocks * _BLOCK - _LENGTH, b"\0")
    padded += (8 * (len(prefix) + chunk_bytes)).to_bytes(_LENGTH, "big")
    memory = builder.alloca(ir.ArrayType(I8, len(padded)))
    memory.align = 64
    builder.store(ir.Constant(ir.ArrayType(I8, len(padded)), bytearray(padded)), memory)
    return builder.bitcast(memory, I8.as_pointer())


def _hash(builder: ir.IRBuilder, prefix: bytes, chunk_bytes: int, chunks: Values, tails: Values) -> list[Values]:
    whole, rest, blocks = _split(prefix, chunk_bytes)
    states: list[Values] = [list(_START) for _ in chunks]
    if whole:
        states = _compress(builder, states, [_load_first(builder, prefix, chunk) for chunk in chunks])
    if whole > 1:
        states = _repeat(builder, states, chunks, whole, len(prefix))
    copy = declare(builder, "llvm.memcpy.p0.p0.i64", VOID, I8.as_pointer(), I8.as_pointer(), I64, ir.IntType(1))
    for tail, chunk in zip(tails, chunks, strict=True):
        source = builder.gep(chunk, [ir.Constant(I64, chunk_bytes - rest)])
        target = builder.gep(tail, [ir.Constant(I64, 0 if whole else len(prefix))])
        copy([target, source, ir.Constant(I64, rest), ir.Constant(ir.IntType(1), 0)])
    for block in range(blocks):
        addresses = [builder.gep(tail, [ir.Constant(I64, block * _BLOCK)]) for tail in tails]
        states = _compress(builder, states, [_load_words(builder, address) for address in addresses])
    return states


def _repeat(builder: ir.IRBuilder, states: list[Values], chunks: Values, whole: int, lead: int) -> list[Values]:
    """Return the states after blocks 1 to whole - 1, in a loop."""

    def visit(block: Any, halves: Values) -> Values:
        at = builder.sub(builder.mul(block, ir.Constant(I64, _BLOCK)), ir.Constant(I64, lead))
        words = [_load_words(builder, builder.gep(chunk, [at])) for chunk in chunks]
        return [half for state in _compress(builder, _pair(halves), words) for half in state]

    first, last = ir.Constant(I64, 1), ir.Constant(I64, whole)
    return _pair(count_up(builder, first, last, 1, visit, [half for state in states for half in state]))


def _pair(halves: Values) -> list[Values]:
    return [halves[i : i + 2] for i in range(0, len(halves), 2)]


def _load_words(builder: ir.IRBuilder, address: Any) -> Values:
    """Return the 16 big-endian words of a block as four vectors."""
    vectors = [load_vector(builder, builder.gep(address, [ir.Constant(I64, 16 * i)]), I8, 16) for i in range(4)]
    return [_swap_bytes(builder, vector) for vector in vectors]


def _load_first(builder: ir.IRBuilder, prefix: bytes, chunk: Any) -> Values:
    """Return the words of prefix | the chunk's first bytes, 64 in all."""
    if not prefix:
        return _load_words(builder, chunk)
    head = load_vector(builder, chunk, I8, 16)
    lead = builder.shuffle_vector(head, constants(I8, [prefix[0]] * 16), constants(I32, [16, *range(15)]))
    rest = [load_vector(builder, builder.gep(chunk, [ir.Constant(I64, 16 * i - 1)]), I8, 16) for i in range(1, 4)]
    return [_swap_bytes(builder, vector) for vector in (lead, *rest)]


def _swap_bytes(builder: ir.IRBuilder, vector: Any) -> Any:
    return declare(builder, "llvm.bswap.v4i32", _V4, _V4)([builder.bitcast(vector, _V4)])


def _compress(builder: ir.IRBuilder, states: list[Values], blocks: list[Values]) -> list[Values]:
    """Return the states after one block each, the lanes' instructions taking turns."""
    return _feed_forward(builder, states, _run_rounds(builder, states, blocks))


def _run_rounds(
    builder: ir.IRBuilder, states: list[Values], blocks: list[Values], first: int = 0, last: int = 16
) -> Any:
    """Return the states after some of the groups of four rounds. Args: blocks: of the block's words, four vectors."""
    rounds = declare(builder, "llvm.x86.sha256rnds2", _V4, _V4, _V4, _V4)
    expand, finish = (declare(builder, f"llvm.x86.sha256msg{i}", _V4, _V4, _V4) for i in (1, 2))
    halves = [list(state) for state in states]
    for group in range(first, last):
        keys = constants(I32, ROUND_WORDS[4 * group : 4 * group + 4])
        for state, words in zip(halves, blocks, strict=True):
            if group >= 4:
                between = builder.shuffle_vector(words[2], words[3], constants(I32, [1, 2, 3, 4]))
                mixed = builder.add(expand([words[0], words[1]]), between)
                words[:] = [*words[1:], finish([mixed, words[3]])]
            keyed = builder.add(words[min(group, 3)], keys)
            high = builder.shuffle_vector(keyed, keyed, constants(I32, [2, 3, 2, 3]))
            state[1] = rounds([state[1], state[0], keyed])
            state[0] = rounds([state[0], state[1], high])
    return halves


def _feed_forward(builder: ir.IRBuilder, before: list[Values], after: list[Values]) -> list[Values]:
    return [[builder.add(a, b) for a, b in zip(*halves, strict=True)] for halves in zip(before, after, strict=True)]


def _store_digest(builder: ir.IRBuilder, state: Values, address: Any) -> None:
    for half, lanes in enumerate(([3, 2, 7, 6], [1, 0, 5, 4])):
        words = builder.shuffle_vector(state[0], state[1], constants(I32, lanes))
        store_vector(builder, _swap_bytes(builder, words), builder.gep(address, [ir.Constant(I64, 16 * half)]))
