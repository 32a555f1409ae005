"""The figures of docs/monitoring.md are those of the committed results."""

import json
import re
from pathlib import Path

from ledger.alerting import RULES, Limits
from ledger.scoring import ANOMALY_LIMIT, EFFORT_LIMIT, KINDS, ONE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/monitoring.md").read_text("utf-8")
RESULTS = ROOT / "benchmarks/results"
RIDERS = json.loads((RESULTS / "free_riders.json").read_text("utf-8"))
GAS = json.loads((RESULTS / "score_gas.json").read_text("utf-8"))


def list_rows(text: str = PAGE) -> list[list[str]]:
    """Return the cells of every row of every table."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


ROWS = list_rows()


def share(value: float) -> str:
    return f"{100 * value:.1f} %"


def describe(figures: dict[str, float]) -> list[str]:
    auc = f"{figures['auc']:.4f}" if "auc" in figures else ""
    found = share(figures["found"]) if "found" in figures else ""
    return [auc, found, share(figures["false_alarms"])]


def list_settings() -> list[tuple[str, dict[str, object]]]:
    others = RIDERS["other, n=10, 3 riders"].items()
    return [
        ("n = 10, 3 riders", RIDERS["n=10, 3 riders"]),
        ("n = 20, 6 riders", RIDERS["n=20, 6 riders"]),
        ("n = 10, 3 riders", RIDERS["hard, n=10, 3 riders"]),
        *others,
    ]


def test_every_figure_of_a_free_rider_is_the_committed_one() -> None:
    for setting, partitions in list_settings():
        for partition, kinds in partitions.items():
            for kind, figures in kinds.items():
                assert [setting, partition, kind, *describe(figures)] in ROWS


def test_every_area_under_shapley_values_is_the_committed_one() -> None:
    windows = [RIDERS[f"shapley, rounds {rounds}, n=10, 3 riders"] for rounds in ("2 to 6", "8 to 12")]
    for kind in windows[0]["iid"]:
        areas = [f"{partition[kind]['auc']:.2f}" for window in windows for partition in window.values()]
        assert [kind, *areas] in ROWS
    cells = [figures for window in windows for kinds in window.values() for figures in kinds.values()]
    agreement = [figures["gtg_rank_correlation"] for figures in cells]
    assert f"{min(agreement):.2f} to {max(agreement):.2f}" in PAGE


def test_the_gas_of_scores_is_the_committed_one() -> None:
    for name, gas in GAS["gas_per_kind"].items():
        count = f"{int(name[2:]):,}"
        assert [count, f"{gas:,}", f"+{GAS['percent_of_a_round'][name]} %"] in ROWS


def test_kinds_rules_and_limits_are_those_of_the_code() -> None:
    assert {f"`{kind}`" for kind in KINDS} <= {row[0] for row in ROWS}
    assert {f"`{rule}`" for rule in RULES} <= {row[0] for row in ROWS}
    limits = Limits()
    assert (ANOMALY_LIMIT, EFFORT_LIMIT) == (limits.anomaly, limits.effort) == (3 * ONE, ONE // 4)
    assert RIDERS["threshold"] == 0.25
    for text in ("anomaly above 3", "effort below 1/4", "duplicate below 0.05", "trust below 0.3"):
        assert text in PAGE
    assert (limits.duplicate, limits.trust) == (ONE // 20, ONE * 3 // 10)
