"""The README's figures are those of the committed results, and its links lead somewhere."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
COSTS = README.split("## What it costs")[1].split("\n## ")[0]


def test_the_cost_table_shows_the_committed_figures():
    gas = json.loads((ROOT / "benchmarks/gas.json").read_text("utf-8"))
    wall = json.loads((ROOT / "benchmarks/results/ledger_overhead.json").read_text("utf-8"))
    transactions = gas["transaction_gas"]
    figures = [
        gas["round_gas_per_client"]["n=100"],
        gas["root_only_round_gas_per_client"]["n=100"],
        *gas["commit_batch_gas_per_client"].values(),
        transactions["commit later"],
        transactions["commit accumulated, later"],
        transactions["proveColumn n=100 matrixLog2=3"],
        transactions["proveColumn n=1000 matrixLog2=0"],
        transactions["proveDirect n=100 leafLog2=8"],
        transactions["krum n=32: all transactions of a game"],
        transactions["settle"],
        transactions["recordScores n=100"],
        transactions["claim reward n=100"],
    ]
    for figure in figures:
        assert f"{figure:,}" in COSTS
    for workload in wall["workloads"]:
        seconds = f"{workload['audited_round_seconds']} s, {workload['plain_round_seconds']} s"
        assert f"{seconds}: ×{workload['ratio']}" in COSTS
    large = json.loads((ROOT / "benchmarks/results/scale.json").read_text("utf-8"))["large"]["runs"][0]
    replay = large["replay_cpu_seconds"] / large["rounds"]
    assert f"{large['clients']:,} clients" in COSTS
    assert f"{large['ledger_cpu_seconds']:.2f} s; {replay:.2f} s" in COSTS


def test_every_link_leads_to_a_file():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_first_screen_says_what_to_type():
    assert "make demo" in README[:1500]
    assert "make test" in README
