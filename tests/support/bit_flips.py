"""Every single-bit flip of a message, put before whoever judges it: a node's contracts, or a reading function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from raw_node import Node

from ledger.errors import FedtrailError

Place = tuple[int, int]
"""First byte of a part of a message, and the byte after its last."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of flips that were not refused."""

    accepted: list[int]
    """Bits whose flip was taken for another message."""
    ignored: list[int]
    """Bits whose flip changed nothing: what is read means the same."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """What somebody says in a round, and how it is judged."""

    kind: str
    """What it is."""
    data: bytes
    """Its bytes."""
    judge: Callable[[bytes, Sequence[int]], Outcome]
    """What becomes of flips of these bits; bit 0 is the lowest of the first byte."""
    places: tuple[Place, ...] = ()
    """Parts that are flipped, where the rest is no part of the message; empty for all of it."""

    @property
    def bits(self) -> list[int]:
        """Every bit that is flipped."""
        places = self.places or ((0, len(self.data)),)
        return [bit for first, end in places for bit in range(8 * first, 8 * end)]

    def flip_all(self) -> Outcome:
        """Flip every bit, one at a time."""
        return self.judge(self.data, self.bits)


def flip(data: bytes, bit: int) -> bytes:
    """Return bytes with one bit flipped."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def reading(kind: str, data: bytes, read: Callable[[bytes], Any], *places: Place) -> Message:
    """Return a message that a function takes or refuses.

    Args: read: returns what the bytes mean, or raises FedtrailError.
    """
    meaning = read(data)  # what nobody takes as it is would be refused with every flip

    def judge(data: bytes, bits: Sequence[int]) -> Outcome:
        found = {bit: _read(read, flip(data, bit)) for bit in bits}
        taken = {bit: meant for bit, meant in found.items() if meant is not _REFUSED}
        accepted = [bit for bit, meant in taken.items() if meant != meaning]
        return Outcome(accepted=accepted, ignored=[bit for bit in taken if bit not in accepted])

    return Message(kind=kind, data=data, judge=judge, places=places)


_REFUSED = object()


def _read(read: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return read(data)
    except FedtrailError:
        return _REFUSED


# ---------------------------------------------------------------------------------------------------- before contracts

_OPCODES = {
    "ADD": 0x01,
    "SUB": 0x03,
    "LT": 0x10,
    "ISZERO": 0x15,
    "AND": 0x16,
    "OR": 0x17,
    "XOR": 0x18,
    "SHL": 0x1B,
    "SHR": 0x1C,
    "CALLDATALOAD": 0x35,
    "CALLDATASIZE": 0x36,
    "CALLDATACOPY": 0x37,
    "POP": 0x50,
    "MLOAD": 0x51,
    "MSTORE": 0x52,
    "MSTORE8": 0x53,
    "JUMP": 0x56,
    "JUMPI": 0x57,
    "GAS": 0x5A,
    "JUMPDEST": 0x5B,
    "PUSH0": 0x5F,
    "DUP1": 0x80,
    "DUP2": 0x81,
    "DUP3": 0x82,
    "SWAP1": 0x90,
    "CALL": 0xF1,
    "RETURN": 0xF3,
    "REVERT": 0xFD,
}
_SIZE = "128 CALLDATASIZE SUB"
_FLIP = "DUP1 3 SHR DUP1 MLOAD 248 SHR DUP3 7 AND 1 SWAP1 SHL XOR SWAP1 MSTORE8"
_CALL = f"PUSH0 PUSH0 {_SIZE} PUSH0 32 CALLDATALOAD PUSH0 CALLDATALOAD GAS CALL"
# Stack: end of the bits, number accepted, bit. Call data: target, value, first bit, number of bits, message.
_PROGRAM = f"""
    {_SIZE} 128 PUSH0 CALLDATACOPY   96 CALLDATALOAD 64 CALLDATALOAD ADD   PUSH0   64 CALLDATALOAD
    loop:  DUP3 DUP2 LT ISZERO @done JUMPI
           {_FLIP}  {_CALL}  ISZERO @next JUMPI
           DUP1 DUP3 5 SHL 32768 ADD MSTORE   SWAP1 1 ADD SWAP1
    next:  {_FLIP}  1 ADD  @loop JUMP
    done:  {_CALL}  DUP3 OR @end JUMPI   PUSH0 PUSH0 REVERT
    end:   POP 5 SHL 32768 RETURN
"""
"""Flips bit after bit and calls; answers with those that did not revert. The message as it is comes last and must be
taken: what is refused whatever it says, or for want of gas, proves nothing.
"""


def _assemble(text: str) -> str:
    code, labels, targets = bytearray(), {}, {}
    for word in text.split():
        if word.endswith(":"):
            labels[word[:-1]] = len(code)
            code.append(_OPCODES["JUMPDEST"])
        elif word.startswith("@"):
            targets[len(code) + 1] = word[1:]
            code += bytes((0x61, 0, 0))
        elif word.isdigit():
            code += b"\x61" + int(word).to_bytes(2, "big")
        else:
            code.append(_OPCODES[word])
    for at, label in targets.items():
        code[at : at + 2] = labels[label].to_bytes(2, "big")
    return f"0x{code.hex()}"


_BITS_A_CALL = 256
_GAS, _RICH = hex(1 << 24), hex(1 << 100)


def calling(kind: str, node: Node, call: Any, *places: Place, sender: str = f"0x{0xF11:040x}") -> Message:
    """Return call data that a contract takes or refuses.

    Args: call: with `to`, `data` and `value_wei`. sender: who calls, its code and balance overridden.
    """
    override = {sender: {"code": _assemble(_PROGRAM), "balance": _RICH}}
    head = call.to.rjust(32, b"\0") + call.value_wei.to_bytes(32, "big")

    def judge(data: bytes, bits: Sequence[int]) -> Outcome:
        accepted: list[int] = []
        for first, count in _cut(bits):
            words = head + first.to_bytes(32, "big") + count.to_bytes(32, "big")
            request = {"to": sender, "data": f"0x{(words + data).hex()}", "gas": _GAS}
            answer = bytes.fromhex(node.call("eth_call", request, "latest", override)[2:])
            accepted += [int.from_bytes(answer[at : at + 32], "big") for at in range(0, len(answer), 32)]
        return Outcome(accepted=accepted, ignored=[])

    return Message(kind=kind, data=call.data, judge=judge, places=places)


def _cut(bits: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield runs of bits that follow each other, each small enough for the gas of a call."""
    start = 0
    for at in range(1, len(bits) + 1):
        if at == len(bits) or bits[at] != bits[at - 1] + 1 or at - start == _BITS_A_CALL:
            yield bits[start], at - start
            start = at
