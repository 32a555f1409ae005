"""What an index costs: time, memory and bytes by block and event, on an honest ledger of real contracts.

    .venv/bin/python benchmarks/index.py [--clients 100] [--rounds 50] [--size 1000] [--mode verified] [--write]

Makes a project in a new folder (or in `--folder`, which is kept) with a devnet, registers the clients, and runs the
rounds of one task as an honest aggregator does: random updates, signed commitments in one batch (or one root), manifest
and updates in the store, the mean as aggregate. Then each step of `fedtrail index` runs in a process of its own.
`--write` keeps the result in benchmarks/results/index.json, with the command, the commit and the machine.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from eth_account import Account
from eth_account.signers.local import LocalAccount
from machine import describe_machine

from ledger import commitments, devnet, signing, spec
from ledger.aggregation import aggregate, apply_model_step
from ledger.chain import ETHER, Chain, Network, Order, Role, deploy
from ledger.history import to_content
from ledger.index.opening import FILE_NAME, open_index
from ledger.index.source import NodeSource
from ledger.index.sync import sync
from ledger.index.verify import ProvenSource, verify_index
from ledger.journal import Journal
from ledger.layout import Layout, encode_layout
from ledger.project import Project
from ledger.store import Codec, ContentStore, open_store

RESULT = Path(__file__).parent / "results" / "index.json"
LEAF_LOG2, MATRIX_LOG2, MODEL_LOG2 = 8, 3, 5
BOUND = 1 << 20
SEED = 1
STEPS = ("sync", "sync_again", "verify")


@dataclass(frozen=True)
class Parties:
    """Who takes part, by participant id."""

    operator: LocalAccount
    aggregator: int
    key: LocalAccount
    clients: dict[int, LocalAccount]


def main() -> int:
    """Make the ledger, measure every step, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--size", type=int, default=1000, help="coordinates of an update")
    parser.add_argument("--mode", choices=["verified", "root-only"], default="verified")
    parser.add_argument("--engine", choices=devnet.ENGINES, default="anvil")
    parser.add_argument("--folder", type=Path, help="keep the project here, for other measurements")
    parser.add_argument("--write", action="store_true", help=f"keep the result in {RESULT.name}")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        sys.stdout.write(json.dumps(take_step(Project.find(arguments.folder), arguments.step)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        project = Project.create((arguments.folder or Path(folder)) / "project")
        with devnet.running(project.state_dir, engine=arguments.engine):
            made = make_ledger(project, arguments)
            measured = {step: run_step(project, step) for step in STEPS}
    named = {key: getattr(arguments, key) for key in ("clients", "rounds", "size", "mode", "engine")}
    command = "benchmarks/index.py " + " ".join(f"--{key} {value}" for key, value in named.items())
    result = {"command": command, **describe_machine(), "seed": SEED, "ledger": made, **measured}
    text = json.dumps(result, indent=2) + "\n"
    if arguments.write:
        RESULT.write_text(text)
    sys.stdout.write(text)
    return 0


# ----------------------------------------------------------------------------------------------------------- the ledger


def make_ledger(project: Project, arguments: argparse.Namespace) -> dict[str, Any]:
    """Deploy, register, and run the rounds; return what that took."""
    began = time.perf_counter()
    operator, journal = devnet.funded_account(0), Journal(project.journal_path)
    network = project.network()
    project = project.save_deployment(network.name, deploy(network, operator, journal))
    chain, store = Chain.connect(project.network(), journal), open_store(project.store_path)
    parties = register(chain, operator, arguments.clients)
    task = make_task(store, arguments)
    receipt = chain.create_task(task, key="task", sender=operator)
    model = np.zeros(task.size, np.int32)
    generator = np.random.default_rng(SEED)
    for number in range(1, arguments.rounds + 1):
        model = run_round(chain, store, parties, receipt.find("TaskCreated").args["task_id"], number, model, generator)
        if sys.stderr.isatty():
            sys.stderr.write(f"\rround {number}")
    gas = {step: chain.gas_used(f"{step}/") for step in ("commit", "propose", "finalise", "open")}
    journal.close()
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "gas_a_round": {step: used // arguments.rounds for step, used in gas.items()},
        "gas_a_client_and_round": sum(gas.values()) // arguments.rounds // arguments.clients,
    }


def register(chain: Chain, operator: LocalAccount, clients: int) -> Parties:
    """Register clients and an aggregator, whose keys follow from their numbers."""
    keys = [Account.from_key(sha256(f"participant {number}".encode()).digest()) for number in range(clients + 1)]
    owner = bytes.fromhex(operator.address[2:])
    roles = [(Role.AGGREGATOR, 10 * ETHER), *[(Role.CLIENT, ETHER)] * clients]
    orders = [
        Order(
            call=chain.contracts.register(role=role, owner=owner, signer=key, stake_wei=stake),
            key=f"register/{number}",
            sender=operator,
        )
        for number, (key, (role, stake)) in enumerate(zip(keys, roles, strict=True))
    ]
    ids = [receipt.find("Registered").args["id"] for receipt in chain.send_many(orders)]
    chain.transfer(keys[0].address, 100 * ETHER, key="gas", sender=operator)
    return Parties(operator, ids[0], keys[0], dict(zip(ids[1:], keys[1:], strict=True)))


def make_task(store: ContentStore, arguments: argparse.Namespace) -> spec.Task:
    """Return the task: the mean of all clients' updates."""
    layout = encode_layout(Layout(names=("weights",), shapes=((arguments.size,),)))
    modes = {"verified": spec.CommitMode.VERIFIED, "root-only": spec.CommitMode.ROOT_ONLY}
    return spec.Task(
        rule=spec.Rule.MEAN,
        rule_param=0,
        rule_select=0,
        size=arguments.size,
        scale_bits=16,
        leaf_log2=LEAF_LOG2,
        matrix_log2=MATRIX_LOG2,
        model_log2=MODEL_LOG2,
        bound=BOUND,
        examples_cap=100_000,
        mode=modes[arguments.mode],
        wei_per_weight=0,
        max_clients=arguments.clients,
        quorum=arguments.clients,
        commit_seconds=600,
        data_seconds=600,
        propose_seconds=600,
        challenge_seconds=1800,
        bond_wei=ETHER,
        board=spec.NO_BOARD,
        genesis_model=commitments.compute_vector_root(np.zeros(arguments.size, np.int32), MODEL_LOG2),
        layout_digest=store.put_block(layout, Codec.RAW).digest,
        script_digest=store.put_block(b"# a benchmark\n", Codec.RAW).digest,
    )


def run_round(
    chain: Chain,
    store: ContentStore,
    parties: Parties,
    task_id: int,
    number: int,
    model: commitments.Int32Array,
    generator: np.random.Generator,
) -> commitments.Int32Array:
    """Run one honest round and return the model that it ends with."""
    key, task = parties.key, chain.get_task(task_id)
    opened = chain.open_round(task_id, parties.aggregator, key=f"open/{number}", sender=key).find("RoundOpened").args
    round_id, clients = opened["round_id"], sorted(parties.clients)
    matrix = generator.integers(-BOUND, BOUND, (len(clients), task.size), dtype=np.int32)
    pairs = zip(clients, matrix, strict=True)
    entries = [sign(chain, round_id, client, parties.clients[client], row) for client, row in pairs]
    commit(chain, store, parties, task, round_id, entries, f"commit/{number}")
    chain.wait_until(opened["data_end"] + 1)
    after = aggregate(task.rule_params(), matrix, [1] * len(clients))
    new_model = apply_model_step(model, after)
    manifest = publish(chain, store, parties, round_id, matrix, (model, after, new_model))
    members = [spec.Member(client=entry.client, commitment=entry.commitment) for entry in entries]
    proposal = spec.Proposal(
        aggregate_root=commitments.compute_vector_root(after, MODEL_LOG2),
        matrix_root=commitments.compute_matrix_root(matrix, MATRIX_LOG2),
        model_root=commitments.compute_vector_root(new_model, MODEL_LOG2),
        members_root=spec.compute_members_root(members),
        data_id=manifest,
        committed=len(clients),
    )
    proposed = chain.propose(round_id, proposal, [], key=f"propose/{number}", sender=key).find("Proposed").args
    chain.wait_until(proposed["challenge_end"] + 1)
    named = {name: proposed[name] for name in ("segments_hash", "excluded", "aux", "included")}
    outcome = spec.make_outcome(proposal, **named)
    chain.finalise(round_id, outcome, key=f"finalise/{number}", sender=parties.operator)
    return new_model


def sign(
    chain: Chain, round_id: int, client: int, key: LocalAccount, values: commitments.Int32Array
) -> spec.SignedMember:
    """Return a client's signed commitment to its update."""
    domain = chain.domain_separator
    commitment = spec.compute_commitment(
        domain_separator=domain,
        round_id=round_id,
        client=client,
        num_examples=1,
        root=commitments.compute_vector_root(values, LEAF_LOG2),
    )
    digest = spec.compute_commitment_digest(
        domain_separator=domain, round_id=round_id, client=client, commitment=commitment
    )
    return spec.SignedMember(client=client, commitment=commitment, signature=signing.sign_digest(key, digest))


def commit(
    chain: Chain,
    store: ContentStore,
    parties: Parties,
    task: spec.Task,
    round_id: int,
    entries: list[spec.SignedMember],
    key: str,
) -> None:
    """Commit for all: in one transaction where it fits, or by the root of the signed list."""
    if task.mode is spec.CommitMode.ROOT_ONLY:
        batch = b"".join(spec.encode_signed_list([entry]) for entry in entries)
        store.put_block(batch, Codec.RAW)
        root, list_id = spec.compute_list_root(batch), spec.compute_list_id(batch)
        chain.commit_root(round_id, root, len(entries), list_id, key=key, sender=parties.key)
        return
    for first in range(0, len(entries), 250):
        part = entries[first : first + 250]
        chain.commit_batch(round_id, part, key=f"{key}/{first}", sender=parties.operator)


def publish(
    chain: Chain,
    store: ContentStore,
    parties: Parties,
    round_id: int,
    matrix: commitments.Int32Array,
    models: tuple[commitments.Int32Array, commitments.Int32Array, commitments.Int32Array],
) -> bytes:
    """Put updates, models, aggregate and manifest into the store; return the manifest's digest."""
    domain = chain.domain_separator

    def put(kind: spec.Kind, values: commitments.Int32Array, client: int = 0) -> spec.ContentId:
        header = spec.VectorHeader(
            kind=kind,
            domain_separator=domain,
            round_id=round_id,
            client=client,
            num_examples=1 if client else 0,
            size=len(values),
            scale_bits=16,
            leaf_log2=LEAF_LOG2 if client else MODEL_LOG2,
        )
        return to_content(store.put(spec.encode_vector(header, values.astype("<i4").tobytes())))

    def publish_update(client: int, values: commitments.Int32Array) -> spec.ManifestEntry:
        content = put(spec.Kind.UPDATE, values, client)
        digest = spec.compute_publication_digest(
            domain_separator=domain, round_id=round_id, client=client, content=content
        )
        signature = signing.sign_digest(parties.clients[client], digest)
        return spec.ManifestEntry(client=client, reason=0, content=content, signature=signature)

    base, after, model = models
    manifest = spec.Manifest(
        domain_separator=domain,
        round_id=round_id,
        base=put(spec.Kind.MODEL, base),
        aggregate=put(spec.Kind.AGGREGATE, after),
        model=put(spec.Kind.MODEL, model),
        entries=tuple(publish_update(client, row) for client, row in zip(sorted(parties.clients), matrix, strict=True)),
    )
    return store.put_block(spec.encode_manifest(manifest), Codec.RAW).digest


# ------------------------------------------------------------------------------------------------------------ the index


def run_step(project: Project, step: str) -> dict[str, Any]:
    """Take a step in a process of its own, so that its memory is its own."""
    command = [sys.executable, __file__, "--step", step, "--folder", str(project.root)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def take_step(project: Project, step: str) -> dict[str, Any]:
    """Sync or verify the project's index; return time, size and memory."""
    path, store, network = project.state_dir / FILE_NAME, open_store(project.store_path), project.network()
    NodeSource(network).read_fingerprint()  # loads what every command loads, which is not the index's doing
    before = get_memory_mib()
    with closing(open_index(path, create=True)) as db:
        if step == "verify":
            began = time.perf_counter()
            verify_index(db, ProvenSource(network), store).raise_for_status()
            found: dict[str, Any] = {"seconds": round(time.perf_counter() - began, 2)}
        else:
            found = measure_sync(db, network, store)
        found |= {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("block", "event")}
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return {**found, "index_bytes": path.stat().st_size, "memory_mib": get_memory_mib() - before}


def get_memory_mib() -> int:
    """Return the most memory that this process has had; getrusage would count its parent's, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


def measure_sync(db: sqlite3.Connection, network: Network, store: ContentStore) -> dict[str, Any]:
    """Follow the chain, then read the blobs; return the time of each, and by block, event and blob."""
    began = time.perf_counter()
    chain = sync(db, NodeSource(network))
    between = time.perf_counter()
    blobs = sync(db, NodeSource(network), store).blobs
    ended = time.perf_counter()
    found: dict[str, Any] = {"chain_seconds": round(between - began, 2), "blob_seconds": round(ended - between, 2)}
    if chain.blocks:
        found["milliseconds_a_block"] = round(1000 * (between - began) / chain.blocks, 3)
        found["milliseconds_an_event"] = round(1000 * (between - began) / max(1, chain.events), 3)
        found["milliseconds_a_blob"] = round(1000 * (ended - between) / max(1, blobs.total()), 3)
    return found


if __name__ == "__main__":
    sys.exit(main())
