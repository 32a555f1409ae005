"""What lies in the store: updates, manifests, lists, files as IPFS cuts them, layouts with their terms (§3).

Part of verify.py. Every reader refuses whatever its writer would not have written.
"""

import base64
import json
import re
import struct
import sys
from array import array
from collections import namedtuple
from itertools import pairwise
from math import prod

from verify_hashes import ZERO, Bad, chunk_root, require, sha256
from verify_rules import parse_composition

ALLOWANCE = 1024
"""Bytes after a vector that are still read, to tell trailing bytes from a flood (§3.1)."""


def to_little_endian(values):
    """Return int32 values as bytes, little endian (§1.1)."""
    values = array("i", values)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def to_values(payload):
    """Return the int32 values of little-endian bytes."""
    values = array("i", payload)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def matrix_root(updates, matrix_log2):
    """Return the root of the updates, transposed (§2.4)."""
    n, matrix = len(updates), array("i", bytes(4 * len(updates) * len(updates[0])))
    for slot, update in enumerate(updates):
        matrix[slot::n] = array("i", update)
    return chunk_root(to_little_endian(matrix), 4 * n << matrix_log2)


VECTOR = struct.Struct(">2scB32sQIIIBB2s")
Vector = namedtuple(
    "Vector", "magic kind version domain round client examples size scale_bits leaf_log2 reserved values seeds"
)
LINE, REVEAL = struct.Struct(">I32s"), struct.Struct(">II32s")
"""A line of a seed table, and a revealed seed (§11.2, §11.5)."""


def decode_vector(data, max_bytes):
    """Return the vector in a blob, checks 1 to 6 of §3.1 in their order.

    Raises: Bad: the code of the first check that fails.
    """
    require(len(data) <= max_bytes, "FT716", f"{len(data)} bytes, at most {max_bytes} are read")
    require(len(data) >= VECTOR.size, "FT710", f"{len(data)} bytes are no header")
    head = VECTOR.unpack_from(data)
    magic = head[0] == b"FT" and head[1] in (b"U", b"S", b"A", b"M") and head[2] == 1
    require(magic, "FT712", f"magic, kind or version {data[:4].hex()}")
    require(head[-1] == b"\x00\x00", "FT722", "reserved bytes are not zero")
    want = VECTOR.size + 4 * head[7]
    require(len(data) >= want, "FT710", f"{len(data)} bytes, the header says {want}")
    extra = len(data) - want
    require(head[1] == b"S" or not extra, "FT711", f"{extra} bytes after the last coordinate")
    require(extra % LINE.size == 0, "FT710", f"{extra} bytes of seeds are no whole number of lines")
    return Vector(*head, to_values(data[VECTOR.size : want]), data[want:])


def decode_update(data, want, bound, degree=0):
    """Return the update in a blob, checks 1 to 13 of §3.1 and §3.2 in their order.

    Args: want: the (kind, domain, round, client, size, scale_bits, leaf_log2) that chain state fixes. degree: of a
        masked task (§11): its updates have seeds and no range.
    Raises: Bad: the code of the first check that fails.
    """
    vector = decode_vector(data, measure_vector(want[4], degree))
    fields = ("kind", "domain", "round", "client", "size", "scale_bits", "leaf_log2")
    codes = ("FT712", "FT719", "FT718", "FT720", "FT713", "FT713", "FT713")
    for field, code, wanted in zip(fields, codes, want, strict=True):
        got = getattr(vector, field)
        require(got == wanted, code, f"{field} is {got!r}, not {wanted!r}")
    require(vector.examples or vector.kind not in (b"U", b"S"), "FT721", "no examples")
    if degree:
        read_seeds(vector, degree)
        return vector
    values = vector.values
    in_range = not values or (-bound <= min(values) and max(values) <= bound)
    require(in_range, "FT715", f"a coordinate is beyond {bound}")
    return vector


def measure_vector(size, degree):
    """Return the most bytes of a vector blob that are read (§3.1)."""
    return VECTOR.size + 4 * size + (LINE.size * (degree + 1) if degree else 0) + ALLOWANCE


def read_seeds(vector, degree):
    """Return the commitments of a masked update's seed table by peer, its own under 0 (§11.2).

    Raises: Bad FT722: not the table that a client may have.
    """
    peers = [peer for peer, _ in LINE.iter_unpack(vector.seeds)]
    rising = peers[:1] == [0] and peers == sorted(set(peers)) and vector.client not in peers
    require(rising and len(peers) <= degree + 1, "FT722", f"seed table of client {vector.client}: {peers}")
    return dict(LINE.iter_unpack(vector.seeds))


MANIFEST = struct.Struct(">4s32sQIB32sB32sB32s")
ENTRY = struct.Struct(">IHB32s64s")
Manifest = namedtuple("Manifest", "domain round base aggregate model entries")
Entry = namedtuple("Entry", "client reason content signature")


def decode_manifest(data):
    """Return the manifest in a block; contents are (codec, digest) or None (§3.3).

    Raises: Bad: FT716, FT710, FT711, FT712 or FT722.
    """
    require(len(data) <= 1 << 20, "FT716", f"a manifest of {len(data)} bytes")
    require(len(data) >= MANIFEST.size, "FT710", f"{len(data)} bytes are no manifest")
    magic, domain, number, count, *named = MANIFEST.unpack_from(data)
    require(magic == b"FTD\x01", "FT712", f"magic {magic.hex()}")
    want = MANIFEST.size + count * ENTRY.size
    require(len(data) >= want, "FT710", f"{len(data)} bytes, the header says {want}")
    require(len(data) == want, "FT711", f"{len(data) - want} bytes after the last entry")
    contents = [decode_content(*named[i : i + 2]) for i in (0, 2, 4)]
    entries = []
    for client, reason, codec, digest, signature in ENTRY.iter_unpack(data[MANIFEST.size :]):
        require(codec or signature == bytes(64), "FT722", f"client {client} published nothing and signed for it")
        entries.append(Entry(client, reason, decode_content(codec, digest), signature))
    require(is_rising(entry.client for entry in entries), "FT722", "clients do not rise")
    return Manifest(domain, number, *contents, entries)


def decode_content(codec, digest):
    """Return (codec, digest), or None for nothing (§3.3)."""
    require(codec in (0, 0x55, 0x70) and (codec or digest == ZERO), "FT722", f"content codec {codec}")
    return (codec, digest) if codec else None


def is_rising(numbers):
    """Whether each number is above the one before."""
    return all(a < b for a, b in pairwise(numbers))


def cut(data, size):
    """Return data in pieces of a size."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def decode_list(data):
    """Return the (client, commitment, signature) entries of a signed list (§4.6)."""
    require(len(data) <= 100 * 10_000, "FT716", f"a list of {len(data)} bytes")
    require(data, "FT710", "an empty list")
    require(len(data) % 100 == 0, "FT710", f"{len(data)} bytes are no whole number of entries")
    entries = list(struct.iter_unpack(">I32s64s", data))
    require(is_rising(entry[0] for entry in entries), "FT722", "clients do not rise")
    return entries


def varint(value):
    """Return an unsigned LEB128 integer."""
    groups = [value >> shift & 127 for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


CHUNK, WIDTH = 262_144, 174
"""Bytes of a leaf, and most links of a node, in files as IPFS lays them out (§3.4)."""


def content_of(data):
    """Return (codec, digest) of a content as IPFS names it: UnixFS, raw leaves of 262,144 bytes, 174 links (§3.4)."""
    level = [(0x55, sha256(leaf), len(leaf), len(leaf)) for leaf in cut(data, CHUNK) or [b""]]
    while len(level) > 1:
        level = [make_node(parts)[0] for parts in cut(level, WIDTH)]
    return level[0][:2]


def make_node(parts):
    """Return ((codec, digest, file bytes, DAG bytes), block) of the dag-pb node over such parts."""
    links = b""
    for codec, digest, _, dag_bytes in parts:
        link = b"\x0a\x24\x01" + bytes([codec]) + b"\x12\x20" + digest + b"\x12\x00\x18" + varint(dag_bytes)
        links += b"\x12" + varint(len(link)) + link
    sizes = [part[2] for part in parts]
    file = b"\x08\x02\x18" + varint(sum(sizes)) + b"".join(b"\x20" + varint(size) for size in sizes)
    block = links + b"\x0a" + varint(len(file)) + file
    return (0x70, sha256(block), sum(sizes), len(block) + sum(part[3] for part in parts)), block


def read_varint(data, at):
    """Return (an unsigned LEB128 integer, where it ends). Raises: Bad FT722."""
    size = next((i for i, byte in enumerate(data[at : at + 10], 1) if byte < 128), None)
    require(size is not None, "FT722", "a number without an end")
    return sum((byte & 127) << 7 * i for i, byte in enumerate(data[at : at + size])), at + size


def stated_size(content, block):
    """Return the size of the file that a root block states. Raises: Bad FT722: none that a file of this kind has."""
    if content[0] == 0x55:
        require(len(block) <= CHUNK, "FT722", f"a leaf of {len(block)} bytes")
        return len(block)
    at = 0
    while block[at : at + 1] == b"\x12":
        size, at = read_varint(block, at + 1)
        at += size
    _, at = read_varint(block, at + 1)
    size, _ = read_varint(block, at + 3)
    require(size > CHUNK, "FT722", f"a node over {size} bytes, which one leaf holds")
    return size


def child_sizes(size, height):
    """Return how many file bytes each child of a node holds: all full but the last."""
    whole, rest = divmod(size, CHUNK * WIDTH ** (height - 1))
    return [CHUNK * WIDTH ** (height - 1)] * whole + [rest] * (rest > 0)


def dag_bytes(size, height):
    """Return the length of all blocks of a part of a file, which its size fixes."""
    if height == 0:
        return size
    parts = [(0x55, ZERO, part, dag_bytes(part, height - 1)) for part in child_sizes(size, height)]
    return make_node(parts)[0][3]


def child_parts(block, size, height):
    """Return (content, size, height) of a node's children. Raises: Bad FT722: it is not the node that writers make."""
    parts, at, codec = [], 0, 0x70 if height > 1 else 0x55
    for part in child_sizes(size, height):
        length, at = read_varint(block, at + 1)
        parts.append((codec, block[at + 6 : at + 38].ljust(32, b"\x00"), part, dag_bytes(part, height - 1)))
        at += length
    require(make_node(parts)[1] == block, "FT722", "a node that is not the one of its size")
    return [((codec, digest), part, height - 1) for codec, digest, part, _ in parts]


def cid_text(content):
    """Return the text form of a CIDv1."""
    raw = bytes([1, content[0]]) + b"\x12\x20" + content[1]
    return "b" + base64.b32encode(raw).decode().rstrip("=").lower()


def parse_cid(text):
    """Return (codec, digest) of a CID that NAMES admits."""
    raw = base64.b32decode(text[1:].upper() + "======")
    return raw[1], raw[4:]


# ----------------------------------------------------------------------------------------------- layouts, terms (§3.5)

PRINTABLE = r"[ -~]{1,256}"


def read_layout(data, size):
    """Return (the stages of a composed rule or None, {term: text}) of a layout of so many coordinates (§3.5).

    Raises: Bad FT722: it is not what its writer makes of any layout.
    """
    depth = 0  # before parsing, which would go as deep as a stranger likes
    for mark in re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', data):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(mark[0], 0)
        require(depth <= 4 and len(data) <= 1 << 20, "FT722", "a layout that is too long or too deep")
    try:
        layout = json.loads(data)
        again = json.dumps(layout, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        raise Bad("FT722", "a layout that is not JSON") from None
    members = list(layout) if isinstance(layout, dict) else []
    forms = {"1": [["tensors"]], "2": [["rule", "tensors"]], "3": [["terms", "tensors"], ["rule", "terms", "tensors"]]}
    version = str(layout["format"]).removeprefix("fedtrail-layout-") if members[:1] == ["format"] else ""
    is_form = again == data and members[1:] in forms.get(version, [])
    require(is_form, "FT722", "no canonical layout")
    terms, rule = layout.get("terms"), layout.get("rule")
    require(measure_tensors(layout["tensors"]) == size, "FT722", f"a layout of other than {size} coordinates")
    require("terms" not in layout or are_terms(terms), "FT722", "terms that are none")
    if "rule" in layout:
        require(isinstance(rule, str), "FT722", "a rule that is no text")
        parse_composition(rule)
    return rule, dict(terms or [])


def measure_tensors(tensors):
    """Return the coordinates of a layout's tensors; None if they are not as §3.5 has them."""
    total, names = 0, set()
    for tensor in tensors if isinstance(tensors, list) else ():
        is_pair = isinstance(tensor, list) and len(tensor) == 2 and isinstance(tensor[1], list) and len(tensor[1]) <= 16
        is_named = is_pair and isinstance(tensor[0], str) and re.fullmatch(PRINTABLE, tensor[0])
        if not is_named or not all(type(length) is int and 1 <= length <= 1 << 32 for length in tensor[1]):
            return None
        names.add(tensor[0])
        total += prod(tensor[1])
    return total if total and len(names) == len(tensors) and total <= 1 << 32 else None


def are_terms(terms):
    """Whether a layout's terms are 1 to 16 pairs of a name and a text, in rising name."""
    pairs = terms if isinstance(terms, list) and 1 <= len(terms) <= 16 else [None]
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            return False
        if not (re.fullmatch(PRINTABLE, pair[0]) and re.fullmatch("[ -~]{1,1000}", pair[1])):
            return False
    return is_rising(name for name, _ in pairs)


def read_ranges(text):
    """Return the participants that ranges such as 2-21,30 name, at most 10,000; None if they could be fewer ranges."""
    numbers = [-1]
    for part in text.split(","):
        ends = re.fullmatch(r"([1-9][0-9]{0,9})(?:-([1-9][0-9]{0,9}))?", part)
        low, high = (int(ends[1]), int(ends[2] or ends[1])) if ends else (0, 0)
        if low <= numbers[-1] + 1 or (ends[2] and high <= low) or high - low > 10_000 - len(numbers):
            return None
        numbers += range(low, high + 1)
    return numbers[1:]


def is_masking(text):
    """Whether a term says who masks, and how many shares recover a secret (§11.10); of groups parse_groups knows."""
    told = re.fullmatch(r"threshold\(([1-9][0-9]{0,3})\)\+roster\(([0-9,-]{1,900})\)", text)
    return bool(told) and int(told[1]) <= 1000 and read_ranges(told[2]) is not None


def is_audience(text):
    """Whether a term says to whom updates are encrypted, at most 62 beside author and aggregator."""
    told = re.fullmatch(r"aggregator(?:\+attestors\(([0-9,-]{1,480})\))?(?:\+auditors\(([0-9,-]{1,480})\))?", text)
    named = [read_ranges(part) for part in told.groups() if part] if told else [None]
    return None not in named and len(set().union(*named)) == sum(map(len, named)) <= 62


def is_noise(text):
    """Whether a term says what noise clients add to their updates (docs/privacy.md); a replay computes the same."""
    whole = r"(local|distributed|central)\(clip=(n),variance=(n),shares=(n),relation=(?:zero-out|replace-one),"
    whole += r"against=(?:everybody|readers-of-models),delta=(n),budget=(n)\)"
    sample = r"sample\(clip=(n),multiplier=(n),rate=(n),steps=(n),delta=(n),budget=(n)\)"
    whole, sample = (form.replace("(n)", "([1-9][0-9]{0,18})") for form in (whole, sample))
    told = re.fullmatch(whole, text)
    if told:
        clip, variance, shares, delta, budget = map(int, told.groups()[1:])
        fits = variance <= 1 << 48 and (shares == 1 or told[1] == "distributed")
        return fits and delta < 10**12 and max(clip, shares, budget) < 1 << 63
    told = re.fullmatch(sample, text)
    numbers = [int(number) for number in told.groups()] if told else []
    return bool(told) and numbers[2] <= 10**6 and numbers[4] < 10**12 and max(numbers) < 1 << 63
