"""The verifier of bundles: twelve checks, all made, each reports; no node, no store, no network, no clock.

Its findings are evidence, so it takes nothing on trust but the trust file that it is given, and never breaks on any
bytes. `verify.py` is a second verifier, written from docs/bundle.md alone; tests hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ledger import errors
from ledger.bundle import format as fmt
from ledger.bundle.anchoring import Anchoring
from ledger.bundle.chain_evidence import Block, LedgerLog, decode_events, read_blocks, read_logs
from ledger.bundle.container import Container
from ledger.bundle.envelope import verify_envelope
from ledger.bundle.facts import verify_facts
from ledger.bundle.format import Manifest
from ledger.bundle.notes import BundleReport, Notes
from ledger.bundle.rounds import check_blobs, check_rounds
from ledger.bundle.sealing import get_public
from ledger.bundle.state import (
    StateFile,
    decode_state,
    find_code_faults,
    find_counter_faults,
    find_stake_faults,
    verify_state,
)
from ledger.bundle.store import BundleStore, parse_blob_name
from ledger.chain.calls import Contracts
from ledger.errors import BadProof, Incomplete, NotAContentId, NotCanonical, NotFoundError, Oversized, Unavailable
from ledger.recorded_chain import RecordedChain
from ledger.store import Codec
from ledger.trust import Trust

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

_LIMITS = {
    fmt.MANIFEST: fmt.MAX_MANIFEST_BYTES,
    fmt.ENVELOPE: fmt.MAX_ENVELOPE_BYTES,
    fmt.STATE: fmt.MAX_STATE_BYTES,
}
_FOLDER_LIMITS = {fmt.CHECKPOINTS: fmt.MAX_NOTE_BYTES, fmt.SEALED: fmt.MAX_SEALED_BYTES}


def check_bundle(path: Path, trust: Trust | None = None, key: X25519PrivateKey | None = None) -> BundleReport:
    """Return what a bundle proves (docs/bundle.md, Checks).

    Args: path: the bundle. trust: what the auditor takes as given; without it, nothing is VERIFIED. key: opens sealed
    blobs, and updates that are encrypted to it; without it, the rounds that need them are not checked.
    Raises: NotFoundError: no such file. Whatever is in it becomes part of the report.
    """
    notes = Notes()
    try:
        with Container(path) as container:
            manifest = open_manifest(container)
            notes.level = manifest.level
            _Checker(container, manifest, trust, key, notes).run()
    except NotFoundError:
        raise
    except errors.SpecError as error:
        notes.add("manifest", error)
    return notes.report()


def _choose_key(manifest: Manifest, key: X25519PrivateKey | None) -> X25519PrivateKey | None:
    """Return a key if the bundle is sealed to it: what another key does not open is no evidence against anybody."""
    return key if key is not None and get_public(key).hex() == manifest.recipient else None


def open_manifest(container: Container) -> Manifest:
    """Return the manifest of a bundle; its files are not looked at.

    Raises: NotCanonical, Oversized: it is no bundle.
    """
    for name in container.entries:
        _verify_entry(name, container.entries[name].size_bytes)
    absent = [name for name in (fmt.MANIFEST, *fmt.REQUIRED) if name not in container]
    if absent:
        raise NotCanonical(what=f"a bundle without {absent[0]}")
    if (count := sum(name.startswith(fmt.CHECKPOINTS) for name in container.entries)) > fmt.MAX_NOTES:
        raise Oversized(f"{count} checkpoints, the largest number allowed is {fmt.MAX_NOTES}")
    return fmt.decode_manifest(container.read(fmt.MANIFEST, max_bytes=fmt.MAX_MANIFEST_BYTES))


def _verify_entry(name: str, size_bytes: int) -> None:
    if not fmt.is_name(name):
        raise NotCanonical(what=f"a bundle has no entry {name[:128]!r}")
    folder = name.partition("/")[0] + "/"
    limit = _LIMITS.get(name, _FOLDER_LIMITS.get(folder, size_bytes))
    if folder in (fmt.BLOBS, fmt.SEALED):
        try:
            cid = parse_blob_name(name)
        except NotAContentId as problem:
            raise NotCanonical(what=f"entry {name}: {problem.message}") from None
        limit = fmt.MAX_RAW_BYTES if folder == fmt.BLOBS and cid.codec is Codec.RAW else limit
    if size_bytes > limit:
        raise Oversized(got=size_bytes, want=limit)


class _Checker:
    """One bundle under examination."""

    def __init__(
        self,
        container: Container,
        manifest: Manifest,
        trust: Trust | None,
        key: X25519PrivateKey | None,
        notes: Notes,
    ) -> None:
        self._container, self._manifest, self._trust = container, manifest, trust
        self._key, self._reader_key, self._notes = _choose_key(manifest, key), key, notes

    def run(self) -> None:
        """Make all checks; the order of the report is that of `notes.CHECKS`."""
        self._check_manifest()
        blocks = read_blocks(self._container, self._manifest, self._notes)
        logs = read_logs(self._container, self._manifest, blocks, self._notes)
        state = self._read_state()
        anchoring = Anchoring(self._manifest, blocks, logs, self._trust, self._notes)
        anchoring.check(self._container, state)
        recorded = self._fold(logs)
        self._check_state(state, blocks, recorded)
        store = BundleStore(self._container, self._key, reader_key=self._reader_key)
        check_blobs(self._container, store, self._notes, with_sealed=self._key is not None)
        if recorded is not None:
            check_rounds(recorded, store, self._manifest, self._notes)

    def _check_manifest(self) -> None:
        files, notes = self._manifest.files, self._notes
        with notes.guard("manifest"):
            present = set(self._container.entries) - {fmt.MANIFEST, fmt.ENVELOPE}
            for name in sorted(present ^ set(files)):
                where = "in the bundle and not in its manifest" if name in present else "in the manifest only"
                notes.add("manifest", BadProof(what=f"{name} is {where}"))
            for name in sorted(present & set(files)):
                with notes.guard("manifest"):
                    self._check_file(name)
            data = self._container.read(fmt.MANIFEST, max_bytes=fmt.MAX_MANIFEST_BYTES)
            self._container.compute_digest(fmt.MANIFEST)
            signed = ""
            if fmt.ENVELOPE in self._container:
                self._container.compute_digest(fmt.ENVELOPE)
                envelope = self._container.read(fmt.ENVELOPE, max_bytes=fmt.MAX_ENVELOPE_BYTES)
                signers = verify_envelope(envelope, data)
                signed = f", signed by {', '.join(signers)}"
            notes.finish("manifest", f"{len(files)} files{signed}")

    def _check_file(self, name: str) -> None:
        want = self._manifest.files[name]
        got = self._container.compute_digest(name), self._container.entries[name].size_bytes
        if got != (want.sha256, want.size_bytes):
            what = f"{name} has {got[1]} bytes with SHA-256 {got[0]}, the manifest says {want.size_bytes} with "
            raise BadProof(what=what + want.sha256)

    def _read_state(self) -> StateFile | None:
        state = None
        with self._notes.guard("counters"):
            if fmt.STATE in self._container:
                state = decode_state(self._container.read(fmt.STATE, max_bytes=fmt.MAX_STATE_BYTES))
        return state

    def _fold(self, logs: Sequence[LedgerLog]) -> RecordedChain | None:
        """Check (5): return the ledger that the events tell; None if they tell none."""
        notes, manifest, recorded = self._notes, self._manifest, None
        events = list(decode_events(manifest.contracts, logs, notes))
        with notes.guard("events"):
            verify_facts(self._container, [event for event, _ in events])
        with notes.guard("events"):
            recorded = RecordedChain(
                Contracts(chain_id=manifest.chain_id, addresses=manifest.contracts),
                events,
                last_block=manifest.last_block.number,
                min_stake_wei=manifest.min_stake_wei,
            )
            if strange := [task for task in manifest.tasks if not 1 <= task <= recorded.count_tasks()]:
                raise Incomplete(f"incomplete: the events tell of no task {strange[0]}", task_id=strange[0])
            notes.finish("events", f"{len(logs)} events; {len(manifest.tasks)} of {recorded.count_tasks()} tasks")
        return recorded

    def _check_state(self, state: StateFile | None, blocks: Sequence[Block], recorded: RecordedChain | None) -> None:
        """Checks (6) and (12)."""
        notes, last = self._notes, self._manifest.last_block
        if fmt.STATE not in self._container:
            what = f"{fmt.STATE} is not in the bundle: the node served no proofs of state"
            notes.add("counters", Unavailable(what))
            notes.leave_open("stakes")
        if state is None or not blocks or blocks[-1].number != last.number:
            return
        with notes.guard("counters"):
            proven = verify_state(state, self._manifest.contracts, last, blocks[-1].state_root)
            stakes = self._manifest.min_stake_wei
            for fault in find_code_faults(state, self._manifest.contracts, stakes, proven):
                notes.add("counters", fault)
            if recorded is None:
                return
            for fault in find_counter_faults(recorded, proven):
                notes.add("counters", fault, round_id=fault.detail.get("round_id"))  # type: ignore[arg-type]
            tasks, rounds = recorded.count_tasks(), recorded.count_rounds()
            notes.finish("counters", f"{tasks} tasks, {rounds} rounds")
            with notes.guard("stakes"):
                for fault in find_stake_faults(recorded, proven):
                    notes.add("stakes", fault)
                notes.finish("stakes", f"{len(recorded.participants())} participants")
