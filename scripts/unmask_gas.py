"""Gas of disputes over masked sums for scripts/measure_gas.py: 100 clients, ten of them dropped, 10^6 coordinates.

Every client has 20 peers, so that 272 seeds are revealed. No such vector is built: what a proof shows of it is random.
"""

from __future__ import annotations

import itertools
import random

import numpy as np
from dispute_gas import COORDINATE, MODEL_LOG2, Claim, Disputes, make_opening

from ledger import disputes, spec
from ledger.unmask_disputes import Evidence, MaskedUpdate, prove_malformed_reveals, prove_reveal

CLIENTS, DROPPED, DEGREE, SEEDS = 100, 10, 20, 272
REVEAL_BYTES = 40
MATRIX_LOG2 = 3
SUM32 = 0
Tables = dict[int, dict[int, bytes]]


def measure_unmasking(found: Disputes) -> None:
    """Measure a wrong sum and every fault of a list of seeds, each in a round of its own."""
    seeds, dropped = _draw_seeds(found.source)
    needed = _list_needed(seeds, dropped)
    owner, peer = next((reveal.owner, reveal.peer) for reveal in needed if reveal.peer != spec.SELF)
    gone = min(dropped)
    missing = [reveal for reveal in needed if (reveal.owner, reveal.peer) != (owner, peer)]
    other = [
        spec.Reveal(owner=reveal.owner, peer=reveal.peer, seed=bytes(32)) if reveal not in missing else reveal
        for reveal in needed
    ]
    surplus = [*needed, spec.Reveal(owner=gone, peer=spec.SELF, seed=seeds[gone][spec.SELF])]
    name = f"unmask n={CLIENTS} seeds={SEEDS}"
    _measure_sum(found, name, seeds, dropped, spec.encode_reveals(needed))
    for what, reveals, pair in (
        ("missing seed of a pair", missing, (owner, peer)),
        ("wrong seed of a pair", other, (owner, peer)),
        ("own seed of a dropped client", surplus, (gone, spec.SELF)),
    ):
        evidence = _propose(found, seeds, dropped, spec.encode_reveals(reveals))
        _send(found, f"{name}: proveReveal, {what}", prove_reveal(evidence, *pair))
    evidence = _propose(found, seeds, dropped, spec.encode_reveals(needed) + b"\x00")
    _send(found, f"{name}: proveMalformedReveals", prove_malformed_reveals(evidence))


def _draw_seeds(source: random.Random) -> tuple[Tables, set[int]]:
    """Return the seeds of every client by peer, and who dropped out: by chance, until just so many must be revealed."""
    clients = range(1, CLIENTS + 1)
    for _ in itertools.count():
        beacon, dropped = source.randbytes(32), set(source.sample(clients, DROPPED))
        seeds: Tables = {client: {spec.SELF: source.randbytes(32)} for client in clients}
        for client, peers in spec.compute_peers(clients, DEGREE, beacon).items():
            for peer in peers:
                seeds[client][peer] = seeds[peer].get(client) or source.randbytes(32)
        if len(_list_needed(seeds, dropped)) == SEEDS:
            return seeds, dropped
    raise AssertionError


def _make_table(seeds: dict[int, bytes]) -> tuple[spec.SeedLine, ...]:
    lines = [spec.SeedLine(peer=peer, commitment=spec.compute_seed_commitment(seed)) for peer, seed in seeds.items()]
    return tuple(sorted(lines))


def _list_needed(seeds: Tables, dropped: set[int]) -> list[spec.Reveal]:
    tables = {client: _make_table(own) for client, own in seeds.items() if client not in dropped}
    return [spec.Reveal(owner=owner, peer=peer, seed=seeds[owner][peer]) for owner, peer in spec.compute_needed(tables)]


def _measure_sum(found: Disputes, name: str, seeds: Tables, dropped: set[int], aux: bytes) -> None:
    matrix = make_opening(found.source, MATRIX_LOG2, CLIENTS - DROPPED)
    aggregate = make_opening(found.source, MODEL_LOG2)
    roots = {"matrix_root": matrix.root, "aggregate_root": aggregate.root}
    evidence = _propose(found, seeds, dropped, aux, **roots)
    packed = matrix.packed + aggregate.packed
    arguments = (*evidence.claim.arguments(), aux, COORDINATE, packed)
    _send(found, f"{name}: proveUnmasking", disputes.Proof(function="proveUnmasking", arguments=arguments))


def _propose(found: Disputes, seeds: Tables, dropped: set[int], aux: bytes, **roots: bytes) -> Evidence:
    """Let everybody commit, and propose without those who dropped out."""
    round_id = found.open(
        rule=SUM32, rule_param=DEGREE, quorum=2, matrix_log2=MATRIX_LOG2, genesis_model=found.source.randbytes(32)
    )
    task, updates = _read_task(found), _make_updates(found, seeds)
    domain = found.bench.ledger.functions.domainSeparator().call()
    named = {u.client: u.member(task, domain_separator=domain, round_id=round_id).commitment for u in updates}
    included = [member for member in found.commit(round_id, named) if member.client not in dropped]
    excluded = spec.encode_exclusions([(client, 801) for client in sorted(dropped)])
    roots["members_root"] = spec.compute_members_root(included)
    claim = found.propose(round_id, CLIENTS, aux=aux, excluded=excluded, **roots)
    if len(aux) != SEEDS * REVEAL_BYTES:  # what a list that is wrong costs is nobody's figure
        del found.bench.gas[f"propose with {len(aux)} bytes of auxiliary data"]
    kept = [update for update in updates if update.client not in dropped]
    return Evidence(task=task, claim=_make_claim(round_id, claim, excluded, aux), updates=kept, members=included)


def _read_task(found: Disputes) -> spec.Task:
    fields = found.bench.ledger.functions.task(found.bench.ledger.functions.taskCount().call()).call()
    return spec.Task(**dict(zip(spec.Task.__slots__, (spec.Rule(fields[0]), *fields[1:]), strict=True)))


def _make_updates(found: Disputes, seeds: Tables) -> list[MaskedUpdate]:
    """Return updates of a few coordinates: proofs about seeds need the roots of updates alone."""
    source = np.random.default_rng(found.source.getrandbits(32))
    return [
        MaskedUpdate(
            client=client, num_examples=100, values=source.integers(0, 9, 8, dtype=np.int32), table=_make_table(own)
        )
        for client, own in seeds.items()
    ]


def _make_claim(round_id: int, claim: Claim, excluded: bytes, aux: bytes) -> disputes.Claim:
    (*digests, committed), segments_hash, _, _ = claim
    return disputes.Claim(
        round_id=round_id,
        proposal=spec.Proposal(
            **dict(zip(spec.Proposal.__slots__, (*digests, committed), strict=True)),
        ),
        segments_hash=segments_hash,
        included=CLIENTS - DROPPED,
        excluded=excluded,
        aux=aux,
    )


def _send(found: Disputes, name: str, proof: disputes.Proof) -> None:
    found.bench.send(name, found.bench.unmask.functions[proof.function](*proof.arguments))
