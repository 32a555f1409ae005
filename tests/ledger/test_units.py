"""Amounts of ether: exact both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import UsageError
from ledger.units import format_wei, parse_wei


@pytest.mark.parametrize(
    ("text", "amount"),
    [("1 ether", 10**18), ("0.6ether", 6 * 10**17), ("3 gwei", 3 * 10**9), ("7 wei", 7), ("1.50 gwei", 15 * 10**8)],
)
def test_amounts_are_read_exactly(text: str, amount: int) -> None:
    assert parse_wei(text) == amount


@pytest.mark.parametrize(
    "text", ["1", "ether", "-1 ether", "1e18 wei", "0.5 wei", "1.0000000001 gwei", "1 ETH", "٣ wei", ""]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_wei(text)


@given(st.integers(min_value=0, max_value=10**28))
def test_no_wei_is_lost_between_person_and_chain(amount: int) -> None:
    assert parse_wei(format_wei(amount).replace("ETH", "ether")) == amount
