"""Write the tables of docs/privacy.md from benchmarks/results/privacy_accuracy.json; with --check, only compare.

Usage: python scripts/make_privacy_tables.py [--check]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from devtools import pages

ROOT = Path(__file__).resolve().parents[1]
TARGET, RESULT = ROOT / "docs" / "privacy.md", ROOT / "benchmarks" / "results" / "privacy_accuracy.json"
BEGIN, END = "<!-- made by scripts/make_privacy_tables.py -->\n", "<!-- end -->\n"
MODELS = {"logistic": "logistic regression, d = 650", "mlp32": "perceptron, d = 2,410"}


def render() -> str:
    """Return the page as it should be."""
    head, _, rest = TARGET.read_text(encoding="utf-8").partition(BEGIN)
    lines = "\n".join(_lines(json.loads(RESULT.read_text(encoding="utf-8"))))
    return f"{head}{BEGIN}\n{lines}\n\n{END}{rest.partition(END)[2]}"


def _lines(result: dict[str, Any]) -> Iterator[str]:
    setting, seeds = result["setting"], len(result["seeds"])
    told = f"`{result['command']}`: digits, δ = {setting['delta']:g}, {setting['rounds']} rounds, {setting['epochs']} "
    yield f"{told}local epochs, clip {setting['clip']}, mean of {seeds} seeds (lowest to highest).\n"
    yield "| model | clients | ε | multiplier | accuracy, % |\n|---|---:|---:|---:|---:|"
    for row in result["accuracy"]:
        epsilon = "no noise" if row["epsilon"] is None else f"{row['epsilon']:.1f}"
        spread = f"({100 * min(row['accuracies']):.1f} to {100 * max(row['accuracies']):.1f})"
        accuracy = f"{100 * row['accuracy']:.1f} {spread}"
        yield f"| {MODELS[row['model']]} | {row['clients']} | {epsilon} | {row['multiplier']:g} | {accuracy} |"
    yield "\nRules over noisy updates of 20 clients, 4 of which flip signs and add no noise (multiplier 1):\n"
    yield "| rule | accuracy, % |\n|---|---:|"
    for row in result["rules"]:
        yield f"| `{row['rule']}` | {100 * row['accuracy']:.1f} |"
    yield "\nThe best test for whether a canary of the clip's length is in an update refutes every ε below:\n"
    yield "| multiplier | rounds | trials | refuted below | claimed |\n|---:|---:|---:|---:|---:|"
    for row in result["attack"]:
        cells = (row["multiplier"], row["rounds"], row["trials"], row["refuted_below"], row["claimed"])
        yield f"| {' | '.join(str(cell) for cell in cells)} |"


if __name__ == "__main__":
    sys.exit(pages.run(__file__, __doc__, TARGET, render))
