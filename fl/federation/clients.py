"""The client's side of a round: train, keep the update, sign a commitment; after the commit phase, publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fl.federation.base import verify_base
from fl.federation.context import Context, Party, Roster, RoundPlan
from fl.federation.homomorphic import KeyGroup
from fl.federation.masking import Masks
from fl.federation.updates import Refusals, count_batch, find_malformation, keep_updates
from fl.workload import find_withholding
from ledger import commitments, spec
from ledger.history import to_content
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
    kept = keep_updates(ctx, roster, plan, masks, group)
    submissions = [
        _sign_commitment(ctx, plan, client, roster.clients[client - 1], note)
        for client, note in sorted(kept.notes.items())
    ]
    return submissions, kept.refusals, kept.training_seconds


def _sign_commitment(ctx: Context, plan: RoundPlan, client: int, party: Party, kept: Mapping[str, Any]) -> Submission:
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
    publications: dict[int, Publication] = {}
    withholding, size = find_withholding(ctx.script, plan.number), count_batch(ctx)
    willing = [submission for submission in submissions if submission.client not in withholding]
    for start in range(0, len(willing), size):
        group = willing[start : start + size]
        published = ctx.store.put_all([_read_outbox(ctx, Cid.from_text(submission.cid)) for submission in group])
        for submission, cid in zip(group, published, strict=True):
            party = roster.clients[submission.client - 1]
            publications[party.participant] = _sign_publication(ctx, plan, party, cid)
            ctx.tell("publish", plan.number, len(publications), len(submissions))
    return publications


def _read_outbox(ctx: Context, cid: Cid) -> spec.Bytes:
    return ctx.outbox.get(cid, max_bytes=ctx.outbox.stat(cid).size_bytes)


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
