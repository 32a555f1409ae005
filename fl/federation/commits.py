"""How the commitments of a round reach the ledger: in a verified batch, one by one, or as the root of a signed list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fl.federation.clients import Submission, compute_digest
from fl.federation.context import Context, Roster, RoundPlan
from fl.federation.updates import Refusals, find_malformation
from ledger import spec
from ledger.errors import FedtrailError
from ledger.signing import recover, sign_digest
from ledger.statements import SignedCommitment, write_receipt
from ledger.store import Codec

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount


def send_all(ctx: Context, roster: Roster, plan: RoundPlan, submissions: Sequence[Submission]) -> Refusals:
    """Bring the commitments of a round to the ledger as its mode wants it; return who was refused."""
    # One that a script makes late comes by itself, when the phase is over: commit_alone.
    on_time = [s for s in submissions if find_malformation(ctx, s.client, plan.number) != "late"]
    on_time, held_back = _hold_back(ctx, plan, on_time)
    mode = ctx.script.run.commit_mode
    if mode is spec.CommitMode.ACCUMULATED:
        return held_back + _commit_each(ctx, roster, plan, on_time)
    good, refusals = _verify_all(ctx, roster, plan, on_time)
    if mode is spec.CommitMode.ROOT_ONLY:
        _post_list(ctx, roster, plan, good)
        return held_back + refusals
    return held_back + refusals + _relay(ctx, roster, plan, good)


def _hold_back(ctx: Context, plan: RoundPlan, submissions: Sequence[Submission]) -> tuple[list[Submission], Refusals]:
    """Let nobody hand out a second signed commitment for a round of one number.

    A signature names the round's number alone (docs/adr/0033). After a reorganisation another round may have it, with
    another model or other masks: who signs there, too, has made the proof that costs its stake.
    """
    prefix = f"{ctx.chain.fingerprint}/signed/{plan.round_id}/"
    before = ctx.journal.notes(prefix)
    now = {f"{prefix}{s.member.client}": {"commitment": s.member.commitment.hex()} for s in submissions}
    ctx.journal.note_all({key: note for key, note in now.items() if key not in before})
    held_back = {key for key, note in now.items() if before.get(key, note) != note}
    good = [s for s in submissions if f"{prefix}{s.member.client}" not in held_back]
    refused = [s.client for s in submissions if f"{prefix}{s.member.client}" in held_back]
    return good, [(client, spec.DuplicateCommitment.code) for client in refused]


def _verify_all(
    ctx: Context, roster: Roster, plan: RoundPlan, submissions: Sequence[Submission]
) -> tuple[list[Submission], Refusals]:
    """Check each signature before any is sent on.

    The contract refuses a batch as a whole, and whoever posts a root answers for every entry: nobody should be able to
    keep the others out of a round with a bad signature of its own.
    """
    good: list[Submission] = []
    refusals: Refusals = []
    for submission in submissions:
        try:
            _verify(ctx, roster, plan, submission)
        except FedtrailError as error:
            refusals.append((submission.client, error.code))
        else:
            good.append(submission)
    return good, refusals


def _verify(ctx: Context, roster: Roster, plan: RoundPlan, submission: Submission) -> None:
    party = roster.clients[submission.client - 1]
    signer = recover(compute_digest(ctx, plan, submission.member), submission.signature)
    if signer != party.address:
        client = submission.member.client
        raise spec.WrongSigner(got="0x" + signer.hex(), want=party.account.address, client=client)


def _sign(submission: Submission) -> spec.SignedMember:
    member = submission.member
    return spec.SignedMember(client=member.client, commitment=member.commitment, signature=submission.signature)


# ------------------------------------------------------------------------------------------------------------- verified


def _relay(ctx: Context, roster: Roster, plan: RoundPlan, good: Sequence[Submission]) -> Refusals:
    """Send one batch; when the contract refuses it as a whole, send each alone and tell who was refused."""
    if not good:
        return []
    try:
        _send_batch(ctx, roster, plan, good, "commit")
    except (spec.RuleError, spec.SpecError):
        pass  # somebody committed by itself meanwhile, or the round filled up: the others still have their places
    else:
        return []
    refusals: Refusals = []
    for submission in good:
        try:
            _send_batch(ctx, roster, plan, [submission], f"client/{submission.client}/commit")
        except (spec.RuleError, spec.SpecError) as error:
            refusals.append((submission.client, error.code))
    return refusals


def _send_batch(ctx: Context, roster: Roster, plan: RoundPlan, submissions: Sequence[Submission], name: str) -> None:
    entries = [_sign(submission) for submission in submissions]
    ctx.chain.commit_batch(plan.round_id, entries, key=ctx.key(*plan.key(name)), sender=roster.operator)


# ---------------------------------------------------------------------------------------------------------- accumulated


def _commit_each(ctx: Context, roster: Roster, plan: RoundPlan, submissions: Sequence[Submission]) -> Refusals:
    """Let every client commit by itself."""
    refusals: Refusals = []
    for submission in submissions:
        # Where no signature travels, a wrong signer is somebody else who sends.
        is_forged = find_malformation(ctx, submission.client, plan.number) == "wrong-signer"
        sender = roster.operator if is_forged else roster.clients[submission.client - 1].account
        refusals += _commit(ctx, plan, submission, "commit", sender)
    return refusals


def _commit(ctx: Context, plan: RoundPlan, submission: Submission, name: str, sender: LocalAccount) -> Refusals:
    key, member = ctx.key(*plan.key("client", submission.client, name)), submission.member
    try:
        ctx.chain.commit(plan.round_id, member.client, member.commitment, key=key, sender=sender)
    except (spec.RuleError, spec.SpecError) as error:
        return [(submission.client, error.code)]
    return []


# ------------------------------------------------------------------------------------------------------------ root-only


def _post_list(ctx: Context, roster: Roster, plan: RoundPlan, good: Sequence[Submission]) -> None:
    """Give every client its receipt, keep the list where everybody finds it by its digest, and post its root."""
    if not good:
        return
    for submission in good:
        _give_receipt(ctx, roster, plan, submission)
    batch = spec.encode_signed_list(sorted(map(_sign, good), key=lambda entry: entry.client))
    cid = ctx.store.put_block(batch, Codec.RAW)
    ctx.store.pin(cid)
    ctx.chain.commit_root(
        plan.round_id,
        spec.compute_list_root(batch),
        len(good),
        cid.digest,
        key=ctx.key(*plan.key("commit")),
        sender=plan.aggregator.account,
    )


def _give_receipt(ctx: Context, roster: Roster, plan: RoundPlan, submission: Submission) -> None:
    """Give the client a file, and its journal a note, that the aggregator took its commitment: proof of an omission."""
    member = submission.member
    digest = spec.compute_receipt_digest(
        domain_separator=ctx.chain.domain_separator,
        round_id=plan.round_id,
        client=member.client,
        commitment=member.commitment,
    )
    receipt = sign_digest(plan.aggregator.account, digest)
    write_receipt(
        ctx.folder("receipts"),
        SignedCommitment(round_id=plan.round_id, client=member.client, commitment=member.commitment, signature=receipt),
    )
    kept = {"round_id": plan.round_id, "commitment": member.commitment.hex(), "signature": receipt.hex()}
    ctx.journal.note(ctx.key(*plan.key("client", submission.client, "receipt")), kept)


# ------------------------------------------------------------------------------------------------------- broken clients


def commit_alone(
    ctx: Context, roster: Roster, plan: RoundPlan, submissions: Sequence[Submission], kind: str
) -> Refusals:
    """Let clients that a script makes `late` or `duplicate` commit by themselves; return how the ledger answered."""
    refusals: Refusals = []
    for submission in submissions:
        if find_malformation(ctx, submission.client, plan.number) == kind:
            account = roster.clients[submission.client - 1].account
            refusals += _commit(ctx, plan, submission, kind, account)
    return refusals
