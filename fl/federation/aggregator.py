"""The aggregator's side of a round: read the commitments from the chain, fetch, judge, aggregate, propose."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fl.federation.attestors import find_certified
from fl.federation.clients import Publication
from fl.federation.context import Context, Roster, RoundPlan, header_of
from fl.federation.homomorphic import Decrypted, KeyGroup, decrypt_together
from fl.federation.masking import Masks, find_lost, unmask
from fl.federation.sealing import read_as
from fl.workload import Vector
from ledger import commitments, spec
from ledger.aggregation import aggregate, apply_model_step, compute_aux
from ledger.audit import aggregate_masked, is_published, judge_cohort, judge_update, read_seed_table, reason_of
from ledger.audit.decryption import UNDECRYPTED, judge_encrypted
from ledger.errors import (
    BlobCorrupt,
    ChainError,
    DecryptionFailed,
    FedtrailError,
    NotAReader,
    Unavailable,
    UnmaskingFailed,
)
from ledger.history import fetch_update, load_round, to_cid, to_content
from ledger.readers import BlobReader
from ledger.records import Fetched, RoundRecord
from ledger.script import AggregatorEvent
from ledger.spec.homomorphic import EncryptedUpdate
from ledger.store import Cid, Codec

_GONE = 801
"""Reason of a client of whom something could not be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What the aggregator has in its hands when the data phase is over."""

    record: RoundRecord
    """What chain and store said of the round when it was collected."""
    entries: tuple[spec.ManifestEntry, ...]
    """One for each committed client, in rising id."""
    members: tuple[spec.Member, ...]
    """The included ones."""
    rows: tuple[Vector, ...]
    """Their updates, int32[d] each."""
    weights: tuple[int, ...]
    """What each of them weighs in a weighted mean."""
    params: spec.RuleParams
    """The round's rule."""
    tables: Mapping[int, tuple[spec.SeedLine, ...]]
    """Seed table by included client, in a masked task."""
    encrypted: Mapping[int, EncryptedUpdate] = field(default_factory=dict)
    """Encrypted update by included client, in a homomorphic task; it has no rows."""

    @property
    def task(self) -> spec.Task:
        """The round's task."""
        return self.record.task

    @property
    def exclusions(self) -> tuple[tuple[int, int], ...]:
        """(participant, reason) pairs of the excluded clients."""
        return tuple((entry.client, entry.reason) for entry in self.entries if entry.reason)


def collect(ctx: Context, roster: Roster, plan: RoundPlan, publications: Mapping[int, Publication]) -> Collected:
    """Fetch and judge the update of every client that the chain says has committed.

    Exclusion is decided by the same functions that auditors use: each update alone, then all that are valid with each
    other, where the task asks for it. Its reason is the FT code of the error. Whom a certificate excludes is excluded
    as it says, since the ledger takes no other proposal then.
    """
    store = read_as(ctx, roster, [plan.aggregator])
    record = load_round(ctx.chain, store, plan.round_id)
    if record.signed_list is not None and record.signed_list.problem is not None:
        raise record.signed_list.problem  # our own list is gone: without it nobody is known to have committed
    reasons = find_certified(ctx, plan)
    valid: dict[int, tuple[spec.VectorBlob, Vector]] = {}
    encrypted: dict[int, EncryptedUpdate] = {}
    committed = record.members
    for done, member in enumerate(committed, start=1):
        publication = publications.get(member.client)
        if member.client not in reasons:
            try:
                fetched = _fetch_update(store, record, member, publication)
                if record.homomorphic is None:
                    valid[member.client] = judge_update(record, member, fetched)
                else:
                    encrypted[member.client] = judge_encrypted(record, member, fetched)
            except (ChainError, NotAReader):
                raise  # our store is down, or our key is gone: that is no reason to exclude anybody
            except FedtrailError as error:
                reasons[member.client] = reason_of(error)
        ctx.tell("aggregate", plan.number, done, len(committed))
    rejected = judge_cohort(record, {client: values for client, (_, values) in valid.items()})
    reasons |= {client: reason_of(error) for client, error in rejected.items()}
    entries = [_entry(m, publications.get(m.client), reasons.get(m.client, 0)) for m in committed]
    members = [member for member in committed if member.client not in reasons]
    updates = [valid[member.client] for member in members if member.client in valid]
    counts = [blob.header.num_examples for blob, _ in updates] or [1] * len(encrypted)
    weights = [record.compute_weight(m.client, count) for m, count in zip(members, counts, strict=True)]
    tables = {m.client: read_seed_table(record, blob) for m, (blob, _) in zip(members, updates, strict=not encrypted)}
    return Collected(
        record=record,
        entries=tuple(entries),
        members=tuple(members),
        rows=tuple(values for _, values in updates),
        weights=tuple(weights),
        params=record.make_rule_params([member.client for member in members], weights),
        tables=tables,
        encrypted=encrypted,
    )


def _fetch_update(
    store: BlobReader, record: RoundRecord, member: spec.Member, publication: Publication | None
) -> Fetched:
    if publication is None or not is_published(record, member.client, publication.content, publication.signature):
        # Bytes that the client did not sign for are nobody's: it has published nothing.
        raise Unavailable(cid="(never published)", found=0, stores=1, seconds=0.0, consequence="")
    cid, reading = to_cid(publication.content), (record.readership, record.homomorphic)
    fetched = fetch_update(store, cid, member.client, record.task, *reading)
    if isinstance(fetched.problem, ChainError):
        raise fetched.problem
    if isinstance(fetched.problem, BlobCorrupt):
        # A block that is corrupt in our store says nothing about the client: to us the update is unavailable.
        raise Unavailable(cid=fetched.cid, found=0, stores=1, seconds=0.0, consequence="")
    return fetched


def _entry(member: spec.Member, publication: Publication | None, reason: int) -> spec.ManifestEntry:
    return spec.ManifestEntry(
        client=member.client,
        reason=reason,
        content=publication.content if publication else None,
        signature=publication.signature if publication else bytes(64),
    )


def propose(
    ctx: Context,
    roster: Roster,
    plan: RoundPlan,
    collected: Collected,
    masks: Masks | None = None,
    group: KeyGroup | None = None,
) -> Vector | None:
    """Aggregate, store the results, propose their roots; return the next model, None when the quorum is not met.

    A round without quorum is abandoned; one in accumulated mode, whose clients the ledger has not counted, is left to
    expire. So is one whose masks cannot be removed although it has its quorum; one whose sum cannot be decrypted is
    abandoned without any of its updates. Args: masks: of a masked round. group: of a homomorphic one.
    """
    reveals: list[spec.Reveal] = []
    decrypted: Decrypted | None = None
    if (masks is not None or group is not None) and len(collected.members) >= collected.task.quorum:
        try:
            if masks is not None:
                reveals = unmask(ctx, roster, plan, masks, collected.tables)
                collected = _without(collected, find_lost(ctx, plan))
            if group is not None:
                contents = {entry.client: entry.content for entry in collected.entries if entry.content}
                decrypted = decrypt_together(ctx, roster, plan, group, collected.encrypted, contents)
        except (UnmaskingFailed, DecryptionFailed) as error:
            silent = error.detail["silent"]
            collected = _without(collected, silent if isinstance(silent, list) else [])
            if group is not None:  # of a sum that nobody decrypts no update is left
                collected = _without(collected, [m.client for m in collected.members], UNDECRYPTED)
            if len(collected.members) >= collected.task.quorum:
                return None
    excluded, party = collected.exclusions, plan.aggregator
    manifest = spec.Manifest(
        domain_separator=ctx.chain.domain_separator,
        round_id=plan.round_id,
        base=to_content(Cid.from_text(plan.base_cid)),
        aggregate=None,
        model=None,
        entries=collected.entries,
    )
    if len(collected.members) < collected.task.quorum:
        if collected.task.mode is spec.CommitMode.ACCUMULATED:
            return None
        data_id = _put_manifest(ctx, manifest)
        key = ctx.key(*plan.key("abandon"))
        ctx.chain.abandon(plan.round_id, data_id, excluded, key=key, sender=party.account)
        return None
    is_honest = party is not roster.aggregators[0]
    result, model = _compute(ctx, plan, collected, reveals, decrypted, is_honest=is_honest)
    named = replace(
        manifest,
        aggregate=_put_vector(ctx, plan, spec.Kind.AGGREGATE, party.participant, result, len(collected.members)),
        model=_put_vector(ctx, plan, spec.Kind.MODEL, party.participant, model, 0),
    )
    proposal = _make_proposal(collected, result, model, _put_manifest(ctx, named), decrypted)
    aux = spec.encode_reveals(reveals) or compute_aux(collected.params, collected.rows, collected.weights)
    key = ctx.key(*plan.key("propose"))
    ctx.chain.propose(plan.round_id, proposal, excluded, aux, key=key, sender=party.account)
    return model


def _without(collected: Collected, silent: Collection[int], reason: int = _GONE) -> Collected:
    """Return what is left without clients of whom the aggregator could not get what opens the sum."""
    entries = [replace(e, reason=reason) if e.client in silent else e for e in collected.entries]
    slots = [slot for slot, member in enumerate(collected.members) if member.client not in silent]
    return replace(
        collected,
        entries=tuple(entries),
        members=tuple(collected.members[slot] for slot in slots),
        rows=tuple(row for slot, row in enumerate(collected.rows) if slot in slots),
        weights=tuple(collected.weights[slot] for slot in slots),
        tables={client: table for client, table in collected.tables.items() if client not in silent},
    )


def _compute(
    ctx: Context,
    plan: RoundPlan,
    collected: Collected,
    reveals: Sequence[spec.Reveal],
    decrypted: Decrypted | None,
    *,
    is_honest: bool,
) -> tuple[Vector, Vector]:
    if decrypted is not None:
        result = decrypted.values
    elif collected.record.degree:
        clients = [member.client for member in collected.members]
        result = aggregate_masked(collected.record, clients, collected.rows, reveals)
    else:
        result = aggregate(collected.params, collected.rows, collected.weights)
    for event in ctx.script.events:
        if isinstance(event, AggregatorEvent) and event.covers(plan.number) and not is_honest:
            result = result.copy()
            result[event.coordinate or 0] += 1  # the smallest lie: one unit in one coordinate
    return result, apply_model_step(plan.base, result)


def _put_vector(
    ctx: Context, plan: RoundPlan, kind: spec.Kind, author: int, values: Vector, num_examples: int
) -> spec.ContentId:
    header = header_of(ctx, kind, round_id=plan.round_id, client=author, num_examples=num_examples)
    return to_content(ctx.store.put(spec.split_vector(header, commitments.encode_values(values))))


def _put_manifest(ctx: Context, manifest: spec.Manifest) -> bytes:
    """Store a manifest as one raw block, so that its digest on the chain is enough to find it."""
    cid = ctx.store.put_block(spec.encode_manifest(manifest), Codec.RAW)
    ctx.store.pin(cid)
    return cid.digest


def _make_proposal(
    collected: Collected, result: Vector, model: Vector, data_id: bytes, decrypted: Decrypted | None
) -> spec.Proposal:
    task, rows = collected.task, collected.rows
    return spec.Proposal(
        aggregate_root=commitments.compute_vector_root(result, task.model_log2),
        matrix_root=decrypted.root if decrypted else commitments.compute_matrix_root(rows, task.matrix_log2),
        members_root=spec.compute_members_root(collected.members),
        model_root=commitments.compute_vector_root(model, task.model_log2),
        data_id=data_id,
        committed=len(collected.entries),
    )
