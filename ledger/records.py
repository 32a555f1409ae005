"""Frozen data between I/O and judgement: a RoundRecord goes in, an AuditReport comes out.

A record holds what the chain and the store said, with gaps stated as gaps. Nothing in it is trusted.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ledger import errors, spec
from ledger.layout import Layout
from ledger.spec import narrow
from ledger.spec.audience import Readership
from ledger.spec.homomorphic import TERM, Homomorphic, decode_homomorphic
from ledger.spec.shares import ShareEntry, decode_share_list


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """Bytes that were asked for, or why they did not come."""

    cid: str
    """Content identifier asked for; "" when nobody published one."""
    data: spec.Bytes | None
    """The bytes, of a large blob as a view of a file; None when they did not come."""
    problem: errors.FedtrailError | None = None
    """Why not: Unavailable or StoreUnreachable (no accusation), BlobCorrupt, Oversized or NotCanonical."""

    @property
    def missing(self) -> bool:
        """Whether the bytes could not be had at all: an absent blob, or a store that does not answer.

        An update that is there, and closed to us, is not missing.
        """
        gaps = (errors.EvidenceError, errors.ChainError)
        is_gap = isinstance(self.problem, gaps) and not isinstance(self.problem, errors.NotAReader)
        return self.data is None and (self.problem is None or is_gap)


NOTHING = Fetched(cid="", data=None)
OnProgress = Callable[[float, float, str], None]
"""Told how much of a whole is done, and what is being done."""


def ignore_progress(done: float, total: float, text: str) -> None:
    """Tell nobody."""
    del done, total, text


@dataclass(frozen=True, kw_only=True)  # no slots: cached properties need a place
class RoundRecord:
    """Everything about one round that a replay needs."""

    round_id: int
    """Number within the ledger."""
    number: int
    """Number within the task, from 1."""
    task_id: int
    """The task."""
    task: spec.Task
    """Its parameters, as the chain has them."""
    domain_separator: bytes
    """EIP-712 domain separator of the RoundLedger."""
    phase: spec.Phase
    """Phase on the chain when the record was made."""
    aggregator: int
    """Participant who opened the round and owes a proposal."""
    base_model: bytes
    """Root that the round opened with, from its event."""
    previous_model: bytes
    """Root that the last finalised round ended with, or the task's genesis model."""
    previous_head: bytes
    """Head of the task's hash chain before this round; zeros before the first finalised one."""
    head: bytes
    """Head of that chain with this round; zeros where it is not finalised."""
    segments: tuple[tuple[spec.Member | spec.SignedMember, ...], ...]
    """Accepted batches, from the events, in order; in root-only mode the one list that the round's root is of."""
    committed: int
    """The contract's own count of clients that committed; in accumulated mode the proposal's, once there is one."""
    segments_hash: bytes
    """The contract's rolling hash over the batches; with a proposal, as its event tells it, whose hash covers it; zeros
    for a round without one that the contract keeps no longer, since the next round is open."""
    signed_list: Fetched | None
    """The list of signed commitments of a round in root-only mode; None where none was posted."""
    signers: dict[int, bytes]
    """Signing address of each committed client when the round opened."""
    stakes: dict[int, int]
    """Stake of each committed client in the second before the round opened, in wei; empty if the task never asks."""
    proposal: spec.Proposal | None
    """What the aggregator proposed; None when it did not."""
    proposal_hash: bytes
    """What the contract stored of it, or its event tells once the contract keeps it no longer; zeros if none."""
    included: int
    """Included updates, as the proposal's event tells it; 0 when there is none."""
    aux: bytes
    """What the proposal carries for its rule beside roots."""
    exclusions: tuple[tuple[int, int], ...]
    """(client, reason) pairs of the proposal or the abandonment."""
    data_id: bytes
    """Digest of the manifest; zeros when there is none."""
    manifest: Fetched
    """The manifest."""
    base: Fetched
    """The base model, where the manifest says it is."""
    updates: dict[int, Fetched]
    """Each committed client's update, where the manifest says it is."""
    aggregate: Fetched
    """The aggregate."""
    model: Fetched
    """Base model plus aggregate."""
    layout: Layout | None
    """Names of the coordinates, stages of a composed rule, terms of the task; None when it could not be fetched."""
    block: int
    """Block of the proposal, or of the round's opening."""
    block_hash: bytes
    """Its hash."""
    previous_round: int = 0
    """Round of the ledger that was the task's last finalised one when this one opened; 0 before the first."""
    previous_root: bytes = spec.ZERO_DIGEST
    """Root of that round's aggregate, from its proposal."""
    readership: Readership | None = None
    """Whom updates are sealed to; None where they are stored as they are. What `updates` holds was opened."""
    previous_aggregate: Fetched = NOTHING
    """That aggregate; not asked for where the task's validation does not compare with it."""
    share_list: Fetched | None = None
    """Of a homomorphic round: the list of decryption shares that its aggregator stated first; None if there is none."""
    summed: dict[int, Fetched] = field(default_factory=dict)
    """Encrypted updates that this list says were added, by client."""
    shares: dict[int, Fetched] = field(default_factory=dict)
    """Decryption shares that it names, by client."""
    opening_hash: bytes = spec.ZERO_DIGEST
    """Hash of the block in which the round was opened: of it follow the groups of masked clients."""

    @cached_property
    def members(self) -> tuple[spec.Member, ...]:
        """The commitment that counts of every client, in rising client id."""
        arrived = [spec.Member(client=e.client, commitment=e.commitment) for part in self.segments for e in part]
        return tuple(sorted(spec.distinct_members(arrived)))

    @property
    def homomorphic(self) -> Homomorphic | None:
        """What binds the task's rounds if its updates are encrypted to be added; None if they are not."""
        return read_homomorphic(self.task, self.layout)

    def list_shares(self) -> tuple[ShareEntry, ...]:
        """Return the entries of the list of decryption shares; none if there is none that can be read."""
        if self.share_list is None or self.share_list.data is None:
            return ()
        try:
            data, domain = bytes(self.share_list.data), self.domain_separator
            return decode_share_list(data, domain_separator=domain, round_id=self.round_id).entries
        except errors.FedtrailError:
            return ()

    @property
    def masking(self) -> spec.Masking | None:
        """How clients mask in groups (docs/protocol.md §11.13); None in any other task, or where nobody can read it."""
        text = self.layout.term("masking") if self.layout and self.task.rule is spec.Rule.COMPOSED else None
        try:
            masking = None if text is None else spec.decode_masking(text)
        except spec.NotCanonical:
            return None
        return masking if masking and masking.is_grouped else None

    @property
    def degree(self) -> int:
        """Most peers of a client of a masked round; 0 where updates are not masked."""
        return self.masking.degree if self.masking else self.task.degree

    @property
    def update_kind(self) -> spec.Kind:
        """What every update of the round is stored as."""
        if self.degree:
            return spec.Kind.MASKED
        is_narrow = self.layout is not None and self.layout.term(narrow.TERM) == narrow.TEXT
        return spec.Kind.NARROW if is_narrow else spec.Kind.UPDATE

    @property
    def groups(self) -> spec.Groups:
        """The groups in which clients mask; none in a task without."""
        if self.masking is None:
            return ()
        beacon = spec.compute_beacon(self.domain_separator, self.round_id, self.opening_hash)
        return spec.draw_groups(self.masking.roster, self.masking.groups, beacon)

    def make_rule_params(self, clients: Sequence[int], weights: Sequence[int]) -> spec.RuleParams:
        """Return the rule of this round; of a composed one with its stages, where the layout is there to name them.

        Args: clients, weights: participant ids of the included updates, rising, and what each weighs.
        """
        params = self.task.rule_params()
        if params.rule is not spec.Rule.COMPOSED or self.layout is None:
            return params
        seed = spec.compute_seed(self.domain_separator, self.round_id, self.segments_hash)
        context = spec.Context(clients=tuple(clients), weights=tuple(weights), seed=seed)
        return replace(params, composition=self.layout.composition, context=context)

    def compute_weight(self, client: int, num_examples: int) -> int:
        """Return what a committed client weighs in a weighted mean."""
        params = replace(self.task.rule_params(), composition=self.layout.composition if self.layout else None)
        return spec.compute_weight(params, num_examples, self.stakes.get(client, 0))


def read_homomorphic(task: spec.Task, layout: Layout | None) -> Homomorphic | None:
    """Return a task's term `homomorphic`; None where there is none, or none that can be judged by."""
    text = layout.term(TERM) if layout else None
    if text is None or task.rule is not spec.Rule.SUM32 or task.rule_param:
        return None
    try:
        return decode_homomorphic(text)
    except errors.FedtrailError:
        return None


def read_num_examples(data: spec.Bytes | None) -> int | None:
    """Return what an update says that it was trained on; None where there is no update to read."""
    try:
        return None if data is None else spec.decode_vector(data, max_bytes=len(data)).header.num_examples
    except errors.FedtrailError:
        return None


def name_rule(task: spec.Task) -> str:
    """Return a task's rule with its numbers: `trimmed-mean(3)`."""
    numbers = ", ".join(str(number) for number in (task.rule_param, task.rule_select) if number)
    name = task.rule.name.lower().replace("_", "-")
    return f"{name}({numbers})" if numbers else name


class Grade(enum.StrEnum):
    """How well a fact is known."""

    PROVEN = "PROVEN"
    """Recomputed from bytes: hash, signature, replay."""
    ATTESTED = "ATTESTED"
    """Signed by a known party, not recomputable."""
    CLAIMED = "CLAIMED"
    """Said by somebody, unsigned."""
    MISSING = "MISSING"
    """Evidence is not there."""


class Verdict(enum.StrEnum):
    """Outcome of a replay."""

    PASS = "pass"
    """Everything was recomputed and agrees."""
    FAIL = "fail"
    """Something is proved wrong."""
    INCOMPLETE = "incomplete"
    """Evidence is missing: no accusation."""
    NOTHING = "nothing"
    """The round ended without a proposal: there is nothing to replay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that an audit found."""

    clause: str
    """Number of the check in `audit.replay`."""
    error: errors.FedtrailError
    """What it is, with both values: evidence (exit 7) or missing evidence (exit 8)."""
    participant: int | None
    """Who it concerns, where that is known."""

    @property
    def accuses(self) -> bool:
        """Whether this is evidence of something wrong, not a gap."""
        return not isinstance(self.error, errors.EvidenceError)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What a replay of one round established."""

    round_id: int
    """The round."""
    number: int
    """Its number within the task."""
    verdict: Verdict
    """Outcome."""
    grade: Grade
    """How well the round as a whole is known."""
    included: int
    """Updates that the aggregate was recomputed from."""
    committed: int
    """Commitments on the chain."""
    attested: tuple[str, ...]
    """Facts that could only be attested, in words."""
    findings: tuple[Finding, ...]
    """Everything found, evidence first."""
    aggregate_root: bytes
    """Root of the recomputed aggregate; zeros when it could not be recomputed."""
    rejections: tuple[errors.SpecError, ...] = ()
    """What the task's validation rejects, client by client, recomputed."""

    def raise_for_status(self) -> None:
        """Return if the replay passed or there was nothing to replay; raise the first finding otherwise."""
        if self.findings:
            raise self.findings[0].error
