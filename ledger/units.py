"""Amounts as people write them: ether as `0.5 ether`, `3 gwei`, `1 wei`, time as `2d`, `36h`, `90min`, `30s`."""

from __future__ import annotations

import re
from decimal import Decimal

from ledger.errors import UsageError

_UNITS = {"wei": 0, "gwei": 9, "ether": 18}
_AMOUNT = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,18})?)\s*(wei|gwei|ether)")

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,10})\s*(s|min|h|d)")

AMOUNT_PATTERN = rf"^{_AMOUNT.pattern}$"
"""What `parse_wei` takes, for a JSON schema."""


def parse_wei(text: str) -> int:
    """Return an amount in wei.

    Args: text: a decimal number and its unit: wei, gwei or ether; `1 ether`, `0.6ether`.
    Raises: UsageError: no such amount, or a part of a wei.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"'{text}' is not an amount", hint="write a number and its unit: 1 ether, 3 gwei, 5 wei")
    whole, _, fraction = match[1].partition(".")
    digits = _UNITS[match[2]]
    if len(fraction.rstrip("0")) > digits:
        raise UsageError(f"'{text}' is no whole number of wei")
    return int(whole + fraction.rstrip("0").ljust(digits, "0"))


def parse_seconds(text: str) -> int:
    """Return a duration in seconds.

    Args: text: a whole number and its unit: s, min, h or d; `2d`, `90 min`.
    Raises: UsageError: no such duration.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"'{text}' is not a duration", hint="write a whole number and its unit: 2d, 36h, 90min, 30s")
    return int(match[1]) * _SECONDS[match[2]]


def format_wei(amount_wei: int) -> str:
    """Return an amount for people, exact: `1.5 ETH`, or `3 wei` below a gwei."""
    if 0 < abs(amount_wei) < 10**9:
        return f"{amount_wei} wei"
    return f"{Decimal(amount_wei).scaleb(-18).normalize():f} ETH"
