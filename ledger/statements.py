"""What clients, attestors and aggregators sign about a round, as files between them.

A client publishes by a signed statement of where its update is (docs/protocol.md §4.3). Whoever collects these writes
them into a file a round, the publication list, which is a manifest that names no vectors: nothing in it needs to be
believed, since every entry is signed. An attestor's signature is a small file beside those of the others. In
root-only mode a client keeps its aggregator's receipt.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger import signing, spec
from ledger.availability import Certificate, make_certificate
from ledger.records import RoundRecord
from ledger.spec.certificates import compute_available_digest

MAX_STATEMENT_BYTES = 200_000
"""Longest file with an attestor's statement: 10,000 exclusions of 6 bytes, in hexadecimal."""


# ------------------------------------------------------------------------------------------------------- publications


def write_publications(folder: Path, manifest: spec.Manifest) -> Path:
    """Write the publication list of a round; a reader never sees half of it.

    Args: folder: of all lists of a deployment. manifest: entries of who published; it names no vectors.
    """
    path = _path_of(folder, manifest.round_id)
    write_file(path, spec.encode_manifest(manifest))
    return path


def read_publications(folder: Path, record: RoundRecord) -> dict[int, spec.ManifestEntry]:
    """Return what clients said about a round, by client; empty where there is no list yet.

    Raises: WrongRound: the list is another round's. SpecError: it is not canonical.
    """
    path = _path_of(folder, record.round_id)
    if not path.is_file():
        return {}
    listed = spec.decode_manifest(read_file(path, spec.MAX_MANIFEST_BYTES))
    if (listed.domain_separator, listed.round_id) != (record.domain_separator, record.round_id):
        raise spec.WrongRound(got=listed.round_id, want=record.round_id)
    return {entry.client: entry for entry in listed.entries}


def _path_of(folder: Path, round_id: int) -> Path:
    return folder / f"{round_id}.publications"


def write_file(path: Path, data: bytes) -> None:
    """Write a file so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    Path(name).replace(path)


def read_file(path: Path, max_bytes: int) -> bytes:
    """Return a stranger's file. Raises: Oversized."""
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise spec.Oversized(got=len(data), want=max_bytes)
    return data


# --------------------------------------------------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What an attestor says about a round."""

    segments_hash: bytes
    """The round's rolling hash over its commitments."""
    excluded: bytes
    """Packed exclusions."""

    def compute_digest(self, domain_separator: bytes, round_id: int) -> bytes:
        """Return what is signed. Args: domain_separator: of the board."""
        return compute_available_digest(
            domain_separator=domain_separator,
            round_id=round_id,
            segments_hash=self.segments_hash,
            exclusions_hash=spec.keccak256(self.excluded),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A statement with its signature, as attestors hand it to each other."""

    attestor: int
    """Participant id."""
    statement: Statement
    """What it says."""
    signature: bytes
    """64 bytes, r | vs."""


def encode_signed(signed: Signed) -> bytes:
    """Return a signed statement as the text of a file."""
    values = {
        "attestor": signed.attestor,
        "segments_hash": signed.statement.segments_hash.hex(),
        "excluded": signed.statement.excluded.hex(),
        "signature": signed.signature.hex(),
    }
    return json.dumps(values, sort_keys=True, indent=1).encode() + b"\n"


def decode_signed(data: bytes) -> Signed:
    """Return the signed statement in a file, canonical or rejected. Raises: NotCanonical."""
    try:
        values = json.loads(data)
        statement = Statement(
            segments_hash=bytes.fromhex(values["segments_hash"]), excluded=bytes.fromhex(values["excluded"])
        )
        signed = Signed(
            attestor=int(values["attestor"]), statement=statement, signature=bytes.fromhex(values["signature"])
        )
    except (ValueError, KeyError, TypeError):
        raise spec.NotCanonical(what="statement of an attestor") from None
    if encode_signed(signed) != data:
        raise spec.NotCanonical(what="statement of an attestor")
    return signed


def select_agreeing(
    signed: Sequence[Signed], keys: Mapping[int, bytes], threshold: int, *, domain_separator: bytes, round_id: int
) -> list[Signed]:
    """Return signatures over one statement that are enough for a certificate; empty while there are none.

    Args: keys: signing address of each member of the committee when the round opened. threshold: signatures needed.
    """
    groups: dict[Statement, dict[int, Signed]] = {}
    for one in signed:
        digest = one.statement.compute_digest(domain_separator, round_id)
        is_valid = len(one.signature) == signing.SIGNATURE_BYTES and one.attestor in keys
        if is_valid and signing.recover(digest, one.signature) == keys[one.attestor]:
            groups.setdefault(one.statement, {})[one.attestor] = one
    enough = (group for group in groups.values() if len(group) >= threshold)
    return [found for _, found in sorted(next(enough, {}).items())]


def certify(agreeing: Sequence[Signed], ids: Sequence[int]) -> Certificate:
    """Return the certificate made of signatures over one statement. Args: ids: of the committee, rising."""
    signatures = {ids.index(one.attestor): one.signature for one in agreeing}
    return make_certificate(spec.decode_exclusions(agreeing[0].statement.excluded), signatures)


# -------------------------------------------------------------------------------------------------- signed commitments


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCommitment:
    """A client's commitment under a signature: the client's own, or in a receipt its aggregator's."""

    round_id: int
    """The round."""
    client: int
    """Participant id of the client."""
    commitment: bytes
    """32 bytes."""
    signature: bytes
    """64 bytes, r | vs."""


MAX_COMMITMENT_BYTES = 1000
"""Longest file with a signed commitment."""


def encode_commitment(signed: SignedCommitment) -> bytes:
    """Return a signed commitment as the text of a file."""
    values = {
        "round_id": signed.round_id,
        "client": signed.client,
        "commitment": signed.commitment.hex(),
        "signature": signed.signature.hex(),
    }
    return json.dumps(values, sort_keys=True, indent=1).encode() + b"\n"


def decode_commitment(data: bytes) -> SignedCommitment:
    """Return the signed commitment in a file, canonical or rejected. Raises: NotCanonical."""
    try:
        values = json.loads(data)
        signed = SignedCommitment(
            round_id=int(values["round_id"]),
            client=int(values["client"]),
            commitment=bytes.fromhex(values["commitment"]),
            signature=bytes.fromhex(values["signature"]),
        )
    except (ValueError, KeyError, TypeError):
        raise spec.NotCanonical(what="signed commitment") from None
    lengths = len(signed.commitment), len(signed.signature)
    if encode_commitment(signed) != data or lengths != (len(spec.ZERO_DIGEST), signing.SIGNATURE_BYTES):
        raise spec.NotCanonical(what="signed commitment")
    return signed


def write_receipt(folder: Path, receipt: SignedCommitment) -> Path:
    """Write an aggregator's receipt for its client. Args: folder: of all receipts of a deployment."""
    path = folder / str(receipt.round_id) / f"{receipt.client}.json"
    write_file(path, encode_commitment(receipt))
    return path


def read_receipts(folder: Path, round_id: int) -> list[SignedCommitment]:
    """Return the receipts of a round that are kept here, by client; a file that cannot be read is no receipt."""
    found = []
    for path in (folder / str(round_id)).glob("*.json"):
        try:
            found.append(decode_commitment(read_file(path, MAX_COMMITMENT_BYTES)))
        except spec.SpecError:
            continue
    return sorted(found, key=lambda receipt: receipt.client)
