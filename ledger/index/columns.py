"""Values of events as columns of fact tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Row = tuple[str, dict[str, object]]
"""A table and its columns, without the number of the event."""
Arguments = Mapping[str, Any]
"""Of an event, under their Python names."""
Maker = Callable[[Arguments], Iterator[Row]]
"""Yields what the events of one name say."""

_INT64_MAX = 2**63 - 1


def to_hex(value: bytes) -> str:
    """Return bytes as 0x hex."""
    return "0x" + value.hex()


def to_hex_or_none(value: bytes) -> str | None:
    """Return bytes as 0x hex; None for zeros, which stand for nothing on chain."""
    return to_hex(value) if any(value) else None


def to_amount(amount_wei: int) -> dict[str, Any]:
    """Return an amount as the columns wei (exact) and gwei (rounded down, at most 2^63 - 1)."""
    return {"wei": str(amount_wei), "gwei": min(amount_wei // 10**9, _INT64_MAX)}


def pick(args: Arguments, *names: str) -> dict[str, object]:
    """Return some arguments under their own names."""
    return {name: args[name] for name in names}
