"""What can be asked of the contracts, as values. Building a call touches nothing; `Chain` sends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ledger import signing, spec
from ledger.chain.abi import get_interface
from ledger.chain.views import Role, get_task_fields
from ledger.errors import UsageError

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

FAR_FUTURE = (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One transaction before it has a sender, a number and a fee."""

    name: str
    """What it does, as users read it in errors."""
    to: bytes | None
    """Contract or account; None to create a contract."""
    data: bytes = b""
    """Selector and arguments."""
    value_wei: int = 0
    """ETH that goes along."""
    make_data: Callable[[int], bytes] | None = None
    """Makes `data` from the nonce, where it depends on that."""
    identity: bytes | None = None
    """What tells this request from another one under the same key; None: its target, data and value."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """What an error message needs beyond what the contract says."""

    def fingerprint(self) -> bytes:
        """Return the digest by which a repeated request is known."""
        named = self.identity if self.identity is not None else self.data
        return sha256(b"|".join((self.name.encode(), self.to or b"", str(self.value_wei).encode(), named))).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One signed commitment of a batch."""

    client: int
    """Participant id."""
    commitment: bytes
    """32 bytes."""
    signature: bytes
    """64 bytes, r | vs, over the EIP-712 digest of the commitment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """Where the contracts are, and their EIP-712 domains."""

    chain_id: int
    """EIP-155 chain id."""
    registry: bytes
    """Address of ParticipantRegistry."""
    ledger: bytes
    """Address of RoundLedger."""
    court: bytes
    """Address of DisputeCourt."""

    @property
    def domain_separator(self) -> bytes:
        """Return the domain in which commitments are signed."""
        return spec.compute_domain_separator(spec.LEDGER_NAME, self.chain_id, self.ledger)

    @property
    def registry_domain_separator(self) -> bytes:
        """Return the domain in which keys prove their possession."""
        return spec.compute_domain_separator(spec.REGISTRY_NAME, self.chain_id, self.registry)

    def to_registry(self, function: str, *args: Any, value_wei: int = 0, **context: Any) -> Call:
        """Return a call of ParticipantRegistry."""
        data = get_interface("ParticipantRegistry").functions[function].encode_call(*args)
        return Call(name=function, to=self.registry, data=data, value_wei=value_wei, context=context)

    def to_ledger(self, function: str, *args: Any, **context: Any) -> Call:
        """Return a call of RoundLedger."""
        data = get_interface("RoundLedger").functions[function].encode_call(*args)
        return Call(name=function, to=self.ledger, data=data, context=context)

    def to_court(self, function: str, *args: Any, **context: Any) -> Call:
        """Return a call of DisputeCourt."""
        data = get_interface("DisputeCourt").functions[function].encode_call(*args)
        return Call(name=function, to=self.court, data=data, context=context)

    def register(
        self, *, role: Role, owner: bytes, signer: LocalAccount, stake_wei: int, deadline: int = FAR_FUTURE
    ) -> Call:
        """Return a registration, with the signer's proof that it holds its key.

        Args: owner: address that rotates, unbonds and withdraws. stake_wei: goes along with the transaction.
        deadline: last second at which the proof is taken; it names owner, signer and role, and works once.
        """
        address = spec_address(signer)
        digest = spec.compute_register_digest(
            domain_separator=self.registry_domain_separator,
            owner=owner,
            signer=address,
            role=int(role),
            deadline=deadline,
        )
        proof = signing.sign_digest(signer, digest)
        args = (owner, address, int(role), deadline, proof[:32], proof[32:])
        return self.to_registry("register", *args, value_wei=stake_wei, who=signer.address)

    def rotate_key(self, *, participant: int, signer: LocalAccount, deadline: int = FAR_FUTURE) -> Call:
        """Return a change of signing key, with the new key's proof; the owner sends it."""
        address = spec_address(signer)
        digest = spec.compute_rotate_digest(
            domain_separator=self.registry_domain_separator,
            participant=participant,
            signer=address,
            deadline=deadline,
        )
        proof = signing.sign_digest(signer, digest)
        return self.to_registry("rotateKey", participant, address, deadline, proof[:32], proof[32:])

    def create_task(self, task: spec.Task) -> Call:
        """Return the creation of a task."""
        return self.to_ledger("createTask", get_task_fields(task), task=task)

    def commit_batch(self, round_id: int, entries: Sequence[Entry]) -> Call:
        """Return a batch of signed commitments; they are put in rising client order.

        Raises: UsageError: a client is there twice; WrongLength: a signature has not 64 bytes.
        """
        ordered = sorted(entries, key=lambda entry: entry.client)
        if len({entry.client for entry in ordered}) != len(ordered):
            raise UsageError("a batch names each client once")
        for entry in ordered:
            if len(entry.signature) != signing.SIGNATURE_BYTES:
                raise spec.WrongLength(got=len(entry.signature), want=signing.SIGNATURE_BYTES)
        members = [spec.Member(client=entry.client, commitment=entry.commitment) for entry in ordered]
        packed = (
            spec.encode_members([member]) + entry.signature for member, entry in zip(members, ordered, strict=True)
        )
        return self.to_ledger("commitBatch", round_id, b"".join(packed))


def spec_address(account: LocalAccount) -> bytes:
    """Return an account's address as the specification wants it: 20 bytes."""
    return bytes.fromhex(account.address[2:])
