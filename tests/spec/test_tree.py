"""Properties of the chunk tree and of its fast path."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ledger import commitments, spec

INT32 = st.integers(spec.INT32_MIN, spec.INT32_MAX)
VECTORS = hnp.arrays(np.int32, st.integers(0, 300), elements=INT32)
MATRICES = hnp.arrays(np.int32, st.tuples(st.integers(1, 6), st.integers(0, 90)), elements=INT32)


def _leaves(count: int) -> list[bytes]:
    return [spec.hash_leaf(bytes([i])) for i in range(count)]


@pytest.mark.parametrize("count", range(1, 34))
def test_a_proof_verifies_for_its_own_index_and_for_no_other(count: int) -> None:
    leaves = _leaves(count)
    root = spec.compute_root(leaves)
    for index in range(count):
        path = spec.compute_inclusion_proof(leaves, index)
        assert len(path) == spec.compute_path_length(index, count)
        spec.verify_inclusion(leaves[index], index, count, path, root)
        for other in range(-1, count + 2):
            if other != index:
                with pytest.raises(spec.BadProof):
                    spec.verify_inclusion(leaves[index], other, count, path, root)


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_a_proof_verifies_for_no_other_leaf_count_of_another_depth(count: int) -> None:
    leaves = _leaves(count)
    root = spec.compute_root(leaves)
    for index in range(count):
        path = spec.compute_inclusion_proof(leaves, index)
        for other in range(20):
            if other <= index or spec.compute_path_length(index, other) != len(path):
                with pytest.raises(spec.BadProof):
                    spec.verify_inclusion(leaves[index], index, other, path, root)


def _root_of_rfc_6962(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962 §2.1, by recursion, with the specification's node hash."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return spec.hash_node(_root_of_rfc_6962(leaves[:split]), _root_of_rfc_6962(leaves[split:]))


def test_level_by_level_roots_are_those_of_the_recursive_definition() -> None:
    for count in range(1, 70):
        assert spec.compute_root(_leaves(count)) == _root_of_rfc_6962(_leaves(count))


@given(values=VECTORS, leaf_log2=st.integers(0, 6))
def test_fast_vector_root_is_the_specifications(values: np.ndarray, leaf_log2: int) -> None:
    assert commitments.compute_vector_root(values, leaf_log2) == spec.compute_vector_root(values.tolist(), leaf_log2)


@given(updates=MATRICES, matrix_log2=st.integers(0, 4), block=st.sampled_from([1, 64, 500, 1 << 22]))
def test_fast_matrix_root_is_the_specifications_for_any_block(
    updates: np.ndarray, matrix_log2: int, block: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commitments, "_BLOCK_BYTES", block)
        root = commitments.compute_matrix_root(updates, matrix_log2)
    assert root == spec.compute_matrix_root(updates.tolist(), matrix_log2)


def test_roots_do_not_depend_on_the_layout_in_memory() -> None:
    updates = np.arange(60, dtype=np.int32).reshape(4, 15)
    assert commitments.compute_matrix_root(np.asfortranarray(updates), 2) == commitments.compute_matrix_root(updates, 2)
    wide = np.zeros((15, 3), dtype=np.int32)
    wide[:, 1] = updates[2]
    assert commitments.compute_vector_root(wide[:, 1], 3) == commitments.compute_vector_root(updates[2], 3)


@given(values=VECTORS.filter(len), leaf_log2=st.integers(0, 5), data=st.data())
def test_an_opening_leads_from_its_chunk_to_the_root(values: np.ndarray, leaf_log2: int, data: st.DataObject) -> None:
    count = -(-len(values) // (1 << leaf_log2))
    index = data.draw(st.integers(0, count - 1))
    chunk, path = commitments.compute_opening(values, leaf_log2, index)
    start = index << leaf_log2
    assert spec.decode_int32(chunk) == values[start : start + (1 << leaf_log2)].tolist()
    root = spec.compute_vector_root(values.tolist(), leaf_log2)
    spec.verify_inclusion(spec.hash_leaf(chunk), index, count, path, root)


@pytest.mark.parametrize("index", [-1, 3])
def test_an_opening_of_no_leaf_is_refused(index: int) -> None:
    with pytest.raises(spec.BadProof, match=f"index {index} of 3 leaves"):
        commitments.compute_opening(np.zeros(20, dtype=np.int32), 3, index)


@pytest.mark.parametrize("values", [np.zeros(3, dtype=np.int64), np.zeros((2, 2), dtype=np.int32)])
def test_a_root_of_anything_but_an_int32_vector_is_refused(values: np.ndarray) -> None:
    with pytest.raises(spec.WrongShape):
        commitments.compute_vector_root(values, 3)


MEMBERS = st.lists(
    st.tuples(st.integers(0, (1 << 32) - 1), st.binary(min_size=32, max_size=32)),
    min_size=1,
    max_size=20,
    unique_by=lambda pair: pair[0],
).map(lambda pairs: [spec.Member(client=client, commitment=digest) for client, digest in pairs])


@given(members=MEMBERS, previous=st.binary(min_size=32, max_size=32))
def test_fast_segment_hashes_are_the_specifications(members: list[spec.Member], previous: bytes) -> None:
    root = commitments.compute_segment_root(members)
    assert root == spec.compute_segment_root(members)
    fast = commitments.compute_segments_hash(previous, root, len(members))
    assert fast == spec.compute_segments_hash(previous, root, len(members))


@given(members=MEMBERS)
def test_members_are_what_their_entries_decode_to(members: list[spec.Member]) -> None:
    assert spec.decode_members(spec.encode_members(members)) == members


@given(members=MEMBERS, data=st.data())
def test_the_members_root_does_not_depend_on_arrival(members: list[spec.Member], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(members))
    assert spec.compute_members_root(shuffled) == spec.compute_members_root(members)


@given(data=st.binary(max_size=600))
def test_keccak_is_that_of_another_implementation(data: bytes) -> None:
    from Crypto.Hash import keccak

    assert spec.keccak256(data) == keccak.new(digest_bits=256, data=data).digest()


@pytest.mark.parametrize(("n", "d", "matrix_log2"), [(1, 1, 0), (3, 20, 2), (4, 37, 3), (5, 64, 0)])
def test_a_tree_that_is_kept_opens_every_leaf_of_vectors_and_matrices(n: int, d: int, matrix_log2: int) -> None:
    updates = np.random.default_rng(d).integers(-900, 900, (n, d), dtype=np.int32)
    tree, root = (
        commitments.make_matrix_tree(updates, matrix_log2),
        spec.compute_matrix_root(updates.tolist(), matrix_log2),
    )
    assert tree.root == root == commitments.compute_matrix_root(list(updates), matrix_log2)
    count = -(-d >> matrix_log2)
    for index in range(count):
        leaf, path = commitments.compute_matrix_opening(updates, matrix_log2, index, tree)
        assert (leaf, path) == commitments.compute_matrix_opening(list(updates), matrix_log2, index)
        spec.verify_inclusion(spec.hash_leaf(leaf), index, count, path, root)
        vector = commitments.make_vector_tree(updates[0], matrix_log2)
        assert commitments.compute_opening(updates[0], matrix_log2, index, vector) == commitments.compute_opening(
            updates[0], matrix_log2, index
        )
    for index in (-1, count):
        with pytest.raises(spec.BadProof):
            commitments.compute_matrix_opening(updates, matrix_log2, index, tree)


@pytest.mark.parametrize("d", [1, 7, 8, 9, 16, 63, 64, 65, 200])
def test_roots_climbed_by_subtrees_are_the_specifications(d: int, monkeypatch: pytest.MonkeyPatch) -> None:
    updates = np.random.default_rng(d).integers(-900, 900, (3, d), dtype=np.int32)
    monkeypatch.setattr(commitments, "_TOP_LOG2", 2)
    monkeypatch.setattr(commitments, "_PART_BYTES", 40)
    monkeypatch.setattr(commitments, "_BLOCK_BYTES", 40)
    for log2 in (0, 1, 3):
        assert commitments.compute_vector_root(updates[0], log2) == spec.compute_vector_root(updates[0].tolist(), log2)
        assert commitments.compute_matrix_root(updates, log2) == spec.compute_matrix_root(updates.tolist(), log2)
