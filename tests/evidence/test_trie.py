"""RLP and Merkle-Patricia tries: the ecosystem's vectors, properties, and bytes of strangers."""

import pytest
import rlp as reference_rlp
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import BadProof
from ledger.evidence import rlp, trie

# ethereum/tests, TrieTests/trieanyorder.json
VECTORS = {
    "singleItem": ({b"A": b"a" * 50}, "d23786fb4a010da3ce639d66d5e904a11dbc02746d1ce25029e53290cabf28ab"),
    "dogs": (
        {b"doe": b"reindeer", b"dog": b"puppy", b"dogglesworth": b"cat"},
        "8aad789dff2f538bca5d8ea56e8abe10f4c7ba3a5dea95fea4cd6e7c3a1168d3",
    ),
    "puppy": (
        {b"do": b"verb", b"horse": b"stallion", b"doge": b"coin", b"dog": b"puppy"},
        "5991bb8c6514148a29db676a14ac506cd2cd5775ace63c30a4fe457715e9ac84",
    ),
    "foo": (
        {b"foo": b"bar", b"food": b"bass"},
        "17beaa1648bafa633cda809c90c04af50fc8aed3cb40d16efbddee6fdf63c4c3",
    ),
    "smallValues": (
        {b"be": b"e", b"dog": b"puppy", b"bed": b"d"},
        "3f67c7a47520f79faa29255d2d3c084a7a6df0453116ed7232ff10277a8be68b",
    ),
    "empty": ({}, "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"),
}

items = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=5), max_leaves=20)
keys = st.binary(min_size=1, max_size=4)
tries = st.dictionaries(keys, st.binary(min_size=1, max_size=60), max_size=30)


@given(items)
def test_rlp_is_that_of_the_reference_and_reads_back(item):
    encoded = rlp.encode(item)
    assert encoded == reference_rlp.encode(item)
    assert rlp.decode(encoded) == item


@given(st.binary(max_size=200))
def test_rlp_of_strangers_is_canonical_or_refused(data):
    try:
        item = rlp.decode(data)
    except BadProof:
        return
    assert rlp.encode(item) == data


@pytest.mark.parametrize(
    "text",
    [
        "",
        "80 00",
        "8100",
        "817f",
        "b800",
        "b8 37" + "00" * 55,
        "b90038" + "00" * 56,
        "c1",
        "f800",
        "bfffffffffffffffff",
    ],
)
def test_rlp_refuses_what_is_truncated_surplus_or_not_minimal(text):
    with pytest.raises(BadProof):
        rlp.decode(bytes.fromhex(text))


def test_rlp_refuses_lists_nested_beyond_all_sense():
    nested = b"\xc0"
    for _ in range(20_000):
        nested = _wrap(nested)
    with pytest.raises(BadProof, match="nested"):
        rlp.decode(nested)


def _wrap(payload):
    size = len(payload)
    if size <= 55:
        return bytes([0xC0 + size]) + payload
    digits = rlp.encode_int(size)
    return bytes([0xF7 + len(digits)]) + digits + payload


@given(st.lists(items, max_size=6))
def test_concatenated_items_are_split_where_they_join(parts):
    assert rlp.split(b"".join(rlp.encode(part) for part in parts)) == [rlp.encode(part) for part in parts]


@pytest.mark.parametrize("name", VECTORS)
def test_roots_are_those_of_the_ecosystems_vectors(name):
    content, root = VECTORS[name]
    assert trie.compute_root(content).hex() == root


@given(tries, keys)
def test_every_key_is_proven_with_its_value_or_its_absence(content, stranger):
    root = trie.compute_root(content)
    for key in (*content, stranger):
        assert trie.verify(root, key, trie.prove(content, key)) == content.get(key)


def test_a_key_that_leaves_the_path_of_an_extension_is_not_taken_for_another():
    content = {b"\x12\x34": b"a", b"\x12\x35": b"b"}
    root, proof = trie.compute_root(content), trie.prove(content, b"\x12\x34")
    assert trie.verify(root, b"\x12\x34", proof) == b"a"
    assert trie.verify(root, b"\x22\x34", proof[:1]) is None
    with pytest.raises(BadProof):
        trie.verify(root, b"\x22\x34", [*proof, proof[0]])


@given(tries.filter(bool), st.data())
def test_a_proof_with_a_changed_byte_a_missing_or_a_surplus_node_is_refused(content, data):
    root, key = trie.compute_root(content), data.draw(st.sampled_from(sorted(content)))
    proof = trie.prove(content, key)
    number = data.draw(st.integers(0, len(proof) - 1))
    node = bytearray(proof[number])
    node[data.draw(st.integers(0, len(node) - 1))] ^= data.draw(st.integers(1, 255))
    changed = [*proof[:number], bytes(node), *proof[number + 1 :]]
    for wrong in (changed, proof[:number] + proof[number + 1 :], [*proof, proof[-1]], []):
        with pytest.raises(BadProof):
            trie.verify(root, key, wrong)


@given(st.binary(min_size=32, max_size=32), keys, st.lists(st.binary(max_size=100), max_size=4))
def test_proofs_of_noise_are_refused(root, key, proof):
    with pytest.raises(BadProof):
        trie.verify(root, key, proof)


@given(items, st.lists(items, max_size=3), keys)
def test_nodes_that_hash_right_and_are_no_nodes_are_refused_or_prove_absence(first, others, key):
    """A stranger may choose the root, too: nothing but a value, an absence or BadProof may come of it."""
    nodes = [rlp.encode(item) for item in (first, *others)]
    try:
        trie.verify(trie.keccak(nodes[0]), key, nodes[:1])
    except BadProof:
        return


def test_an_extension_without_a_path_cannot_make_a_proof_endless():
    inner = [b"\x00", [b"\x00", b"\xaa"]]
    with pytest.raises(BadProof, match="without a path"):
        trie.verify(trie.keccak(rlp.encode(inner)), b"key", [rlp.encode(inner)])


def test_an_empty_node_within_another_proves_no_absence():
    branch = [[]] * 16 + [b""]
    with pytest.raises(BadProof, match="empty"):
        trie.verify(trie.keccak(rlp.encode(branch)), b"key", [rlp.encode(branch)])
