"""UnixFS v1 files as IPFS makes them with `--cid-version=1 --raw-leaves`: bytes in, a DAG of blocks out, and back.

A file is cut into leaves of 262144 bytes, stored as raw blocks. Groups of at most 174 blocks get a dag-pb parent,
layer upon layer, until one block is left: the root. A file of one leaf is that leaf.

In this profile the size of a file fixes the whole shape of its DAG: its height, the size of every subtree and the
length of every block. Reading uses that: each inner node must be, byte for byte, the one that the writer makes for
its size. So one content has one CID, no depth or width is taken from a stranger, and a DAG cannot be a bomb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from ledger.errors import NotAContentId, NotCanonical, Oversized, WrongLength
from ledger.spec import Bytes
from ledger.store.cid import CID_BYTES, Cid, Codec
from ledger.store.varint import decode_varint, encode_varint

PROFILE = "unixfs-v1 cid-v1 raw-leaves sha2-256 chunk-262144 balanced-174"
CHUNK_BYTES = 262_144
WIDTH = 174
_GROUP = 32  # leaves that are hashed together: 8 MiB
MAX_BLOCK_BYTES = 2 * 1024 * 1024  # what bitswap carries; nothing larger is read into memory
NO_LIMIT = 2**63 - 1  # for what is bounded by the disk it already lies on

_LINKS, _LINK_HASH, _LINK_NAME, _LINK_TSIZE, _DATA = 0x12, 0x0A, 0x12, 0x18, 0x0A  # dag-pb fields with wire types
_FILE_TYPE, _FILE_SIZE, _BLOCK_SIZE = b"\x08\x02", b"\x18", b"\x20"  # UnixFS: Type = File, filesize, blocksizes

_Part = tuple[Cid, int, int]  # a subtree: its root, the file bytes it must hold, its height
PutBlock = Callable[[Cid, Bytes], None]
GetBlock = Callable[[Cid], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How files are cut and grouped. Only the default makes the CIDs that the ledger uses."""

    chunk_bytes: int = CHUNK_BYTES
    """Length of every leaf but the last, in bytes."""
    width: int = WIDTH
    """Most children of a node."""

    def capacity(self, height: int) -> int:
        """Return how many file bytes a full subtree of that height holds (a leaf has height 0)."""
        full: int = self.chunk_bytes * self.width**height
        return full

    def height(self, size: int) -> int:
        """Return the height of the DAG of a file of `size` bytes."""
        height = 0
        while self.capacity(height) < size:
            height += 1
        return height

    def child_sizes(self, size: int, height: int) -> list[int]:
        """Return how many file bytes each child of a node holds: all full but the last."""
        full = self.capacity(height - 1)
        whole, rest = divmod(size, full)
        return [full] * whole + ([rest] if rest else [])

    def num_blocks(self, size: int) -> int:
        """Return the number of blocks of a file, repeated ones counted each time."""
        return sum(max(1, -(-size // self.capacity(h))) for h in range(self.height(size) + 1))


DEFAULT_SHAPE = Shape()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtree:
    """A block and what hangs below it."""

    cid: Cid
    """The block's identifier."""
    size_bytes: int
    """File bytes in the subtree."""
    dag_bytes: int
    """Length of all blocks of the subtree together (IPFS: CumulativeSize, Tsize)."""


def add_file(chunks: Iterable[Bytes], put_block: PutBlock, shape: Shape = DEFAULT_SHAPE) -> Subtree:
    """Store a file and return its root; holds at most `width` links a layer and a group of leaves in memory.

    Args: chunks: the file in pieces of chunk_bytes, the last one shorter. put_block: keeps one block.
    """
    layers: list[list[Subtree]] = [[]]
    pending = _at_least_one(chunks)
    while group := list(islice(pending, _GROUP)):
        for cid, chunk in zip(Cid.of_all(group), group, strict=True):
            put_block(cid, chunk)
            _append(layers, 0, Subtree(cid=cid, size_bytes=len(chunk), dag_bytes=len(chunk)), put_block, shape)
    height = 0
    while height < len(layers) - 1 or len(layers[height]) > 1:
        _close_group(layers, height, put_block, shape)
        height += 1
    return layers[height][0]


def walk(root: Cid, get_block: GetBlock, max_bytes: int, shape: Shape = DEFAULT_SHAPE) -> Iterator[tuple[Cid, bytes]]:
    """Yield the blocks of a file, root first, then depth first; a repeated subtree is yielded each time.

    Args: get_block: returns a block whose hash it has checked. max_bytes: largest file to follow, in bytes.
    Raises: Oversized: the file is larger. NotCanonical: a node is not the one that `add_file` makes.
    """
    yield from _walk(root, get_block, max_bytes, shape, seen=None)


def walk_distinct(
    root: Cid, get_block: GetBlock, max_bytes: int, shape: Shape = DEFAULT_SHAPE
) -> Iterator[tuple[Cid, bytes]]:
    """Yield each block of a file once, in the order of `walk`: the order of a CAR."""
    yield from _walk(root, get_block, max_bytes, shape, seen=set())


def read_file(root: Cid, get_block: GetBlock, max_bytes: int, shape: Shape = DEFAULT_SHAPE) -> Iterator[bytes]:
    """Yield the bytes of a file, leaf by leaf; arguments and errors as for `walk`."""
    for cid, block in walk(root, get_block, max_bytes, shape):
        if cid.codec is Codec.RAW:
            yield block


def describe_file(root: Cid, block: bytes, shape: Shape = DEFAULT_SHAPE) -> Subtree:
    """Return the sizes that a root block states.

    Raises: NotCanonical, WrongLength: the block is no root of this profile.
    """
    size = _file_size(root, block, shape)
    if root.codec is Codec.DAG_PB:
        _children(root, block, size, shape.height(size), shape)
    return Subtree(cid=root, size_bytes=size, dag_bytes=_dag_bytes(size, shape.height(size), shape))


def split_bytes(data: Bytes, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Bytes]:
    """Yield data in pieces of chunk_bytes, the last one shorter."""
    for at in range(0, len(data), chunk_bytes):
        yield data[at : at + chunk_bytes]


def _at_least_one(chunks: Iterable[Bytes]) -> Iterator[Bytes]:
    empty = True
    for chunk in chunks:
        empty = False
        yield chunk
    if empty:
        yield b""  # an empty file is one empty leaf


def _append(layers: list[list[Subtree]], height: int, tree: Subtree, put_block: PutBlock, shape: Shape) -> None:
    """Add a subtree to a layer; a full group is closed only when a next one comes, as the last may be the root."""
    if len(layers) == height:
        layers.append([])
    if len(layers[height]) == shape.width:
        _close_group(layers, height, put_block, shape)
    layers[height].append(tree)


def _close_group(layers: list[list[Subtree]], height: int, put_block: PutBlock, shape: Shape) -> None:
    group = layers[height]
    block = _encode_node([(tree.cid, tree.dag_bytes) for tree in group], [tree.size_bytes for tree in group])
    cid = Cid.of(block, Codec.DAG_PB)
    put_block(cid, block)
    layers[height] = []
    parent = Subtree(
        cid=cid,
        size_bytes=sum(tree.size_bytes for tree in group),
        dag_bytes=len(block) + sum(tree.dag_bytes for tree in group),
    )
    _append(layers, height + 1, parent, put_block, shape)


def _walk(
    root: Cid, get_block: GetBlock, max_bytes: int, shape: Shape, seen: set[_Part] | None
) -> Iterator[tuple[Cid, bytes]]:
    first = get_block(root)
    size = _file_size(root, first, shape)
    if size > max_bytes:
        raise Oversized(got=size, want=max_bytes)
    pending = [(root, size, shape.height(size))]
    while pending:
        part = pending.pop()
        if seen is not None:
            if part in seen:
                continue
            seen.add(part)
        cid, size, height = part
        block = first if cid == root else get_block(cid)
        if height == 0 and len(block) != size:
            raise WrongLength(got=len(block), want=size)
        yield cid, block
        pending.extend(reversed(_children(cid, block, size, height, shape)))


def _encode_node(links: list[tuple[Cid, int]], sizes: list[int]) -> bytes:
    """Return the dag-pb node of a UnixFS file: its links (each with the length of the DAG below), then its data."""
    file = _FILE_TYPE + _FILE_SIZE + encode_varint(sum(sizes))
    file += b"".join(_BLOCK_SIZE + encode_varint(size) for size in sizes)
    body = b"".join(_field(_LINKS, _encode_link(cid, dag_bytes)) for cid, dag_bytes in links)
    return body + _field(_DATA, file)  # dag-pb's canonical order has the links first


def _encode_link(cid: Cid, dag_bytes: int) -> bytes:
    name = _field(_LINK_NAME, b"")
    return _field(_LINK_HASH, cid.to_bytes()) + name + bytes([_LINK_TSIZE]) + encode_varint(dag_bytes)


def _field(tag: int, body: bytes) -> bytes:
    return bytes([tag]) + encode_varint(len(body)) + body


def _children(cid: Cid, block: bytes, size: int, height: int, shape: Shape) -> list[_Part]:
    """Return what hangs below a block; a node must be, byte for byte, the one that the writer makes."""
    if height == 0:
        return []
    if cid.codec is not Codec.DAG_PB:
        raise NotCanonical(what=f"block {cid} is a leaf where a node of {size} bytes belongs")
    sizes = shape.child_sizes(size, height)
    children = _read_links(cid, block, len(sizes))
    links = [(child, _dag_bytes(part, height - 1, shape)) for child, part in zip(children, sizes, strict=True)]
    codec = Codec.RAW if height == 1 else Codec.DAG_PB
    if block != _encode_node(links, sizes) or any(child.codec is not codec for child in children):
        raise NotCanonical(what=f"block {cid} is not a UnixFS node of the profile ({PROFILE})")
    return [(child, part, height - 1) for child, part in zip(children, sizes, strict=True)]


def _read_links(cid: Cid, block: bytes, count: int) -> list[Cid]:
    """Return the identifiers in the first `count` links; everything else is checked by encoding again."""
    children = []
    at = 0
    try:
        for _ in range(count):
            length, start = decode_varint(block, at + 1)
            children.append(Cid.from_bytes(block[start + 2 : start + 2 + CID_BYTES]))
            at = start + length
    except (NotAContentId, WrongLength) as error:
        raise NotCanonical(what=f"block {cid} has no {count} links: {error.message}") from None
    return children


def _file_size(root: Cid, block: bytes, shape: Shape) -> int:
    """Return the size of the file that a root block states; whether the block bears it out is checked later."""
    if root.codec is Codec.RAW:
        if len(block) > shape.chunk_bytes:
            raise NotCanonical(what=f"leaf {root} has {len(block)} bytes, the profile's have {shape.chunk_bytes}")
        return len(block)
    try:
        size = _stated_size(block)
    except WrongLength as error:
        raise NotCanonical(what=f"block {root} is not a UnixFS file: {error.message}") from None
    if size <= shape.chunk_bytes:
        raise NotCanonical(what=f"block {root} is a node over {size} bytes, which one leaf holds")
    return size


def _stated_size(block: bytes) -> int:
    """Return the first number behind the links and the file type, which in a UnixFS file is its size."""
    at = 0
    while block[at : at + 1] == bytes([_LINKS]):
        length, at = decode_varint(block, at + 1)
        at += length
    _, at = decode_varint(block, at + 1)  # the length of the data field
    return decode_varint(block, at + len(_FILE_TYPE + _FILE_SIZE))[0]


@lru_cache(maxsize=1024)
def _dag_bytes(size: int, height: int, shape: Shape) -> int:
    """Return the length of all blocks of a file part: fixed by its size, as the shape is."""
    if height == 0:
        return size
    sizes = shape.child_sizes(size, height)
    parts = [_dag_bytes(part, height - 1, shape) for part in sizes]
    anyone = Cid.of(b"")  # every identifier has the same length
    return len(_encode_node([(anyone, part) for part in parts], sizes)) + sum(parts)
