"""Masked sums in groups: who is in which, what the rule is over, and masks in AES."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import spec
from ledger.aggregation.masks import add_masks, apply_masks, compute_group_means
from ledger.spec.aes import expand_keystream

AES, SHA = spec.Expansion.AES, spec.Expansion.SHA256
BEACON = b"\xbe" * 32


def make_term(count: int, groups: int, least: int = 2, expansion: spec.Expansion = SHA) -> spec.Masking:
    roster = tuple(range(2, 2 + count))
    return spec.Masking(threshold=1, roster=roster, degree=4, groups=groups, least=least, expansion=expansion)


# ------------------------------------------------------------------------------------------------------------ the term


@pytest.mark.parametrize(
    "text",
    [
        "threshold(11)+roster(2-21,30)",
        "threshold(3)+roster(2-21)+degree(3)+groups(5)+least(4)+masks(sha256)",
        "threshold(1)+roster(2,4,6)+degree(2)+groups(1)+least(2)+masks(aes)",
    ],
)
def test_a_term_that_is_canonical_is_read_and_written_the_same(text: str) -> None:
    assert str(spec.decode_masking(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "threshold(3)+roster(2-21)+degree(0)+groups(5)+least(4)+masks(sha256)",
        "threshold(3)+roster(2-21)+degree(3)+groups(5)+least(5)+masks(sha256)",  # groups have four
        "threshold(3)+roster(2-21)+degree(3)+groups(20)+least(1)+masks(sha256)",  # a group of one hides nothing
        "threshold(3)+roster(2-21)+degree(3)+groups(5)+least(4)+masks(md5)",
        "threshold(3)+roster(2-21)+degree(1001)+groups(5)+least(4)+masks(aes)",
        "threshold(3)+roster(2-21)+groups(5)+degree(3)+least(4)+masks(aes)",
        "threshold(3)+roster(2-21)+degree(3)+groups(05)+least(4)+masks(aes)",
        "threshold(3)+roster(2-21)+degree(3)",
    ],
)
def test_a_term_that_is_not_canonical_or_gives_no_groups_is_refused(text: str) -> None:
    with pytest.raises(spec.NotCanonical):
        spec.decode_masking(text)


# ---------------------------------------------------------------------------------------------------------- the groups


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.data())
def test_groups_are_a_partition_of_the_roster_of_sizes_that_differ_by_one_at_most(
    count: int, data: st.DataObject
) -> None:
    groups = data.draw(st.integers(1, count))
    drawn = spec.draw_groups(tuple(range(1, count + 1)), groups, data.draw(st.binary(min_size=32, max_size=32)))
    assert len(drawn) == groups and sorted(c for group in drawn for c in group) == list(range(1, count + 1))
    assert max(map(len, drawn)) - min(map(len, drawn)) <= 1


def test_who_is_in_which_group_follows_from_the_opening_block_and_two_clients_meet_as_often_as_any_two() -> None:
    roster, met = tuple(range(1, 13)), Counter[tuple[int, int]]()
    beacons = [spec.compute_beacon(b"\x0d" * 32, 7, bytes([b, c]) * 16) for b in range(40) for c in range(50)]
    for beacon in beacons:
        for group in spec.draw_groups(roster, 3, beacon):
            met.update((a, b) for a in group for b in group if a < b)
    # 2,000 draws, a pair meets in 3 of 11: 545 times, with a standard deviation of 20.
    assert len(met) == 66 and all(445 < times < 645 for times in met.values())


def test_a_client_masks_with_members_of_its_group_alone() -> None:
    groups = ((2, 5, 8), (3, 4))
    lines = [spec.SeedLine(peer=peer, commitment=bytes(32)) for peer in (spec.SELF, 5, 8)]
    spec.verify_peers(2, lines, groups)
    for owner in (3, 9):  # of another group, and of none
        with pytest.raises(spec.NotCanonical, match="outside of its group"):
            spec.verify_peers(owner, lines, groups)
    with pytest.raises(spec.NotCanonical, match="outside of its group"):
        spec.verify_peers(9, lines[:1], groups)  # nobody's peer, and in no group


# --------------------------------------------------------------------------------------------------------- their means


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([SHA, AES]), st.sets(st.integers(2, 13), max_size=4))
def test_means_of_groups_are_the_rounded_means_of_the_plain_updates_in_both_ways_to_compute_them(
    seed: int, expansion: spec.Expansion, gone: set[int]
) -> None:
    term, source = make_term(12, 2, expansion=expansion), np.random.default_rng(seed)
    groups = spec.draw_groups(term.roster, term.groups, BEACON)
    clients = [client for client in term.roster if client not in gone]
    own = {client: {spec.SELF: source.bytes(32)} for client in clients}
    plain = source.integers(-spec.MAX_BOUND, spec.MAX_BOUND, (len(clients), 11), dtype=np.int32)
    rows = [apply_masks(x, c, own[c], expansion) for c, x in zip(clients, plain, strict=True)]
    assert all(
        row.tolist() == spec.apply_masks(x.tolist(), c, own[c], expansion)
        for c, x, row in zip(clients, plain, rows, strict=True)
    )
    reveals = [spec.Reveal(owner=client, peer=spec.SELF, seed=own[client][spec.SELF]) for client in clients]
    fast = compute_group_means(np.stack(rows), clients, reveals, groups, term)
    slow = spec.compute_group_means([row.tolist() for row in rows], clients, reveals, groups, term)
    assert {number: mean.tolist() for number, mean in fast.items()} == slow
    for number, slots in spec.split_slots(clients, groups).items():
        assert slow[number] == [spec.rdiv(int(column.sum()), len(slots)) for column in plain[slots].T.astype(object)]


def test_a_group_with_fewer_updates_than_the_term_allows_has_no_mean_and_one_without_any_is_left_out() -> None:
    term, groups = make_term(6, 2, least=3), ((2, 4, 6), (3, 5, 7))
    rows = [[10 * client] for client in (2, 4, 6)]
    assert spec.compute_group_means(rows, [2, 4, 6], [], groups, term) == {1: [40]}
    for function in (spec.compute_group_means, compute_group_means):
        with pytest.raises(spec.RuleNotApplicable, match="sum of group 2"):
            few = np.array([*rows, [30], [50]], dtype=np.int32)
            function(few, [2, 4, 6, 3, 5], [], groups, term)  # type: ignore[operator]


# -------------------------------------------------------------------------------------------------------- masks in AES


def test_the_key_stream_is_that_of_the_standard() -> None:
    # Blocks 0 and 1 under a key of zeros: H and E(K, Y0) of test case 13 of the GCM specification (McGrew, Viega 2005).
    blocks = "dc95c078a2408989ad48a21492842087", "530f8afbc74536b9a963b4f1c4cb738b"
    assert expand_keystream(bytes(32), 29).hex() == "".join(blocks)[:58]
    assert expand_keystream(bytes(32), 0) == b""


@settings(max_examples=15, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.integers(0, 70))
def test_fast_masks_in_aes_are_those_of_the_specification(seed: bytes, size: int) -> None:
    total = add_masks(np.zeros(size, dtype=np.uint32), [(seed, 1)], AES)
    assert total.tolist() == spec.expand_mask(seed, size, AES) == spec.expand_mask(seed, 99, AES)[:size]
    assert not add_masks(total, [(seed, -1)], AES).any()


def test_masks_in_aes_of_many_coordinates_go_on_from_block_to_block() -> None:
    size = (1 << 14) + 9
    total = add_masks(np.zeros(size, dtype=np.uint32), [(b"\x05" * 32, 1)], AES)
    assert total.astype("<u4").tobytes() == expand_keystream(b"\x05" * 32, 4 * size)
    with pytest.raises(spec.WrongLength):
        add_masks(total, [(b"", 1)], AES)
