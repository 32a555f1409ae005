"""Files as DAGs: the identifiers that IPFS gives, and a reader that accepts no other DAG."""

from __future__ import annotations

import hashlib

import dag_cbor
import multiformats
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.errors import FedtrailError, NotCanonical, Oversized, WrongLength
from ledger.store import Cid, Codec, car, unixfs
from ledger.store.unixfs import CHUNK_BYTES, Shape
from ledger.store.varint import decode_varint, encode_varint

SMALL = Shape(chunk_bytes=4, width=3)  # deep trees from few bytes; the same code, and checked against JavaScript

# What ipfs-unixfs-importer 17 gives; tests/ipfs computes them anew. Byte i of a file is i mod 251.
GOLDEN = {
    0: "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    1: "bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu",
    CHUNK_BYTES - 1: "bafkreiagptg6ztonoojy4wflk3wwusl5xt4vcy6uult4wa7oemsjtxhjsu",
    CHUNK_BYTES: "bafkreibruh455iawsviqslif5c7uurdcfdemh22mtnytyzvnzn75kpejxy",
    CHUNK_BYTES + 1: "bafybeiexg2oqkfnj56l7fcmawswqbijt5shq4b5rg6a546uwpkqqzwjioi",
    1 << 20: "bafybeiedpcapwld4tkgtzwahfofgn4wex5ryysf4se6hwpmlrsh4ntnrau",
    40 << 20: "bafybeic5adzutgt5cw7mwlp6543bsyjzunuxrbqe43jsn6llwzlvvillly",
    174 * CHUNK_BYTES: "bafybeihpe5snhzneq7xs53nivmsopto5lrogo3wjynauqylqeym5a3irbm",
    174 * CHUNK_BYTES + 1: "bafybeib4y7ghw2rq7bracc4xwtxrbzo7cfvagdpte2tmrkgwl6dyard3cm",
    100 << 20: "bafybeihl2tsulvxgexze37v63pd67lspaw3nylrmeq2ndusoqhxupy2th4",
}
GOLDEN_SMALL = {
    13: "bafybeigioqx7mhmr5omwrkizhlha6jprh2gzlqmazplk4cj2ezmbx6lhei",
    36: "bafybeiazbw7qde46yxbdyyv4rzu3cbrk2cf7f3h7vtbpbzhooueqfws6ti",
    37: "bafybeidiwnloirt3sptf4j5vz6iif5pod6yee4z23t57sftychzrp2n4ge",
    108: "bafybeifkinfsm2fujjoekag7yheqoh2modzg4md4d3wlotmykqz3giqbay",
    109: "bafybeihqjgih5vr3po3xckv2yf67fsl7qf6mgclby5ik7to5zm6knpzbli",
    325: "bafybeiea6zonyssmc3ljjmeoytmr5w2lfnbn3zqyhgc7httkybm4mdcgzi",
    1000: "bafybeigyscl3gpnr6flcilmrzpipwlidpnlkljpanmsj4g5f2pvjzltluy",
}


def pattern(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def add(data: bytes, shape: Shape = SMALL) -> tuple[unixfs.Subtree, dict[Cid, bytes]]:
    blocks: dict[Cid, bytes] = {}
    tree = unixfs.add_file(unixfs.split_bytes(data, shape.chunk_bytes), blocks.__setitem__, shape)
    return tree, blocks


def read(root: Cid, blocks: dict[Cid, bytes], max_bytes: int = 1 << 20, shape: Shape = SMALL) -> bytes:
    return b"".join(unixfs.read_file(root, blocks.__getitem__, max_bytes, shape))


@pytest.mark.parametrize("size", GOLDEN)
def test_a_file_has_the_identifier_that_ipfs_gives_it(size: int) -> None:
    tree = unixfs.add_file(unixfs.split_bytes(pattern(size)), lambda cid, block: None)
    assert str(tree.cid) == GOLDEN[size]
    assert tree.size_bytes == size


@pytest.mark.parametrize("size", GOLDEN_SMALL)
def test_deep_trees_have_the_identifiers_that_ipfs_gives_them(size: int) -> None:
    assert str(add(pattern(size))[0].cid) == GOLDEN_SMALL[size]


@given(data=st.binary(max_size=400), shape=st.builds(Shape, chunk_bytes=st.integers(1, 9), width=st.integers(2, 5)))
@example(data=bytes(400), shape=SMALL)
def test_a_file_comes_back_and_its_root_states_its_sizes(data: bytes, shape: Shape) -> None:
    tree, blocks = add(data, shape)
    assert read(tree.cid, blocks, shape=shape) == data
    assert unixfs.describe_file(tree.cid, blocks[tree.cid], shape) == tree
    visited = list(unixfs.walk(tree.cid, blocks.__getitem__, 400, shape))
    assert sum(len(block) for _, block in visited) == tree.dag_bytes
    assert len(visited) == shape.num_blocks(len(data))
    assert dict(unixfs.walk_distinct(tree.cid, blocks.__getitem__, 400, shape)) == blocks


def test_only_a_few_pieces_are_held_while_a_file_is_added() -> None:
    pieces = 3 * 174 + 5
    pulled = put = 0

    def pull() -> object:
        nonlocal pulled
        for index in range(pieces):
            pulled += 1
            yield index.to_bytes(4)

    def keep(cid: Cid, block: bytes) -> None:
        nonlocal put
        put += cid.codec is Codec.RAW
        assert pulled - put < 32, "pieces that are hashed together"

    unixfs.add_file(pull(), keep)  # type: ignore[arg-type]
    assert put == pieces


def test_a_file_larger_than_asked_for_is_refused_before_its_leaves_are_read() -> None:
    tree, blocks = add(pattern(100))
    asked: list[Cid] = []

    def get(cid: Cid) -> bytes:
        asked.append(cid)
        return blocks[cid]

    with pytest.raises(Oversized) as caught:
        list(unixfs.read_file(tree.cid, get, 99, SMALL))
    assert (caught.value.detail["got"], caught.value.detail["want"]) == (100, 99)
    assert asked == [tree.cid]


def rooted(block: bytes, blocks: dict[Cid, bytes]) -> Cid:
    """Put a node under its true hash: what a stranger can always do."""
    cid = Cid.of(block, Codec.DAG_PB)
    blocks[cid] = block
    return cid


@settings(max_examples=300)
@given(size=st.integers(5, 60), position=st.integers(min_value=0), mask=st.integers(1, 255))
def test_no_change_of_an_inner_node_is_read_as_a_file(size: int, position: int, mask: int) -> None:
    tree, blocks = add(pattern(size))
    node = bytearray(blocks[tree.cid])
    node[position % len(node)] ^= mask
    root = rooted(bytes(node), blocks)
    with pytest.raises((NotCanonical, Oversized, WrongLength, KeyError)):  # KeyError: names a block nobody has
        read(root, blocks)


@given(size=st.integers(5, 60), cut=st.integers(min_value=1))
def test_a_truncated_node_is_refused(size: int, cut: int) -> None:
    tree, blocks = add(pattern(size))
    node = blocks[tree.cid]
    with pytest.raises(FedtrailError):
        read(rooted(node[: -(cut % len(node)) or None][:-1], blocks), blocks)


@given(node=st.binary(max_size=120))
def test_any_bytes_as_a_root_are_refused_with_an_error_of_ours(node: bytes) -> None:
    blocks: dict[Cid, bytes] = {}
    with pytest.raises((NotCanonical, Oversized)):
        read(rooted(node, blocks), blocks)


def test_trailing_bytes_behind_a_node_are_refused() -> None:
    tree, blocks = add(pattern(30))
    with pytest.raises(NotCanonical):
        read(rooted(blocks[tree.cid] + b"\0", blocks), blocks)


def test_a_node_of_a_single_leaf_is_refused() -> None:
    leaf = Cid.of(b"abcd")
    node = unixfs._encode_node([(leaf, 4)], [4])
    with pytest.raises(NotCanonical, match="which one leaf holds"):
        read(rooted(node, blocks := {leaf: b"abcd"}), blocks)


def test_a_node_whose_leaf_is_shorter_than_stated_is_refused() -> None:
    full, short = Cid.of(b"abcd"), Cid.of(b"e")
    node = unixfs._encode_node([(full, 4), (short, 2)], [4, 2])
    with pytest.raises(WrongLength):
        read(rooted(node, blocks := {full: b"abcd", short: b"e"}), blocks)


def test_a_link_with_the_codec_of_another_layer_is_refused() -> None:
    """Stores look blocks up by their hash alone, so the codec in a link would go unnoticed."""
    leaves = [Cid.of(b"abcd"), Cid(codec=Codec.DAG_PB, digest=Cid.of(b"e").digest)]
    node = unixfs._encode_node([(leaves[0], 4), (leaves[1], 1)], [4, 1])
    blocks = {leaves[0]: b"abcd", leaves[1]: b"e"}
    with pytest.raises(NotCanonical):
        read(rooted(node, blocks), blocks)


def test_other_chunk_sizes_are_refused_since_one_content_has_one_identifier() -> None:
    tree, blocks = add(pattern(40), Shape(chunk_bytes=5, width=3))
    with pytest.raises(NotCanonical):
        read(tree.cid, blocks)


def test_a_raw_block_larger_than_a_leaf_is_no_file() -> None:
    block = bytes(CHUNK_BYTES + 1)
    with pytest.raises(NotCanonical, match="leaf"):
        list(unixfs.read_file(Cid.of(block), lambda cid: block, 1 << 20))


def test_a_bomb_of_repeated_links_ends_at_the_limit_and_exports_in_few_steps() -> None:
    size, cid, block, blocks = 4, Cid.of(b"aaaa"), b"aaaa", {}
    blocks[cid], dag = block, 4
    for _ in range(30):  # 3**30 leaves behind 31 blocks
        block = unixfs._encode_node([(cid, dag)] * 3, [size] * 3)
        cid, size, dag = rooted(block, blocks), size * 3, len(block) + 3 * dag
    with pytest.raises(Oversized):
        read(cid, blocks)
    assert len(list(unixfs.walk_distinct(cid, blocks.__getitem__, unixfs.NO_LIMIT, SMALL))) == 31


@pytest.mark.parametrize("stated", [2**62, 2**63 - 1])
def test_a_root_that_claims_exabytes_is_refused_at_once(stated: int) -> None:
    body = unixfs._field(0x0A, b"\x08\x02\x18" + encode_varint(stated))
    blocks: dict[Cid, bytes] = {}
    with pytest.raises(Oversized):
        read(rooted(body, blocks), blocks)
    with pytest.raises(NotCanonical):
        read(rooted(body, blocks), blocks, max_bytes=2**63)


@given(value=st.integers(0, 2**63 - 1))
def test_a_varint_comes_back_and_equals_that_of_multiformats(value: int) -> None:
    encoded = encode_varint(value)
    assert encoded == multiformats.varint.encode(value)
    assert decode_varint(b"\xff" + encoded + b"\xff", 1) == (value, 1 + len(encoded))


@pytest.mark.parametrize("data", [b"\x80\x00", b"\xff\x80\x00", b"\xff" * 9, b"\xff" * 20])
def test_a_varint_that_is_not_the_shortest_is_refused(data: bytes) -> None:
    with pytest.raises(NotCanonical):
        decode_varint(data, 0)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 8])
def test_a_varint_that_ends_early_is_refused(data: bytes) -> None:
    with pytest.raises(WrongLength):
        decode_varint(data, 0)


@given(block=st.binary(max_size=50), codec=st.sampled_from(Codec))
def test_identifiers_and_archive_headers_equal_those_of_independent_libraries(block: bytes, codec: Codec) -> None:
    digest = hashlib.sha256(block).digest()
    name = {Codec.RAW: "raw", Codec.DAG_PB: "dag-pb"}[codec]
    theirs = multiformats.CID("base32", 1, name, ("sha2-256", digest))
    ours = Cid.of(block, codec)
    assert (str(ours), ours.to_bytes()) == (str(theirs), bytes(theirs))
    header = dag_cbor.encode({"version": 1, "roots": [theirs]})
    assert car.encode_header(ours) == encode_varint(len(header)) + header
