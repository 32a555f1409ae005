"""What can be asked of the contracts, as values. Building a call touches nothing; `Chain` sends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ledger import artifacts, signing, spec
from ledger.chain.abi import Item, get_interface
from ledger.chain.views import Role, get_task_fields
from ledger.errors import UsageError
from ledger.spec.certificates import BOARD_NAME

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
    function: Item | None = None
    """Function of a contract that it calls; None for transfers and creations."""

    def fingerprint(self) -> bytes:
        """Return the digest by which a repeated request is known."""
        named = self.identity if self.identity is not None else self.data
        return sha256(b"|".join((self.name.encode(), self.to or b"", str(self.value_wei).encode(), named))).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """Where the contracts are, and their EIP-712 domains."""

    chain_id: int
    """EIP-155 chain id."""
    addresses: Mapping[str, bytes]
    """20 bytes by the keys of `artifacts.NAMES`."""

    @property
    def registry(self) -> bytes:
        """Address of ParticipantRegistry."""
        return self.addresses["registry"]

    @property
    def ledger(self) -> bytes:
        """Address of RoundLedger."""
        return self.addresses["ledger"]

    @property
    def domain_separator(self) -> bytes:
        """Return the domain in which commitments are signed."""
        return spec.compute_domain_separator(spec.LEDGER_NAME, self.chain_id, self.ledger)

    @property
    def registry_domain_separator(self) -> bytes:
        """Return the domain in which keys prove their possession."""
        return spec.compute_domain_separator(spec.REGISTRY_NAME, self.chain_id, self.registry)

    @property
    def board_domain_separator(self) -> bytes:
        """Return the domain in which attestors sign."""
        return spec.compute_domain_separator(BOARD_NAME, self.chain_id, self.addresses["board"])

    def to(self, key: str, function: str, *args: Any, value_wei: int = 0, **context: Any) -> Call:
        """Return a call of the contract with a key of `artifacts.NAMES`."""
        item = get_interface(artifacts.NAMES[key]).functions[function]
        return Call(
            name=function,
            to=self.addresses[key],
            data=item.encode_call(*args),
            value_wei=value_wei,
            context=context,
            function=item,
        )

    def to_registry(self, function: str, *args: Any, value_wei: int = 0, **context: Any) -> Call:
        """Return a call of ParticipantRegistry."""
        return self.to("registry", function, *args, value_wei=value_wei, **context)

    def to_ledger(self, function: str, *args: Any, **context: Any) -> Call:
        """Return a call of RoundLedger."""
        return self.to("ledger", function, *args, **context)

    def to_escrow(self, function: str, *args: Any) -> Call:
        """Return a call of RewardEscrow."""
        return self.to("escrow", function, *args)

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

    def commit_batch(self, round_id: int, entries: Sequence[spec.SignedMember]) -> Call:
        """Return a batch of signed commitments; they are put in rising client order.

        Raises: UsageError: a client is there twice; WrongLength: a signature has not 64 bytes.
        """
        ordered = sorted(entries, key=lambda entry: entry.client)
        if len({entry.client for entry in ordered}) != len(ordered):
            raise UsageError("a batch names each client once")
        for entry in ordered:
            if len(entry.signature) != signing.SIGNATURE_BYTES:
                raise spec.WrongLength(got=len(entry.signature), want=signing.SIGNATURE_BYTES)
        return self.to_ledger("commitBatch", round_id, spec.encode_signed_list(ordered))


def spec_address(account: LocalAccount) -> bytes:
    """Return an account's address as the specification wants it: 20 bytes."""
    return bytes.fromhex(account.address[2:])
