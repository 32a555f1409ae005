"""The client's side of a round: train, keep the update, sign a commitment; after the commit phase, publish."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fl.attacks.protocol import MALFORMATIONS
from fl.federation.base import verify_base
from fl.federation.context import Context, Party, Roster, RoundPlan, header_of
from fl.federation.homomorphic import KeyGroup
from fl.federation.masking import Masks
from fl.federation.sealing import seal
from fl.privacy.homomorphic.parties import KeyHolder
from fl.workload import LocalUpdate, find_absent, find_withholding
from ledger import commitments, spec
from ledger.aggregation.masks import apply_masks
from ledger.errors import MaskingRefused, NoEncryptionKey
from ledger.history import to_content
from ledger.script import MalformEvent
from ledger.signing import sign_digest
from ledger.store import Cid


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a client sends to a relayer, and where it keeps what it committed to."""

    client: int
    """Client of the script, from 1."""
    member: spec.Member
    """Participant id and commitment."""
    signature: bytes
    """Over the commitment, 64 bytes (r | vs)."""
    cid: str
    """The update in the client's outbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """Where a client says its update is."""

    content: spec.ContentId
    """Codec and digest of the CID."""
    signature: bytes
    """Over participant, round and content, 64 bytes (r | vs)."""


Refusals = list[tuple[int, str]]
"""(client of the script, FT code) of clients that did not get as far as a commitment."""


def find_malformation(ctx: Context, client: int, number: int) -> str | None:
    """Return how a script makes a client break the protocol in a round; None when it does not."""
    events = (e for e in ctx.script.events if isinstance(e, MalformEvent) and e.covers(number))
    return next((event.malform for event in events if event.client == client), None)


def prepare_all(
    ctx: Context, roster: Roster, plan: RoundPlan, masks: Masks | None = None, group: KeyGroup | None = None
) -> tuple[list[Submission], Refusals, float]:
    """Let every client of a round train, keep its update and sign; return submissions, refusals, seconds of training.

    A client whose update cannot be encoded (FT714), that has too few peers to mask it with (FT611), or no key to seal
    it with (FT613), stays out of the round; the others go on. Args: masks: of a masked round. group: of a
    homomorphic one.

    Raises: ForeignModel: the model to train on is not the ledger's; nobody trains.
    """
    verify_base(ctx, plan)
    submissions: list[Submission] = []
    refusals: Refusals = []
    absent, count, training = find_absent(ctx.script, plan.number), len(roster.clients), 0.0
    for client, party in enumerate(roster.clients, start=1):
        if client not in absent:
            started = time.perf_counter()
            try:
                kept = _keep_update(ctx, roster, plan, client, party, masks, group)
                submissions.append(_sign_commitment(ctx, plan, client, party, kept))
            except (spec.NonFinite, MaskingRefused, NoEncryptionKey) as error:
                refusals.append((client, error.code))
            training += time.perf_counter() - started
        ctx.tell("train", plan.number, client, count, f"client {client}")
    return submissions, refusals, training


def _keep_update(
    ctx: Context,
    roster: Roster,
    plan: RoundPlan,
    client: int,
    party: Party,
    masks: Masks | None,
    group: KeyGroup | None,
) -> dict[str, object]:
    """Return what the client wrote down about its update; train only if it had not."""
    # A masked update belongs to one graph, too: with another one its seeds are others. So does an encrypted one to a
    # key.
    graph = () if masks is None else (masks.setting.beacon.hex(),)
    joint = () if group is None else (group.name,)
    key = ctx.key(*plan.key_of_update(client), *graph, *joint)
    kept = ctx.journal.get_note(key)
    if kept is None:
        kept = _make_update(ctx, roster, plan, client, party, masks, group)
        ctx.journal.note(key, kept)
    return kept


def _make_update(
    ctx: Context,
    roster: Roster,
    plan: RoundPlan,
    client: int,
    party: Party,
    masks: Masks | None,
    group: KeyGroup | None,
) -> dict[str, object]:
    malform = find_malformation(ctx, client, plan.number)
    if malform == "nan":
        raise spec.NonFinite(tensor=ctx.workload.layout.names[0], count=1)
    seeds = None if masks is None else masks.get_seeds(party.participant)
    holder = None if group is None else group.get_holder(party.participant)
    update = ctx.workload.compute_update(client, plan.number, plan.base)
    if masks is not None and seeds is not None:
        return _keep_masked(ctx, plan, party, update, seeds, masks.setting.expansion)
    if holder is not None:
        return _keep_encrypted(ctx, update, holder)
    header = header_of(
        ctx,
        spec.Kind.UPDATE,
        round_id=plan.round_id,
        client=party.participant,
        num_examples=update.num_examples,
    )
    payload = commitments.encode_values(update.values)
    # The update is on disk before anybody hears of it: a client that dies now loses nothing that it promised.
    pieces: Iterable[spec.Bytes] = spec.split_vector(header, payload)
    if malform in MALFORMATIONS:
        pieces = [MALFORMATIONS[malform][0](header, bytes(payload))]
    cid = ctx.outbox.put(seal(ctx, roster, plan, party, pieces))
    commitment = spec.compute_commitment(
        domain_separator=header.domain_separator,
        round_id=header.round_id,
        client=header.client,
        num_examples=header.num_examples,
        root=commitments.compute_vector_root(update.values, header.leaf_log2),
    )
    return {"cid": str(cid), "commitment": commitment.hex(), "saturated": update.saturated}


def _keep_masked(
    ctx: Context,
    plan: RoundPlan,
    party: Party,
    update: LocalUpdate,
    seeds: Mapping[int, bytes],
    expansion: spec.Expansion,
) -> dict[str, object]:
    """Keep the update under masks; nobody learns how many examples it was trained on, since all weigh the same."""
    header = header_of(ctx, spec.Kind.MASKED, round_id=plan.round_id, client=party.participant, num_examples=1)
    values, table = apply_masks(update.values, party.participant, seeds, expansion), spec.make_seed_table(seeds)
    cid = ctx.outbox.put(spec.encode_vector(header, values.astype("<i4").tobytes(), spec.encode_seed_table(table)))
    root = commitments.compute_vector_root(values, header.leaf_log2)
    commitment = spec.compute_commitment(
        domain_separator=header.domain_separator,
        round_id=header.round_id,
        client=header.client,
        num_examples=header.num_examples,
        root=spec.compute_masked_root(root, spec.compute_seeds_root(table)),
    )
    return {"cid": str(cid), "commitment": commitment.hex(), "saturated": update.saturated}


def _keep_encrypted(ctx: Context, update: LocalUpdate, holder: KeyHolder) -> dict[str, object]:
    """Keep the update under the key of the round's clients; it names no number of examples either."""
    data = holder.encrypt(update.values)
    commitment = holder.setting.commit(holder.client, data)
    return {"cid": str(ctx.outbox.put(data)), "commitment": commitment.hex(), "saturated": update.saturated}


def _sign_commitment(ctx: Context, plan: RoundPlan, client: int, party: Party, kept: dict[str, object]) -> Submission:
    member = spec.Member(client=party.participant, commitment=bytes.fromhex(str(kept["commitment"])))
    digest = compute_digest(ctx, plan, member)
    if find_malformation(ctx, client, plan.number) == "wrong-signer":
        digest = spec.keccak256(digest)  # what a signature by or for somebody else looks like: it recovers elsewhere
    signature = sign_digest(party.account, digest)
    return Submission(client=client, member=member, signature=signature, cid=str(kept["cid"]))


def compute_digest(ctx: Context, plan: RoundPlan, member: spec.Member) -> bytes:
    """Return what a client signs to commit in a round."""
    return commitments.compute_commitment_digest(
        domain_separator=ctx.chain.domain_separator,
        round_id=plan.round_id,
        client=member.client,
        commitment=member.commitment,
    )


def publish_all(
    ctx: Context, roster: Roster, plan: RoundPlan, submissions: Sequence[Submission]
) -> dict[int, Publication]:
    """Copy the committed updates from the outbox to the store and sign where they are; by participant id.

    A client that the script lets withhold does neither. Called after the commit phase: nobody can copy what nobody has
    seen.
    """
    publications = {}
    withholding = find_withholding(ctx.script, plan.number)
    for done, submission in enumerate(submissions, start=1):
        if submission.client in withholding:
            continue
        party = roster.clients[submission.client - 1]
        cid = Cid.from_text(submission.cid)
        size = ctx.outbox.stat(cid).size_bytes
        published = ctx.store.put(ctx.outbox.get(cid, max_bytes=size))
        publications[party.participant] = _sign_publication(ctx, plan, party, published)
        ctx.tell("publish", plan.number, done, len(submissions))
    return publications


def list_publications(ctx: Context, plan: RoundPlan, publications: Mapping[int, Publication]) -> spec.Manifest:
    """Return what clients signed about a round as the list that attestors read: a manifest that names no vectors."""
    entries = [
        spec.ManifestEntry(client=client, reason=0, content=said.content, signature=said.signature)
        for client, said in sorted(publications.items())
    ]
    return spec.Manifest(
        domain_separator=ctx.chain.domain_separator,
        round_id=plan.round_id,
        base=None,
        aggregate=None,
        model=None,
        entries=tuple(entries),
    )


def _sign_publication(ctx: Context, plan: RoundPlan, party: Party, cid: Cid) -> Publication:
    content = to_content(cid)
    digest = commitments.compute_publication_digest(
        domain_separator=ctx.chain.domain_separator,
        round_id=plan.round_id,
        client=party.participant,
        content=content,
    )
    return Publication(content=content, signature=sign_digest(party.account, digest))
