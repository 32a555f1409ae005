"""The figures of docs/performance.md are those of the committed results."""

import json
from pathlib import Path

import make_performance_report

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_from_the_results():
    assert make_performance_report.render() == (ROOT / "docs/performance.md").read_text("utf-8")


def test_the_results_reach_what_the_page_promises():
    speed = json.loads((ROOT / "benchmarks/results/speed.json").read_text("utf-8"))
    large = {rule["rule"]: rule for rule in speed["rules"] if (rule["n"], rule["d"]) == (32, 10**7)}
    assert all(rule["extra_bytes"] <= 64_000_000 + 4 * 10**7 for rule in large.values())
    assert all(rule["peers"][name]["ratio"] > 1 for rule in large.values() for name in rule.get("peers", {}))
    assert all(tree["share"] >= 0.7 for tree in speed["trees"] if tree["d"] >= 10**6)
    assert speed["krum"]["seconds"] <= 0.025
