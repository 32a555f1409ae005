"""Bundles of a run for tests: one a level, and trust files that anchor them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from audited_run import AuditedRun

from ledger import spec
from ledger.bundle.check import open_manifest
from ledger.bundle.container import Container, stage
from ledger.bundle.create import BundleRequest, create_bundle
from ledger.bundle.format import FileInfo, Level, Manifest, encode_manifest
from ledger.bundle.sealing import load_recipient_key, make_recipient_key, parse_recipient
from ledger.trust import Trust


class Bundles:
    """Makes each bundle when it is first asked for; tests copy what they change."""

    def __init__(self, run: AuditedRun, folder: Path) -> None:
        self.run, self.folder = run, folder

    def make(self, name: str, **named: object) -> Path:
        """Return a new bundle; keyword arguments are those of a request."""
        path = self.folder / f"{name}.ftb.zip"
        create_bundle(path, self.run.chain, self.run.store, BundleRequest(**named))  # type: ignore[arg-type]
        return path

    @cached_property
    def public(self) -> Path:
        return self.make("public")

    @cached_property
    def partner(self) -> Path:
        """Of client 1."""
        return self.make("partner", level=Level.PARTNER, partner=self.client)

    @cached_property
    def auditor(self) -> Path:
        """Everything, nothing sealed."""
        return self.make("auditor", level=Level.AUDITOR)

    @cached_property
    def sealed(self) -> Path:
        """Everything, sealed to `key_file`."""
        return self.make("sealed", level=Level.AUDITOR, recipient=self.recipient)

    @property
    def client(self) -> int:
        """A client of the run."""
        (event, *_) = self.run.chain.events(names=("SegmentCommitted", "Committed"))
        if event.name == "Committed":
            return int(event.args["client"])
        return int.from_bytes(event.args["entries"][:4], "big")

    def read_kinds(self, path: Path) -> Iterator[str]:
        """Yield what every vector in a bundle is."""
        for _, data in self.read_vectors(path):
            header = spec.decode_vector(data, max_bytes=len(data)).header
            of = f" of client {header.client}" if header.kind is spec.Kind.UPDATE else ""
            yield header.kind.name.lower() + of

    def read_vectors(self, path: Path) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of every open vector."""
        with Container(path) as container:
            for name in container.entries:
                if name.startswith("blobs/"):
                    data = container.read(name, max_bytes=1 << 30)
                    if data[:2] == b"FT" and data[:4] != b"FTD\x01":
                        yield name, data

    @cached_property
    def key_file(self) -> Path:
        path = self.folder / "auditor.pem"
        make_recipient_key(path, None)
        return path

    @property
    def recipient(self) -> bytes:
        from ledger.bundle.sealing import get_public

        return parse_recipient(get_public(load_recipient_key(self.key_file, None)).hex())

    @property
    def trust(self) -> Trust:
        """Of an auditor whose own node knows the last block."""
        last = self.run.chain.get_confirmed_block()
        block_hash = self.run.chain.get_block_hash(last)
        assert block_hash is not None
        return Trust(
            chain_id=self.run.chain.network.chain_id,
            contract=self.run.chain.contracts.ledger,
            block_hashes={last: block_hash},
        )


def write_trust(path: Path, trust: Trust) -> Path:
    """Write the trust file of an auditor who knows one block."""
    ((number, block_hash),) = trust.block_hashes.items()
    assert trust.contract is not None
    named = f'[ledger]\nchain_id = {trust.chain_id}\ncontract = "0x{trust.contract.hex()}"\n[anchor]\n'
    path.write_text(f'{named}block_hash = {{{number} = "0x{block_hash.hex()}"}}\n')
    return path


def rewrite(path: Path, target: Path, changes: Mapping[str, bytes | None]) -> Path:
    """Return a copy with other contents, or without an entry, whose manifest agrees."""
    with Container(path) as container, stage(target) as staging:
        contents = {name: container.read(name, max_bytes=1 << 30) for name in container.entries}
        manifest = open_manifest(container)
        for name, content in {**contents, **changes}.items():
            if content is not None and name not in ("manifest.json", "manifest.dsse.json"):
                staging.add(name, [content])
        files = {name: FileInfo(size_bytes=each.size_bytes, sha256=each.sha256) for name, each in staging.files.items()}
        staging.add("manifest.json", [encode_manifest(replace(manifest, files=files))])
        staging.write(target)
    return target


def read_manifest(path: Path) -> Manifest:
    with Container(path) as container:
        return open_manifest(container)
