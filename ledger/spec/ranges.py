"""Numbers of participants as text, in the terms of layouts: ranges `low-high` and single numbers, as few as can be."""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_PARTICIPANTS = 10_000
"""Most participants that a text may name."""
_RANGE = re.compile(r"([1-9][0-9]{0,9})(?:-([1-9][0-9]{0,9}))?")


def encode_ranges(numbers: Sequence[int]) -> str:
    """Return the text of rising numbers: `2-21,30`."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(f"{low}-{high}" if high > low else f"{low}" for low, high in ranges)


def decode_ranges(text: str) -> tuple[int, ...]:
    """Return the rising numbers of a text, at most 10,000; none if it is no such text.

    A caller compares `encode_ranges` of them with the text: ranges that could be fewer are not canonical.
    """
    numbers: list[int] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            return ()
        low, high = int(match[1]), int(match[2] or match[1])
        if not (numbers[-1] if numbers else 0) < low <= high < low + MAX_PARTICIPANTS - len(numbers):
            return ()
        numbers += range(low, high + 1)
    return tuple(numbers)
