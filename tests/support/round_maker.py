"""Honest rounds made from the specification alone, for tests that change one thing and look at the verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from eth_account import Account

from ledger import spec
from ledger.history import raw_cid, to_cid
from ledger.layout import Layout
from ledger.records import NOTHING, Fetched, RoundRecord
from ledger.signing import sign_digest

DOMAIN = spec.compute_domain_separator("fedtrail", 31337, b"\x11" * 20)
LAYOUT = Layout(names=("fc.weight", "fc.bias"), shapes=((3, 4), (8,)))
SIZE = 20


def make_task(**changes: object) -> spec.Task:
    """Return a small task; keyword arguments replace fields."""
    task = spec.Task(
        rule=spec.Rule.TRIMMED_MEAN,
        rule_param=1,
        rule_select=0,
        size=SIZE,
        scale_bits=20,
        leaf_log2=3,
        matrix_log2=1,
        model_log2=4,
        bound=1000,
        examples_cap=100,
        mode=spec.CommitMode.VERIFIED,
        wei_per_weight=0,
        max_clients=16,
        quorum=3,
        commit_seconds=10,
        data_seconds=10,
        propose_seconds=10,
        challenge_seconds=10,
        bond_wei=1,
        board=spec.NO_BOARD,
        genesis_model=spec.compute_vector_root(base_values(), 4),
        layout_digest=b"\x01" * 32,
        script_digest=b"\x02" * 32,
    )
    return replace(task, **changes)  # type: ignore[arg-type]


def base_values() -> list[int]:
    """Return the global model that the round starts from."""
    return [7 * i - 50 for i in range(SIZE)]


def update_values(client: int) -> list[int]:
    """Return the honest update of a client."""
    return [(client * 37 + i * i * 11) % 401 - 200 for i in range(SIZE)]


def content_of(blob: bytes) -> spec.ContentId:
    """Return where a blob of one raw block is."""
    return spec.ContentId(codec=0x55, digest=hashlib.sha256(blob).digest())


def fetched(blob: bytes) -> Fetched:
    """Return a blob as it comes from a store."""
    return Fetched(cid=str(to_cid(content_of(blob))), data=blob)


@dataclass
class RoundMaker:
    """Makes a round step by step, so that a test can lie at one of them."""

    task: spec.Task = field(default_factory=make_task)
    clients: Sequence[int] = (2, 3, 5, 8, 9)
    round_id: int = 4
    aggregator: int = 1
    published: dict[int, bytes] = field(default_factory=dict)
    """Client -> bytes published instead of the honest blob."""
    committed: dict[int, bytes] = field(default_factory=dict)
    """Client -> bytes whose vector is committed to instead of the honest blob's."""
    reasons: dict[int, int] = field(default_factory=dict)
    """Client -> reason of its exclusion."""
    unsigned: set[int] = field(default_factory=set)
    """Clients whose publication carries somebody else's signature."""
    silent: set[int] = field(default_factory=set)
    """Clients that commit and never publish."""
    aggregate_lie: dict[int, int] = field(default_factory=dict)
    """Coordinate -> amount added by a dishonest aggregator."""
    stakes: dict[int, int] = field(default_factory=dict)
    """Client -> stake before the round opened, in wei."""
    weights: dict[int, int] = field(default_factory=dict)
    """Client -> weight that a dishonest aggregator gives it."""
    count_lie: int = 0
    """Clients that a dishonest aggregator counts too many."""
    forged: set[int] = field(default_factory=set)
    """Clients whose entry in a list carries somebody else's signature."""
    swapped: bool = False
    """Whether the list begins with its second entry."""

    def key(self, client: int) -> object:
        """Return the signing key of a client."""
        return Account.from_key(hashlib.sha256(b"client %d" % client).digest())

    def header(self, kind: spec.Kind, client: int, **changes: object) -> spec.VectorHeader:
        """Return an honest header; keyword arguments replace fields."""
        header = spec.VectorHeader(
            kind=kind,
            domain_separator=DOMAIN,
            round_id=self.round_id,
            client=client,
            num_examples=10 * client if kind is spec.Kind.UPDATE else 0,
            size=SIZE,
            scale_bits=self.task.scale_bits,
            leaf_log2=self.task.leaf_log2 if kind is spec.Kind.UPDATE else self.task.model_log2,
        )
        return replace(header, **changes)  # type: ignore[arg-type]

    def blob(self, client: int, values: Sequence[int] | None = None, **changes: object) -> bytes:
        """Return the blob of a client's update."""
        payload = spec.encode_int32(update_values(client) if values is None else values)
        return spec.encode_vector(self.header(spec.Kind.UPDATE, client, **changes), payload)

    def values(self, client: int) -> list[int]:
        """Return what a client publishes."""
        return update_values(client)

    def root(self, blob: spec.VectorBlob) -> bytes:
        """Return the root that a client commits to."""
        return blob.root()

    def aggregate(self, params: spec.RuleParams, values: list[list[int]], weights: list[int]) -> list[int]:
        """Return what an honest aggregator makes of the included updates."""
        return spec.aggregate(params, values, weights)

    def aux(self, params: spec.RuleParams, values: list[list[int]], weights: list[int]) -> bytes:
        """Return what its proposal carries beside roots."""
        return spec.compute_aux(params, values, weights)

    def member(self, client: int) -> spec.Member:
        """Return a client's commitment."""
        blob = spec.decode_vector(self.committed.get(client) or self.blob(client), max_bytes=1 << 20)
        commitment = spec.compute_commitment(
            domain_separator=blob.header.domain_separator,
            round_id=blob.header.round_id,
            client=client,
            num_examples=blob.header.num_examples,
            root=self.root(blob),
        )
        return spec.Member(client=client, commitment=commitment)

    def segments(
        self, members: Sequence[spec.Member]
    ) -> tuple[tuple[tuple[spec.Member | spec.SignedMember, ...], ...], list[bytes], bytes | None]:
        """Return the segments, their roots, and in root-only mode the list."""
        if self.task.mode is spec.CommitMode.ROOT_ONLY:
            listed = [self.signed(member) for member in members]
            if self.swapped:
                listed[:2] = listed[1::-1]
            batch = spec.encode_signed_list(listed)
            return (tuple(listed),), [spec.compute_list_root(batch)], batch
        if self.task.mode is spec.CommitMode.ACCUMULATED:
            # The last client comes once more, with another commitment: its first one counts.
            again = replace(members[-1], commitment=b"\x99" * 32)
            alone = [(member,) for member in (*members, again)]
            return tuple(alone), [spec.compute_segment_root(one) for one in alone], None
        segments = (tuple(members[:3]), tuple(members[3:]))
        return segments, [spec.compute_segment_root(segment) for segment in segments], None

    def signed(self, member: spec.Member) -> spec.SignedMember:
        """Return a client's entry in the list of a root-only round."""
        digest = spec.compute_commitment_digest(
            domain_separator=DOMAIN, round_id=self.round_id, client=member.client, commitment=member.commitment
        )
        signer = self.key(member.client + 100 if member.client in self.forged else member.client)
        signature = sign_digest(signer, digest)  # type: ignore[arg-type]
        return spec.SignedMember(client=member.client, commitment=member.commitment, signature=signature)

    def entry(self, client: int) -> spec.ManifestEntry:
        """Return a client's entry in the manifest."""
        if client in self.silent:
            return spec.ManifestEntry(
                client=client, reason=self.reasons.get(client, 0), content=None, signature=bytes(64)
            )
        content = content_of(self.published.get(client) or self.blob(client))
        digest = spec.compute_publication_digest(
            domain_separator=DOMAIN, round_id=self.round_id, client=client, content=content
        )
        signer = self.key(client + 100 if client in self.unsigned else client)
        return spec.ManifestEntry(
            client=client,
            reason=self.reasons.get(client, 0),
            content=content,
            signature=sign_digest(signer, digest),  # type: ignore[arg-type]
        )

    def record(self) -> RoundRecord:
        """Return the record of the round as chain and store would give it."""
        included = [c for c in self.clients if c not in self.reasons]
        values = [self.values(c) for c in included]
        params = self.task.rule_params()
        weights = [self.weights.get(c, spec.compute_weight(params, 10 * c, self.stakes.get(c, 0))) for c in included]
        result = self.aggregate(params, values, weights)
        for coordinate, amount in self.aggregate_lie.items():
            result[coordinate] += amount
        model = spec.apply_model_step(base_values(), result)
        blobs = {
            "base": spec.encode_vector(self.header(spec.Kind.MODEL, 0), spec.encode_int32(base_values())),
            "aggregate": spec.encode_vector(
                self.header(spec.Kind.AGGREGATE, self.aggregator), spec.encode_int32(result)
            ),
            "model": spec.encode_vector(self.header(spec.Kind.MODEL, self.aggregator), spec.encode_int32(model)),
        }
        manifest = spec.encode_manifest(
            spec.Manifest(
                domain_separator=DOMAIN,
                round_id=self.round_id,
                entries=tuple(self.entry(c) for c in self.clients),
                **{name: content_of(blob) for name, blob in blobs.items()},
            )
        )
        members = [self.member(c) for c in self.clients]
        segments, roots, batch = self.segments(members)
        segments_hash = spec.ZERO_DIGEST
        for segment, root in zip(segments, roots, strict=True):
            segments_hash = spec.compute_segments_hash(segments_hash, root, len(segment))
        aux = self.aux(params, values, weights)
        proposal = spec.Proposal(
            aggregate_root=spec.compute_vector_root(result, self.task.model_log2),
            matrix_root=spec.compute_matrix_root(values, self.task.matrix_log2),
            members_root=spec.compute_members_root([m for m in members if m.client in included]),
            model_root=spec.compute_vector_root(model, self.task.model_log2),
            data_id=raw_cid(hashlib.sha256(manifest).digest()).digest,
            committed=len(members) + self.count_lie,
        )
        exclusions = tuple(sorted(self.reasons.items()))
        return RoundRecord(
            round_id=self.round_id,
            number=2,
            task_id=1,
            task=self.task,
            domain_separator=DOMAIN,
            phase=spec.Phase.PROPOSED,
            aggregator=self.aggregator,
            base_model=spec.compute_vector_root(base_values(), self.task.model_log2),
            previous_model=spec.compute_vector_root(base_values(), self.task.model_log2),
            previous_head=b"\x0b" * 32,
            head=spec.ZERO_DIGEST,
            segments=segments,
            committed=proposal.committed,
            segments_hash=segments_hash,
            signed_list=None if batch is None else fetched(batch),
            stakes=self.stakes,
            signers={c: bytes.fromhex(self.key(c).address[2:]) for c in self.clients},  # type: ignore[attr-defined]
            proposal=proposal,
            proposal_hash=spec.compute_proposal_hash(
                self.round_id,
                proposal,
                segments_hash=segments_hash,
                excluded=spec.encode_exclusions(exclusions),
                aux=aux,
                included=len(included) + self.count_lie,
            ),
            included=len(included) + self.count_lie,
            aux=aux,
            exclusions=exclusions,
            data_id=proposal.data_id,
            manifest=fetched(manifest),
            base=fetched(blobs["base"]),
            updates={c: self.fetched_update(c) for c in self.clients},
            aggregate=fetched(blobs["aggregate"]),
            model=fetched(blobs["model"]),
            layout=LAYOUT,
            block=12,
            block_hash=b"\x0c" * 32,
        )

    def fetched_update(self, client: int) -> Fetched:
        """Return what the store gives for a client's update."""
        return NOTHING if client in self.silent else fetched(self.published.get(client) or self.blob(client))
