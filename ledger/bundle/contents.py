"""Which blobs a bundle has: what chain and manifests name, as far as its level discloses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ledger import spec
from ledger.bundle.format import Kind, Level
from ledger.errors import FedtrailError
from ledger.history import get_max_bytes, raw_cid, to_cid
from ledger.layout import decode_layout
from ledger.readers import BlobReader
from ledger.recorded_chain import RecordedChain
from ledger.records import read_homomorphic
from ledger.spec import Phase
from ledger.spec.audience import SEALED_ALLOWANCE_BYTES, TERM
from ledger.store import Cid, Codec, unixfs

_UNAVAILABLE = 801


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A blob that a bundle should have."""

    cid: Cid
    """Its identifier."""
    kind: Kind
    """What it is."""
    max_bytes: int
    """Largest one that a round may have."""
    round_id: int | None = None
    """Of which round; None for a task's."""
    client: int | None = None
    """Whose update it is."""
    is_needed: bool = True
    """Whether a check stays open without it."""


ReadManifest = Callable[[Cid], bytes | None]


def iter_wanted(recorded: RecordedChain, task_id: int, read_manifest: ReadManifest) -> Iterator[Wanted]:
    """Yield the blobs of a task and its rounds, each manifest before what it names.

    Args: read_manifest: returns a layout or manifest that was yielded, None if it cannot be had.
    """
    task = recorded.get_task(task_id)
    for kind, digest in ((Kind.LAYOUT, task.layout_digest), (Kind.SCRIPT, task.script_digest)):
        if any(digest):
            is_needed = kind is Kind.LAYOUT  # its terms bind every round
            yield Wanted(cid=raw_cid(digest), kind=kind, max_bytes=unixfs.MAX_BLOCK_BYTES, is_needed=is_needed)
    limits = _find_limits(task, read_manifest)
    for event in recorded.events(names=("RoundOpened",), task_id=task_id):
        yield from _iter_round(recorded, limits, event.args["round_id"], read_manifest)


def _find_limits(task: spec.Task, read_manifest: ReadManifest) -> tuple[int, int]:
    """Return the largest vector of a task, and the largest update, which may be sealed, or a ciphertext."""
    data, vector = read_manifest(raw_cid(task.layout_digest)), get_max_bytes(task)
    try:
        layout = None if data is None else decode_layout(data)
    except spec.SpecError:
        layout = None
    if (homomorphic := read_homomorphic(task, layout)) is not None:
        return vector, homomorphic.compute_max_update_bytes(task.size, task.bound)
    is_sealed = layout is not None and layout.term(TERM) is not None
    return vector, vector + SEALED_ALLOWANCE_BYTES * is_sealed


def _iter_round(
    recorded: RecordedChain, limits: tuple[int, int], round_id: int, read_manifest: ReadManifest
) -> Iterator[Wanted]:
    is_needed = recorded.get_round(round_id).phase is not Phase.VOIDED
    for event in recorded.events(names=("RootCommitted", "Proposed", "Abandoned"), round_id=round_id):
        if event.name == "RootCommitted":
            cid = raw_cid(event.args["list_id"])
            yield Wanted(cid=cid, kind=Kind.LIST, max_bytes=unixfs.MAX_BLOCK_BYTES, round_id=round_id)
            continue
        data_id = event.args["proposal"].data_id if event.name == "Proposed" else event.args["data_id"]
        if not any(data_id):
            continue
        cid, limit = raw_cid(data_id), spec.MAX_MANIFEST_BYTES
        yield Wanted(cid=cid, kind=Kind.MANIFEST, max_bytes=limit, round_id=round_id, is_needed=is_needed)
        yield from _iter_named(read_manifest(cid), limits, round_id=round_id, is_needed=is_needed)


def _iter_named(data: bytes | None, limits: tuple[int, int], *, round_id: int, is_needed: bool) -> Iterator[Wanted]:
    """Yield what a manifest names; nothing if nobody can read it."""
    try:
        manifest = spec.decode_manifest(data) if data is not None else None
    except FedtrailError:
        manifest = None
    if manifest is None:
        return
    largest_vector, largest_update = limits
    vectors = ((Kind.BASE, manifest.base), (Kind.AGGREGATE, manifest.aggregate), (Kind.MODEL, manifest.model))
    for kind, content in vectors:
        if (cid := to_cid(content)) is not None:
            yield Wanted(cid=cid, kind=kind, max_bytes=largest_vector, round_id=round_id, is_needed=is_needed)
    for entry in manifest.entries:
        if (cid := to_cid(entry.content)) is not None:
            yield Wanted(
                cid=cid,
                kind=Kind.UPDATE,
                max_bytes=largest_update,
                round_id=round_id,
                client=entry.client,
                # Nobody could have it then: that it is gone is what the round says.
                is_needed=is_needed and entry.reason != _UNAVAILABLE,
            )


def is_disclosed(wanted: Wanted, level: Level, partner: int | None) -> bool:
    """Whether a level has a blob, open or sealed."""
    if wanted.kind.is_public or level is Level.AUDITOR:
        return True
    return level is Level.PARTNER and (wanted.kind is not Kind.UPDATE or wanted.client == partner)


def read_entries(store: BlobReader, wanted: Wanted) -> Iterator[tuple[Cid, spec.Bytes]]:
    """Yield the entries that stand for a blob: its content, or blocks of what is no file of the profile.

    Raises: Unavailable, StoreUnreachable: it cannot be had. BlobCorrupt: the store's copy is not what the CID names.
    """
    if wanted.cid.codec is Codec.RAW:
        yield wanted.cid, store.get_block(wanted.cid)
        return
    try:
        content = store.get(wanted.cid, max_bytes=wanted.max_bytes)
    except spec.SpecError:  # Oversized, NotCanonical, WrongLength: evidence against who published it
        yield from _read_blocks(store, wanted).items()
        return
    yield wanted.cid, content


def _read_blocks(store: BlobReader, wanted: Wanted) -> dict[Cid, bytes]:
    """Return the blocks that a reader meets until it refuses the blob."""
    met: dict[Cid, bytes] = {}

    def get_block(cid: Cid) -> bytes:
        met[cid] = store.get_block(cid)
        return met[cid]

    try:
        for _ in unixfs.read_file(wanted.cid, get_block, wanted.max_bytes):
            pass
    except spec.SpecError:
        return met
    return met
