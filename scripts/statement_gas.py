"""Gas of statements and rewards for scripts/measure_gas.py: rounds of 100 clients, pools that pay all of them.

The bench's registry, ledger and participants; the two contracts are deployed after everything else, so that no other
figure depends on them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ledger import spec

CLIENTS = 100
ETHER = 10**18
WINDOW_SECONDS = 600
Words = Callable[..., bytes]


def measure_statements(bench: Any, aggregator: int, task_id: int, encode_words: Words) -> None:
    """Measure every kind of statement about a round, and a pool from its promise to the last claim."""
    statements = bench.deploy("Statements", bench.registry.address, bench.ledger.address).functions
    pool = bench.deploy("RewardPool", bench.registry.address, bench.ledger.address).functions
    bench.send("fund rewards", pool.fund(task_id, ETHER // 100, 2**96 - 1, 2**40 - 1), ETHER)
    round_id, claim, commitments = _run_round(bench, aggregator, task_id, encode_words)
    name = f"n={CLIENTS}"
    scores = spec.encode_scores((client, client << 10) for client in range(1, CLIENTS + 1))
    spends = spec.encode_spends((client, 10**6, 10**7) for client in range(1, CLIENTS + 1))
    kind, digest = spec.encode_label("anomaly"), spec.keccak256(b"statement")
    sender = bench.signer(aggregator)
    call = statements.recordScores(round_id, aggregator, kind, digest, scores)
    bench.send(f"recordScores {name}", call, sender=sender)
    call = statements.recordSpend(round_id, aggregator, spec.encode_label("gaussian"), spends)
    bench.send(f"recordSpend {name}", call, sender=sender)
    bench.send("contestRound", statements.contestRound(round_id, 1, digest), sender=bench.signer(1))
    for which in ("first", "later"):
        bench.send(f"announceKey {which}", statements.announceKey(1, digest), sender=bench.signer(1))
    bench.send("admit round", pool.admit(round_id, *claim, []))
    leaves = [spec.hash_leaf(client.to_bytes(4, "big") + commitments[client]) for client in sorted(commitments)]
    for client in (1, 2):
        path = spec.compute_inclusion_proof(leaves, client - 1)
        call = pool.claim(1, round_id, client, commitments[client], client - 1, path)
        bench.send(f"claim reward {name}", call)


def _run_round(
    bench: Any, aggregator: int, task_id: int, encode_words: Words
) -> tuple[int, tuple[Any, ...], dict[int, bytes]]:
    """Finalise a round; return its number, what admits it, and its commitments."""
    ledger, sender = bench.ledger.functions, bench.signer(aggregator)
    bench.send("openRound later", ledger.openRound(task_id, aggregator), sender=sender)
    round_id = ledger.roundCount().call()
    clients = range(1, CLIENTS + 1)
    commitments = {client: spec.keccak256(b"commitment %d %d" % (round_id, client)) for client in clients}
    bench.send(f"commitBatch n={CLIENTS}", ledger.commitBatch(round_id, bench.batch(round_id, clients, commitments)))
    segments_hash = ledger.round(round_id).call()[-2]
    bench.pass_seconds(WINDOW_SECONDS + 1)
    leaves = [spec.hash_leaf(client.to_bytes(4, "big") + commitments[client]) for client in clients]
    roots = [spec.keccak256(b"%s %d" % (field, round_id)) for field in (b"a", b"b", b"c", b"e")]
    proposal = (*roots[:3], spec.compute_root(leaves), roots[3], CLIENTS)
    bench.send("propose later", ledger.propose(round_id, proposal, b"", b""), sender=sender)
    bench.pass_seconds(WINDOW_SECONDS + 1)
    nothing = spec.keccak256(b"")
    details = encode_words(proposal[3], proposal[4], segments_hash, nothing, nothing, CLIENTS, CLIENTS)
    before = ledger.taskState(task_id).call()[3]
    bench.send("finalise later", ledger.finalise(round_id, (*roots[:3], spec.keccak256(details))))
    return round_id, ((proposal, segments_hash, nothing, nothing), CLIENTS, before), commitments
