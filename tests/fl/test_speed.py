"""`fedtrail bench speed` measures every rule and tree, on little data here."""

from __future__ import annotations

import json
import subprocess

from command_line import COMMAND

from fl.speed.cases import RULES, make_params, make_updates, measure_rules, measure_trees
from fl.speed.timing import measure, measure_memory
from ledger import spec
from ledger.aggregation import aggregate


def test_the_command_tells_every_rule_and_tree() -> None:
    words = ["bench", "speed", "--clients", "5", "--size", "2000", "--format", "json"]
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=120, check=True)
    rows = json.loads(done.stdout)["data"]
    assert [row["what"] for row in rows][: len(RULES)] == list(RULES)
    assert {row["limit"] for row in rows} == {"read", "sha256"}
    assert all((row["n"], row["d"]) == (5, 2000) and row["cpu_seconds"] >= 0 for row in rows)


def test_every_rule_that_is_measured_is_the_one_of_its_name() -> None:
    updates = make_updates(10, 40, seed=3)
    for rule in RULES:
        params = make_params(rule, 10, 2)
        assert params.parameter == (0 if rule in ("mean", "median") else 2)
        assert aggregate(params, updates, [1] * 10).tolist() == spec.aggregate(params, updates.tolist(), [1] * 10)


def test_the_same_seed_gives_the_same_updates() -> None:
    assert make_updates(3, 50, seed=1).tolist() == make_updates(3, 50, seed=1).tolist()
    assert make_updates(3, 50, seed=1).tolist() != make_updates(3, 50, seed=2).tolist()


def test_shares_are_of_the_limit_that_was_measured() -> None:
    updates = make_updates(5, 20_000, seed=1)
    (median,) = measure_rules(updates, ("median",), calls=2)
    assert median.share == median.read.seconds / median.timing.seconds
    assert median.extra_bytes >= 4 * 20_000  # the result alone
    for tree in measure_trees(updates, calls=2):
        assert tree.size_bytes == updates.nbytes
        assert tree.share == tree.plain.seconds / tree.timing.seconds


def test_time_and_memory_are_those_of_the_work() -> None:
    calls: list[int] = []
    timing = measure(lambda: calls.append(1), calls=3)
    assert (len(calls), timing.calls) == (4, 3)
    assert timing.seconds <= timing.worst_seconds
    assert measure_memory(lambda: bytes(3_000_000)) >= 3_000_000
