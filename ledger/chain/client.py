"""A connected ledger: typed reads and writes of its contracts. No rules of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ledger import spec
from ledger.chain import deployment
from ledger.chain.calls import Call, Contracts, Entry
from ledger.chain.connection import Connection, to_address, to_hex, to_quantity
from ledger.chain.network import Network
from ledger.chain.reads import Address, Reads
from ledger.chain.sending import Order, Sending
from ledger.chain.views import Receipt, Role
from ledger.errors import ChainReset, NoContract, WrongCode
from ledger.journal import Journal

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

Exclusions = Sequence[tuple[int, int]]
"""(client, reason) pairs; a reason is the number of an FT code."""


class Provable(Protocol):
    """A fraud proof, encoded."""

    @property
    def function(self) -> str:
        """Function of DisputeCourt."""

    @property
    def arguments(self) -> tuple[Any, ...]:
        """Its arguments."""


class Chain(Reads):
    """The contracts of one network. Threads may share it.

    Every write takes `key`, what it is for, and `sender`, who signs and pays. A key is sent at most once: asking
    again returns the receipt of the first time. A refusal by the contract is raised and nothing is sent.
    """

    def __init__(self, network: Network, journal: Journal, connection: Connection, contracts: Contracts) -> None:
        self.network = network
        self.journal = journal
        self.contracts = contracts
        self._connection = connection
        self._sending = Sending(
            connection,
            journal,
            chain_id=network.chain_id,
            devnet=network.devnet,
            confirmations=network.confirmations,
        )

    @classmethod
    def connect(cls, network: Network, journal: Journal) -> Chain:
        """Return the ledger of a network after checking that it is the one that the project knows.

        Raises: CannotReach; WrongChain: another chain id; ChainReset: the deployment's block is another;
        NoContract: no code at an address, or no address; WrongCode: other code than the deployed one.
        """
        connection = Connection(network.rpc)
        deployment.verify_chain_id(connection, network)
        contracts = Contracts(
            chain_id=network.chain_id,
            registry=_read_address(network.registry, network),
            ledger=_read_address(network.ledger, network),
            court=_read_address(network.court, network),
        )
        chain = cls(network, journal, connection, contracts)
        if network.devnet:
            chain._sending.recover()
        chain._verify_block()
        chain._verify_code()
        return chain

    def _verify_block(self) -> None:
        number, want = self.network.deploy_block, self.network.deploy_block_hash
        if number is None or want is None:
            return
        block = self._connection.request("eth_getBlockByNumber", to_quantity(number), False)
        got = block["hash"] if isinstance(block, dict) else "no such block"
        if got != want:
            raise ChainReset(block=number, want=want, got=got)

    def _verify_code(self) -> None:
        addresses = (self.contracts.ledger, self.contracts.registry, self.contracts.court)
        codes = [deployment.get_code(self._connection, address) for address in addresses]
        named = (self.network.ledger, self.network.registry, self.network.court)
        for address, code in zip(named, codes, strict=True):
            if not code:
                block = int(self._connection.request("eth_blockNumber"), 16)
                raise NoContract(address=address, chain_id=self.network.chain_id, block=block)
        got = to_hex(deployment.compute_code_hash(*codes))
        if self.network.code_hash not in (None, got):
            raise WrongCode(got=got, want=self.network.code_hash)

    # --------------------------------------------------------------------------------------------------------- writes

    def send(self, call: Call, *, key: str, sender: LocalAccount) -> Receipt:
        """Send one call once (see `send_many`)."""
        return self._sending.send(Order(call=call, key=key, sender=sender))

    def send_many(self, orders: Sequence[Order]) -> list[Receipt]:
        """Send independent calls side by side, each once.

        Args: orders: their calls come from `self.contracts`; none may depend on another one of the list.
        Returns: receipts in the same order.
        Raises: a refusal, before anything is sent; NotMined; CannotReach; ConfigurationError: a key was used for
        another call.
        """
        return self._sending.send_many(orders)

    def gas_used(self, prefix: str) -> int:
        """Return the gas of this machine's transactions whose keys begin with a prefix."""
        return self.journal.gas_used(prefix)

    def register(
        self, *, role: Role, owner: Address, signer: LocalAccount, stake_wei: int, key: str, sender: LocalAccount
    ) -> Receipt:
        """Register an identity and stake for it; the id is in the event Registered.

        Args: owner: address of the cold key. signer: the hot key, which proves its possession here.
        """
        call = self.contracts.register(role=role, owner=to_address(owner), signer=signer, stake_wei=stake_wei)
        return self.send(call, key=key, sender=sender)

    def rotate_key(self, participant: int, signer: LocalAccount, *, key: str, sender: LocalAccount) -> Receipt:
        """Replace a participant's signing key in rounds that open later; its owner sends."""
        return self.send(self.contracts.rotate_key(participant=participant, signer=signer), key=key, sender=sender)

    def deposit(self, participant: int, amount_wei: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Add to a stake."""
        call = self.contracts.to_registry("deposit", participant, value_wei=amount_wei)
        return self.send(call, key=key, sender=sender)

    def request_unbond(self, participant: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Leave future rounds and start the unbonding time; the owner sends."""
        return self.send(self.contracts.to_registry("requestUnbond", participant), key=key, sender=sender)

    def withdraw(self, participant: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Credit a whole stake to its owner after the unbonding time."""
        return self.send(self.contracts.to_registry("withdraw", participant), key=key, sender=sender)

    def claim(self, to: Address, *, key: str, sender: LocalAccount) -> Receipt:
        """Pay the sender's credit out to an address."""
        return self.send(self.contracts.to_registry("claim", to_address(to)), key=key, sender=sender)

    def create_task(self, task: spec.Task, *, key: str, sender: LocalAccount) -> Receipt:
        """Create a task; its id is in the event TaskCreated. The governor sends.

        Raises: InvalidTask: names the field, its value and what is allowed.
        """
        spec.verify_task(task, unbond_seconds=self.get_unbond_seconds())
        return self.send(self.contracts.create_task(task), key=key, sender=sender)

    def open_round(self, task_id: int, aggregator: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Open the next round of a task; its id is in the event RoundOpened."""
        call = self.contracts.to_ledger("openRound", task_id, aggregator, who=f"aggregator {aggregator}")
        return self.send(call, key=key, sender=sender)

    def commit(self, round_id: int, client: int, commitment: bytes, *, key: str, sender: LocalAccount) -> Receipt:
        """Commit by oneself: the client's signer or owner sends."""
        return self.send(self.contracts.to_ledger("commit", round_id, client, commitment), key=key, sender=sender)

    def commit_batch(self, round_id: int, entries: Sequence[Entry], *, key: str, sender: LocalAccount) -> Receipt:
        """Commit for many clients, which have signed; anybody sends."""
        return self.send(self.contracts.commit_batch(round_id, entries), key=key, sender=sender)

    def propose(
        self, round_id: int, proposal: spec.Proposal, excluded: Exclusions, *, key: str, sender: LocalAccount
    ) -> Receipt:
        """Put an aggregate forward; the round's aggregator sends."""
        args = (proposal.fields(), spec.encode_exclusions(excluded))
        return self.send(self.contracts.to_ledger("propose", round_id, *args), key=key, sender=sender)

    def abandon(
        self, round_id: int, data_id: bytes, excluded: Exclusions, *, key: str, sender: LocalAccount
    ) -> Receipt:
        """End a round that has too few updates; the round's aggregator sends."""
        args = (data_id, spec.encode_exclusions(excluded))
        return self.send(self.contracts.to_ledger("abandon", round_id, *args), key=key, sender=sender)

    def finalise(
        self, round_id: int, proposal: spec.Proposal, excluded: Exclusions, *, key: str, sender: LocalAccount
    ) -> Receipt:
        """Make a proposal the task's model after the challenge window; anybody sends."""
        args = (proposal.fields(), spec.encode_exclusions(excluded))
        return self.send(self.contracts.to_ledger("finalise", round_id, *args), key=key, sender=sender)

    def expire(self, round_id: int, *, key: str, sender: LocalAccount) -> Receipt:
        """End a round whose aggregator missed its time; anybody sends."""
        return self.send(self.contracts.to_ledger("expire", round_id), key=key, sender=sender)

    def prove(self, proof: Provable, *, key: str, sender: LocalAccount) -> Receipt:
        """Bring a fraud proof before the court; the sender is the challenger.

        Args: proof: what `ledger.disputes` encodes: a function of the court and its arguments.
        Raises: Reverted: the court refuses it, and says why.
        """
        return self.send(self.contracts.to_court(proof.function, *proof.arguments), key=key, sender=sender)

    def buy_ticket(self, ticket: bytes, *, key: str, sender: LocalAccount) -> Receipt:
        """Say, without saying what, that the sender has a proof: its reward cannot be copied then."""
        return self.send(self.contracts.to_court("ticket", ticket), key=key, sender=sender)

    def contest(
        self,
        round_id: int,
        *,
        subject: int = 0,
        reason: bytes = bytes(32),
        proof_hash: bytes,
        salt: bytes,
        key: str,
        sender: LocalAccount,
    ) -> Receipt:
        """Claim a copied proof by an earlier ticket, within the hour after it.

        Args: subject: the client that it accuses, 0 for the aggregator. reason: as in the event FraudProven.
        """
        call = self.contracts.to_court("contest", round_id, subject, reason, proof_hash, salt)
        return self.send(call, key=key, sender=sender)

    def claim_reward(self, round_id: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Credit the challenger of a voided round, an hour after its proof; anybody sends."""
        return self.send(self.contracts.to_court("claimReward", round_id), key=key, sender=sender)

    def claim_client_reward(
        self, round_id: int, client: int, reason: bytes, *, key: str, sender: LocalAccount
    ) -> Receipt:
        """Credit who proved a client's fault, an hour after the proof; anybody sends."""
        return self.send(self.contracts.to_court("claimClientReward", round_id, client, reason), key=key, sender=sender)

    def claim_share(self, round_id: int, client: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Credit a committed client's owner with its part of a voided round's bond; anybody sends."""
        return self.send(self.contracts.to_court("claimShare", round_id, client), key=key, sender=sender)

    def transfer(self, to: Address, amount_wei: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Send ETH to an account."""
        return self.send(Call(name="transfer", to=to_address(to), value_wei=amount_wei), key=key, sender=sender)


def _read_address(text: str | None, network: Network) -> bytes:
    if not text:
        raise NoContract(
            f"network '{network.name}' names no contracts; nothing was sent", hint="run: fedtrail contract deploy"
        )
    return to_address(text)
