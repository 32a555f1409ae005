"""What a bundle says of itself: names, limits, levels, and the manifest as canonical JSON (docs/bundle.md)."""

from __future__ import annotations

import enum
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger import artifacts
from ledger.chain.views import Role
from ledger.errors import NotAContentId, NotCanonical, Oversized
from ledger.store import Cid
from ledger.store.unixfs import MAX_BLOCK_BYTES

FORMAT = "fedtrail-bundle-1"
MANIFEST, ENVELOPE, README, VERIFIER = "manifest.json", "manifest.dsse.json", "README.txt", "verify.py"
_PARTS = ("blobs", "chain", "cohorts", "events", "files", "hashes", "rounds", "rules")
VERIFIER_PARTS = tuple(f"verify_{part}.py" for part in _PARTS)
"""What the second verifier is made of beside VERIFIER."""
HEADERS, RECEIPTS, STATE = "chain/headers.rlp", "chain/receipts.rlp", "chain/state.json"
FACTS = "facts.json"
BLOBS, SEALED, CHECKPOINTS, EXPORTS = "blobs/", "sealed/", "checkpoints/", "exports/"

MAX_MANIFEST_BYTES = 1 << 24
MAX_ENVELOPE_BYTES = 1 << 25
MAX_HEADER_BYTES = 1 << 14
MAX_RECEIPTS_BYTES = 1 << 25
MAX_STATE_BYTES = 1 << 26
MAX_NOTE_BYTES = 1 << 16
MAX_NOTES = 64
MAX_RAW_BYTES = MAX_BLOCK_BYTES
MAX_SEALED_BYTES = 1 << 30

_NAME = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}"
_CID = r"b[a-z2-7]{58}"
_NAMES = re.compile(
    rf"README\.txt|blobs/{_CID}|chain/(headers\.rlp|receipts\.rlp|state\.json)|checkpoints/{_NAME}\.note"
    rf"|exports/{_NAME}|facts\.json|facts\.sqlite|report\.html|manifest\.dsse\.json|manifest\.json|sealed/{_CID}"
    rf"|verify(_({'|'.join(_PARTS)}))?\.py",
    re.ASCII,
)
EXTRAS = ("facts.sqlite", "report.html")
"""Files that stand by themselves; other extras are in `exports/`."""
REQUIRED = (README, VERIFIER, HEADERS, RECEIPTS)
_NUMBER = re.compile("0|[1-9][0-9]{0,77}", re.ASCII)
_DIGEST, _ADDRESS, _KEY = (re.compile(text, re.ASCII) for text in ("0x[0-9a-f]{64}", "0x[0-9a-f]{40}", "[0-9a-f]{64}"))
_MAX_DEPTH = 8


class Level(enum.StrEnum):
    """How much of the clients' data a bundle discloses, and to whom."""

    PUBLIC = "public"
    """Hashes and proofs; manifests, lists, layouts and scripts."""
    PARTNER = "partner"
    """Also one client's own updates, aggregates and models."""
    AUDITOR = "auditor"
    """Everything; what is not public, encrypted to one key."""


class Kind(enum.StrEnum):
    """What a blob is to a round."""

    LAYOUT = "layout"
    SCRIPT = "script"
    LIST = "list"
    MANIFEST = "manifest"
    BASE = "base"
    AGGREGATE = "aggregate"
    MODEL = "model"
    UPDATE = "update"

    @property
    def is_public(self) -> bool:
        """Whether every level has it."""
        return self in (Kind.LAYOUT, Kind.SCRIPT, Kind.LIST, Kind.MANIFEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRef:
    """A block by number and hash."""

    number: int
    """Height."""
    hash: bytes
    """32 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A blob that should be in the bundle and could not be had."""

    cid: str
    """Its identifier."""
    kind: Kind
    """What it is."""
    round_id: int | None
    """Of which round; None for a task's."""
    code: str
    """FT801: not to be had. FT708: the copy in the store is corrupt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInfo:
    """What the manifest says of a file."""

    size_bytes: int
    """Its length."""
    sha256: str
    """Hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a bundle is and holds."""

    level: Level
    """What it discloses."""
    partner: int | None
    """Client whose updates are in it, at level partner."""
    recipient: str | None
    """X25519 key that the sealed blobs are for, hex; None where nothing is sealed."""
    chain_id: int
    """EIP-155 chain id."""
    contracts: Mapping[str, bytes]
    """Addresses by the keys of `artifacts.NAMES`."""
    first_block: BlockRef
    """Block that the ledger was deployed in."""
    last_block: BlockRef
    """Last one of the evidence."""
    min_stake_wei: Mapping[Role, int]
    """Smallest stake of each role."""
    tasks: tuple[int, ...]
    """Tasks whose rounds are checked, rising."""
    gaps: tuple[Gap, ...]
    """What is missing though it should be there."""
    files: Mapping[str, FileInfo]
    """Every entry but the manifest and its signatures."""


def is_name(name: str) -> bool:
    """Whether a bundle may have an entry of a name."""
    return _NAMES.fullmatch(name) is not None


def encode_json(document: object) -> bytes:
    """Return a document as canonical JSON: sorted keys, no spaces, ASCII, one line feed."""
    return (json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True) + "\n").encode("ascii")


def decode_json(data: bytes, *, what: str) -> Any:
    """Return the document in canonical JSON from a stranger.

    Raises: NotCanonical: it is none, or does not encode back to itself.
    """
    try:
        # Before parsing: brackets within texts count, too, which only refuses documents that no bundle has.
        if _measure_depth(data) > _MAX_DEPTH:
            raise ValueError
        document = json.loads(data, parse_constant=_refuse)
        if encode_json(document) == data:
            return document
    except (ValueError, RecursionError):
        pass
    raise NotCanonical(what=f"{what} is no canonical JSON")


def _refuse(text: str) -> None:
    raise ValueError(text)


def _measure_depth(data: bytes) -> int:
    depth = deepest = 0
    for mark in re.findall(rb"[\[\]{}]", data):
        depth += 1 if mark in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the bytes of `manifest.json`."""
    return encode_json(
        {
            "format": FORMAT,
            "level": manifest.level.value,
            "partner": None if manifest.partner is None else str(manifest.partner),
            "recipient": manifest.recipient,
            "chain_id": str(manifest.chain_id),
            "contracts": {key: "0x" + address.hex() for key, address in manifest.contracts.items()},
            "first_block": _encode_block(manifest.first_block),
            "last_block": _encode_block(manifest.last_block),
            "min_stake_wei": {str(int(role)): str(wei) for role, wei in manifest.min_stake_wei.items()},
            "tasks": [str(task) for task in manifest.tasks],
            "gaps": [_encode_gap(gap) for gap in manifest.gaps],
            "files": {
                name: {"bytes": str(each.size_bytes), "sha256": each.sha256} for name, each in manifest.files.items()
            },
        }
    )


def decode_manifest(data: bytes) -> Manifest:
    """Return the manifest in a stranger's bytes, canonical or rejected.

    Raises: Oversized, NotCanonical.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise Oversized(got=len(data), want=MAX_MANIFEST_BYTES)
    document = decode_json(data, what=MANIFEST)
    try:
        manifest = _read_manifest(document)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise NotCanonical(what=f"{MANIFEST} lacks or misstates something: {problem}"[:300]) from None
    _verify_manifest(manifest)
    if encode_manifest(manifest) != data:
        raise NotCanonical(what=f"{MANIFEST} says more than a manifest does")
    return manifest


def _read_manifest(document: Any) -> Manifest:
    if document["format"] != FORMAT:
        raise ValueError(f"format {str(document['format'])[:40]!r}, this release reads {FORMAT!r}")
    return Manifest(
        level=Level(document["level"]),
        partner=None if document["partner"] is None else _read_number(document["partner"]),
        recipient=None if document["recipient"] is None else _match(_KEY, document["recipient"]),
        chain_id=_read_number(document["chain_id"]),
        contracts={key: _read_hex(_ADDRESS, text) for key, text in document["contracts"].items()},
        first_block=_read_block(document["first_block"]),
        last_block=_read_block(document["last_block"]),
        min_stake_wei={Role(int(_read_number(key))): _read_number(wei) for key, wei in _items(document)},
        tasks=tuple(_read_number(task) for task in document["tasks"]),
        gaps=tuple(_read_gap(gap) for gap in document["gaps"]),
        files={
            name: FileInfo(size_bytes=_read_number(each["bytes"]), sha256=_match(_KEY, each["sha256"]))
            for name, each in document["files"].items()
        },
    )


def _verify_manifest(manifest: Manifest) -> None:
    roles = (Role.CLIENT, Role.AGGREGATOR, Role.ATTESTOR)
    faults = {
        "contracts": set(artifacts.KEYS) - set(manifest.contracts) or set(manifest.contracts) - set(artifacts.NAMES),
        "partner": (manifest.partner is None) == (manifest.level is Level.PARTNER),
        "recipient": manifest.recipient is not None and manifest.level is not Level.AUDITOR,
        "min_stake_wei": set(manifest.min_stake_wei) != set(roles) or max(manifest.min_stake_wei.values()) >> 256,
        "tasks": not _is_rising(manifest.tasks),
        "first_block": manifest.first_block.number > manifest.last_block.number,
        "files": not all(is_name(name) and name not in (MANIFEST, ENVELOPE) for name in manifest.files),
        "gaps": list(manifest.gaps) != sort_gaps(manifest.gaps),
    }
    if wrong := [name for name, fault in faults.items() if fault]:
        raise NotCanonical(what=f"{MANIFEST} misstates {', '.join(wrong)}")


def sort_gaps(gaps: Sequence[Gap]) -> list[Gap]:
    """Return gaps in the order of the manifest, each once."""
    return sorted(set(gaps), key=lambda gap: (gap.round_id is not None, gap.round_id or 0, gap.cid, gap.kind))


def _items(document: Any) -> Any:
    return document["min_stake_wei"].items()


def _is_rising(numbers: Sequence[int]) -> bool:
    return all(before < after for before, after in itertools.pairwise(numbers))


def _encode_block(block: BlockRef) -> dict[str, str]:
    return {"number": str(block.number), "hash": "0x" + block.hash.hex()}


def _read_block(value: Any) -> BlockRef:
    return BlockRef(number=_read_number(value["number"]), hash=_read_hex(_DIGEST, value["hash"]))


def _encode_gap(gap: Gap) -> dict[str, str | None]:
    round_id = None if gap.round_id is None else str(gap.round_id)
    return {"cid": gap.cid, "kind": gap.kind.value, "round": round_id, "code": gap.code}


def _read_gap(value: Any) -> Gap:
    try:
        cid = str(Cid.from_text(value["cid"]))
    except NotAContentId as problem:
        raise ValueError(problem.message) from None
    if value["code"] not in ("FT801", "FT708"):
        raise ValueError(f"gap with code {str(value['code'])[:20]!r}")
    round_id = None if value["round"] is None else _read_number(value["round"])
    return Gap(cid=cid, kind=Kind(value["kind"]), round_id=round_id, code=value["code"])


def _read_number(text: Any) -> int:
    return int(_match(_NUMBER, text))


def _read_hex(pattern: re.Pattern[str], text: Any) -> bytes:
    return bytes.fromhex(_match(pattern, text)[2:])


def _match(pattern: re.Pattern[str], text: Any) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise ValueError(f"{str(text)[:80]!r}")
    return text
