"""Random changes of a bundle that know its structure: from single bytes of the zip to logs in relinked blocks."""

from __future__ import annotations

import hashlib
import json
import random
import zlib
from collections.abc import Callable
from typing import Any

from ledger.bundle.container import Entry, encode_end
from ledger.evidence import rlp
from ledger.store import Cid
from tamper.forgery import (
    ENVELOPE,
    HEADERS,
    MANIFEST,
    RECEIPTS,
    STATE,
    Forgery,
    encode_json,
    reseal,
)

Files = dict[str, bytes]
_SPECIAL = (b"", b"\x00", b"\xff" * 32, bytes(32), b"\x80", b"\xc0", b"\xf8\x00", b"\x00" * 300)


def pack(files: Files) -> bytes:
    """Return the bytes of a bundle with these entries, whatever their names are."""
    parts, entries, offset = [], [], 0
    for name, data in sorted(files.items()):
        entry = Entry(name=name, size_bytes=len(data), crc=zlib.crc32(data), offset=offset)
        parts += [entry.encode_local(), data]
        entries.append(entry)
        offset += len(parts[-2]) + len(data)
    return b"".join(parts) + encode_end(entries)


def mutate_bytes(data: bytes, source: random.Random) -> bytes:
    """Return bytes with one to four small changes: a flip, a splice, a cut, a repetition."""
    changed = bytearray(data)
    for _ in range(source.choice((1, 1, 1, 2, 4))):
        at = source.randrange(len(changed) + 1)
        kind = source.randrange(7)
        if kind < 3 and changed:
            changed[at % len(changed)] ^= 1 << source.randrange(8)
        elif kind == 3 and changed:
            changed[at % len(changed)] = source.choice((0, 1, 0x7F, 0x80, 0xB8, 0xF8, 0xFF))
        elif kind == 4:
            changed[at:at] = source.choice(_SPECIAL) or source.randbytes(source.randrange(1, 40))
        elif kind == 5:
            del changed[at : at + source.choice((1, 1, 4, 32, 100))]
        else:
            length = source.choice((1, 4, 32, 100))
            changed[at:at] = changed[max(0, at - length) : at]
    return bytes(changed)


def mutate_json(value: Any, source: random.Random) -> Any:
    """Return a document with one value replaced, dropped, repeated or moved."""
    places = list(_walk_json(value, ()))
    place = source.choice(places)
    return _replace(value, place, source)


def _walk_json(value: Any, place: tuple[Any, ...]) -> Any:
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _walk_json(inner, (*place, key))


def _replace(value: Any, place: tuple[Any, ...], source: random.Random) -> Any:
    if not place:
        return _change_value(value, source)
    copy = dict(value) if isinstance(value, dict) else list(value)
    kind = source.randrange(8) if len(place) == 1 else 9
    if kind == 0:
        del copy[place[0]]
    elif kind == 1 and isinstance(copy, list):
        copy.append(copy[place[0]])
    elif kind == 2 and isinstance(copy, dict):
        copy[source.choice(("", "x", "0", "ledger", "blobs/x"))] = copy[place[0]]
    else:
        copy[place[0]] = _replace(copy[place[0]], place[1:], source)
    return copy


def _change_value(value: Any, source: random.Random) -> Any:
    if isinstance(value, str) and value and source.random() < 0.7:
        at = source.randrange(len(value))
        return value[:at] + source.choice("0123456789abcdefx") + value[at + source.choice((0, 1)) :]
    return source.choice((None, "", "0", "1", "-1", "99", "0x", True, 1, 1.5, [], {}, [[]], "0x" + "00" * 32, "\u0660"))


def mutate_rlp(item: Any, source: random.Random) -> Any:
    """Return an RLP item with one of its parts changed, dropped, repeated or swapped."""
    if isinstance(item, bytes):
        return source.choice(_SPECIAL) if source.random() < 0.15 else mutate_bytes(item, source)
    parts = list(item)
    if not parts or source.random() < 0.05:
        return [*parts, b"\x01"]
    at = source.randrange(len(parts))
    kind = source.randrange(12)
    if kind == 0:
        del parts[at]
    elif kind == 1:
        parts.insert(at, parts[at])
    elif kind == 2:
        other = source.randrange(len(parts))
        parts[at], parts[other] = parts[other], parts[at]
    else:
        parts[at] = mutate_rlp(parts[at], source)
    return parts


class Mutator:
    """Makes mutants of one sound bundle.

    Args: files: its entries. Every mutant follows from its number and the seed.
    """

    def __init__(self, files: Files, seed: int) -> None:
        self._files, self._seed = files, seed
        self._whole = pack(files)
        kinds: dict[Callable[[random.Random], bytes], int] = {
            self._raw: 20,
            self._entry: 10,
            self._resealed: 10,
            self._entries: 10,
            self._manifest: 14,
            self._state: 10,
            self._headers: 6,
            self._receipts: 6,
            self._relinked_header: 4,
            self._relinked_log: 12,
            self._renamed_blob: 6,
            self._notes: 4,
        }
        self._kinds = [kind for kind, weight in kinds.items() for _ in range(weight)]

    def make(self, number: int) -> tuple[str, bytes]:
        """Return the name of what was changed, and the mutant."""
        source = random.Random(f"{self._seed}:{number}")
        kind = source.choice(self._kinds)
        return kind.__name__.strip("_"), kind(source)

    def _pick(self, source: random.Random, prefix: str = "") -> str:
        return source.choice(sorted(name for name in self._files if name.startswith(prefix)))

    def _raw(self, source: random.Random) -> bytes:
        if source.random() < 0.5:  # the structure: headers and directory
            tail = self._whole.rindex(b"PK\x05\x06")
            start = int.from_bytes(self._whole[tail + 16 : tail + 20], "little")
            return self._whole[:start] + mutate_bytes(self._whole[start:], source)
        return mutate_bytes(self._whole, source)

    def _entry(self, source: random.Random) -> bytes:
        name = self._pick(source)
        return pack(self._files | {name: mutate_bytes(self._files[name], source)})

    def _resealed(self, source: random.Random) -> bytes:
        name = self._pick(source, source.choice(("blobs/", "chain/", "")))
        changed = self._files | {name: mutate_bytes(self._files[name], source)}
        return pack(changed if name == MANIFEST else reseal(changed))

    def _entries(self, source: random.Random) -> bytes:
        files, name, other = dict(self._files), self._pick(source), self._pick(source)
        kind = source.randrange(5)
        if kind == 0:
            del files[name]
        elif kind == 1:
            files[name], files[other] = files[other], files[name]
        elif kind == 2:
            files[name] = b""
        elif kind == 3:
            files[source.choice(("blobs/x", "../x", "exports/x", "checkpoints/x.note", "sealed/" + name[6:], "a"))] = (
                files[name]
            )
        else:
            files[name] = files[name] * source.choice((2, 3))
        is_resealed = source.random() < 0.7 and MANIFEST in files and MANIFEST not in (name, other)
        return pack(reseal(files) if is_resealed else files)

    def _manifest(self, source: random.Random) -> bytes:
        document = json.loads(self._files[MANIFEST])
        files = document.pop("files")
        changed = mutate_json(document, source)
        if isinstance(changed, dict) and source.random() < 0.9:
            changed = changed | {"files": files if source.random() < 0.8 else mutate_json(files, source)}
        return pack(self._files | {MANIFEST: encode_json(changed)})

    def _state(self, source: random.Random) -> bytes:
        document = json.loads(self._files[STATE])
        part = source.choice(("accounts", "accounts", "accounts", "code", "block"))
        changed = document | {part: mutate_json(document[part], source)}
        return pack(reseal(self._files | {STATE: encode_json(changed)}))

    def _headers(self, source: random.Random) -> bytes:
        return self._rlp_file(HEADERS, source)

    def _receipts(self, source: random.Random) -> bytes:
        return self._rlp_file(RECEIPTS, source)

    def _rlp_file(self, name: str, source: random.Random) -> bytes:
        items = [rlp.decode(item) for item in rlp.split(self._files[name])]
        changed = mutate_rlp(items, source)
        return pack(reseal(self._files | {name: b"".join(rlp.encode(item) for item in changed)}))

    def _relinked_header(self, source: random.Random) -> bytes:
        forgery = Forgery(self._files)
        header = source.choice(forgery.headers)
        header[:] = mutate_rlp(header, source)
        return pack(_seal(forgery))

    def _relinked_log(self, source: random.Random) -> bytes:
        forgery = Forgery(self._files)
        number = source.choice(sorted(forgery.receipts))
        index = source.randrange(len(forgery.receipts[number]))
        receipt = forgery.receipts[number][index]
        typed = 1 if receipt[0] < 0x80 else 0
        parts: Any = rlp.decode(receipt[typed:])
        parts[3] = mutate_rlp(parts[3], source)
        forgery.replace_receipt(number, index, receipt[:typed] + rlp.encode(parts))
        return pack(_seal(forgery))

    def _renamed_blob(self, source: random.Random) -> bytes:
        files, name = dict(self._files), self._pick(source, "blobs/")
        data = mutate_bytes(files.pop(name), source)
        files["blobs/" + str(Cid.from_bytes(b"\x01\x55\x12\x20" + hashlib.sha256(data).digest()))] = data
        return pack(reseal(files))

    def _notes(self, source: random.Random) -> bytes:
        text = (
            "fedtrail.31337.0x"
            + "00" * 20
            + "\n1\n"
            + "A" * 43
            + "=\nblock 1 0x"
            + "00" * 32
            + "\n\n— x "
            + "A" * 92
            + "\n"
        )
        note = mutate_bytes(text.encode(), source) if source.random() < 0.9 else text.encode()
        if source.random() < 0.5:
            return pack(reseal(self._files | {"checkpoints/x.note": note}))
        return pack(
            reseal(self._files) | {ENVELOPE: encode_json(mutate_json({"payload": "", "signatures": []}, source))}
        )


def _seal(forgery: Forgery) -> Files:
    try:
        return forgery.seal()
    except (StopIteration, IndexError, TypeError, AttributeError):  # no longer a chain that can be linked
        return forgery.seal(relink=False)
