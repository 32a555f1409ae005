"""Gas of disputes over Krum for scripts/measure_gas.py: 32 clients, a million coordinates.

Two updates are real, of a game about their distance; of the others only commitments are needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from dispute_gas import BOUND, COORDINATE, MODEL_LOG2, SIZE, Disputes, make_opening

from ledger import commitments, krum_disputes, spec
from ledger.disputes import Update

if TYPE_CHECKING:
    from web3.types import TxReceipt

CLIENTS, BYZANTINE, EXAMPLES = 32, 9, 100
LOW, HIGH = 11, 31
KRUM = 5


def measure_krum(found: Disputes) -> None:
    """Measure a game that an aggregator loses on a block, and a wrong choice from true distances."""
    _measure_game(found)
    _measure_selection(found)


def _open(found: Disputes) -> int:
    genesis = found.source.randbytes(32)
    return found.open(rule=KRUM, rule_param=BYZANTINE, max_clients=50, quorum=CLIENTS, genesis_model=genesis)


def _draw_distances(found: Disputes) -> list[int]:
    return [found.source.getrandbits(60) for _ in range(CLIENTS * (CLIENTS - 1) // 2)]


def _measure_game(found: Disputes) -> None:
    round_id, source = _open(found), np.random.default_rng(5)
    vectors = {slot: source.integers(-BOUND, BOUND, SIZE, dtype=np.int32, endpoint=True) for slot in (LOW, HIGH)}
    roots = {slot: commitments.compute_vector_root(values, 8) for slot, values in vectors.items()}
    members = found.commit(round_id, {slot + 1: _commit(found, round_id, slot, roots) for slot in range(CLIENTS)})
    empty = np.zeros(0, dtype=np.int32)
    updates = [
        Update(client=slot + 1, num_examples=EXAMPLES, values=vectors.get(slot, empty)) for slot in range(CLIENTS)
    ]
    fields = found.bench.ledger.functions.task(found.bench.ledger.functions.taskCount().call()).call()
    task = spec.Task(**dict(zip(spec.Task.__slots__, (spec.Rule(fields[0]), *fields[1:]), strict=True)))
    parts = krum_disputes.compute_block_distances(vectors[LOW], vectors[HIGH], task).tolist()
    parts[500] += 1  # the smallest lie
    distances = _draw_distances(found)
    distances[LOW * (2 * CLIENTS - LOW - 1) // 2 + HIGH - LOW - 1] = sum(parts)
    aux = spec.encode_distances(distances)
    claim = found.propose(round_id, CLIENTS, aux=aux, members_root=spec.compute_members_root(members))
    evidence = krum_disputes.Evidence(task=task, updates=updates, members=members, aux=aux)

    court, name = found.bench.krum, f"krum n={CLIENTS}"
    challenge = court.functions.challenge(round_id, claim, LOW, HIGH, sum(parts))
    opened = found.bench.send(f"{name}: challenge", challenge, court.functions.bondWei().call())
    game = _read_game(court, "GameOpened", opened)
    encoded = krum_disputes.encode_parts(parts)
    dissect = court.functions.dissect(game.fields(), encoded)
    dissected = found.bench.send(f"{name}: dissect", dissect, sender=found.sender)
    game = _read_game(court, "Dissected", dissected)
    move = krum_disputes.compute_challengers_move(game, encoded, evidence, now=game.move_by)
    if move is None or move.function != "prove":
        raise SystemExit(f"the challenger's move is {move}")
    found.bench.send(f"{name}: prove", court.functions.prove(*move.arguments))
    steps = ("challenge", "dissect", "prove")
    found.bench.gas[f"{name}: all transactions of a game"] = sum(found.bench.gas[f"{name}: {s}"] for s in steps)


def _commit(found: Disputes, round_id: int, slot: int, roots: dict[int, bytes]) -> bytes:
    return spec.compute_commitment(
        domain_separator=found.bench.ledger.functions.domainSeparator().call(),
        round_id=round_id,
        client=slot + 1,
        num_examples=EXAMPLES,
        root=roots.get(slot) or found.source.randbytes(32),
    )


def _read_game(court: Any, event: str, receipt: TxReceipt) -> krum_disputes.Game:
    fields = getattr(court.events, event)().process_receipt(receipt)[0]["args"]["game"]
    names = krum_disputes.Game.__slots__
    values = fields.values() if hasattr(fields, "values") else fields
    return krum_disputes.Game(**dict(zip(names, values, strict=True)))


def _measure_selection(found: Disputes) -> None:
    round_id = _open(found)
    found.commit(round_id, {client: found.source.randbytes(32) for client in range(1, CLIENTS + 1)})
    matrix, aggregate = make_opening(found.source, 3, CLIENTS), make_opening(found.source, MODEL_LOG2)
    distances = _draw_distances(found)
    aux = spec.encode_distances(distances)
    claim = found.propose(round_id, CLIENTS, aux=aux, matrix_root=matrix.root, aggregate_root=aggregate.root)
    params = spec.RuleParams(rule=spec.Rule.KRUM, parameter=BYZANTINE, bound=BOUND, examples_cap=1)
    proof = krum_disputes.encode_selection_hints(params, distances, CLIENTS) + matrix.packed + aggregate.packed
    call = found.bench.krum.functions.proveSelectionColumn(round_id, claim, COORDINATE, aux, proof)
    found.bench.send(f"krum n={CLIENTS}: proveSelectionColumn", call)
