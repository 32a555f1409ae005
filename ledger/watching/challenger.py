"""A challenger's dealings with courts and escrow: every step once, whatever dies in between (docs/adr/0004)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from ledger import spec
from ledger.chain import Chain, Receipt
from ledger.disputes import Proof, compute_ticket
from ledger.docket import decode_reason
from ledger.watching.decisions import Choice, Standing, Step, Ticket, decide
from ledger.watching.plans import Steps

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount


def get_standing(chain: Chain, round_id: int) -> Standing:
    """Return where a round stands as a challenger sees it."""
    phase, now = chain.get_round(round_id).phase, chain.now()
    # The verdict lies in the ledger until the bond is taken, and in the escrow from then on.
    if phase is spec.Phase.VOIDED and chain.is_settled(round_id):
        reward = chain.get_reward(round_id)
        challenger, claimed_by = reward.challenger, reward.ticket_at
        proven_at, proof_tag = reward.proven_at, reward.proof_tag
    else:
        verdict = chain.get_verdict(round_id)
        challenger, claimed_by = verdict.challenger, 0
        proven_at, proof_tag = verdict.proven_at, verdict.proof_tag
    return Standing(
        phase=phase,
        challenger=challenger,
        proven_at=proven_at,
        proof_tag=proof_tag,
        claimed_by=claimed_by,
        now=now,
    )


class Challenger:
    """One account that proves frauds. Asked again for a step that it has taken, it returns the receipt of then."""

    def __init__(self, chain: Chain, account: LocalAccount) -> None:
        self.chain = chain
        self.account = account
        self.address = bytes.fromhex(account.address[2:])

    def choose(self, round_id: int, standing: Standing, steps: Steps | None) -> Choice:
        """Return what to do about a round.

        Args: steps: while the round is proposed, what can be proved about it.
        """
        proof_hash = None if steps is None else steps[-1].proof_hash
        return decide(standing, self.address, self.list_tickets(round_id), proof_hash)

    def take(self, round_id: int, choice: Choice, steps: Steps | None) -> Receipt | None:
        """Take a step; None where it is to wait, or to do nothing.

        Raises: WrongPhase: somebody else was faster; Reverted: the court refuses the proof.
        """
        if choice.step is Step.BUY_TICKET and steps is not None:
            return self.buy_ticket(round_id, steps[-1])
        if choice.step is Step.PROVE and steps is not None:
            return self.prove(round_id, *steps)
        if choice.step is Step.CONTEST and choice.ticket is not None:
            return self.contest(round_id, choice.ticket)
        return self.claim_reward(round_id) if choice.step is Step.CLAIM else None

    # ------------------------------------------------------------------------------------------------------- tickets

    def list_tickets(self, round_id: int) -> list[Ticket]:
        """Return the tickets that were drawn for a round, bought or not."""
        notes = self.chain.journal.notes(self._key(round_id, "ticket", ""))
        return [self._read_ticket(round_id, bytes.fromhex(key.rpartition("/")[2])) for key in notes]

    def _read_ticket(self, round_id: int, proof_hash: bytes) -> Ticket:
        salt = self._get_salt(round_id, proof_hash)
        bought_at = self.chain.get_ticket_at(self._compute_ticket(round_id, proof_hash, salt))
        return Ticket(proof_hash=proof_hash, salt=salt, bought_at=bought_at)

    def _get_salt(self, round_id: int, proof_hash: bytes) -> bytes:
        """Return the salt of a proof's ticket: on disk before the ticket is bought, or it would be worth nothing."""
        key = self._key(round_id, "ticket", proof_hash.hex())
        if self.chain.journal.get_note(key) is None:
            self.chain.journal.note(key, {"salt": secrets.token_hex(32)})
        note = self.chain.journal.get_note(key) or {}
        return bytes.fromhex(note["salt"])

    def _compute_ticket(self, round_id: int, proof_hash: bytes, salt: bytes) -> bytes:
        return compute_ticket(round_id=round_id, proof_hash=proof_hash, challenger=self.address, salt=salt)

    # --------------------------------------------------------------------------------------------------------- steps

    def buy_ticket(self, round_id: int, proof: Proof) -> Receipt:
        """Say that there is a proof. Args: proof: its last transaction."""
        ticket = self._compute_ticket(round_id, proof.proof_hash, self._get_salt(round_id, proof.proof_hash))
        key = self._key(round_id, proof.proof_hash.hex(), "ticket")
        return self.chain.buy_ticket(ticket, key=key, sender=self.account)

    def prove(self, round_id: int, *steps: Proof) -> Receipt:
        """Bring a proof before its court, transaction by transaction; the receipt is the last one's."""
        *before, last = steps
        for number, step in enumerate(before):
            key = self._key(round_id, last.proof_hash.hex(), "step", number)
            self.chain.prove(step, key=key, sender=self.account)
        return self.chain.prove(last, key=self._key(round_id, last.proof_hash.hex()), sender=self.account)

    def contest(self, round_id: int, ticket: Ticket) -> Receipt:
        """Claim a copied proof by an earlier ticket."""
        key = self._key(round_id, ticket.proof_hash.hex(), "contest")
        return self.chain.contest(
            round_id, proof_hash=ticket.proof_hash, salt=ticket.salt, key=key, sender=self.account
        )

    def settle(self, round_id: int) -> Receipt:
        """Take the bond of a voided round."""
        return self.chain.settle(round_id, key=self._key(round_id, "settle"), sender=self.account)

    def claim_reward(self, round_id: int) -> Receipt:
        """Have the reward paid, an hour after the proof; takes the bond if nobody has."""
        return self.chain.claim_reward(round_id, key=self._key(round_id, "reward"), sender=self.account)

    def claim_punishment(self, round_id: int, subject: int, reason: bytes) -> Receipt:
        """Have the reward for another participant's fault paid, an hour after the proof."""
        key = self._key(round_id, "punishment", subject, decode_reason(reason))
        return self.chain.claim_punishment(round_id, subject, reason, key=key, sender=self.account)

    def _key(self, round_id: int, *parts: object) -> str:
        return "/".join([self.chain.fingerprint, "dispute", str(round_id), *map(str, parts)])
