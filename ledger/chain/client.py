"""A connected ledger: typed reads and writes of both contracts. No rules of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from ledger import spec
from ledger.chain import deployment
from ledger.chain.abi import get_interface
from ledger.chain.calls import Call, Contracts, Entry
from ledger.chain.connection import Connection, NodeRefused, to_address, to_bytes, to_hex, to_quantity
from ledger.chain.logs import fetch_logs
from ledger.chain.network import Network
from ledger.chain.reverts import decode_revert
from ledger.chain.sending import Order, Sending, move_clock
from ledger.chain.views import (
    Event,
    ParticipantView,
    Receipt,
    Role,
    RoundView,
    TaskStateView,
    make_participant,
    make_round,
    make_task,
)
from ledger.errors import ChainReset, NoContract, WrongCode
from ledger.journal import Journal

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount
    from web3 import Web3

Exclusions = Sequence[tuple[int, int]]
"""(client, reason) pairs; a reason is the number of an FT code."""

Address = bytes | str
"""20 bytes, or the text that a LocalAccount carries as its address."""

_POLL_SECONDS = 1.0


class Chain:
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
        addresses = (self.contracts.ledger, self.contracts.registry)
        codes = [deployment.get_code(self._connection, address) for address in addresses]
        for address, code in zip((self.network.ledger, self.network.registry), codes, strict=True):
            if not code:
                block = int(self._connection.request("eth_blockNumber"), 16)
                raise NoContract(address=address, chain_id=self.network.chain_id, block=block)
        got = to_hex(deployment.compute_code_hash(*codes))
        if self.network.code_hash not in (None, got):
            raise WrongCode(got=got, want=self.network.code_hash)

    # ---------------------------------------------------------------------------------------------------------- reads

    @property
    def fingerprint(self) -> str:
        """The deployment's name in journal keys."""
        return self.network.fingerprint

    @property
    def w3(self) -> Web3:
        """The web3.py object of this endpoint, for those who know web3.py."""
        return self._connection.w3

    @property
    def fingerprint(self) -> str:
        """A name for this deployment on this chain: two deployments never share one, nor does a chain after a reset."""
        block_hash = (self.network.deploy_block_hash or "").removeprefix("0x")[:16]
        return f"{self.network.chain_id}-{self.contracts.ledger.hex()}-{block_hash}"

    @property
    def domain_separator(self) -> bytes:
        """EIP-712 domain of commitments and publications."""
        return self.contracts.domain_separator

    @property
    def registry_domain_separator(self) -> bytes:
        """EIP-712 domain of registrations and rotations."""
        return self.contracts.registry_domain_separator

    def get_task(self, task_id: int) -> spec.Task:
        """Return a task's parameters. Raises: Reverted: there is no such task."""
        return make_task(self._read(self.contracts.to_ledger("task", task_id)))

    def get_task_state(self, task_id: int) -> TaskStateView:
        """Return a task's model, rounds, current round and head; zeros for no such task."""
        return TaskStateView(**self._read(self.contracts.to_ledger("taskState", task_id)))

    def get_round(self, round_id: int) -> RoundView:
        """Return a round. Raises: Reverted: there is no such round."""
        return make_round(round_id, self._read(self.contracts.to_ledger("round", round_id)))

    def count_rounds(self) -> int:
        """Return how many rounds all tasks together have opened."""
        return int(self._read(self.contracts.to_ledger("roundCount")))

    def count_tasks(self) -> int:
        """Return how many tasks there are."""
        return int(self._read(self.contracts.to_ledger("taskCount")))

    def has_committed(self, round_id: int, client: int) -> bool:
        """Return whether a client's commitment was accepted in a round."""
        return bool(self._read(self.contracts.to_ledger("hasCommitted", round_id, client)))

    def get_participant(self, participant: int) -> ParticipantView:
        """Return a participant. Raises: Reverted: there is none of that id."""
        return make_participant(participant, self._read(self.contracts.to_registry("participant", participant)))

    def find_participant(self, signer: Address) -> int | None:
        """Return the id of the participant that a signing key belongs or belonged to, or None."""
        return self._read(self.contracts.to_registry("idOfSigner", to_address(signer))) or None

    def participants(self) -> list[ParticipantView]:
        """Return every participant, by id."""
        count = self._read(self.contracts.to_registry("participantCount"))
        calls = [self.contracts.to_registry("participant", participant) for participant in range(1, count + 1)]
        return [make_participant(number, values) for number, values in enumerate(self._read_many(calls), start=1)]

    def get_signer_at(self, participant: int, at: int, role: Role = Role.CLIENT) -> bytes | None:
        """Return the key of a participant in rounds that opened at a second; None if it had no such role then."""
        found = self._read(self.contracts.to_registry("signerAt", participant, int(role), at))
        return found["signer"] if found["active"] else None

    def get_credit(self, account: Address) -> int:
        """Return what an account can claim, in wei."""
        return int(self._read(self.contracts.to_registry("creditOf", to_address(account))))

    def get_min_stake(self, role: Role) -> int:
        """Return the smallest stake of a role, in wei."""
        return int(self._read(self.contracts.to_registry("minStakeWei", int(role))))

    def get_unbond_seconds(self) -> int:
        """Return the unbonding time, within which all windows of a task must fit."""
        return int(self._read(self.contracts.to_registry("unbondSeconds")))

    def get_balance(self, account: Address) -> int:
        """Return an account's ETH, in wei."""
        return int(self._connection.request("eth_getBalance", to_hex(to_address(account)), "latest"), 16)

    def events(
        self,
        first_block: int | None = None,
        last_block: int | None = None,
        *,
        names: Collection[str] | None = None,
        round_id: int | None = None,
    ) -> list[Event]:
        """Return events of both contracts in the order of the chain.

        Args: first_block: None for the deployment's. last_block: included; None for the last confirmed one.
        names: events wanted, None for all. round_id: only events that name this round.
        Raises: UsageError: no event has such a name; Pruned: the node does not serve these blocks.
        """
        first = first_block if first_block is not None else (self.network.deploy_block or 0)
        last = last_block if last_block is not None else self.get_confirmed_block()
        addresses = (self.contracts.registry, self.contracts.ledger)
        found = fetch_logs(self._connection, addresses, first, last, names=names)
        return [event for event in found if round_id is None or event.args.get("round_id") == round_id]

    def get_confirmed_block(self) -> int:
        """Return the number of the last block that has the network's confirmations."""
        confirmations = 0 if self.network.devnet else self.network.confirmations
        return max(0, int(self._connection.request("eth_blockNumber"), 16) - confirmations)

    def get_block_hash(self, block: int) -> bytes | None:
        """Return a block's hash, or None where there is no such block."""
        found = self._connection.request("eth_getBlockByNumber", to_quantity(block), False)
        return to_bytes(found["hash"]) if isinstance(found, dict) else None

    def gas_used(self, prefix: str) -> int:
        """Return the gas of this machine's transactions whose keys begin with a prefix."""
        return self.journal.gas_used(prefix)

    def now(self) -> int:
        """Return the time of the latest block, seconds since 1970."""
        return int(self._connection.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def wait_until(self, timestamp: int, on_tick: Callable[[int], None] | None = None) -> None:
        """Return once the chain's time has reached a second; a devnet's clock is moved there.

        Args: on_tick: called about every second with the seconds that are left.
        """
        while (left := timestamp - self.now()) > 0:
            if self.network.devnet:
                move_clock(self._connection, timestamp)
                continue
            if on_tick:
                on_tick(left)
            time.sleep(min(_POLL_SECONDS, left))

    def _read(self, call: Call) -> Any:
        return self._read_many([call])[0]

    def _read_many(self, calls: Sequence[Call]) -> list[Any]:
        requests = [
            ("eth_call", [{"to": to_hex(call.to or b""), "data": to_hex(call.data)}, "latest"]) for call in calls
        ]
        return [_decode(call, answer) for call, answer in zip(calls, self._connection.batch(requests), strict=True)]

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

    def transfer(self, to: Address, amount_wei: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Send ETH to an account."""
        return self.send(Call(name="transfer", to=to_address(to), value_wei=amount_wei), key=key, sender=sender)


def _decode(call: Call, answer: Any) -> Any:
    if isinstance(answer, NodeRefused):
        if answer.data or "revert" in answer.message.lower():
            raise decode_revert(answer.data, call=call.name, context=call.context)
        raise answer
    functions = get_interface("RoundLedger").functions | get_interface("ParticipantRegistry").functions
    return functions[call.name].decode_result(to_bytes(answer))


def _read_address(text: str | None, network: Network) -> bytes:
    if not text:
        raise NoContract(
            f"network '{network.name}' names no contracts; nothing was sent", hint="run: fedtrail contract deploy"
        )
    return to_address(text)
