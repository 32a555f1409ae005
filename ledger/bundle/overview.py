"""What is in a bundle and what is not, read without judging, and what became of it: signed, opened, compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ledger import spec
from ledger.bundle import format as fmt
from ledger.bundle.chain_evidence import decode_events, read_blocks, read_logs
from ledger.bundle.check import open_manifest
from ledger.bundle.container import Container, stage
from ledger.bundle.contents import Wanted, is_disclosed, iter_wanted
from ledger.bundle.envelope import sign_manifest, verify_envelope
from ledger.bundle.format import FileInfo, Kind, Manifest
from ledger.bundle.notes import Notes
from ledger.bundle.readme import make_readme
from ledger.bundle.sealing import get_public, unseal
from ledger.bundle.store import BundleStore, parse_blob_name
from ledger.chain.calls import Contracts
from ledger.errors import ConfigurationError, FedtrailError, UsageError
from ledger.recorded_chain import RecordedChain
from ledger.store import Cid

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """How many blobs of a kind a bundle has, and how."""

    kind: Kind
    """What they are."""
    open: int
    """There, for everybody."""
    sealed: int
    """There, for one reader."""
    withheld: int
    """Not disclosed at this level."""
    missing: int
    """Could not be had when the bundle was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A bundle at a glance. Nothing in it is verified."""

    manifest: Manifest
    """What it says of itself."""
    signers: tuple[str, ...]
    """Public keys that signed it, hex."""
    rounds: int
    """Rounds of its tasks."""
    holdings: tuple[Holding, ...]
    """By kind."""


def read_overview(path: Path) -> Overview:
    """Return what is in a bundle. Raises: errors of whatever in it cannot be read."""
    with Container(path) as container:
        manifest = open_manifest(container)
        recorded = read_recorded(container, manifest)
        wanted = list(iter_bundle_blobs(container, manifest, recorded))
        return Overview(
            manifest=manifest,
            signers=tuple(_read_signers(container)),
            rounds=sum(recorded.get_task_state(task).rounds for task in manifest.tasks),
            holdings=tuple(_count(container, manifest, wanted)),
        )


def read_recorded(container: Container, manifest: Manifest) -> RecordedChain:
    """Return the ledger that a bundle's events tell. Raises: the first thing wrong with its chain."""
    notes = Notes()
    logs = read_logs(container, manifest, read_blocks(container, manifest, notes), notes)
    events = list(decode_events(manifest.contracts, logs, notes))
    for finding in notes.findings:
        raise finding.error
    contracts = Contracts(chain_id=manifest.chain_id, addresses=manifest.contracts)
    last, stakes = manifest.last_block.number, manifest.min_stake_wei
    return RecordedChain(contracts, events, last_block=last, min_stake_wei=stakes)


def iter_bundle_blobs(container: Container, manifest: Manifest, recorded: RecordedChain) -> Iterator[Wanted]:
    """Yield every blob that the rounds of a bundle name, whether it is in it or not."""
    store = BundleStore(container)

    def read_manifest(cid: Cid) -> bytes | None:
        try:
            return store.get_block(cid)
        except FedtrailError:
            return None

    for task_id in manifest.tasks:
        yield from iter_wanted(recorded, task_id, read_manifest)


def _count(container: Container, manifest: Manifest, wanted: list[Wanted]) -> Iterator[Holding]:
    counts = Counter((each.kind, _find_place(container, manifest, each)) for each in wanted)
    for kind in Kind:
        places = {place: counts[kind, place] for place in ("open", "sealed", "withheld", "missing")}
        yield Holding(kind=kind, **places)


def _find_place(container: Container, manifest: Manifest, wanted: Wanted) -> str:
    if fmt.BLOBS + str(wanted.cid) in container:
        return "open"
    if fmt.SEALED + str(wanted.cid) in container:
        return "sealed"
    return "missing" if is_disclosed(wanted, manifest.level, manifest.partner) else "withheld"


def _read_signers(container: Container) -> list[str]:
    if fmt.ENVELOPE not in container:
        return []
    envelope = container.read(fmt.ENVELOPE, max_bytes=fmt.MAX_ENVELOPE_BYTES)
    return verify_envelope(envelope, container.read(fmt.MANIFEST, max_bytes=fmt.MAX_MANIFEST_BYTES))


def sign_bundle(path: Path, key: Ed25519PrivateKey) -> list[str]:
    """Put a signature over its manifest into a bundle; return the public keys that have signed it now, in hex.

    Raises: NotCanonical, Oversized, WrongSigner: it is no bundle, or its present signatures are not in order.
    """
    with Container(path) as container, stage(path) as staging:
        open_manifest(container)
        for name in container.entries:
            if name != fmt.ENVELOPE:
                staging.add(name, container.chunks(name))
        manifest = container.read(fmt.MANIFEST, max_bytes=fmt.MAX_MANIFEST_BYTES)
        before = container.read(fmt.ENVELOPE, max_bytes=fmt.MAX_ENVELOPE_BYTES) if fmt.ENVELOPE in container else None
        envelope = sign_manifest(manifest, key, before)
        staging.add(fmt.ENVELOPE, [envelope])
        staging.write(path)
    return verify_envelope(envelope, manifest)


def open_bundle(path: Path, target: Path, key: X25519PrivateKey) -> Manifest:
    """Write the bundle that a sealed one is without its seals, and return its manifest; signatures stay behind.

    Raises: ConfigurationError: it is sealed to another key. UsageError: it is not sealed. BlobCorrupt: a blob does not
    open.
    """
    with Container(path) as container, stage(target) as staging:
        manifest = open_manifest(container)
        if manifest.recipient is None:
            raise UsageError(f"{path} is not sealed")
        verify_recipient(manifest, key)
        for name in container.entries:
            if name.startswith(fmt.SEALED):
                cid = parse_blob_name(name)
                sealed = container.read(name, max_bytes=fmt.MAX_SEALED_BYTES)
                staging.add(fmt.BLOBS + str(cid), [unseal(sealed, cid, key)])
            elif name not in (fmt.MANIFEST, fmt.ENVELOPE, fmt.README):
                staging.add(name, container.chunks(name))
        staging.add(fmt.README, [make_readme(replace(manifest, recipient=None)).encode()])
        files = {name: FileInfo(size_bytes=each.size_bytes, sha256=each.sha256) for name, each in staging.files.items()}
        opened = replace(manifest, recipient=None, files=files)
        staging.add(fmt.MANIFEST, [fmt.encode_manifest(opened)])
        staging.write(target)
    return opened


def verify_recipient(manifest: Manifest, key: X25519PrivateKey) -> None:
    """Return unless a bundle is sealed to another key. Raises: ConfigurationError."""
    public = get_public(key).hex()
    if manifest.recipient not in (None, public):
        raise ConfigurationError(
            f"the bundle is sealed to {manifest.recipient}, this key is {public}",
            hint="ask for a bundle that is sealed to your key: fedtrail bundle create --recipient",
        )


def extract_blobs(path: Path, folder: Path, key: X25519PrivateKey | None = None) -> list[tuple[Path, Wanted]]:
    """Write the blobs of a bundle as files named by round and kind; return them.

    Raises: BlobCorrupt: one is not what its CID names; nothing is written under its name. UsageError: the folder is not
    empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; nothing was written")
    written = []
    with Container(path) as container:
        manifest = open_manifest(container)
        if key is not None:
            verify_recipient(manifest, key)
        store = BundleStore(container, key)
        for wanted in iter_bundle_blobs(container, manifest, read_recorded(container, manifest)):
            place = _find_place(container, manifest, wanted)
            if place == "open" or (place == "sealed" and key is not None):
                target = folder / _name_file(wanted)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(_read(store, wanted))
                written.append((target, wanted))
    return written


def _read(store: BundleStore, wanted: Wanted) -> spec.Bytes:
    if wanted.kind.is_public:
        return store.get_block(wanted.cid)
    return store.get(wanted.cid, max_bytes=fmt.MAX_SEALED_BYTES)


def _name_file(wanted: Wanted) -> str:
    name = wanted.kind.value if wanted.client is None else f"{wanted.kind.value}-{wanted.client}"
    return name if wanted.round_id is None else f"round-{wanted.round_id}/{name}"


def compare_manifests(one: Manifest, other: Manifest) -> list[tuple[str, str, str]]:
    """Return what differs between two bundles: what, in the one, in the other."""
    stated = [
        ("level", one.level.value, other.level.value),
        ("partner", one.partner, other.partner),
        ("recipient", one.recipient, other.recipient),
        ("chain id", one.chain_id, other.chain_id),
        ("first block", _show(one.first_block), _show(other.first_block)),
        ("last block", _show(one.last_block), _show(other.last_block)),
        ("tasks", ", ".join(map(str, one.tasks)), ", ".join(map(str, other.tasks))),
        ("gaps", len(one.gaps), len(other.gaps)),
        *(
            (f"contract {key}", _hex(one.contracts.get(key)), _hex(other.contracts.get(key)))
            for key in sorted({*one.contracts, *other.contracts})
        ),
    ]
    files = [
        (name, _digest(one.files, name), _digest(other.files, name)) for name in sorted({*one.files, *other.files})
    ]
    return [(what, str(a), str(b)) for what, a, b in (*stated, *files) if a != b]


def _show(block: fmt.BlockRef) -> str:
    return f"{block.number} 0x{block.hash.hex()}"


def _hex(address: bytes | None) -> str:
    return "-" if address is None else "0x" + address.hex()


def _digest(files: Mapping[str, FileInfo], name: str) -> str:
    return files[name].sha256 if name in files else "-"
