"""What participants state about rounds, the keys by which one encrypts to them, and what rewards pay.

The contracts check who speaks, and nothing of what is said: a score, a spend or an objection is signed, not true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ledger import spec
from ledger.chain.calls import Call
from ledger.chain.governing import Governing
from ledger.chain.sending import Order
from ledger.chain.views import EncryptionKeyView, Receipt
from ledger.errors import NotEligible

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount


UNCAPPED_WEI = (1 << 96) - 1
"""Cap of a pool that counts every stake whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """What a sponsor pays the clients of a task's finalised rounds. Times are seconds since 1970."""

    pool_id: int
    """Its number, from 1."""
    task_id: int
    """The task."""
    sponsor: bytes
    """Who takes the rest back, 20 bytes."""
    since: int
    """Rounds that opened at this second or later are paid."""
    until: int
    """Last second at which the sponsor may not take the rest back."""
    rate_wei: int
    """What a round pays a client for each ether of its stake."""
    cap_wei: int
    """Stake of one client that counts at most."""
    left_wei: int
    """What is left to pay."""


class Admission(Protocol):
    """What shows that a round was finalised by a proposal; `ledger.rewards` makes one."""

    @property
    def round_id(self) -> int:
        """The round."""

    @property
    def arguments(self) -> tuple[object, ...]:
        """What RewardPool.admit takes after it."""


class Membership(Protocol):
    """What shows that a client is a member of a round; `ledger.rewards` makes one."""

    @property
    def client(self) -> int:
        """The client."""

    @property
    def commitment(self) -> bytes:
        """Its commitment, 32 bytes."""

    @property
    def index(self) -> int:
        """Its place among the included ones."""

    @property
    def path(self) -> Sequence[bytes]:
        """Siblings up to the members' root."""


class Stating(Governing):
    """The half of `Chain` for statements, encryption keys and rewards."""

    def send_many(self, orders: Sequence[Order]) -> list[Receipt]:
        """Send independent calls side by side, each once."""
        raise NotImplementedError

    # ----------------------------------------------------------------------------------------------------- statements

    def record_scores(
        self,
        round_id: int,
        kind: str,
        entries: Sequence[tuple[int, int]],
        method: bytes,
        *,
        key: str,
        sender: LocalAccount,
        scorer: int | None = None,
    ) -> Receipt:
        """State scores of clients in a round (event ScoresRecorded). Once a round, kind and client.

        Args: kind: what is scored, at most 31 ASCII characters. entries: (client, value in units of 2^-16). method:
        SHA-256 of the text that tells how they are computed. sender: signer or owner of an active aggregator or
        attestor. scorer: its id; None for the one that the sender signs for.
        Raises: NotEligible: the sender signs for nobody; NotCanonical: an entry is there twice, or does not fit.
        """
        speaker = scorer or self._require_speaker(sender, "record scores")
        args = (round_id, speaker, spec.encode_label(kind), method, spec.encode_scores(entries))
        return self.send(self.contracts.to("statements", "recordScores", *args), key=key, sender=sender)

    def record_spend(
        self,
        round_id: int,
        entries: Sequence[tuple[int, int, int]],
        mechanism: str,
        *,
        key: str,
        sender: LocalAccount,
        speaker: int | None = None,
    ) -> Receipt:
        """State what a task has spent of clients' privacy up to a round (event PrivacySpent). Once a round and client.

        Args: entries: (client, epsilon in 1e-6, delta in 1e-12), both cumulative since the task's first round.
        mechanism: at most 31 ASCII characters. sender: of the round's aggregator, or of a client for itself alone.
        Raises: NotEligible: the sender signs for nobody; NotCanonical: an entry is there twice, or does not fit.
        """
        who = speaker or self._require_speaker(sender, "record what privacy was spent")
        args = (round_id, who, spec.encode_label(mechanism), spec.encode_spends(entries))
        return self.send(self.contracts.to("statements", "recordSpend", *args), key=key, sender=sender)

    def contest_round(self, round_id: int, client: int, statement: bytes, *, key: str, sender: LocalAccount) -> Receipt:
        """Object to a round as one of its clients (event RoundContested); the client's signer or owner sends.

        Args: statement: SHA-256 of a document, which lies in the store.
        """
        call = self.contracts.to("statements", "contestRound", round_id, client, statement)
        return self.send(call, key=key, sender=sender)

    # ------------------------------------------------------------------------------------------------ encryption keys

    def announce_key(self, participant: int, x25519: bytes, *, key: str, sender: LocalAccount) -> Receipt:
        """Announce a participant's next encryption key (event EncryptionKeyAnnounced); its signer or owner sends.

        It is in force from the next second on. The sender's signature shows who announced it, so that no relay can put
        another one in its place; that somebody has its private half is not shown.
        """
        call = self.contracts.to("statements", "announceKey", participant, x25519)
        return self.send(call, key=key, sender=sender)

    def get_encryption_key(self, participant: int, at: int) -> EncryptionKeyView | None:
        """Return the encryption key of a participant that was in force in a second; None for none."""
        return self.get_encryption_keys_at([participant], at).get(participant)

    def get_encryption_keys_at(self, participants: Sequence[int], at: int) -> dict[int, EncryptionKeyView]:
        """Return the encryption keys that were in force in a second, by participant; without those that had none."""
        counts = self._read_many([self.contracts.to("statements", "keyCount", each) for each in participants])
        named = [(each, epoch) for each, count in zip(participants, counts, strict=True) for epoch in range(int(count))]
        answers = self._read_many([self.contracts.to("statements", "encryptionKey", *each) for each in named])
        keys = [(each, EncryptionKeyView(epoch=n, **told)) for (each, n), told in zip(named, answers, strict=True)]
        return {participant: key for participant, key in keys if key.since <= at}

    def list_encryption_keys(self, participant: int) -> list[EncryptionKeyView]:
        """Return every key that a participant has announced, oldest first."""
        count = int(self._read(self.contracts.to("statements", "keyCount", participant)))
        calls = [self.contracts.to("statements", "encryptionKey", participant, epoch) for epoch in range(count)]
        return [EncryptionKeyView(epoch=n, **each) for n, each in enumerate(self._read_many(calls))]

    # -------------------------------------------------------------------------------------------------------- rewards

    def fund_rewards(
        self,
        task_id: int,
        amount_wei: int,
        *,
        rate_wei: int,
        cap_wei: int,
        until: int,
        key: str,
        sender: LocalAccount,
    ) -> Receipt:
        """Promise pay to clients of a task's rounds that open from now on; its number is in the event PoolFunded.

        Args: rate_wei: what a round pays a client for each ether of its stake. cap_wei: stake of one client that counts
        at most. until: last second at which the sponsor may not take the rest back.
        """
        args = (task_id, rate_wei, cap_wei, until)
        call = self.contracts.to("reward_pool", "fund", *args, value_wei=amount_wei)
        return self.send(call, key=key, sender=sender)

    def top_up_rewards(self, pool_id: int, amount_wei: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Add to a pool; anybody sends."""
        call = self.contracts.to("reward_pool", "topUp", pool_id, value_wei=amount_wei)
        return self.send(call, key=key, sender=sender)

    def admit_round(self, admission: Admission, *, key: str, sender: LocalAccount) -> Receipt:
        """Show a finalised round's proposal to the pools, once; anybody sends."""
        call = self.contracts.to("reward_pool", "admit", admission.round_id, *admission.arguments)
        return self.send(call, key=key, sender=sender)

    def claim_round_reward(
        self, pool_id: int, round_id: int, member: Membership, *, key: str, sender: LocalAccount
    ) -> Receipt:
        """Credit a member's owner with what a pool owes it for an admitted round (event RewardPaid); anybody sends."""
        return self.send(self._make_claim(pool_id, round_id, member), key=key, sender=sender)

    def claim_round_rewards(
        self, pool_id: int, round_id: int, members: Sequence[Membership], *, key: str, sender: LocalAccount
    ) -> list[Receipt]:
        """The same for many members, side by side; `key` is the prefix of their keys."""
        orders = [
            Order(call=self._make_claim(pool_id, round_id, each), key=f"{key}/{each.client}", sender=sender)
            for each in members
        ]
        return self.send_many(orders)

    def _make_claim(self, pool_id: int, round_id: int, member: Membership) -> Call:
        args = (pool_id, round_id, member.client, member.commitment, member.index, list(member.path))
        return self.contracts.to("reward_pool", "claim", *args)

    def reclaim_rewards(self, pool_id: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Credit a pool's sponsor with the rest, after the pool's time; the sponsor sends."""
        return self.send(self.contracts.to("reward_pool", "reclaim", pool_id), key=key, sender=sender)

    def get_reward_pool(self, pool_id: int) -> PoolView:
        """Return a pool. Raises: Reverted: there is none of that number."""
        return PoolView(pool_id=pool_id, **self._read(self.contracts.to("reward_pool", "pool", pool_id)))

    def list_reward_pools(self, task_id: int | None = None) -> list[PoolView]:
        """Return the pools, of one task or of all, by number."""
        count = int(self._read(self.contracts.to("reward_pool", "poolCount")))
        calls = [self.contracts.to("reward_pool", "pool", number) for number in range(1, count + 1)]
        pools = [PoolView(pool_id=n, **each) for n, each in enumerate(self._read_many(calls), start=1)]
        return [pool for pool in pools if task_id in (None, pool.task_id)]

    def is_admitted(self, round_id: int) -> bool:
        """Return whether a round was shown to the pools."""
        return bool(self._read(self.contracts.to("reward_pool", "admitted", round_id))["task_id"])

    def has_been_paid(self, pool_id: int, round_id: int, client: int) -> bool:
        """Return whether a pool has paid a client for a round."""
        return bool(self._read(self.contracts.to("reward_pool", "hasPaid", pool_id, round_id, client)))

    def get_round_reward(self, pool_id: int, round_id: int, client: int) -> int:
        """Return what a pool owes a member of an admitted round, paid or not, in wei."""
        return int(self._read(self.contracts.to("reward_pool", "rewardOf", pool_id, round_id, client)))

    def _require_speaker(self, sender: LocalAccount, what: str) -> int:
        speaker = self.find_participant(sender.address)
        if speaker is None:
            raise NotEligible(who=sender.address, what=what, reason="no participant signs with this key")
        return speaker
