"""What a chain proves: RLP, receipts and their trie, proofs of state, block headers. Part of verify.py."""

from collections import namedtuple

from verify_hashes import keccak, require, word


def read_length(data, start, end):
    """Return (whether it is a list, where its payload begins, where it ends) of the RLP item at start.

    Raises: Bad FT703: cut short, or a length that is not canonical.
    """
    require(start < end, "FT703", "RLP is cut short")
    first = data[start]
    if first < 0x80:
        return False, start, start + 1
    size, at = first - (0xC0 if first >= 0xC0 else 0x80), start + 1
    if size > 55:
        at += size - 55
        digits = data[start + 1 : min(at, end)]
        size = int.from_bytes(digits, "big")
        require(at <= end and digits[0] and size > 55, "FT703", "an RLP length that is not canonical")
    require(at + size <= end, "FT703", "RLP is cut short")
    require(first != 0x81 or data[at] >= 0x80, "FT703", "a byte with an RLP length")
    return first >= 0xC0, at, at + size


def decode_rlp(data, start, end, depth=0):
    """Return (item, its end) of the RLP item at start: bytes, or a list of items.

    Raises: Bad FT703: not canonical, cut short, or nested deeper than anything in a header, receipt or trie node.
    """
    is_list, at, stop = read_length(data, start, end)
    if not is_list:
        return data[at:stop], stop
    require(depth < 24, "FT703", "RLP lists are nested too deeply")
    items = []
    while at < stop:
        item, at = decode_rlp(data, at, stop, depth + 1)
        items.append(item)
    return items, stop


def parse_rlp(data):
    """Return the one RLP item that data is."""
    item, end = decode_rlp(data, 0, len(data))
    require(end == len(data), "FT703", "bytes after an RLP item")
    return item


def encode_rlp(item):
    """Return the RLP of bytes or of a list."""
    if isinstance(item, list):
        body, base = b"".join(map(encode_rlp, item)), 0xC0
    elif len(item) == 1 and item[0] < 0x80:
        return item
    else:
        body, base = item, 0x80
    if len(body) <= 55:
        return bytes([base + len(body)]) + body
    size = len(body).to_bytes(4, "big").lstrip(b"\x00")
    return bytes([base + 55 + len(size)]) + size + body


def to_int(data):
    """Return an RLP integer: big endian without leading zeros."""
    require(isinstance(data, bytes) and data[:1] != b"\x00", "FT703", "not an RLP integer")
    return int.from_bytes(data, "big")


def to_nibbles(key):
    """Return the half-bytes of a key."""
    return [half for byte in key for half in (byte >> 4, byte & 15)]


def encode_path(nibbles, is_leaf):
    """Return the hex-prefix encoding of a path (yellow paper, appendix C)."""
    flag = 2 * is_leaf + len(nibbles) % 2
    padded = [flag, *nibbles] if len(nibbles) % 2 else [flag, 0, *nibbles]
    return bytes(16 * high + low for high, low in zip(padded[::2], padded[1::2], strict=True))


def build_trie(items):
    """Return the node over (nibbles, value) pairs in rising order, none the prefix of another (appendix D)."""
    first, last = items[0][0], items[-1][0]
    if len(items) == 1:
        return [encode_path(first, True), items[0][1]]
    shared = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    if shared:
        inner = build_trie([(path[shared:], value) for path, value in items])
        return [encode_path(first[:shared], False), refer_to(inner)]
    branches = [[(path[1:], value) for path, value in items if path[0] == half] for half in range(16)]
    return [refer_to(build_trie(branch)) if branch else b"" for branch in branches] + [b""]


def refer_to(node):
    """Return how a parent names a node: itself if it is short, else its hash."""
    encoded = encode_rlp(node)
    return node if len(encoded) < 32 else keccak(encoded)


def list_root(values):
    """Return the root of the trie that a block keeps over its receipts: keys are the RLP of positions."""
    if not values:
        return keccak(b"\x80")
    keys = (encode_rlp(i.to_bytes(4, "big").lstrip(b"\x00")) for i in range(len(values)))
    return keccak(encode_rlp(build_trie(sorted(zip(map(to_nibbles, keys), values, strict=True)))))


def walk_proof(root, key, proof):
    """Return the value that a Merkle-Patricia proof shows under keccak(key), or None where it shows that none is there.

    Args: proof: encoded nodes from the root down, each named by the one before; all must be used.
    Raises: Bad FT703: the proof is not one of this root and key.
    """
    path, nodes, want, node = to_nibbles(keccak(key)), iter(proof), root, None
    if root == keccak(b"\x80") and proof in ([], [b"\x80"]):
        return None  # an empty trie, which nodes write either way
    value = None
    while want:
        if isinstance(want, bytes):
            encoded = next(nodes, b"")
            got = keccak(encoded)
            require(got == want, "FT703", f"a trie node hashes to {got.hex()}, its parent expects {want.hex()}")
            node = parse_rlp(encoded)
        else:
            node = want  # a short node lies within its parent
        require(isinstance(node, list) and len(node) in (2, 17), "FT703", "not a trie node")
        if len(node) == 17:
            require(path, "FT703", "the key ends at a branch")
            want, path = node[path[0]], path[1:]
            continue
        require(isinstance(node[0], bytes) and node[0], "FT703", "not a path in a trie node")
        steps = to_nibbles(node[0])
        is_leaf, steps = steps[0] >> 1, steps[1:] if steps[0] & 1 else steps[2:]
        require(node[0] == encode_path(steps, is_leaf), "FT703", "a path in a trie node is not canonical")
        require(is_leaf or steps, "FT703", "an extension without a path")
        if path[: len(steps)] != steps or (is_leaf and len(steps) != len(path)):
            break
        if is_leaf:
            value = node[1]
            break
        want, path = node[1], path[len(steps) :]
    require(next(nodes, None) is None, "FT703", "a trie proof has nodes that nothing names")
    return value


Header = namedtuple("Header", "number hash parent state_root receipts_root bloom now")
Log = namedtuple("Log", "block index address topics data")


HEADER_FIELDS = (32, 32, 20, 32, 32, 32, 256, 0, 0, 0, 0, 0, None, 32, 8, 0, 32, 0, 0, 32, 32)
"""Lengths of a header's fields, up to Osaka; 0 is a number, None is any. The first fifteen are always there."""


def decode_header(raw):
    """Return what a block's header says."""
    items = parse_rlp(raw)
    is_header = isinstance(items, list) and 15 <= len(items) <= 21 and all(isinstance(item, bytes) for item in items)
    require(is_header, "FT703", "no block header")
    for item, size in zip(items, HEADER_FIELDS, strict=False):
        require(not size or len(item) == size, "FT703", "a block header with a malformed field")
        require(size != 0 or item[:1] != b"\x00", "FT703", "a block header with a malformed number")
    number, now = int.from_bytes(items[8], "big"), int.from_bytes(items[11], "big")
    return Header(number, keccak(raw), items[0], items[3], items[5], items[6], now)


def may_hold(bloom, masks):
    """Whether a block may hold a log of an address, by the bits that the address sets in its bloom."""
    bits = int.from_bytes(bloom, "big")
    return any(bits & mask == mask for mask in masks)


def bloom_mask(address):
    """Return the three bits of an address (Yellow Paper 4.3.1)."""
    digest, mask = keccak(address), 0
    for at in (0, 2, 4):
        mask |= 1 << (int.from_bytes(digest[at : at + 2], "big") & 2047)
    return mask


def decode_logs(receipt):
    """Yield (address, topics, data) of the logs of a receipt's consensus bytes (EIP-2718)."""
    parts = parse_rlp(receipt[1:] if receipt[:1] and receipt[0] < 0x80 else receipt)
    require(isinstance(parts, list) and len(parts) == 4 and isinstance(parts[3], list), "FT703", "no receipt")
    for log in parts[3]:
        is_log = isinstance(log, list) and len(log) == 3 and isinstance(log[1], list) and isinstance(log[2], bytes)
        words = is_log and all(isinstance(t, bytes) and len(t) == 32 for t in log[1]) and len(log[1]) <= 4
        require(words and isinstance(log[0], bytes) and len(log[0]) == 20, "FT703", "a malformed log")
        yield log


def slot_of(key, slot):
    """Return the slot of a mapping's value."""
    return int.from_bytes(keccak(word(key) + word(slot)), "big")


def unhex(texts):
    """Return trie nodes from their hex."""
    return [bytes.fromhex(text[2:]) for text in texts]


def prove_account(state_root, address, proof):
    """Return (the hash of a contract's code, {slot: word}), proven against the state root of a block.

    Raises: Bad FT703: it does not show that, or there is no such account.
    """
    encoded = walk_proof(state_root, address, unhex(proof["account"]))
    account = parse_rlp(encoded) if encoded is not None else []
    is_account = isinstance(account, list) and len(account) == 4 and all(isinstance(part, bytes) for part in account)
    is_account = is_account and len(account[2]) == len(account[3]) == 32
    require(is_account, "FT703", f"there is no contract at 0x{address.hex()}")
    to_int(account[0]), to_int(account[1])  # its nonce and balance, which nothing here is about
    words = {}
    for slot, nodes in proof["storage"].items():
        value = walk_proof(account[2], bytes.fromhex(slot[2:]), unhex(nodes))
        words[int(slot, 16)] = to_int(parse_rlp(value)) if value is not None else 0
        require(words[int(slot, 16)] < 1 << 256, "FT703", "a storage value of more than 32 bytes")
    return account[3], words
