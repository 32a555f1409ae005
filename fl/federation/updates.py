"""The updates of a round: every client's training, and its result on disk in the client's outbox."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from fl.attacks.protocol import MALFORMATIONS
from fl.engines import Outcome
from fl.federation.context import Context, Party, Roster, RoundPlan, header_of
from fl.federation.homomorphic import KeyGroup
from fl.federation.masking import Masks
from fl.federation.sealing import find_readers, seal
from fl.privacy.homomorphic.parties import KeyHolder
from fl.workload import LocalUpdate, find_absent
from ledger import commitments, spec
from ledger.aggregation.masks import apply_masks
from ledger.errors import MaskingRefused, NoEncryptionKey
from ledger.script import MalformEvent
from ledger.spec.audience import Readership
from ledger.store import Content

Refusals = list[tuple[int, str]]
"""(client of the script, FT code) of clients that did not get as far as a commitment."""

_BATCH, _BATCH_BYTES = 64, 1 << 24
"""Updates that wait for the disk together: at most so many, and so many bytes unless one alone has more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptUpdates:
    """What the clients of a round have on disk."""

    notes: Mapping[int, Mapping[str, Any]]
    """What each client wrote down about its update: cid and commitment, by client of the script."""
    refusals: Refusals
    """Clients without one."""
    training_seconds: float
    """Wall time of training, clipping and quantising: what plain federated learning does too."""


@dataclass(frozen=True, slots=True)
class _Masking:
    """What a client masks its update with."""

    seeds: Mapping[int, bytes]
    expansion: spec.Expansion


_Cover = _Masking | KeyHolder | None
"""What hides a client's update from the aggregator, if anything does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Encoded:
    """An update as it is published, and what its client commits to."""

    blob: Content
    commitment: bytes
    saturated: int


@dataclass(slots=True)
class _Watched:
    """An iterator that knows how long others waited for it."""

    outcomes: Iterator[Outcome]
    seconds: float = field(default=0.0)

    def __iter__(self) -> Iterator[Outcome]:
        return self

    def __next__(self) -> Outcome:
        started = time.perf_counter()
        try:
            return next(self.outcomes)
        finally:
            self.seconds += time.perf_counter() - started


def find_malformation(ctx: Context, client: int, number: int) -> str | None:
    """Return how a script makes a client break the protocol in a round; None when it does not."""
    events = (e for e in ctx.script.events if isinstance(e, MalformEvent) and e.covers(number))
    return next((event.malform for event in events if event.client == client), None)


def count_batch(ctx: Context) -> int:
    """Return how many updates of a run wait for the disk together."""
    return max(1, min(_BATCH, _BATCH_BYTES // (spec.WORD_BYTES * ctx.workload.layout.size)))


def keep_updates(
    ctx: Context, roster: Roster, plan: RoundPlan, masks: Masks | None, group: KeyGroup | None
) -> KeptUpdates:
    """Let clients train that have not yet, and return what all of them keep.

    Updates are on disk before anybody hears of them: a client that dies then loses nothing that it promised. Only
    those of the batch that was being written are trained again when the process dies.
    """
    # A masked update belongs to one graph, too: with another one its seeds are others. So does an encrypted one to a
    # key.
    graph = () if masks is None else (masks.setting.beacon.hex(),)
    joint = () if group is None else (group.name,)
    absent = find_absent(ctx.script, plan.number)
    present = [client for client in range(1, len(roster.clients) + 1) if client not in absent]
    keys = {client: ctx.key(*plan.key_of_update(client), *graph, *joint) for client in present}
    notes = {client: note for client, key in keys.items() if (note := ctx.journal.get_note(key)) is not None}
    missing = [client for client in present if client not in notes]
    covers, refusals = _find_covers(ctx, roster, plan, missing, masks, group)
    trained = _Watched(iter(ctx.engine.compute_updates(ctx.workload, list(covers), plan.number, plan.base)))
    waiting, readers = zip(covers, trained, strict=True), find_readers(ctx, roster, plan)
    while batch := list(islice(waiting, count_batch(ctx))):
        encoded: dict[int, _Encoded] = {}
        for client, outcome in batch:
            ctx.tell("train", plan.number, len(notes) + len(encoded) + len(refusals), len(present), f"client {client}")
            if isinstance(outcome, spec.NonFinite):
                refusals.append((client, outcome.code))
                continue
            try:
                encoded[client] = _encode_update(ctx, roster, plan, outcome, covers[client], readers)
            except NoEncryptionKey as error:
                refusals.append((client, error.code))
        made = _keep(ctx, encoded)
        ctx.journal.note_all({keys[client]: note for client, note in made.items()})
        notes |= made
    return KeptUpdates(notes=notes, refusals=refusals, training_seconds=trained.seconds)


def _find_covers(
    ctx: Context,
    roster: Roster,
    plan: RoundPlan,
    clients: Sequence[int],
    masks: Masks | None,
    group: KeyGroup | None,
) -> tuple[dict[int, _Cover], Refusals]:
    """Return what each client hides its update under; without those that need not train."""
    covers: dict[int, _Cover] = {}
    refusals: Refusals = []
    for client in clients:
        participant = roster.clients[client - 1].participant
        try:
            if find_malformation(ctx, client, plan.number) == "nan":
                raise spec.NonFinite(tensor=ctx.workload.layout.names[0], count=1)
            masking = None if masks is None else _Masking(masks.get_seeds(participant), masks.setting.expansion)
            covers[client] = masking if group is None else group.get_holder(participant)
        except (spec.NonFinite, MaskingRefused) as error:
            refusals.append((client, error.code))
    return covers, refusals


def _keep(ctx: Context, encoded: Mapping[int, _Encoded]) -> dict[int, dict[str, Any]]:
    cids = ctx.outbox.put_all([update.blob for update in encoded.values()])
    return {
        client: {"cid": str(cid), "commitment": update.commitment.hex(), "saturated": update.saturated}
        for (client, update), cid in zip(encoded.items(), cids, strict=True)
    }


def _encode_update(
    ctx: Context,
    roster: Roster,
    plan: RoundPlan,
    update: LocalUpdate,
    cover: _Cover,
    readers: Readership | None,
) -> _Encoded:
    party = roster.clients[update.client - 1]
    if isinstance(cover, _Masking):
        return _encode_masked(ctx, plan, party, update, cover)
    if cover is not None:
        return _encrypt(update, cover)
    header = header_of(
        ctx,
        ctx.script.format.update_kind,
        round_id=plan.round_id,
        client=party.participant,
        num_examples=update.num_examples,
    )
    payload = commitments.encode_payload(header, update.values)
    malform = find_malformation(ctx, update.client, plan.number)
    pieces: Iterable[spec.Bytes] = spec.split_vector(header, payload)
    if malform in MALFORMATIONS:
        pieces = [MALFORMATIONS[malform][0](header, bytes(payload))]
    root = commitments.compute_vector_root(update.values, header.leaf_log2)
    return _Encoded(
        blob=seal(readers, party.participant, pieces), commitment=_commit(header, root), saturated=update.saturated
    )


def _encode_masked(ctx: Context, plan: RoundPlan, party: Party, update: LocalUpdate, masking: _Masking) -> _Encoded:
    """Return the update under masks; nobody learns how many examples it was trained on, since all weigh the same."""
    header = header_of(ctx, spec.Kind.MASKED, round_id=plan.round_id, client=party.participant, num_examples=1)
    seeds = masking.seeds
    values, table = apply_masks(update.values, party.participant, seeds, masking.expansion), spec.make_seed_table(seeds)
    blob = spec.encode_vector(header, values.astype("<i4").tobytes(), spec.encode_seed_table(table))
    root = commitments.compute_vector_root(values, header.leaf_log2)
    root = spec.compute_masked_root(root, spec.compute_seeds_root(table))
    return _Encoded(blob=blob, commitment=_commit(header, root), saturated=update.saturated)


def _encrypt(update: LocalUpdate, holder: KeyHolder) -> _Encoded:
    """Return the update under the key of the round's clients; it names no number of examples either."""
    data = holder.encrypt(update.values)
    return _Encoded(blob=data, commitment=holder.setting.commit(holder.client, data), saturated=update.saturated)


def _commit(header: spec.VectorHeader, root: bytes) -> bytes:
    return spec.compute_commitment(
        domain_separator=header.domain_separator,
        round_id=header.round_id,
        client=header.client,
        num_examples=header.num_examples,
        root=root,
    )
