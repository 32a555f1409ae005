"""A ledger with its people on a devnet that scenarios share: they act by name, and a bill says what it cost whom."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from raw_node import Node

from ledger import commitments, devnet, disputes, list_disputes, signing, spec
from ledger.audit import replay
from ledger.chain import ETHER, Call, Chain, Connection, Contracts, DeployParams, Network, Receipt, Role, deploy
from ledger.chain.abi import get_errors
from ledger.history import load_round, raw_cid, to_content
from ledger.journal import Journal
from ledger.layout import Layout, decode_layout, encode_layout
from ledger.proving import make_proof
from ledger.records import AuditReport, RoundRecord
from ledger.store import Codec, ContentStore, EmbeddedStore

SIZE, LEAF_LOG2, MATRIX_LOG2, MODEL_LOG2 = 45, 3, 2, 4
"""Short vectors whose last leaves are short, too."""
BOUND = 1000
CLIENT_STAKE, AGGREGATOR_STAKE, BOND = 10 * ETHER, 100 * ETHER, 40 * ETHER
"""Round numbers: of the bond the challenger gets 16 ether, the four clients 1 ether each, and 20 are burnt."""
# Calls the address in the first word of the call data with the rest of them, and returns or reverts as that does.
WALLET = bytes.fromhex("60203603 8060205f37 5f5f825f345f355af1 3d5f5f3e 601c57 3d5ffd 5b3d5ff3")
UNAVAILABLE, OTHER_BYTES, OUT_OF_RANGE = 801, 701, 715
"""Reasons of exclusions."""


def make_key(name: str) -> LocalAccount:
    """Return the account of a name, always the same."""
    account: LocalAccount = Account.from_key(hashlib.sha256(name.encode()).digest())
    return account


def address_of(account: LocalAccount) -> bytes:
    """Return an account's address as 20 bytes."""
    return bytes.fromhex(account.address[2:])


@dataclass(frozen=True, slots=True)
class People:
    """Who acts; all of them have ETH for gas."""

    governor: LocalAccount = field(default_factory=lambda: devnet.funded_account(0))
    guardian: LocalAccount = field(default_factory=lambda: devnet.funded_account(1))
    relayer: LocalAccount = field(default_factory=lambda: devnet.funded_account(2))
    challenger: LocalAccount = field(default_factory=lambda: devnet.funded_account(3))
    copycat: LocalAccount = field(default_factory=lambda: devnet.funded_account(4))
    owner: LocalAccount = field(default_factory=lambda: devnet.funded_account(5))
    """Cold key of all clients and attestors."""
    host: LocalAccount = field(default_factory=lambda: devnet.funded_account(6))
    """Cold key of both aggregators."""
    stranger: LocalAccount = field(default_factory=lambda: devnet.funded_account(7))
    aggregator: LocalAccount = field(default_factory=lambda: devnet.funded_account(8))
    rival: LocalAccount = field(default_factory=lambda: devnet.funded_account(9))


@dataclass(frozen=True, slots=True)
class Setup:
    """A deployment with registered participants; nothing has happened yet."""

    network: Network
    people: People
    clients: dict[int, LocalAccount]
    """Participant id -> signing key."""
    attestors: dict[int, LocalAccount]
    aggregator: int
    rival: int
    connection: Connection
    contracts: Contracts


def make_setup(rpc: str, journal: Journal, **params: Any) -> Setup:
    """Deploy the contracts and register four clients, two aggregators and three attestors."""
    people = People()
    network = Network(name="devnet", rpc=rpc, chain_id=devnet.CHAIN_ID, devnet=True)
    params = {"guardian": address_of(people.guardian), "game_bond_wei": ETHER, **params}
    network = deploy(network, people.governor, journal, params=DeployParams(**params)).apply(network)
    chain = Chain.connect(network, journal)
    clients = [make_key(f"client {number}") for number in range(1, 5)]
    attestors = [make_key(f"attestor {number}") for number in range(1, 4)]
    parties = [
        *((Role.CLIENT, people.owner, key, CLIENT_STAKE) for key in clients),
        *((Role.AGGREGATOR, people.host, key, AGGREGATOR_STAKE) for key in (people.aggregator, people.rival)),
        *((Role.ATTESTOR, people.owner, key, CLIENT_STAKE) for key in attestors),
    ]
    ids = []
    for number, (role, owner, key, stake) in enumerate(parties):
        named = {"role": role, "owner": owner.address, "signer": key, "stake_wei": stake}
        receipt = chain.register(**named, key=f"register/{number}", sender=people.governor)
        ids.append(receipt.find("Registered").args["id"])
    for key in (*clients, *attestors):
        chain.transfer(key.address, ETHER, key=f"gas/{key.address}", sender=people.governor)
    return Setup(
        network=network,
        people=people,
        clients=dict(zip(ids[:4], clients, strict=True)),
        attestors=dict(zip(ids[6:], attestors, strict=True)),
        aggregator=ids[4],
        rival=ids[5],
        connection=Connection(network.rpc),
        contracts=chain.contracts,
    )


class World:
    """A setup in which one scenario happens."""

    def __init__(self, setup: Setup, folder: Path) -> None:
        self.setup, self.people = setup, setup.people
        self.clients, self.attestors = setup.clients, setup.attestors
        self.aggregator, self.rival = setup.aggregator, setup.rival
        self.node = Node(setup.network.rpc)
        self._folder, self._numbers = folder, itertools.count(1)
        self.start()
        self._start = self._count_money()

    @cached_property
    def store(self) -> ContentStore:
        """Where everybody publishes."""
        return EmbeddedStore(self._folder / "store")

    def start(self) -> None:
        """Begin like a program that has sent nothing yet; the deployment was checked when it was set up."""
        self.journal = Journal(self._folder / f"journal-{next(self._numbers)}.sqlite")
        self.chain = Chain(self.setup.network, self.journal, self.setup.connection, self.setup.contracts)

    def close(self) -> None:
        self.journal.close()

    def restart(self) -> None:
        """Forget what was sent, and connect anew."""
        self.close()
        self.start()

    # ------------------------------------------------------------------------------------------------------- acting

    def send(self, action: str, *args: Any, by: LocalAccount | None = None, **named: Any) -> Receipt:
        """Call a writing method of Chain; the relayer sends unless somebody else does."""
        send = getattr(self.chain, action)
        receipt: Receipt = send(*args, key=f"{next(self._numbers)}", sender=by or self.people.relayer, **named)
        return receipt

    def call(self, contract: str, function: str, *args: Any, by: LocalAccount, value_wei: int = 0) -> Receipt:
        """Call any function of a contract, as somebody does who does not use our client."""
        return self.send("send", self.chain.contracts.to(contract, function, *args, value_wei=value_wei), by=by)

    def get_refusal(self, call: Call, *, base_fee_gwei: int) -> Any:
        """Mine a transaction that is refused, at a base fee; return the arguments of the error.

        Reads and simulations will not do: nodes let them see a base fee of 0.
        """
        self.node.call("hardhat_setNextBlockBaseFeePerGas", hex(base_fee_gwei * 10**9))
        assert call.to is not None
        request = {"from": self.people.relayer.address, "to": "0x" + call.to.hex(), "data": "0x" + call.data.hex()}
        (answer,) = self.node.batch([("eth_sendTransaction", [{**request, "gas": hex(1_000_000)}])])
        found = answer["error"]["data"]
        data = bytes.fromhex((found["data"] if isinstance(found, dict) else found)[2:])
        return get_errors()[data[:4]].decode_error(data)

    def ask(self, contract: str, function: str, *args: Any) -> Any:
        """Read any view of a contract."""
        return self.ask_many([(contract, function, *args)])[0]

    def ask_many(self, questions: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Read many views, each named by its contract, its function and its arguments, in one exchange."""
        calls = [self.setup.contracts.to(*question) for question in questions]
        requests = [{"to": "0x" + (call.to or b"").hex(), "data": "0x" + call.data.hex()} for call in calls]
        answers = self.node.batch([("eth_call", [request, "latest"]) for request in requests])
        return [
            call.function.decode_result(bytes.fromhex(answer["result"][2:]))  # type: ignore[union-attr]
            for call, answer in zip(calls, answers, strict=True)
        ]

    def enrol(
        self, name: str, role: Role = Role.CLIENT, stake_wei: int = CLIENT_STAKE, owner: LocalAccount | None = None
    ) -> int:
        """Register one more participant, whose key is that of its name, and give it money for gas."""
        key, cold = make_key(name), owner or self.people.owner
        receipt = self.send("register", role=role, owner=cold.address, signer=key, stake_wei=stake_wei)
        self.send("transfer", key.address, ETHER)
        return int(receipt.find("Registered").args["id"])

    def wait_until(self, second: int) -> None:
        """Let time pass: the next transaction comes after this second."""
        self.chain.wait_until(second)

    def at(self, second: int) -> None:
        """Let the next transaction be mined at this very second."""
        self.node.call("evm_setNextBlockTimestamp", second)

    @contextmanager
    def one_block(self) -> Iterator[None]:
        """Mine what is put into the mempool meanwhile as one block, the highest tip first."""
        self.node.call("evm_setAutomine", False)
        try:
            yield
            self.node.call("evm_mine")
        finally:
            self.node.call("evm_setAutomine", True)

    def pend(self, call: Call, *, by: LocalAccount, tip_gwei: int) -> str:
        """Put a transaction into the mempool, where everybody sees it; return its hash."""
        fields = {
            "type": 2,
            "chainId": self.setup.network.chain_id,
            "nonce": int(self.node.call("eth_getTransactionCount", by.address, "pending"), 16),
            "gas": 3_000_000,
            "maxFeePerGas": 100 * 10**9,
            "maxPriorityFeePerGas": tip_gwei * 10**9,
            "value": call.value_wei,
            "data": call.data,
            "to": call.to,
        }
        return str(self.node.call("eth_sendRawTransaction", by.sign_transaction(fields).raw_transaction.to_0x_hex()))

    def gas_of(self, transaction: str) -> tuple[bool, int]:
        """Return whether a mined transaction succeeded, and the gas that it used."""
        receipt = self.node.call("eth_getTransactionReceipt", transaction)
        return receipt["status"] == "0x1", int(receipt["gasUsed"], 16)

    def deploy_wallet(self) -> str:
        """Deploy a smart account and return its address: a contract that passes on what it is told to."""
        creation = bytes.fromhex(f"60{len(WALLET):02x}8060095f395ff3") + WALLET
        receipt = self.send("send", Call(name="deploy a wallet", to=None, data=creation))
        return to_checksum_address(receipt.contract)

    def delegate(self, account: LocalAccount, wallet: str) -> None:
        """Let an account run a contract's code from now on (EIP-7702)."""
        nonce = int(self.node.call("eth_getTransactionCount", account.address, "latest"), 16)
        promise = {"chainId": self.setup.network.chain_id, "address": wallet, "nonce": nonce + 1}
        fields = {
            "type": 4,
            "chainId": self.setup.network.chain_id,
            "nonce": nonce,
            "gas": 100_000,
            "maxFeePerGas": 100 * 10**9,
            "maxPriorityFeePerGas": 10**9,
            "to": self.people.relayer.address,
            "value": 0,
            "data": b"",
            "authorizationList": [account.sign_authorization(promise)],
        }
        self.node.call("eth_sendRawTransaction", account.sign_transaction(fields).raw_transaction.to_0x_hex())

    def through(self, wallet: str, call: Call, by: LocalAccount) -> Receipt:
        """Let a smart account make a call."""
        assert call.to is not None
        data = call.to.rjust(32, b"\x00") + call.data
        to = bytes.fromhex(wallet[2:])
        return self.send("send", Call(name=call.name, to=to, data=data, value_wei=call.value_wei), by=by)

    # -------------------------------------------------------------------------------------------------------- money

    def bill(self) -> dict[str, Fraction]:
        """Return who has lost and won how many thousandths of an ether, gas aside; without those that did neither."""
        now = self._count_money()
        changes = {name: Fraction(now[name] - self._start.get(name, 0), ETHER // 1000) for name in now}
        return {name: change for name, change in changes.items() if change}

    def _count_money(self) -> dict[str, int]:
        names = {id: f"client {id}" for id in self.clients} | {self.aggregator: "aggregator", self.rival: "rival"}
        paid = ("challenger", "copycat", "owner", "host", "stranger", "guardian", "governor", "relayer")
        accounts = {name: address_of(getattr(self.people, name)) for name in paid}
        accounts |= {key: self.setup.contracts.addresses[key] for key in ("escrow", "board", "krum_court")}
        ids = range(1, self.ask("registry", "participantCount") + 1)
        found = self.ask_many(
            [
                *(("registry", "participant", id) for id in ids),
                *(("registry", "creditOf", account) for account in accounts.values()),
                ("registry", "burntWei"),
            ]
        )
        stakes = {names.get(id, f"participant {id}"): found[id - 1]["stake_wei"] for id in ids}
        return {**stakes, **dict(zip((*accounts, "burnt"), found[len(ids) :], strict=True))}

    # ------------------------------------------------------------------------------------------------------- rounds

    def make_task(self, **changes: Any) -> spec.Task:
        """Return a task for four clients; keyword arguments replace fields, `terms` and `composition` of its layout."""
        named = {"terms": changes.pop("terms", ()), "composition": changes.pop("composition", None)}
        layout = Layout(names=("w",), shapes=((changes.get("size", SIZE),),), **named)
        rule = changes.get("rule", spec.Rule.TRIMMED_MEAN)
        task = spec.Task(
            rule=rule,
            rule_param=1 if rule is spec.Rule.TRIMMED_MEAN else 0,
            rule_select=0,
            size=SIZE,
            scale_bits=20,
            leaf_log2=LEAF_LOG2,
            matrix_log2=MATRIX_LOG2,
            model_log2=MODEL_LOG2,
            bound=BOUND,
            examples_cap=100_000,
            mode=spec.CommitMode.VERIFIED,
            wei_per_weight=0,
            commit_seconds=600,
            data_seconds=600,
            propose_seconds=600,
            challenge_seconds=1800,
            max_clients=64,
            quorum=3,
            bond_wei=BOND,
            board=spec.NO_BOARD,
            genesis_model=b"\x01" * 32,
            layout_digest=self.store.put_block(encode_layout(layout), Codec.RAW).digest,
            script_digest=b"\x03" * 32,
        )
        return replace(task, **changes)

    def open(self, *, clients: Sequence[int] | None = None, by: str = "aggregator", **changes: Any) -> StagedRound:
        """Return a new task's first round, open; keyword arguments are those of `make_task`."""
        base = np.random.default_rng(5).integers(-(2**31), 2**31, SIZE, dtype=np.int32)
        root = commitments.compute_vector_root(base, MODEL_LOG2)
        task = self.make_task(**{"genesis_model": root, **changes})
        receipt = self.send("create_task", task, by=self.people.governor)
        return self.open_next(receipt.find("TaskCreated").args["task_id"], base, clients=clients, by=by)

    def open_next(
        self,
        task_id: int,
        base: commitments.Int32Array,
        *,
        clients: Sequence[int] | None = None,
        by: str = "aggregator",
    ) -> StagedRound:
        """Return the next round of a task, which starts from the model `base`."""
        account, participant = getattr(self.people, by), getattr(self, by)
        opened = self.send("open_round", task_id, participant, by=account)
        return StagedRound(self, opened, base, tuple(clients or self.clients), account)

    def sign(
        self,
        round_id: int,
        client: int,
        commitment: bytes,
        *,
        signer: LocalAccount | None = None,
        domain_separator: bytes | None = None,
    ) -> bytes:
        """Return a client's signature of its commitment, 64 bytes; of another key or for another domain if named."""
        domain = domain_separator or self.chain.domain_separator
        named = {"round_id": round_id, "client": client, "commitment": commitment}
        digest = spec.compute_commitment_digest(domain_separator=domain, **named)  # type: ignore[arg-type]
        return signing.sign_digest(signer or self.key_of(client), digest)

    def key_of(self, client: int) -> LocalAccount:
        """Return the first signing key of a client: those that `enrol` adds have theirs by their number."""
        return self.clients.get(client) or make_key(f"client {client}")


class StagedRound:
    """A round whose vectors the test holds: honest, until a test changes something between two steps."""

    def __init__(
        self,
        world: World,
        opened: Receipt,
        base: commitments.Int32Array,
        clients: Sequence[int],
        aggregator: LocalAccount,
    ) -> None:
        self.world, self.opened, self.base = world, opened, base
        event = opened.find("RoundOpened").args
        self.round_id, self.task_id = event["round_id"], event["task_id"]
        self.task = self.chain.get_task(self.task_id)
        self.clients, self.aggregator = tuple(sorted(clients)), aggregator
        self.examples = {client: 10 * client for client in self.clients}
        draw = np.random.default_rng(self.round_id).integers
        self.values = {client: draw(-900, 900, len(base), dtype=np.int32) for client in self.clients}
        self.excluded: dict[int, int] = {}
        self.published: dict[int, bytes] = {}
        """Bytes that a client publishes instead of its update."""
        self.silent: set[int] = set()
        """Clients that publish nothing."""
        self.aggregate = self.model = base
        self.segments: list[list[spec.Member]] | list[list[spec.SignedMember]] = []

    @property
    def chain(self) -> Chain:
        return self.world.chain

    # ----------------------------------------------------------------------------------------------------- commitments

    def commitment(self, client: int, values: commitments.Int32Array | None = None) -> bytes:
        """Return what a client commits to."""
        return spec.compute_commitment(
            domain_separator=self.chain.domain_separator,
            round_id=self.round_id,
            client=client,
            num_examples=self.examples[client],
            root=commitments.compute_vector_root(self.values[client] if values is None else values, LEAF_LOG2),
        )

    def member(self, client: int) -> spec.Member:
        return spec.Member(client=client, commitment=self.commitment(client))

    def entry(self, client: int, **signing_changes: Any) -> spec.SignedMember:
        """Return a client's signed commitment; keyword arguments are those of `World.sign`."""
        commitment = self.commitment(client)
        signature = self.world.sign(self.round_id, client, commitment, **signing_changes)
        return spec.SignedMember(client=client, commitment=commitment, signature=signature)

    def commit_alone(self, client: int, by: LocalAccount | None = None, commitment: bytes | None = None) -> Receipt:
        """Commit for one client, which sends by itself."""
        member = spec.Member(client=client, commitment=commitment or self.commitment(client))
        sender = by or self.world.key_of(client)
        receipt = self.world.send("commit", self.round_id, client, member.commitment, by=sender)
        self.segments.append([member])  # type: ignore[arg-type]
        return receipt

    def relay(self, clients: Sequence[int] | None = None, by: LocalAccount | None = None) -> Receipt:
        """Send the signed commitments of some clients, of all unless named."""
        entries = [self.entry(client) for client in clients or self.clients]
        receipt = self.world.send("commit_batch", self.round_id, entries, by=by)
        self.segments.append([self.member(entry.client) for entry in entries])  # type: ignore[arg-type]
        return receipt

    def post_list(self, listed: Sequence[spec.SignedMember] | None = None, count: int | None = None) -> Receipt:
        """Post root and length of a list, as the aggregator of a round in root-only mode does."""
        listed = list(listed if listed is not None else map(self.entry, self.clients))
        batch = b"".join(spec.encode_signed_list([entry]) for entry in listed)
        self.world.store.put_block(batch, Codec.RAW)
        args = (self.round_id, spec.compute_list_root(batch), count or len(listed), spec.compute_list_id(batch))
        receipt = self.world.send("commit_root", *args, by=self.aggregator)
        self.segments = [listed]
        return receipt

    def commit(self) -> StagedRound:
        """Commit for everybody, as the round's mode wants it."""
        if self.task.mode is spec.CommitMode.ROOT_ONLY:
            self.post_list()
        elif self.task.mode is spec.CommitMode.ACCUMULATED:
            for client in self.clients:
                self.commit_alone(client)
        else:
            self.relay()
        return self.compute()

    # ------------------------------------------------------------------------------------------------------- proposals

    @property
    def included(self) -> list[int]:
        """Clients whose commitments count and that are not left out."""
        return [m.client for m in self.members if m.client not in self.excluded]

    @property
    def members(self) -> list[spec.Member]:
        """All commitments that count, in rising id."""
        arrived = [spec.Member(client=e.client, commitment=e.commitment) for part in self.segments for e in part]
        return sorted(spec.distinct_members(arrived), key=lambda member: member.client)

    @property
    def updates(self) -> list[disputes.Update]:
        return [
            disputes.Update(client=client, num_examples=self.examples[client], values=self.values[client])
            for client in self.included
        ]

    @property
    def matrix(self) -> commitments.Int32Array:
        return np.stack([update.values for update in self.updates])

    @property
    def weights(self) -> list[int]:
        params, before = self.task.rule_params(), self.chain.get_round(self.round_id).opened_at - 1
        stakes = self.chain.get_stakes_at(self.included, before)
        return [spec.compute_weight(params, self.examples[c], stakes[c]) for c in self.included]

    @property
    def params(self) -> spec.RuleParams:
        """The rule of the round, of a composed one with its stages."""
        params = self.task.rule_params()
        if params.rule is not spec.Rule.COMPOSED:
            return params
        segments_hash = self.chain.get_round(self.round_id).segments_hash
        seed = spec.compute_seed(self.chain.domain_separator, self.round_id, segments_hash)
        context = spec.Context(clients=tuple(self.included), weights=tuple(self.weights), seed=seed)
        layout = decode_layout(self.world.store.get_block(raw_cid(self.task.layout_digest)))
        return replace(params, composition=layout.composition, context=context)

    def compute(self) -> StagedRound:
        """Compute aggregate and model from what is included."""
        found = spec.aggregate(self.params, self.matrix.tolist(), self.weights)
        self.aggregate = np.array(found, dtype=np.int32)
        self.model = np.array(spec.apply_model_step(self.base.tolist(), self.aggregate.tolist()), dtype=np.int32)
        return self

    def leave_out(self, **reasons: int) -> StagedRound:
        """Exclude clients, such as client_3=801, and compute anew."""
        self.excluded |= {int(name.removeprefix("client_")): reason for name, reason in reasons.items()}
        return self.compute()

    def blob(self, kind: spec.Kind, values: commitments.Int32Array, client: int = 0, examples: int = 0) -> bytes:
        """Return a vector as it is published."""
        header = spec.VectorHeader(
            kind=kind,
            domain_separator=self.chain.domain_separator,
            round_id=self.round_id,
            client=client,
            num_examples=examples,
            size=len(values),
            scale_bits=self.task.scale_bits,
            leaf_log2=LEAF_LOG2 if kind is spec.Kind.UPDATE else MODEL_LOG2,
        )
        return spec.encode_vector(header, np.ascontiguousarray(values, "<i4").tobytes())

    def publish(self, *, manifest: bool = True) -> bytes:
        """Put updates, aggregate, model and manifest into the store; return the manifest's digest."""
        store = self.world.store
        entries = tuple(self._publish_update(member.client) for member in self.members)
        kinds = {"base": spec.Kind.MODEL, "aggregate": spec.Kind.AGGREGATE, "model": spec.Kind.MODEL}
        contents = {name: to_content(store.put(self.blob(kinds[name], getattr(self, name)))) for name in kinds}
        domain = self.chain.domain_separator
        listed = spec.Manifest(domain_separator=domain, round_id=self.round_id, entries=entries, **contents)
        data = spec.encode_manifest(listed)
        if manifest:
            store.put_block(data, Codec.RAW)
        return raw_cid(hashlib.sha256(data).digest()).digest

    def _publish_update(self, client: int) -> spec.ManifestEntry:
        reason = self.excluded.get(client, 0)
        if client in self.silent:
            return spec.ManifestEntry(client=client, reason=reason, content=None, signature=bytes(64))
        honest = self.blob(spec.Kind.UPDATE, self.values[client], client, self.examples[client])
        content = to_content(self.world.store.put(self.published.get(client, honest)))
        digest = spec.compute_publication_digest(
            domain_separator=self.chain.domain_separator, round_id=self.round_id, client=client, content=content
        )
        signature = signing.sign_digest(self.world.key_of(client), digest)
        return spec.ManifestEntry(client=client, reason=reason, content=content, signature=signature)

    def make_proposal(self, **changes: Any) -> spec.Proposal:
        """Return the honest proposal; keyword arguments replace fields."""
        left = [member for member in self.members if member.client in self.included]
        proposal = spec.Proposal(
            aggregate_root=commitments.compute_vector_root(self.aggregate, MODEL_LOG2),
            matrix_root=commitments.compute_matrix_root(self.matrix, MATRIX_LOG2),
            model_root=commitments.compute_vector_root(self.model, MODEL_LOG2),
            members_root=spec.compute_members_root(left),
            data_id=hashlib.sha256(b"manifest").digest(),
            committed=len(self.members),
        )
        return replace(proposal, **changes)

    def propose(self, *, aux: bytes | None = None, by: LocalAccount | None = None, **changes: Any) -> StagedRound:
        """Propose what the test holds, in the first second that takes it."""
        if aux is None:
            aux = spec.compute_aux(self.params, self.matrix.tolist(), self.weights)
        proposal, excluded = self.make_proposal(**changes), sorted(self.excluded.items())
        self.world.wait_until(self.chain.get_round(self.round_id).data_end + 1)
        self.proposed = self.world.send("propose", self.round_id, proposal, excluded, aux, by=by or self.aggregator)
        event = self.proposed.find("Proposed").args
        names = ("round_id", "proposal", "segments_hash", "included", "excluded", "aux")
        self.claim = disputes.Claim(**{name: event[name] for name in names})
        return self

    def finalise(self, by: LocalAccount | None = None) -> Receipt:
        """Finalise after the challenge window; a stranger sends unless somebody else does."""
        self.world.wait_until(self.chain.get_round(self.round_id).challenge_end + 1)
        claim = self.claim
        named = {name: getattr(claim, name) for name in ("segments_hash", "excluded", "aux", "included")}
        outcome = spec.make_outcome(claim.proposal, **named)
        return self.world.send("finalise", self.round_id, outcome, by=by or self.world.people.stranger)

    @property
    def phase(self) -> spec.Phase:
        phase: spec.Phase = self.chain.get_round(self.round_id).phase
        return phase

    # ---------------------------------------------------------------------------------------------------------- audits

    def record(self) -> RoundRecord:
        return load_round(self.chain, self.world.store, self.round_id)

    def replay(self) -> AuditReport:
        """Replay the round from chain and store alone."""
        return replay(self.record())

    def make_proof(self) -> disputes.Proof:
        """Return the proof of what a replay finds."""
        record = self.record()
        return make_proof(record, replay(record))

    # ---------------------------------------------------------------------------------------------------------- proofs

    def prove(self, proof: Any, by: LocalAccount | None = None) -> Receipt:
        """Bring a proof before its court; the challenger does unless somebody else does."""
        return self.world.send("prove", proof, by=by or self.world.people.challenger)

    def column(self, at: int) -> disputes.Proof:
        opening = disputes.encode_matrix_opening(self.matrix, MATRIX_LOG2, at)
        column = self.matrix[:, at].tolist()
        if self.task.rule is spec.Rule.WEIGHTED_MEAN:
            return disputes.prove_weighted_column(self.claim, self.task, at, matrix=opening, aggregate=self.aggregate)
        return disputes.prove_column(self.claim, self.task, at, matrix=opening, column=column, aggregate=self.aggregate)

    def direct(self, at: int) -> disputes.Proof:
        return disputes.prove_direct(self.claim, self.task, at, updates=self.updates, aggregate=self.aggregate)

    def transpose(self, at: int, slot: int, matrix: commitments.Int32Array | None = None) -> disputes.Proof:
        opening = disputes.encode_matrix_opening(self.matrix if matrix is None else matrix, MATRIX_LOG2, at)
        path = disputes.encode_member(self.members, slot)
        update = self.updates[slot]
        return disputes.prove_transpose(self.claim, self.task, at, slot, matrix=opening, update=update, members=path)

    def model_step(self, at: int) -> disputes.Proof:
        return disputes.prove_model_step(
            self.claim, self.task, at, base=self.base, aggregate=self.aggregate, model=self.model
        )

    def weight(self, slot: int) -> disputes.Proof:
        path = disputes.encode_member(self.members, slot)
        return disputes.prove_weight(self.claim, self.task, slot, update=self.updates[slot], members=path)

    def member_list(self) -> disputes.Proof:
        return list_disputes.prove_members(self.claim, self.segments)

    def clip(self, client: int, at: int) -> disputes.Proof:
        about = getattr(self, "claim", self.round_id)
        update = disputes.Update(client=client, num_examples=self.examples[client], values=self.values[client])
        return list_disputes.prove_clip_violation(about, self.task, at, update=update, segments=self.segments)

    def equivocation(self, client: int, *signed: bytes) -> disputes.Proof:
        """Return the proof that a client signed two commitments."""
        pairs = [(each, self.world.sign(self.round_id, client, each)) for each in signed]
        return list_disputes.prove_equivocation(self.round_id, client, pairs)


def lie(round_: StagedRound, at: int = 33) -> StagedRound:
    """Propose an aggregate that is wrong by one unit in one coordinate, and a model that follows from it."""
    round_.aggregate[at] += 1
    round_.model[at] += 1
    return round_.propose()
