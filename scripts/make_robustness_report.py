"""Write the tables of docs/robustness.md from benchmarks/results/robustness.json; with --check, only compare.

Usage: python scripts/make_robustness_report.py [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "benchmarks" / "results" / "robustness.json"
TARGET = ROOT / "docs" / "robustness.md"
BEGIN, END = "<!-- made by scripts/make_robustness_report.py -->\n", "<!-- end -->\n"


def render() -> str:
    """Return the page as it should be."""
    head, _, rest = TARGET.read_text(encoding="utf-8").partition(BEGIN)
    document = json.loads(SOURCE.read_text(encoding="utf-8"))
    return f"{head}{BEGIN}{''.join(_lines(document))}{END}{rest.partition(END)[2]}"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    setting = document["setting"]
    told = f"n = {setting['clients']}, {setting['rounds']} rounds of {setting['epochs']} local epochs"
    yield f"\n{told}, {document['cells']} runs.\n"

    def place(verdict: Mapping[str, Any]) -> tuple[str, str, int]:
        return verdict["dataset"], verdict["partition"], verdict["f"]

    for (dataset, partition, f), verdicts in groupby(document["verdicts"], key=place):
        yield f"\n### {dataset}, {partition}, f = {f}\n\n"
        yield "| rule | seeds | attacks | price | worst gap | by | ASR of three | worst ASR | by | their gap |\n"
        yield "|---|---:|---:|---:|---:|---|---:|---:|---|---:|\n"
        for v in verdicts:
            cells = (
                f"`{v['rule']}`",
                str(v["seeds"]),
                str(v["attacks"]),
                _points(v["price"]),
                _points(v["worst_gap"]),
                _code(v["worst_attack"]),
                _share(v["textbook_asr"]),
                _share(v["worst_asr"]),
                _code(v["worst_backdoor"]),
                _points(v["backdoor_gap"]),
            )
            yield f"| {' | '.join(cells)} |\n"
    yield "\n"


def _points(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.2f}"


def _code(text: str) -> str:
    return f"`{text}`" if text else "–"


def main() -> int:
    """Write or compare the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    if not parser.parse_args().check:
        TARGET.write_text(render(), encoding="utf-8")
        return 0
    if TARGET.read_text(encoding="utf-8") == render():
        return 0
    print("docs/robustness.md is not up to date; run: python scripts/make_robustness_report.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
