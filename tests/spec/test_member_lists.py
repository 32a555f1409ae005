"""Signed lists and distinct members: what any list must keep, beyond the shared vectors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import spec

CLIENT = st.integers(0, (1 << 32) - 1)
ENTRIES = st.builds(
    spec.SignedMember,
    client=CLIENT,
    commitment=st.binary(min_size=32, max_size=32),
    signature=st.binary(min_size=64, max_size=64),
)
LISTS = st.lists(ENTRIES, min_size=1, max_size=9, unique_by=lambda entry: entry.client).map(
    lambda entries: tuple(sorted(entries, key=lambda entry: entry.client))
)
ARRIVALS = st.lists(st.builds(spec.Member, client=st.integers(1, 5), commitment=st.binary(min_size=32, max_size=32)))


@given(entries=LISTS)
def test_a_list_is_what_its_bytes_decode_to(entries: tuple[spec.SignedMember, ...]) -> None:
    assert spec.decode_signed_list(spec.encode_signed_list(entries)) == entries


@given(entries=LISTS, data=st.data())
def test_a_list_with_one_changed_byte_has_another_root(
    entries: tuple[spec.SignedMember, ...], data: st.DataObject
) -> None:
    batch = bytearray(spec.encode_signed_list(entries))
    batch[data.draw(st.integers(0, len(batch) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert spec.compute_list_root(bytes(batch)) != spec.compute_list_root(spec.encode_signed_list(entries))


def test_a_list_of_more_entries_than_a_round_takes_is_not_parsed() -> None:
    with pytest.raises(spec.Oversized):
        spec.decode_signed_list(bytes(spec.MAX_LIST_BYTES + 100))
    assert spec.MAX_LIST_BYTES == 100 * spec.MAX_CLIENTS


@given(arrivals=ARRIVALS)
def test_every_client_is_counted_once_by_its_first_commitment(arrivals: list[spec.Member]) -> None:
    distinct = spec.distinct_members(arrivals)
    assert sorted(member.client for member in distinct) == sorted({member.client for member in arrivals})
    for member in distinct:
        assert member == next(entry for entry in arrivals if entry.client == member.client)
    assert [arrivals.index(member) for member in distinct] == sorted(arrivals.index(member) for member in distinct)
