"""Rounds under a composed rule and a validation, with statements about them: whatever a verifier can be asked."""

from __future__ import annotations

import hashlib

from ledger_world import World

from ledger import spec

COMPOSITION = spec.decode_composition(b"drop(3)+nnm+trimmed-mean@1")
TERMS = (("validation", "stale(95)+duplicate(99)+norm(300)+faint(20)+distance(300)"),)
TOO_LONG = 733


def run_rounds(world: World) -> None:
    """Let four clients train two rounds and commit to a third; client 3's update is too long in the first."""
    rule = {"rule": spec.Rule.COMPOSED, "rule_param": COMPOSITION.min_updates, "composition": COMPOSITION}
    round_ = world.open(terms=TERMS, **rule)
    for client in (1, 2, 4):
        round_.values[client] //= 20
    round_.commit().leave_out(client_3=TOO_LONG)
    for _ in range(2):
        round_.propose(data_id=round_.publish()).finalise()
        round_ = world.open_next(round_.task_id, round_.model).commit()


def make_statements(world: World) -> None:
    """Let the aggregator score and tell what privacy was spent, a client object, and another announce a key."""
    aggregator, method = world.people.aggregator, hashlib.sha256(b"words").digest()
    world.send("record_scores", 1, "effort", [(1, 1 << 16), (3, -5)], method, by=aggregator)
    world.send("record_spend", 1, [(1, 3_000_000, 10**7)], "gaussian", by=aggregator)
    world.send("contest_round", 1, 3, hashlib.sha256(b"mine was fine").digest(), by=world.key_of(3))
    world.send("announce_key", 2, hashlib.sha256(b"key").digest(), by=world.key_of(2))
