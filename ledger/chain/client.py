"""A connected ledger: typed reads and writes of its contracts. No rules of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ledger import artifacts, spec
from ledger.chain import deployment
from ledger.chain.calls import Call, Contracts
from ledger.chain.connection import Connection, to_address, to_hex, to_quantity
from ledger.chain.network import Network
from ledger.chain.reads import Address
from ledger.chain.sending import Order, Sending
from ledger.chain.stating import Stating
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
    def court(self) -> str:
        """Key of the court in `artifacts.KEYS`."""

    @property
    def function(self) -> str:
        """Function of that court."""

    @property
    def arguments(self) -> tuple[Any, ...]:
        """Its arguments."""


class Chain(Stating):
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
        connection = Connection(network.rpc, ca_file=network.ca_file)
        deployment.verify_chain_id(connection, network)
        contracts = Contracts(
            chain_id=network.chain_id,
            addresses={
                key: _read_address(key, network)
                for key in artifacts.NAMES
                if key in artifacts.KEYS or key in network.contracts
            },
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
        addresses = self.contracts.addresses
        codes = [deployment.get_code(self._connection, address) for address in addresses.values()]
        for key, code in zip(addresses, codes, strict=True):
            if not code:
                block = int(self._connection.request("eth_blockNumber"), 16)
                address = self.network.contracts[key]
                raise NoContract(address=address, chain_id=self.network.chain_id, block=block)
        got = to_hex(deployment.compute_code_hash(codes))
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

    def count_outcomes(self) -> dict[str, tuple[int, int]]:
        """Return how many of this machine's transactions on this chain stand how, and the gas that they used."""
        return self.journal.count_outcomes(self._sending.scope)

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

    def deposit_credit(self, account: Address, amount_wei: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Pay into an account's credit, from which contracts take bonds."""
        call = self.contracts.to_registry("depositCredit", to_address(account), value_wei=amount_wei)
        return self.send(call, key=key, sender=sender)

    def claim(self, to: Address, *, key: str, sender: LocalAccount) -> Receipt:
        """Pay the sender's credit out to an address."""
        return self.send(self.contracts.to_registry("claim", to_address(to)), key=key, sender=sender)

    def open_round(self, task_id: int, aggregator: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Open the next round of a task; its id is in the event RoundOpened."""
        call = self.contracts.to_ledger("openRound", task_id, aggregator, who=f"aggregator {aggregator}")
        return self.send(call, key=key, sender=sender)

    def release_bond(self, task_id: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Free the bond of a task's last aggregator once its round has ended; anybody sends."""
        return self.send(self.contracts.to_ledger("releaseBond", task_id), key=key, sender=sender)

    def commit(self, round_id: int, client: int, commitment: bytes, *, key: str, sender: LocalAccount) -> Receipt:
        """Commit by oneself: the client's signer or owner sends."""
        return self.send(self.contracts.to_ledger("commit", round_id, client, commitment), key=key, sender=sender)

    def commit_batch(
        self, round_id: int, entries: Sequence[spec.SignedMember], *, key: str, sender: LocalAccount
    ) -> Receipt:
        """Commit for many clients, which have signed; anybody sends."""
        return self.send(self.contracts.commit_batch(round_id, entries), key=key, sender=sender)

    def commit_root(
        self, round_id: int, root: bytes, count: int, list_id: bytes, *, key: str, sender: LocalAccount
    ) -> Receipt:
        """Commit for all by the root and the digest of a list of signed commitments; the round's aggregator sends."""
        call = self.contracts.to_ledger("commitRoot", round_id, root, count, list_id)
        return self.send(call, key=key, sender=sender)

    def propose(
        self,
        round_id: int,
        proposal: spec.Proposal,
        excluded: Exclusions,
        aux: bytes = b"",
        *,
        key: str,
        sender: LocalAccount,
    ) -> Receipt:
        """Put an aggregate forward; the round's aggregator sends.

        Args: aux: what the task's rule asks for beside roots (spec.compute_aux).
        """
        args = (proposal.fields(), spec.encode_exclusions(excluded), aux)
        return self.send(self.contracts.to_ledger("propose", round_id, *args), key=key, sender=sender)

    def abandon(
        self, round_id: int, data_id: bytes, excluded: Exclusions, *, key: str, sender: LocalAccount
    ) -> Receipt:
        """End a round that has too few updates; the round's aggregator sends."""
        args = (data_id, spec.encode_exclusions(excluded))
        return self.send(self.contracts.to_ledger("abandon", round_id, *args), key=key, sender=sender)

    def finalise(self, round_id: int, outcome: spec.Outcome, *, key: str, sender: LocalAccount) -> Receipt:
        """Make a proposal the task's model after the challenge window; anybody sends."""
        return self.send(self.contracts.to_ledger("finalise", round_id, outcome.fields()), key=key, sender=sender)

    def expire(self, round_id: int, *, key: str, sender: LocalAccount) -> Receipt:
        """End a round whose aggregator missed its time; anybody sends."""
        return self.send(self.contracts.to_ledger("expire", round_id), key=key, sender=sender)

    def prove(self, proof: Provable, *, key: str, sender: LocalAccount) -> Receipt:
        """Bring a fraud proof before its court; the sender is the challenger.

        Args: proof: what `ledger.disputes` encodes: a function of a court and its arguments.
        Raises: Reverted: the court refuses it, and says why.
        """
        return self.send(self.contracts.to(proof.court, proof.function, *proof.arguments), key=key, sender=sender)

    def buy_ticket(self, ticket: bytes, *, key: str, sender: LocalAccount) -> Receipt:
        """Say, without saying what, that the sender has a proof: its reward cannot be copied then."""
        return self.send(self.contracts.to_escrow("ticket", ticket), key=key, sender=sender)

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

        Args: subject: the participant that it accuses, 0 for the aggregator of a voided round. reason: as in the event
        FraudProven.
        """
        call = self.contracts.to_escrow("contest", round_id, subject, reason, proof_hash, salt)
        return self.send(call, key=key, sender=sender)

    def settle(self, round_id: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Take the bond of a voided round and share it out; anybody sends."""
        return self.send(self.contracts.to_escrow("settle", round_id), key=key, sender=sender)

    def claim_reward(self, round_id: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Credit the challenger of a voided round, an hour after its proof; anybody sends."""
        return self.send(self.contracts.to_escrow("claimReward", round_id), key=key, sender=sender)

    def claim_punishment(
        self, round_id: int, subject: int, reason: bytes, *, key: str, sender: LocalAccount
    ) -> Receipt:
        """Credit who proved another participant's fault, an hour after the proof; anybody sends."""
        call = self.contracts.to_escrow("claimPunishment", round_id, subject, reason)
        return self.send(call, key=key, sender=sender)

    def claim_share(self, round_id: int, client: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Credit a committed client's owner with its part of a voided round's bond; anybody sends."""
        return self.send(self.contracts.to_escrow("claimShare", round_id, client), key=key, sender=sender)

    def transfer(self, to: Address, amount_wei: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Send ETH to an account."""
        return self.send(Call(name="transfer", to=to_address(to), value_wei=amount_wei), key=key, sender=sender)


def _read_address(contract: str, network: Network) -> bytes:
    if contract not in network.contracts:
        what, option = (f"no contract '{contract}'", " --new") if network.contracts else ("no contracts", "")
        raise NoContract(
            f"network '{network.name}' names {what}; nothing was sent", hint=f"run: fedtrail contract deploy{option}"
        )
    return to_address(network.contracts[contract])
