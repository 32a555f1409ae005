"""Write the tables of docs/robustness.md from what was measured (benchmarks/results); with --check, only compare.

Usage: python scripts/make_robustness_report.py [--check]
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import mean
from typing import Any

from devtools import pages

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
RESULTS = ROOT / "benchmarks" / "results"
SOURCE = RESULTS / "robustness.json"
TARGET = ROOT / "docs" / "robustness.md"
BEGIN, END = "<!-- made by scripts/make_robustness_report.py -->\n", "<!-- end -->\n"
Json = Mapping[str, Any]
Cells = Sequence[tuple[Json, Json]]
"""Cells with their outcomes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a rule that is told f was to reach on digits; gaps in points, success rates as shares."""

    partition: str
    f: int
    price: float
    gap: float
    asr: float | None


GOALS = (
    Goal(partition="iid", f=4, price=0.2, gap=0.5, asr=0.01),
    Goal(partition="iid", f=6, price=0.2, gap=0.5, asr=0.01),
    Goal(partition="iid", f=9, price=0.2, gap=3.0, asr=0.05),
    Goal(partition="dirichlet(0.5)", f=4, price=0.5, gap=1.4, asr=0.20),
    Goal(partition="dirichlet(0.5)", f=6, price=0.5, gap=1.5, asr=0.50),
    Goal(partition="dirichlet(0.5)", f=9, price=0.5, gap=5.0, asr=None),
)
"""The goals of the first version; Dirichlet f = 9 promises nothing about backdoors."""
CLIENTS = 20
BEFORE = "cosine-dnc+drop(3)+guarded-mean"
"""The default that left out f clients in every round (docs/adr/0036-the-default-leaves-out-outliers.md)."""
TEXTBOOK = ("backdoor", "backdoor+clones", "backdoor+scaling(factor=10)")
SYBIL_CURVES = ("mean, no floor", "weighted mean, capped by stake", "auto (f = 7), floor")
"""Drawn; where the others lie, the table says."""


def render() -> str:
    """Return the page as it should be."""
    head, _, rest = TARGET.read_text(encoding="utf-8").partition(BEGIN)
    return f"{head}{BEGIN}{''.join(_lines())}{END}{rest.partition(END)[2]}"


def _lines() -> Iterator[str]:
    from ledger.script.automatic import AUTO_STAGES

    document = _read("robustness")
    yield from _tell_goals(document, AUTO_STAGES)
    yield from _tell_change(_read_cells(), AUTO_STAGES)
    yield from _tell_default(_read_cells(), AUTO_STAGES)
    yield from _tell_floats(_read("float_learning"))
    yield from _tell_bounds(_read("kappa"))
    yield from _tell_sybils(_read("sybil_learning"))
    yield from _tell_matrix(document)


def _read(name: str) -> Json:
    document: Json = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return document


def _read_cells() -> Cells:
    lines = (RESULTS / "robustness.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    return [(entry["cell"], entry["outcome"]) for entry in map(json.loads, lines)]


def _tell_goals(document: Json, rule: str) -> Iterator[str]:
    yield f"\n## Goal, reached, and where it fails\n\n`rule: auto`, that is `{rule}`, on digits.\n\n"
    yield from _table(
        ("split", "f", "seeds", "price (goal)", "worst gap (goal)", "fails at", "ASR of three (goal)", "κ at least"),
        "l---l---",
        (_goal_row(document, goal, rule) for goal in GOALS),
    )
    yield _say(
        "*Fails at*: untargeted attacks whose gap is above the goal. *κ at least*: f / (n − 2f), below which no",
        "rule is",
        "(f, κ)-robust (Allouah et al. 2023, arXiv:2302.01772). Where honest updates differ, as under",
        "Dirichlet, attackers",
        "may move any rule by their spread times that, so the error has a floor that no rule avoids",
        "(Karimireddy et al.",
        "2022, arXiv:2006.09365, theorem III). No bound promises anything about backdoors there.",
    )


def _goal_row(document: Json, goal: Goal, rule: str) -> tuple[str, ...]:
    place = {"dataset": "digits", "partition": goal.partition, "f": goal.f, "rule": rule}
    verdict = next((v for v in document["verdicts"] if _is_at(v, place)), None)
    least = f"{goal.f / (CLIENTS - 2 * goal.f):.2f}"
    asr_goal = "–" if goal.asr is None else f"{goal.asr:.2f}"
    if verdict is None:
        return goal.partition, str(goal.f), "0", f"– ({goal.price})", f"– ({goal.gap})", "", f"– ({asr_goal})", least
    groups = [g for g in document["groups"] if _is_at(g, place) and g["asr"] is None and g["gap"] is not None]
    failing = sorted((g for g in groups if _round(g["gap"]) > goal.gap), key=lambda g: -g["gap"])
    failed = ", ".join(f"`{g['attack']}` {_points(g['gap'])}" for g in failing if g["attack"] != "none")
    return (
        goal.partition,
        str(goal.f),
        _tell_seeds([g["seeds"] for g in document["groups"] if _is_at(g, place)]),
        f"{_points(verdict['price'])} ({goal.price})",
        f"{_points(verdict['worst_gap'])} ({goal.gap})",
        failed or "nothing that was run",
        f"{_share(verdict['textbook_asr'])} ({asr_goal})",
        least,
    )


def _tell_seeds(counts: Sequence[int]) -> str:
    return str(min(counts)) if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"


def _is_at(entry: Json, place: Json) -> bool:
    return all(entry[key] == value for key, value in place.items())


def _tell_change(cells: Cells, rule: str) -> Iterator[str]:
    yield "\n## The default before and now\n\n"
    yield f"Before is `{BEFORE}`. Each figure is of the attacks and seeds that both met.\n\n"
    names = ("split", "f", "price before", "now", "worst gap before", "by", "now", "by", "ASR of three before", "now")
    rows = []
    for goal in GOALS:
        told = [_tell_side(cells, goal, one, other) for one, other in ((BEFORE, rule), (rule, BEFORE))]
        (price, gap, by, asr), (price_now, gap_now, by_now, asr_now) = told
        rows.append((goal.partition, str(goal.f), price, price_now, gap, by, gap_now, by_now, asr, asr_now))
    yield from _table(names, "l----l-l--", rows)


def _tell_side(cells: Cells, goal: Goal, rule: str, other: str) -> tuple[str, str, str, str]:
    """Return price, worst gap, by which attack, and ASR of three of a rule, where another met the same."""
    met: dict[tuple[str, str], dict[int, Json]] = {}
    for cell, outcome in cells:
        if (cell["dataset"], cell["partition"], cell["f"]) == ("digits", goal.partition, goal.f):
            met.setdefault((cell["rule"], cell["attack"]), {})[cell["seed"]] = outcome
    oracle, gaps, rates = met[("mean", "left-out")], {}, {}
    for (name, attack), own in met.items():
        seeds = own.keys() & met.get((other, attack), {}).keys() if name == rule else set()
        if seeds:
            asr = own[min(seeds)]["asr"]
            gaps[attack] = mean(oracle[seed]["accuracy"] - own[seed]["accuracy"] for seed in seeds)
            if asr is not None:
                rates[attack] = mean(own[seed]["asr"] for seed in seeds)
    worst = max((attack for attack in gaps if attack not in rates), key=lambda attack: gaps[attack])
    asr_of_three = max(rates[attack] for attack in TEXTBOOK if attack in rates)
    return _points(gaps["none"]), _points(gaps[worst]), _code(worst), _share(asr_of_three)


def _tell_default(cells: Cells, rule: str) -> Iterator[str]:
    yield "\n## The default against the best rule, attack by attack\n\n"
    yield "Of cells with f up to 30 % in which at least three rules were run, on the same seeds.\n\n"
    rows = []
    for goal in GOALS:
        compared = _compare(cells, goal, rule) if 10 * goal.f <= 3 * CLIENTS else []
        if compared:
            within = sum(loss <= 1.0 for loss, _, _ in compared)
            loss, attack, best = max(compared)
            rows.append(
                (goal.partition, str(goal.f), f"{within} of {len(compared)}", f"{loss:.1f}", _code(attack), _code(best))
            )
    yield from _table(("split", "f", "within 1 point", "most behind", "at", "best there"), "l-l-ll", rows)


def _compare(cells: Cells, goal: Goal, rule: str) -> list[tuple[float, str, str]]:
    """Return by how many points the default is behind the best other rule, with the attack and that rule."""
    accuracies: dict[str, dict[str, dict[int, float]]] = {}
    for cell, outcome in cells:
        here = cell["dataset"] == "digits" and cell["partition"] == goal.partition and cell["f"] == goal.f
        if here and outcome["asr"] is None:
            accuracies.setdefault(cell["attack"], {}).setdefault(cell["rule"], {})[cell["seed"]] = outcome["accuracy"]
    compared = []
    for attack, by_rule in sorted(accuracies.items()):
        if rule in by_rule and len(by_rule) >= 3:
            losses = [(_lose(by_rule[rule], seeds), attack, other) for other, seeds in by_rule.items() if other != rule]
            compared.append(max(losses))
    return compared


def _lose(own: Mapping[int, float], others: Mapping[int, float]) -> float:
    """Return by how many points accuracies are lower than others', over the seeds that both have."""
    return 100 * mean(others[seed] - own[seed] for seed in own.keys() & others.keys())


def _tell_floats(document: Json) -> Iterator[str]:
    chosen = [row for row in document["rows"] if row["rounds"]]
    alone = [row for row in chosen if row["attack"] != "mimic"]
    told = [(sum(row["same_choice"] for row in rows), sum(row["rounds"] for row in rows)) for rows in (alone, chosen)]
    yield "\n## Integers against floats\n"
    yield _say(
        f"{document['cells']} runs with f = {document['f']} were learned twice, by the ledger's integers and by",
        "doubles of",
        f"updates that were never quantised (`{document['command'].split()[0]}`). The accuracies differ by",
        f"{document['mean_difference']:+.2f} points on average, {document['mean_absolute_difference']:.2f} in",
        "magnitude,",
        f"{document['largest_difference']:.2f} at most; one of 359 test examples is 0.28 points. From the same",
        "updates both",
        f"chose the same clients in {told[0][0]} of {told[0][1]} rounds without copies, and in {told[1][0]} of",
        f"{told[1][1]}",
        "with those of `mimic`: between copies integers take the lower slot, floats what rounding makes of them.",
    )


def _tell_bounds(document: Json) -> Iterator[str]:
    yield "\n## The worst that a search finds\n"
    yield _say(
        f"`benchmarks/kappa.py` climbs towards inputs that move a rule far, n = {document['n']}: the largest κ",
        "found, and in",
        "parentheses the published bound. Rules without one may be worse than the search found: a rule that looks at",
        "directions from zero, as the default does, has no bound where honest updates are long and hardly differ. Its",
        "`distinct` takes honest updates that are alike for copies: there it falls where f is 7 of 20 or more.",
    )
    yield "\n"
    fs = (1, 4, 6, 8, 9)
    by_rule = {
        rule: {row["f"]: row for row in rows} for rule, rows in groupby(document["rows"], key=lambda row: row["rule"])
    }
    rows = []
    for rule, by_f in by_rule.items():
        vectors = sum(row["vectors"] for row in by_f.values())
        rows.append((f"`{rule}`", f"{vectors:,}", *(_kappa(by_f.get(f)) for f in fs)))
    least = ("no rule below", "", *(f"{f / (document['n'] - 2 * f):.2f}" for f in fs))
    yield from _table(("rule", "dishonest vectors", *(f"f = {f}" for f in fs)), "l" + "-" * 6, [*rows, least])


def _kappa(row: Json | None) -> str:
    if row is None:
        return "–"
    found = f"{row['kappa']:.2f}" if row["kappa"] < 1000 else f"{row['kappa']:,.0f}"
    return found if row["bound"] is None else f"{found} ({row['bound']:.2f})"


def _tell_sybils(document: Json) -> Iterator[str]:
    yield "\n## One stake, many identities\n"
    yield _say(
        "Accuracy in percent after 15 rounds, by the number of the attacker's identities. They share a fifth of",
        "all stake,",
        "send twice the honest mean reversed, and claim all the examples they may (`benchmarks/sybil_learning.py`).",
    )
    yield "\n"
    counts = [str(k) for k in document["identities"]]
    head = ("rule", "nobody", *(f"{k}" for k in counts))
    accuracy, alone = document["accuracy"], document["without attacker"]
    rows = [(name, _points(alone[name]), *map(_points, curve)) for name, curve in accuracy.items()]
    yield from _table(head, "l" + "-" * (len(counts) + 1), rows)
    yield "\n```text\n"
    from fl.chart import draw_lines

    drawn = {name: accuracy[name] for name in SYBIL_CURVES if name in accuracy}
    *lines, legend = draw_lines(drawn)
    marks = legend.strip().split("     ", 1)[1].split("   ")
    yield "".join(f"{line.rstrip()}\n" for line in lines)
    yield f"       identities: {', '.join(counts)}\n\n"
    yield "".join(f"       {mark}\n" for mark in marks)
    yield "```\n"


def _tell_matrix(document: Json) -> Iterator[str]:
    setting = document["setting"]
    told = f"n = {setting['clients']}, {setting['rounds']} rounds of {setting['epochs']} local epochs"
    yield f"\n## The matrix\n\n{told}, {document['cells']} runs.\n"

    def place(verdict: Json) -> tuple[str, str, int]:
        return verdict["dataset"], verdict["partition"], verdict["f"]

    names = ("rule", "seeds", "attacks", "price", "worst gap", "by", "ASR of three", "worst ASR", "by", "their gap")
    for (dataset, partition, f), verdicts in groupby(document["verdicts"], key=place):
        yield f"\n### {dataset}, {partition}, f = {f}\n\n"
        rows = (
            (
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
            for v in verdicts
        )
        yield from _table(names, "l----l--l-", rows)
    yield "\n"


def _say(*parts: str) -> str:
    """Return a paragraph."""
    return "\n" + textwrap.fill(" ".join(parts), 119, break_long_words=False, break_on_hyphens=False) + "\n"


def _table(names: Sequence[str], sides: str, rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table. Args: sides: a letter a column, l for text and - for numbers."""
    yield f"| {' | '.join(names)} |\n"
    yield f"|{'|'.join('---' if side == 'l' else '---:' for side in sides)}|\n"
    for row in rows:
        yield f"| {' | '.join(row)} |\n"


def _round(share: float) -> float:
    return round(100 * share, 1)


def _points(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.2f}"


def _code(text: str) -> str:
    return f"`{text}`" if text else "–"


if __name__ == "__main__":
    sys.exit(pages.run(__file__, __doc__, TARGET, render))
