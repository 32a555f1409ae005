"""A client of a masked round: what it says, what it masks with, and what it hands out when the round is unmasked.

Everything random comes from one root of 32 bytes, which the client writes down before it says anything. A client that
dies and starts again thus says the same once more, and masks no other update with the same seeds.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from fl.privacy.secagg.graph import Setting
from fl.privacy.secagg.keys import (
    TAG_BYTES,
    agree,
    compute_public_key,
    derive,
    derive_channel_key,
    derive_pair_seed,
    seal,
    unseal,
)
from fl.privacy.secagg.shares import SHARE_BYTES, split
from ledger import spec
from ledger.errors import MaskingRefused, ShareRejected

NONCE_BYTES = 12
_SHARE_HEADER = struct.Struct(">4s32sII")
"""Magic, context, sender, receiver."""
_ANSWER_HEADER = struct.Struct(">4s32sI12s")
"""Magic, context, sender, nonce."""
_SHARE, _ANSWER = b"FTS\x01", b"FTR\x01"
SHARE_MESSAGE_BYTES = _SHARE_HEADER.size + 2 * SHARE_BYTES + TAG_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a client holds of a peer."""

    own_share: bytes
    """Share of the seed of the peer's own mask, 33 bytes."""
    key_share: bytes
    """Share of the peer's key of the round, 33 bytes: with it go the seeds of all its pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an aggregator wants of a client to unmask the sum."""

    own_of: frozenset[int]
    """Clients whose own mask is to be removed: those that are in the sum."""
    keys_of: frozenset[int]
    """Clients whose pair masks are to be removed: those that are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client hands out."""

    client: int
    """Who."""
    own_seed: bytes
    """Seed of its own mask, 32 bytes."""
    own_shares: Mapping[int, bytes]
    """Shares of survivors' own seeds, by client."""
    key_shares: Mapping[int, bytes]
    """Shares of the keys of clients that are not in the sum, by client."""


@dataclass(frozen=True, kw_only=True)  # no slots: cached properties need a place
class Masker:
    """One client in one round."""

    setting: Setting
    """What the chain says."""
    client: int
    """Who."""
    private_key: bytes = field(repr=False)
    """Private half of its key on chain, 32 bytes."""
    root: bytes = field(repr=False)
    """32 bytes from make_root, of this round and update only."""

    @staticmethod
    def make_root() -> bytes:
        """Return a new root from the operating system's generator."""
        return secrets.token_bytes(spec.SEED_BYTES)

    def _draw(self, what: bytes) -> bytes:
        return derive(self.root, context=self.setting.context, info=what + self.client.to_bytes(4, "big"))

    @cached_property
    def round_key(self) -> bytes:
        """Private X25519 key of this round."""
        return self._draw(b"key")

    @cached_property
    def own_seed(self) -> bytes:
        """Seed of its own mask."""
        return self._draw(b"own")

    @property
    def peers(self) -> list[int]:
        """Its neighbours in the graph."""
        return self.setting.peers[self.client]

    # ------------------------------------------------------------------------------------------------ 1: say hello

    def make_hello(self) -> bytes:
        """Return the public half of its key of this round, 32 bytes, for the server to pass on."""
        return compute_public_key(self.round_key)

    # ------------------------------------------------------------------------------------- 2: share what unmasks it

    def share(self, hellos: Mapping[int, bytes]) -> dict[int, bytes]:
        """Return the sealed shares for every peer that said hello, by receiver.

        A peer whose keys are none gets nothing: nobody can keep its neighbours out of a round by them.

        Args: hellos: keys of the round by client, as the server tells them.
        Raises: MaskingRefused: fewer peers than the threshold said hello.
        """
        holders = [peer for peer in self.peers if peer in hellos and self._can_agree(hellos, peer)]
        self._require_peers(len(holders), "said hello")
        own = split(self.own_seed, holders, self.setting.threshold, source=self._draw(b"own shares"))
        key = split(self.round_key, holders, self.setting.threshold, source=self._draw(b"key shares"))
        return {
            peer: seal(
                self._channel_key(hellos, peer, sender=self.client),
                own[peer] + key[peer],
                header=_SHARE_HEADER.pack(_SHARE, self.setting.context, self.client, peer),
                nonce=bytes(NONCE_BYTES),  # one key seals one message, which is always the same
            )
            for peer in holders
        }

    def receive(
        self, hellos: Mapping[int, bytes], messages: Iterable[bytes]
    ) -> tuple[dict[int, Received], list[ShareRejected]]:
        """Return what the client holds of each peer whose message is right, and what is wrong with the others.

        Raises: MaskingRefused: fewer than the threshold are right.
        """
        held: dict[int, Received] = {}
        rejected: list[ShareRejected] = []
        for message in messages:
            try:
                sender, received = self.open_share(hellos, message)
                if sender in held:
                    raise ShareRejected(client=sender, what="it came before")
                held[sender] = received
            except ShareRejected as error:
                rejected.append(error)
        self._require_peers(len(held), "sent shares")
        return held, rejected

    def open_share(self, hellos: Mapping[int, bytes], message: bytes) -> tuple[int, Received]:
        """Return sender and shares of a message to this client.

        Raises: ShareRejected: it is of another length, form, round or ledger, for somebody else, of nobody who said
            hello, of no peer, or changed since its sender sealed it.
        """
        if len(message) != SHARE_MESSAGE_BYTES:
            raise ShareRejected(client="?", what=f"{len(message)} bytes, a message has {SHARE_MESSAGE_BYTES}")
        header, ciphertext = message[: _SHARE_HEADER.size], message[_SHARE_HEADER.size :]
        magic, context, sender, receiver = _SHARE_HEADER.unpack(header)
        if (magic, context, receiver) != (_SHARE, self.setting.context, self.client):
            raise ShareRejected(client=sender, what="it is for another client, round or ledger")
        if sender not in self.peers or sender not in hellos:
            raise ShareRejected(client=sender, what="its sender is no peer that said hello")
        key = self._channel_key(hellos, sender, sender=sender)
        plaintext = unseal(key, ciphertext, header=header, nonce=bytes(NONCE_BYTES), sender=sender)
        return sender, Received(own_share=plaintext[:SHARE_BYTES], key_share=plaintext[SHARE_BYTES:])

    def _require_peers(self, count: int, what: str) -> None:
        want = self.setting.threshold
        if count < want:
            raise MaskingRefused(client=self.client, what=f"mask: {count} of its peers {what}, at least {want} must")

    def _keys_of(self, hellos: Mapping[int, bytes], peer: int) -> dict[int, bytes]:
        return {self.client: self.make_hello(), peer: hellos[peer]}

    @cached_property
    def _secrets(self) -> dict[tuple[int, bytes], bytes]:
        return {}

    def _agree(self, hellos: Mapping[int, bytes], peer: int) -> bytes:
        """Return the shared secret of the keys of the round; worked out once."""
        known = (peer, hellos[peer])
        if known not in self._secrets:
            self._secrets[known] = agree(self.round_key, hellos[peer], peer=peer)
        return self._secrets[known]

    def _can_agree(self, hellos: Mapping[int, bytes], peer: int) -> bool:
        try:
            self._agree(hellos, peer)
            self._agree_registered(peer)
        except ShareRejected:
            return False
        return True

    @cached_property
    def _registered(self) -> dict[int, bytes]:
        return {}

    def _agree_registered(self, peer: int) -> bytes:
        if peer not in self.setting.keys:
            raise ShareRejected(client=peer, what="the chain holds no key of that client")
        if peer not in self._registered:
            self._registered[peer] = agree(self.private_key, self.setting.keys[peer], peer=peer)
        return self._registered[peer]

    def _channel_key(self, hellos: Mapping[int, bytes], peer: int, *, sender: int) -> bytes:
        return derive_channel_key(
            self._agree(hellos, peer),
            self._agree_registered(peer),
            context=self.setting.context,
            keys=self._keys_of(hellos, peer),
            sender=sender,
        )

    # -------------------------------------------------------------------------------------------------- 3: mask

    def make_seeds(self, hellos: Mapping[int, bytes], held: Collection[int]) -> dict[int, bytes]:
        """Return the seeds to mask with, by peer: its own, and one for each peer whose shares it holds."""
        pairs = {
            peer: derive_pair_seed(
                self._agree(hellos, peer), context=self.setting.context, keys=self._keys_of(hellos, peer)
            )
            for peer in sorted(held)
        }
        return {spec.SELF: self.own_seed, **pairs}

    # ------------------------------------------------------------------------------------------------ 4: unmask

    def answer(
        self,
        request: Request,
        held: Mapping[int, Received],
        table: Iterable[int],
        survivors: Collection[int],
    ) -> Answer:
        """Return what removes the masks of the survivors' sum, and nothing more.

        Args: held: what it holds of its peers. table: peers of its own seed table. survivors: who is in the sum, as
            the chain says; not as the aggregator says.
        Raises: MaskingRefused: the client itself is not in the sum; the sum has fewer than quorum updates, or that of
            its group too few; fewer of its peers than the threshold are in it; or it is asked for a secret of somebody
            that the chain says otherwise of, as whoever asks for both of one client's does.
        """
        own_of, keys_of = request.own_of, request.keys_of
        if own_of & keys_of:
            self._refuse(f"both secrets of client {min(own_of & keys_of)} are asked for")
        if not own_of <= set(survivors):
            self._refuse(f"client {min(own_of - set(survivors))} is not in the sum: its own mask stays")
        if keys_of & set(survivors):
            self._refuse(f"client {min(keys_of & set(survivors))} is in the sum: its pair masks stay")
        if self.client not in survivors:
            self._refuse("its own update is not in the sum")
        if len(set(survivors)) < self.setting.quorum:
            self._refuse(f"{len(set(survivors))} updates are in the sum, at least {self.setting.quorum} must be")
        together = self.setting.select_group(self.client, survivors)
        if len(together) < self.setting.least:
            self._refuse(f"{len(together)} updates are in the sum of its group, at least {self.setting.least} must be")
        hiding = len(set(table) & set(survivors))
        if hiding < self.setting.threshold:
            self._refuse(f"{hiding} of its peers are in the sum, at least {self.setting.threshold} must be")
        return Answer(
            client=self.client,
            own_seed=self.own_seed,
            own_shares={peer: held[peer].own_share for peer in sorted(held) if peer in own_of},
            key_shares={peer: held[peer].key_share for peer in sorted(held) if peer in keys_of},
        )

    def _refuse(self, why: str) -> None:
        raise MaskingRefused(client=self.client, what=f"unmask: {why}")

    def seal_answer(self, answer: Answer, *, aggregator: int, aggregator_key: bytes) -> bytes:
        """Return an answer that only the aggregator can open. Args: aggregator_key: its X25519 key on chain."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        shared = agree(self.private_key, aggregator_key, peer=aggregator)
        key = _derive_answer_key(shared, self.setting, self.client, aggregator)
        header = _ANSWER_HEADER.pack(_ANSWER, self.setting.context, self.client, nonce)
        return seal(key, _encode_answer(answer), header=header, nonce=nonce)


def _derive_answer_key(shared: bytes, setting: Setting, client: int, aggregator: int) -> bytes:
    info = b"answer" + client.to_bytes(4, "big") + aggregator.to_bytes(4, "big")
    return derive(shared, context=setting.context, info=info)


def _encode_answer(answer: Answer) -> bytes:
    parts = [answer.own_seed]
    for shares in (answer.own_shares, answer.key_shares):
        parts.append(len(shares).to_bytes(2, "big"))
        parts += [peer.to_bytes(4, "big") + share for peer, share in sorted(shares.items())]
    return b"".join(parts)


def decode_answer(setting: Setting, message: bytes, *, aggregator: int, private_key: bytes) -> Answer:
    """Return a client's answer, for the aggregator.

    Args: private_key: the private half of the aggregator's key on chain.
    Raises: ShareRejected: it is not what a client of the roster sealed for this round and aggregator.
    """
    if len(message) < _ANSWER_HEADER.size:
        raise ShareRejected(client="?", what=f"{len(message)} bytes are no answer")
    header, ciphertext = message[: _ANSWER_HEADER.size], message[_ANSWER_HEADER.size :]
    magic, context, client, nonce = _ANSWER_HEADER.unpack(header)
    if (magic, context) != (_ANSWER, setting.context) or client not in setting.keys:
        raise ShareRejected(client=client, what="it is for another round or ledger, or of nobody who takes part")
    shared = agree(private_key, setting.keys[client], peer=client)
    key = _derive_answer_key(shared, setting, client, aggregator)
    plaintext = unseal(key, ciphertext, header=header, nonce=nonce, sender=client)
    try:
        return _parse_answer(client, plaintext)
    except (struct.error, IndexError):
        raise ShareRejected(client=client, what="its answer is cut off") from None


def _parse_answer(client: int, data: bytes) -> Answer:
    at, lists = spec.SEED_BYTES, []
    for _ in range(2):
        (count,) = struct.unpack_from(">H", data, at)
        at += 2
        shares = {}
        for _ in range(count):
            peer, share = struct.unpack_from(f">I{SHARE_BYTES}s", data, at)
            shares[peer] = share
            at += 4 + SHARE_BYTES
        lists.append(shares)
    return Answer(client=client, own_seed=data[: spec.SEED_BYTES], own_shares=lists[0], key_shares=lists[1])


def compute_survivors_digest(survivors: Iterable[int]) -> bytes:
    """Return a digest of who is in the sum: what a client writes down before it answers, since it answers once."""
    return hashlib.sha256(b"".join(client.to_bytes(4, "big") for client in sorted(survivors))).digest()
