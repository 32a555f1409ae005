"""The worked round of docs/protocol.md §10: three clients, four coordinates, trimmed mean with one trimmed per side.

Prints the block of that section. Run: python docs/examples/worked_round.py
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator

from eth_account import Account

from ledger import spec
from ledger.signing import sign_digest
from ledger.store import Cid, Codec

CONTRACT = bytes.fromhex("11" * 20)
DOMAIN = spec.compute_domain_separator(spec.LEDGER_NAME, 31337, CONTRACT)
ROUND_ID, AGGREGATOR = 7, 1
LEAF_LOG2, MATRIX_LOG2, MODEL_LOG2, SCALE_BITS = 3, 0, 4, 20

UPDATES = {2: [10, -4, 1000, 7], 3: [12, -5, -1000, 7], 5: [-300, -6, 3, 8]}
NUM_EXAMPLES = {2: 40, 3: 60, 5: 100}
BASE = [100, 200, -300, 2147483646]
BATCHES = ((2, 3), (5,))
"""Clients 2 and 3 came through a relayer, client 5 by itself."""
RULE = spec.RuleParams(rule=spec.Rule.TRIMMED_MEAN, parameter=1, bound=1000, examples_cap=100_000)

Line = tuple[str, str]


def encode_blob(kind: spec.Kind, author: int, num_examples: int, values: list[int], round_id: int = ROUND_ID) -> bytes:
    """Return a vector blob of this round."""
    header = spec.VectorHeader(
        kind=kind,
        domain_separator=DOMAIN,
        round_id=round_id,
        client=author,
        num_examples=num_examples,
        size=len(values),
        scale_bits=SCALE_BITS,
        leaf_log2=LEAF_LOG2 if kind is spec.Kind.UPDATE else MODEL_LOG2,
    )
    return spec.encode_vector(header, spec.encode_int32(values))


def content_of(blob: bytes) -> spec.ContentId:
    """Return where a blob of one raw block is."""
    return spec.ContentId(codec=Codec.RAW, digest=hashlib.sha256(blob).digest())


def commit(client: int) -> spec.Member:
    """Return a client's commitment."""
    commitment = spec.compute_commitment(
        domain_separator=DOMAIN,
        round_id=ROUND_ID,
        client=client,
        num_examples=NUM_EXAMPLES[client],
        root=spec.compute_vector_root(UPDATES[client], LEAF_LOG2),
    )
    return spec.Member(client=client, commitment=commitment)


def sign(client: int, digest: bytes) -> bytes:
    """Return a client's signature; the private key of client i is the number i, to be found again by anybody."""
    return sign_digest(Account.from_key(client.to_bytes(32, "big")), digest)


def describe_client(client: int) -> Iterator[Line]:
    """Yield what a client makes."""
    member, blob = commit(client), encode_blob(spec.Kind.UPDATE, client, NUM_EXAMPLES[client], UPDATES[client])
    identity = {"domain_separator": DOMAIN, "round_id": ROUND_ID, "client": client}
    to_commit = spec.compute_commitment_digest(**identity, commitment=member.commitment)
    to_publish = spec.compute_publication_digest(**identity, content=content_of(blob))
    yield f"client {client} address", Account.from_key(client.to_bytes(32, "big")).address.lower().removeprefix("0x")
    yield f"client {client} blob", blob.hex()
    yield f"client {client} root", spec.compute_vector_root(UPDATES[client], LEAF_LOG2).hex()
    yield f"client {client} commitment", member.commitment.hex()
    yield f"client {client} commitment digest", to_commit.hex()
    yield f"client {client} commitment signature", sign(client, to_commit).hex()
    yield f"client {client} blob sha256", content_of(blob).digest.hex()
    yield f"client {client} blob cid", str(Cid.of(blob))
    yield f"client {client} publication digest", to_publish.hex()
    yield f"client {client} publication signature", sign(client, to_publish).hex()


def describe_segments() -> Iterator[Line]:
    """Yield the ledger's rolling hash over the batches."""
    rolling = spec.ZERO_DIGEST
    for number, clients in enumerate(BATCHES, start=1):
        members = [commit(client) for client in clients]
        root = spec.compute_segment_root(members)
        rolling = spec.compute_segments_hash(rolling, root, len(members))
        yield f"segment {number} root", root.hex()
        yield f"segments hash {number}", rolling.hex()


def encode_manifest(aggregate: bytes, model: bytes) -> bytes:
    """Return the manifest: everybody is included."""
    entries = []
    for client in UPDATES:
        blob = encode_blob(spec.Kind.UPDATE, client, NUM_EXAMPLES[client], UPDATES[client])
        digest = spec.compute_publication_digest(
            domain_separator=DOMAIN, round_id=ROUND_ID, client=client, content=content_of(blob)
        )
        entry = spec.ManifestEntry(client=client, reason=0, content=content_of(blob), signature=sign(client, digest))
        entries.append(entry)
    manifest = spec.Manifest(
        domain_separator=DOMAIN,
        round_id=ROUND_ID,
        base=content_of(encode_blob(spec.Kind.MODEL, 0, 0, BASE, round_id=0)),
        aggregate=content_of(aggregate),
        model=content_of(model),
        entries=tuple(entries),
    )
    return spec.encode_manifest(manifest)


def describe_proposal() -> Iterator[Line]:
    """Yield what the aggregator makes, and what the ledger keeps of it."""
    weights = [spec.compute_weight(RULE, count, stake_wei=0) for count in NUM_EXAMPLES.values()]
    result = spec.aggregate(RULE, list(UPDATES.values()), weights)
    model = spec.apply_model_step(BASE, result)
    aggregate_blob = encode_blob(spec.Kind.AGGREGATE, AGGREGATOR, len(UPDATES), result)
    model_blob = encode_blob(spec.Kind.MODEL, AGGREGATOR, 0, model)
    manifest = encode_manifest(aggregate_blob, model_blob)
    proposal = spec.Proposal(
        aggregate_root=spec.compute_vector_root(result, MODEL_LOG2),
        matrix_root=spec.compute_matrix_root(list(UPDATES.values()), MATRIX_LOG2),
        model_root=spec.compute_vector_root(model, MODEL_LOG2),
        members_root=spec.compute_members_root([commit(client) for client in UPDATES]),
        data_id=hashlib.sha256(manifest).digest(),
        committed=len(UPDATES),
    )
    segments_hash = bytes.fromhex(dict(describe_segments())["segments hash 2"])
    outcome = spec.make_outcome(
        proposal,
        segments_hash=segments_hash,
        excluded=spec.encode_exclusions([]),
        aux=spec.compute_aux(RULE, list(UPDATES.values()), weights),
        included=len(UPDATES),
    )
    stored = spec.compute_outcome_hash(ROUND_ID, outcome)
    yield "aggregate", str(result)
    yield "model", str(model)
    yield "aggregate blob sha256", content_of(aggregate_blob).digest.hex()
    yield "model blob sha256", content_of(model_blob).digest.hex()
    yield "manifest", manifest.hex()
    for name in ("aggregate_root", "matrix_root", "model_root", "members_root", "data_id"):
        yield name.replace("_", " "), getattr(proposal, name).hex()
    yield "details hash", outcome.details_hash.hex()
    yield "core hash", spec.compute_core_hash(outcome.model_root, outcome.details_hash).hex()
    yield "proposal hash", stored.hex()
    yield "head", spec.compute_head(spec.ZERO_DIGEST, ROUND_ID, stored).hex()


def describe() -> list[Line]:
    """Return every value of the worked round with its name, in the order of the document."""
    lines: list[Line] = [
        ("domain separator", DOMAIN.hex()),
        ("base model root", spec.compute_vector_root(BASE, MODEL_LOG2).hex()),
    ]
    for client in UPDATES:
        lines += describe_client(client)
    return [*lines, *describe_segments(), *describe_proposal()]


def render() -> str:
    """Return the block of the document: one value a line."""
    return "".join(f"{name}: {value}\n" for name, value in describe())


if __name__ == "__main__":
    sys.stdout.write(render())
