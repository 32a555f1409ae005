"""Checkpoints and consistency proofs: the vectors of RFC 6962's first implementation, and histories that split."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import spec
from ledger.checkpoints import (
    Checkpoint,
    compute_consistency_proof,
    compute_ledger_root,
    compute_log_root,
    encode_event,
    hash_events,
    parse_checkpoint,
    verify_consistency,
    verify_same_view,
)
from ledger.errors import BadProof, NotCanonical, SplitView
from ledger.evidence.receipts import RawLog

# Certificate Transparency's own test vectors: google/certificate-transparency, merkle_tree_test.
LEAVES = [
    spec.hash_leaf(bytes.fromhex(text))
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
INCLUSION = {  # (index, size)
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}
HERE = Checkpoint(chain_id=31337, ledger=b"\x5f" * 20, size=12, root=b"\x01" * 32, block=40, block_hash=b"\x02" * 32)


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_vectors(size):
    assert compute_log_root(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize("sizes", CONSISTENCY)
def test_consistency_proofs_are_those_of_the_vectors(sizes):
    (old, new), want = sizes, [bytes.fromhex(text) for text in CONSISTENCY[sizes]]
    assert compute_consistency_proof(LEAVES[:new], old) == want
    verify_consistency(old, bytes.fromhex(ROOTS[old]), new, bytes.fromhex(ROOTS[new]), want)


@pytest.mark.parametrize("place", INCLUSION)
def test_inclusion_proofs_of_the_chunk_tree_are_those_of_the_vectors(place):
    (index, size), want = place, [bytes.fromhex(text) for text in INCLUSION[place]]
    assert spec.compute_inclusion_proof(LEAVES[:size], index) == want
    spec.verify_inclusion(LEAVES[index], index, size, want, bytes.fromhex(ROOTS[size]))


@given(st.integers(0, 70), st.integers(0, 70), st.data())
def test_every_log_is_consistent_with_its_beginnings_and_with_nothing_else(one, other, data):
    old, new = sorted((one, other))
    leaves = [spec.hash_leaf(bytes([number])) for number in range(new)]
    path, roots = compute_consistency_proof(leaves, old), (compute_log_root(leaves[:old]), compute_log_root(leaves))
    verify_consistency(old, roots[0], new, roots[1], path)
    wrong = [[*path, bytes(32)]]
    if path:
        position = data.draw(st.integers(0, len(path) - 1))
        wrong += [path[:-1], path[1:], [*path[:position], bytes(32), *path[position + 1 :]]]
    for each in wrong:
        with pytest.raises(BadProof):
            verify_consistency(old, roots[0], new, roots[1], each)
    if old > 0:
        for changed in ((bytes(32), roots[1]), (roots[0], bytes(32))):
            with pytest.raises(BadProof):
                verify_consistency(old, changed[0], new, changed[1], path)


@given(st.integers(-2, 2**64), st.integers(-2, 2**64), st.lists(st.binary(min_size=32, max_size=32), max_size=70))
def test_consistency_proofs_of_noise_are_refused(old, new, path):
    if 0 < old < new:
        with pytest.raises(BadProof):
            verify_consistency(old, b"\x01" * 32, new, b"\x02" * 32, path)


def test_a_smaller_log_extends_nothing():
    with pytest.raises(BadProof, match="does not extend"):
        verify_consistency(3, bytes(32), 2, bytes(32), [])


def test_the_leaf_of_an_event_is_its_address_topics_and_data():
    log = RawLog(address=b"\xaa" * 20, topics=(b"\x01" * 32, b"\x02" * 32), data=b"data")
    assert encode_event(log) == b"\xaa" * 20 + b"\x01" * 32 + b"\x02" * 32 + b"data"
    assert compute_ledger_root([log]) == hash_events([log])[0] == spec.hash_leaf(encode_event(log))
    assert compute_ledger_root([]).hex() == ROOTS[0]


def test_a_checkpoint_is_the_four_lines_that_the_document_says():
    assert str(HERE).splitlines() == [
        "fedtrail.31337.0x" + "5f" * 20,
        "12",
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        "block 40 0x" + "02" * 32,
    ]
    assert parse_checkpoint(str(HERE)) == HERE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("12\n", "012\n"),
        ("12\n", "١٢\n"),
        ("12\n", "-1\n"),
        ("fedtrail.", "fedtrail-"),
        ("31337", "031337"),
        ("0x5f", "0x5F"),
        ("AQE=", "AQF="),
        ("block 40", "block  40"),
        ("02\n", "02"),
        ("02\n", "02\nmore\n"),
        ("12\n", "12345678901234567890123\n"),
    ],
)
def test_a_text_that_is_not_exactly_a_checkpoint_is_refused(old, new):
    assert old in str(HERE)
    with pytest.raises(NotCanonical):
        parse_checkpoint(str(HERE).replace(old, new))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"block_hash": b"\x03" * 32}, f"block 40 is 0x{'03' * 32}, B says 0x{'02' * 32}"),
        ({"size": 13, "root": b"\x04" * 32}, "number of events at block 40 is 13, B says 12"),
        ({"block": 41, "block_hash": b"\x03" * 32, "root": b"\x04" * 32}, "root of 12 events"),
        ({"block": 41, "block_hash": b"\x03" * 32, "size": 11}, "number of events by block 41 is 11"),
    ],
)
def test_two_checkpoints_that_cannot_both_be_true_are_a_split_view_with_both_values(changes, what):
    with pytest.raises(SplitView, match="FT704") as caught:
        verify_same_view(replace(HERE, **changes), HERE, who="A", against="B")
    assert what in str(caught.value)


def test_two_checkpoints_that_may_both_be_true_are_none():
    for later in ({}, {"block": 41, "block_hash": b"\x03" * 32}, {"block": 41, "size": 13, "root": b"\x04" * 32}):
        verify_same_view(replace(HERE, **later), HERE, who="A", against="B")
