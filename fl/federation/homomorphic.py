"""A homomorphic round of a run: clients agree on a key before they commit, and decrypt the sum together after.

Every holder of the key is needed. A round that somebody leaves is run again, with new keys, without those who left;
so is one in which somebody sent a wrong decryption share. Their absence, or the proof, is on the ledger.

Each client's secret root lies in a file of its own, readable by its owner only, from before it says anything until the
round is over; then it is deleted, and nobody can decrypt anything of that round from this machine any more.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from fl.federation.context import Context, Party, Roster, RoundPlan
from fl.federation.masking import find_silent_parties
from fl.federation.secret_files import read_secrets, write_secrets
from fl.privacy.homomorphic.parties import KeyHolder, Setting
from fl.workload import Vector
from ledger import spec
from ledger.audit.decryption import add_updates, decrypt, judge_share
from ledger.errors import DecryptionFailed, MaskingRefused
from ledger.history import fetch, load_round, to_cid, to_content
from ledger.records import RoundRecord
from ledger.signing import sign_digest
from ledger.spec.homomorphic import TERM, EncryptedUpdate, Homomorphic, encode_encrypted_update
from ledger.spec.shares import (
    KIND,
    DecryptionShare,
    ShareEntry,
    ShareList,
    compute_decryption_digest,
    encode_share_list,
)
from ledger.store import Codec

_PRESENT = 1 << 16
"""The value 1 of a statement."""


@dataclass(frozen=True, kw_only=True)
class KeyGroup:
    """The clients of a homomorphic round, who share its key."""

    setting: Setting
    """What they know of it before they say anything."""
    folder: Path
    """Where they keep their secret roots."""
    holders: dict[int, KeyHolder] = field(default_factory=dict)
    """By participant."""

    @property
    def name(self) -> str:
        """Which key of the round it is, for notes: its holders' roots are on disk until the round is over."""
        return "-".join(str(client) for client in self.setting.holders)

    def get_holder(self, client: int) -> KeyHolder:
        """Return a client of the round. Raises: MaskingRefused: it has no part in the key."""
        if client not in self.holders:
            raise MaskingRefused(client=client, what="encrypt: it holds no part of the round's key")
        return self.holders[client]

    def file_of(self, client: int) -> Path:
        """Return the file of a client in this round."""
        return self.folder / f"{self.setting.round_id}-{self.setting.domain_separator.hex()[:16]}-{client}.json"


def make_terms(ctx: Context, roster: Roster) -> tuple[tuple[str, str], ...]:
    """Return the term of the task's layout; nothing where updates are not encrypted to be added."""
    if ctx.script.homomorphic is None:
        return ()
    return ((TERM, str(Homomorphic(roster=tuple(sorted(p.participant for p in roster.clients))))),)


# -------------------------------------------------------------------------------------------------------- agreement


def agree(ctx: Context, roster: Roster, plan: RoundPlan) -> KeyGroup | None:
    """Let the clients agree on a key; None where the script does not ask for one.

    Who left an earlier attempt at this round is not asked again, and who falls silent before the key shares are shown
    has no part in the key: the others agree anew, with other secrets, so that nobody chooses a share last.
    """
    if ctx.script.homomorphic is None:
        return None
    gone = find_left_out(ctx, plan) | find_silent_parties(ctx, roster, plan, "start", "shares")
    present = tuple(sorted({party.participant for party in roster.clients} - gone))
    setting = Setting(
        domain_separator=ctx.chain.domain_separator,
        round_id=plan.round_id,
        holders=present,
        size=ctx.workload.layout.size,
        bound=ctx.script.format.bound,
    )
    group = KeyGroup(setting=setting, folder=ctx.folder("homomorphic"))
    if len(present) < max(2, ctx.script.quorum):
        return group  # too few to go on: nobody commits, and the round ends without a proposal
    for client in present:
        group.holders[client] = KeyHolder(client, setting, _keep_root(group, client))
    digests = {client: holder.digest for client, holder in group.holders.items()}
    shares = {client: holder.share for client, holder in group.holders.items()}
    for holder in group.holders.values():
        holder.accept_key(shares, digests)
    ctx.tell("key", plan.number, len(present), len(roster.clients))
    return group


def _keep_root(group: KeyGroup, client: int) -> bytes:
    file = group.file_of(client)
    kept = read_secrets(file)
    if kept is None:
        kept = {"root": KeyHolder.make_root().hex()}
        write_secrets(file, kept)
    return bytes.fromhex(kept["root"])


def find_left_out(ctx: Context, plan: RoundPlan) -> set[int]:
    """Return the participants without whom the round is run, because earlier attempts at it failed through them."""
    notes = (ctx.journal.get_note(_key_of_failure(ctx, plan, attempt)) for attempt in range(1, plan.attempt))
    return {client for note in notes if note for client in json.loads(str(note["left"]))}


def _key_of_failure(ctx: Context, plan: RoundPlan, attempt: int) -> str:
    return ctx.key(*replace(plan, attempt=attempt).key("decrypt"))


def find_problem(ctx: Context, plan: RoundPlan) -> str:
    """Return why the sum of a round could not be decrypted; nothing where it could, or nobody tried."""
    note = ctx.journal.get_note(_key_of_failure(ctx, plan, plan.attempt))
    return str(DecryptionFailed(round_id=plan.round_id, what=str(note["what"]))) if note else ""


def can_go_on(ctx: Context, roster: Roster, plan: RoundPlan) -> bool:
    """Whether the round failed, and is worth another attempt: without those through whom it did, the quorum is met."""
    if not find_problem(ctx, plan):
        return False
    left = len(roster.clients) - len(find_left_out(ctx, replace(plan, attempt=plan.attempt + 1)))
    return left >= max(2, ctx.script.quorum)


def forget(group: KeyGroup | None) -> None:
    """Delete what clients kept of a round that is over."""
    if group is not None:
        for client in group.setting.holders:
            group.file_of(client).unlink(missing_ok=True)


# ------------------------------------------------------------------------------------------------------- decryption


@dataclass(frozen=True, slots=True, kw_only=True)
class Decrypted:
    """What the clients of a round made of the sum of their ciphertexts."""

    values: Vector
    """The sum, int32[d]."""
    root: bytes
    """Of the summed ciphertexts: a proposal's matrix root."""


def decrypt_together(
    ctx: Context,
    roster: Roster,
    plan: RoundPlan,
    group: KeyGroup,
    updates: Mapping[int, EncryptedUpdate],
    contents: Mapping[int, spec.ContentId],
) -> Decrypted:
    """Add the ciphertexts and have every client decrypt its part of the sum; say on the chain what they sent.

    Args: updates: valid ones, by client. contents: where they are.
    Raises: DecryptionFailed: its `detail["silent"]` names those through whom it failed; the next attempt does without.
    """
    agreed = [client for client, update in updates.items() if update.holders == _find_agreed(updates)]
    missing = sorted(set(group.setting.holders) - set(agreed))
    if missing or not updates:
        raise _fail(ctx, plan, missing, f"of clients {missing}, who hold a part of its key, there is nothing to add")
    record = load_round(ctx.chain, ctx.store, plan.round_id)
    added = add_updates(record, updates)
    limit = added.params.share_bytes
    # What was stated counts; a run that goes on after that asks nobody again.
    sent = {e.client: (e.share, e.signature) for e in record.list_shares() if e.share is not None}
    sent = sent or _ask(ctx, roster, plan, group, record, updates)
    shares: dict[int, DecryptionShare] = {}
    wrong: dict[int, spec.SpecError] = {}
    for done, (client, (content, _)) in enumerate(sorted(sent.items()), start=1):
        try:
            shares[client] = judge_share(record, added, client, fetch(ctx.store, to_cid(content), limit))
        except spec.SpecError as error:
            wrong[client] = error
        ctx.tell("decrypt", plan.number, done, len(updates))
    _state_shares(ctx, plan, {client: contents[client] for client in updates}, sent, set(shares))
    silent = sorted(set(updates) - set(sent))
    if silent or wrong:
        told = [f"clients {silent} sent no decryption share"] if silent else []
        what = "; ".join([*told, *(error.message for error in wrong.values())])
        raise _fail(ctx, plan, sorted({*silent, *wrong}), what)
    return Decrypted(values=decrypt(added, shares), root=added.root)


def _find_agreed(updates: Mapping[int, EncryptedUpdate]) -> tuple[tuple[int, bytes], ...]:
    """Return the key that most updates are encrypted under, by what it is made of."""
    return Counter(update.holders for update in updates.values()).most_common(1)[0][0]


def _fail(ctx: Context, plan: RoundPlan, left: list[int], what: str) -> DecryptionFailed:
    """Write down through whom this attempt failed."""
    note = {"left": json.dumps(left), "what": what}
    ctx.journal.note(_key_of_failure(ctx, plan, plan.attempt), note)
    return DecryptionFailed(round_id=plan.round_id, what=what, silent=left)


def _ask(
    ctx: Context,
    roster: Roster,
    plan: RoundPlan,
    group: KeyGroup,
    record: RoundRecord,
    updates: Mapping[int, EncryptedUpdate],
) -> dict[int, tuple[spec.ContentId, bytes]]:
    """Return where every client that is still there put its decryption share, and its signature of that."""
    quiet, sent = find_silent_parties(ctx, roster, plan, "decrypt"), {}
    encrypted = {client: encode_encrypted_update(update) for client, update in updates.items()}
    committed = {member.client: member.commitment for member in record.members}
    for party in roster.clients:
        client = party.participant
        if client in updates and client not in quiet:
            holder = group.get_holder(client)
            try:
                data = holder.decrypt(encrypted, committed)
            except (MaskingRefused, spec.SpecError):
                continue  # to the aggregator a client that refuses is one that is gone
            if _may_answer(group, client, holder.sum_root):
                content = to_content(ctx.store.put(data))
                sent[client] = content, _sign_share(ctx, plan, party, content)
    return sent


def _may_answer(group: KeyGroup, client: int, sum_root: bytes) -> bool:
    """Write down which sum the client decrypts; with another one, after a reorganisation, it stays silent."""
    kept = read_secrets(group.file_of(client)) or {}
    if "answered" not in kept:
        kept = {**kept, "answered": sum_root.hex()}
        write_secrets(group.file_of(client), kept)
    return kept["answered"] == sum_root.hex()


def _sign_share(ctx: Context, plan: RoundPlan, party: Party, content: spec.ContentId) -> bytes:
    digest = compute_decryption_digest(
        domain_separator=ctx.chain.domain_separator,
        round_id=plan.round_id,
        client=party.participant,
        content=content,
    )
    return sign_digest(party.account, digest)


def _state_shares(
    ctx: Context,
    plan: RoundPlan,
    contents: Mapping[int, spec.ContentId],
    sent: Mapping[int, tuple[spec.ContentId, bytes]],
    valid: set[int],
) -> None:
    """Put the list of shares into the store, and its digest on the chain: the round's first one counts."""
    nothing = (None, bytes(64))
    entries = tuple(
        ShareEntry(client=client, update=contents[client], share=content, signature=signature)
        for client in sorted(contents)
        for content, signature in [sent.get(client, nothing)]
    )
    listed = ShareList(domain_separator=ctx.chain.domain_separator, round_id=plan.round_id, entries=entries)
    block = ctx.store.put_block(encode_share_list(listed), Codec.RAW)
    ctx.store.pin(block)
    ctx.chain.record_scores(
        plan.round_id,
        KIND,
        [(entry.client, _PRESENT * (entry.client in valid)) for entry in entries],
        block.digest,
        key=ctx.key(*plan.key("decryption")),
        sender=plan.aggregator.account,
        scorer=plan.aggregator.participant,
    )
