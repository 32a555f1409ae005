"""Gas of fraud proofs over vectors of a million random coordinates, for scripts/measure_gas.py.

No such vector is built: what a proof shows of it is one chunk and the siblings above, and random siblings cost what
true ones cost. Their root is what the round's aggregator then proposes.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger import disputes, list_disputes, sessions, spec

if TYPE_CHECKING:
    from measure_gas import Bench

Claim = tuple[tuple[Any, ...], bytes, bytes, bytes]
"""IDisputeCourt.Claim, in the contract's field order."""

SIZE = 1_000_000
COORDINATE = 456_789
MODEL_LOG2 = 5
TRIMMED_MEAN = 4
TRIM = 3
BOUND = 2**23 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One chunk of a vector and what leads to its root."""

    chunk: bytes
    """Its int32 values."""
    packed: bytes
    """Chunk and siblings."""
    root: bytes
    """Where they lead."""
    offset: int
    """Position of the coordinate in the chunk."""

    def column(self, width: int) -> list[int]:
        """Return the `width` values of the coordinate."""
        start = self.offset * width
        return spec.decode_int32(self.chunk)[start : start + width]


def make_opening(source: random.Random, log2: int, width: int = 1) -> Opening:
    """Return a random opening of COORDINATE in a vector of SIZE with `width` values a coordinate."""
    index, count = COORDINATE >> log2, (SIZE + (1 << log2) - 1) >> log2
    chunk = source.randbytes(4 * width << log2)
    path = [source.randbytes(32) for _ in range(spec.compute_path_length(index, count))]
    digest, last, siblings = spec.hash_leaf(chunk), count - 1, iter(path)
    while last > 0:
        if index ^ 1 <= last:
            sibling = next(siblings)
            digest = spec.hash_node(sibling, digest) if index % 2 else spec.hash_node(digest, sibling)
        index, last = index // 2, last // 2
    offset = COORDINATE & ((1 << log2) - 1)
    return Opening(chunk=chunk, packed=chunk + b"".join(path), root=digest, offset=offset)


class Disputes:
    """Rounds whose aggregator lies, each ended by one proof."""

    def __init__(self, bench: Bench, aggregator: int, task: Callable[..., tuple[object, ...]]) -> None:
        self.bench, self.aggregator, self.task = bench, aggregator, task
        self.sender = bench.signer(aggregator)
        self.source = random.Random(3)
        bench.send("deposit", bench.registry.functions.deposit(aggregator), 10**20)

    def open(self, **changes: object) -> int:
        """Open a round of a task of its own and return its id."""
        ledger = self.bench.ledger.functions
        usual = {"quorum": 7, "rule": TRIMMED_MEAN, "rule_param": TRIM, "size": SIZE, "bound": BOUND}
        fields = self.task(**(usual | changes))
        self.bench.send("createTask", ledger.createTask(fields))
        self.bench.send("openRound later", ledger.openRound(ledger.taskCount().call(), self.aggregator), 0, self.sender)
        return int(ledger.roundCount().call())

    def commit(self, round_id: int, commitments: dict[int, bytes]) -> list[spec.Member]:
        """Commit for clients in one batch."""
        batch = self.bench.batch(round_id, list(commitments), commitments)
        name = f"commitBatch n={len(commitments)}"
        before = self.bench.gas.get(name)
        self.bench.send(name, self.bench.ledger.functions.commitBatch(round_id, batch))
        if before is None:
            del self.bench.gas[name]
        else:
            self.bench.gas[name] = before
        return [spec.Member(client=client, commitment=value) for client, value in commitments.items()]

    def propose(
        self, round_id: int, committed: int, *, aux: bytes = b"", excluded: bytes = b"", **roots: bytes
    ) -> Claim:
        """Put digests forward, random ones where none is named."""
        names = ("aggregate_root", "matrix_root", "model_root", "members_root", "data_id")
        digests = [roots.get(name) or self.source.randbytes(32) for name in names]
        segments_hash = self.bench.ledger.functions.round(round_id).call()[-2]
        self.bench.pass_seconds(601)
        call = self.bench.ledger.functions.propose(round_id, (*digests, committed), excluded, aux)
        self.bench.send(f"propose with {len(aux)} bytes of auxiliary data" if aux else "propose", call, 0, self.sender)
        return (*digests, committed), segments_hash, spec.keccak256(excluded), spec.keccak256(aux)

    def prove(self, name: str, function: str, round_id: int, claim: Claim, *arguments: object) -> None:
        """Send a proof against the aggregator."""
        self.bench.send(name, self.bench.court.functions[function](round_id, claim, *arguments))

    def measure_column(self, name: str, clients: int, *, matrix_log2: int) -> None:
        """Prove a wrong column."""
        matrix = make_opening(self.source, matrix_log2, clients)
        aggregate = make_opening(self.source, MODEL_LOG2)
        round_id = self.open(matrix_log2=matrix_log2, genesis_model=self.source.randbytes(32))
        self.commit(round_id, {client: self.source.randbytes(32) for client in range(1, clients + 1)})
        claim = self.propose(round_id, clients, matrix_root=matrix.root, aggregate_root=aggregate.root)
        proposal, segments_hash, nothing, _ = claim
        _, _, model, members, data_id, _ = proposal
        details = encode_words(members, data_id, segments_hash, nothing, nothing, clients, clients)
        core = spec.keccak256(encode_words(model, spec.keccak256(details)))
        head = struct.pack(">Iii", COORDINATE, *find_hints(matrix.column(clients)))
        proof = head + matrix.packed + aggregate.packed
        self.bench.send(name, self.bench.court.functions.proveColumn(round_id, core, proof))

    def commit_updates(self, round_id: int, updates: Sequence[Opening]) -> tuple[list[spec.Member], list[bytes]]:
        """Commit clients 1.. to vectors that have these openings; return the members and their update openings."""
        domain = self.bench.ledger.functions.domainSeparator().call()
        commitments, packed = {}, []
        for client, update in enumerate(updates, 1):
            packed.append(client.to_bytes(4, "big") + (100).to_bytes(4, "big") + update.packed)
            commitments[client] = spec.compute_commitment(
                domain_separator=domain, round_id=round_id, client=client, num_examples=100, root=update.root
            )
        return self.commit(round_id, commitments), packed

    def measure_direct(self, name: str, clients: int, *, leaf_log2: int) -> None:
        """Prove a wrong coordinate without the matrix; before that, take a client for its clip violation."""
        round_id = self.open(leaf_log2=leaf_log2, genesis_model=self.source.randbytes(32))
        updates = [make_opening(self.source, leaf_log2) for _ in range(clients)]
        members, packed = self.commit_updates(round_id, updates)
        place = list_disputes.encode_commitment_place([members], clients)
        nobody = ((*5 * [bytes(32)], 0), *3 * [bytes(32)])
        clip = self.bench.court.functions.proveClipViolation(round_id, nobody, COORDINATE, packed[-1] + place)
        self.bench.send(f"proveClipViolation n={clients} leafLog2={leaf_log2}", clip)
        aggregate = make_opening(self.source, MODEL_LOG2)
        root = spec.compute_members_root(members)
        claim = self.propose(round_id, clients, members_root=root, aggregate_root=aggregate.root)
        hints = find_hints([update.column(1)[0] for update in updates])
        self.prove(name, "proveDirect", round_id, claim, COORDINATE, *hints, b"".join(packed) + aggregate.packed)

    def measure_session(self, clients: int, *, leaf_log2: int) -> None:
        """Prove a wrong coordinate without the matrix, where one transaction does not hold all updates."""
        round_id = self.open(leaf_log2=leaf_log2, genesis_model=self.source.randbytes(32))
        updates = [make_opening(self.source, leaf_log2) for _ in range(clients)]
        members, packed = self.commit_updates(round_id, updates)
        aggregate = make_opening(self.source, MODEL_LOG2)
        root = spec.compute_members_root(members)
        claim = self.propose(round_id, clients, members_root=root, aggregate_root=aggregate.root)
        hints = find_hints([update.column(1)[0] for update in updates])
        leaves = [spec.hash_leaf(spec.encode_members([member])) for member in members]
        blocks = range((clients + sessions.BLOCK - 1) // sessions.BLOCK)
        roots = [spec.compute_root(sessions.take_block(leaves, number)) for number in blocks]
        court = self.bench.sessions.functions
        name = f"session n={clients} leafLog2={leaf_log2}"
        spent = [self.bench.send(f"{name}: open", court.open(round_id, claim, COORDINATE, *hints))["gasUsed"]]
        for number in blocks:
            shown = b"".join(sessions.take_block(packed, number)) + b"".join(
                spec.compute_inclusion_proof(roots, number)
            )
            call = court.show(round_id, claim, number, shown)
            spent.append(self.bench.send(f"{name}: show the last block", call)["gasUsed"])
            self.bench.gas[f"{name}: show a block"] = max(spent)
        spent.append(self.bench.send(f"{name}: close", court.close(round_id, claim, aggregate.packed))["gasUsed"])
        self.bench.gas[f"{name}: all transactions"] = sum(spent)

    def measure_transpose(self, clients: int, *, matrix_log2: int, leaf_log2: int) -> None:
        """Prove that the matrix holds another value than the last client's update."""
        matrix = make_opening(self.source, matrix_log2, clients)
        round_id = self.open(leaf_log2=leaf_log2, matrix_log2=matrix_log2, genesis_model=self.source.randbytes(32))
        updates = [make_opening(self.source, leaf_log2) for _ in range(clients)]
        members, packed = self.commit_updates(round_id, updates)
        root = spec.compute_members_root(members)
        claim = self.propose(round_id, clients, members_root=root, matrix_root=matrix.root)
        slot = clients - 1
        proof = disputes.encode_transpose_proof(
            matrix=matrix.packed, update=packed[slot], members=disputes.encode_member(members, slot)
        )
        name = f"proveTranspose n={clients} matrixLog2={matrix_log2} leafLog2={leaf_log2}"
        self.prove(name, "proveTranspose", round_id, claim, COORDINATE, slot, proof)

    def measure_model_step(self) -> None:
        """Prove a wrong model."""
        base, step, model = (make_opening(self.source, MODEL_LOG2) for _ in range(3))
        round_id = self.open(genesis_model=base.root)
        self.commit(round_id, {client: self.source.randbytes(32) for client in range(1, 11)})
        claim = self.propose(round_id, 10, aggregate_root=step.root, model_root=model.root)
        packed = base.packed + step.packed + model.packed
        self.prove("proveModelStep", "proveModelStep", round_id, claim, COORDINATE, packed)

    def measure_members(self, clients: int) -> int:
        """Prove a wrong member list of one segment; return the round."""
        round_id = self.open(genesis_model=self.source.randbytes(32))
        members = self.commit(round_id, {client: self.source.randbytes(32) for client in range(1, clients + 1)})
        claim = self.propose(round_id, clients)
        packed = list_disputes.encode_members_proof([members])
        self.prove(f"proveMembers n={clients}", "proveMembers", round_id, claim, b"", packed)
        return round_id

    def measure_rewards(self, round_id: int) -> None:
        """Buy a ticket; pay a share and the challenger."""
        escrow = self.bench.escrow.functions
        self.bench.send("ticket", escrow.ticket(self.source.randbytes(32)))
        self.bench.send("settle", escrow.settle(round_id))
        self.bench.send("claimShare first in word", escrow.claimShare(round_id, 1))
        self.bench.send("claimShare", escrow.claimShare(round_id, 2))
        self.bench.pass_seconds(3601)
        self.bench.send("claimReward", escrow.claimReward(round_id))

    def measure_equivocation(self, round_id: int, client: int) -> None:
        """Prove that a client signed twice."""
        domain = self.bench.ledger.functions.domainSeparator().call()
        signed = []
        for _ in range(2):
            commitment = self.source.randbytes(32)
            digest = spec.compute_commitment_digest(
                domain_separator=domain, round_id=round_id, client=client, commitment=commitment
            )
            signed.append((commitment, self.bench.sign(client, digest)))
        proof = list_disputes.prove_equivocation(round_id, client, signed)
        self.bench.send("proveEquivocation", self.bench.court.functions.proveEquivocation(*proof.arguments))


def encode_words(*words: bytes | int) -> bytes:
    """Return words of 32 bytes, as abi.encode has them."""
    return b"".join(word if isinstance(word, bytes) else word.to_bytes(32, "big") for word in words)


def find_hints(column: Sequence[int]) -> tuple[int, int]:
    """Return the hints of a trimmed mean."""
    params = spec.RuleParams(rule=spec.Rule.TRIMMED_MEAN, parameter=TRIM, bound=BOUND, examples_cap=1)
    return disputes.compute_hints(params, column)


def measure_disputes(bench: Bench, aggregator: int, task: Callable[..., tuple[object, ...]]) -> Disputes:
    """Measure every kind of proof against coordinate-wise rules, in one transaction and in a session."""
    found = Disputes(bench, aggregator, task)
    for clients, matrix_log2 in ((10, 0), (100, 0), (100, 3), (1000, 0)):
        found.measure_column(f"proveColumn n={clients} matrixLog2={matrix_log2}", clients, matrix_log2=matrix_log2)
    for matrix_log2, leaf_log2 in ((0, 5), (3, 8)):
        found.measure_transpose(100, matrix_log2=matrix_log2, leaf_log2=leaf_log2)
    found.measure_model_step()
    for clients, leaf_log2 in ((10, 6), (10, 8), (100, 6), (100, 8)):
        found.measure_direct(f"proveDirect n={clients} leafLog2={leaf_log2}", clients, leaf_log2=leaf_log2)
    found.measure_session(1000, leaf_log2=4)
    for clients in (100, 1000):
        round_id = found.measure_members(clients)
    found.measure_rewards(round_id)
    found.measure_equivocation(round_id, 999)
    return found
