"""What a matrix says: means and worst cases over seeds, gaps to the oracle, a verdict on each rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, stdev

from fl.robustness.attackers import is_backdoor
from fl.robustness.cells import LEFT_OUT, Cell, Outcome, Setting
from fl.robustness.defaults import TEXTBOOK_BACKDOORS

FORMAT = "fedtrail-robustness-summary-1"
Results = Mapping[Cell, Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cells that differ in their seed alone. Accuracies and gaps are shares of 1."""

    dataset: str
    """Data set."""
    partition: str
    """How it was dealt."""
    f: int
    """Dishonest clients."""
    rule: str
    """Rule."""
    attack: str
    """Attack."""
    seeds: int
    """Cells in the group."""
    accuracy: float
    """Mean over seeds."""
    lowest_accuracy: float
    """Of any seed."""
    worst_round: float
    """Lowest accuracy after any round of the second half, of any seed."""
    spread: float
    """Standard deviation of the accuracy over seeds; 0 of one."""
    gap: float | None
    """Mean of oracle minus accuracy, seed by seed; None where no oracle was run."""
    highest_gap: float | None
    """Of any seed."""
    asr: float | None
    """Mean attack success rate; None where the attack is no backdoor."""
    highest_asr: float | None
    """Of any seed."""
    seconds: float
    """Mean wall time of a cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a rule withstands at one f on one split; every figure is a mean over seeds."""

    dataset: str
    """Data set."""
    partition: str
    """How it was dealt."""
    f: int
    """Dishonest clients."""
    rule: str
    """Rule."""
    seeds: int
    """Fewest seeds of any attack."""
    attacks: int
    """How many attacks were run, none among them."""
    price: float | None
    """Gap with nobody attacking."""
    worst_gap: float | None
    """Largest gap of any untargeted attack."""
    worst_attack: str
    """Which."""
    textbook_asr: float | None
    """Largest success rate of the three backdoors that most papers have."""
    worst_asr: float | None
    """Largest success rate of any backdoor."""
    worst_backdoor: str
    """Which."""
    backdoor_gap: float | None
    """Largest gap of any backdoor: what its success costs everybody else."""


def group(results: Results) -> list[Group]:
    """Return the groups of a matrix, sorted."""
    seeds: dict[tuple[str, str, int, str, str], list[Cell]] = defaultdict(list)
    for cell in sorted(results):
        seeds[cell.dataset, cell.partition, cell.f, cell.rule, cell.attack].append(cell)
    return [_make_group(cells, results) for _, cells in sorted(seeds.items())]


def _make_group(cells: Sequence[Cell], results: Results) -> Group:
    outcomes = [results[cell] for cell in cells]
    accuracies = [outcome.accuracy for outcome in outcomes]
    gaps = [results[c.oracle].accuracy - results[c].accuracy for c in cells if c.oracle in results]
    rates = [outcome.asr for outcome in outcomes if outcome.asr is not None]
    first = cells[0]
    return Group(
        dataset=first.dataset,
        partition=first.partition,
        f=first.f,
        rule=first.rule,
        attack=first.attack,
        seeds=len(cells),
        accuracy=_round(mean(accuracies)),
        lowest_accuracy=_round(min(accuracies)),
        worst_round=_round(min(outcome.worst_accuracy for outcome in outcomes)),
        spread=_round(stdev(accuracies)) if len(accuracies) > 1 else 0.0,
        gap=_round(mean(gaps)) if gaps else None,
        highest_gap=_round(max(gaps)) if gaps else None,
        asr=_round(mean(rates)) if rates else None,
        highest_asr=_round(max(rates)) if rates else None,
        seconds=round(mean(outcome.seconds for outcome in outcomes), 2),
    )


def _round(x: float) -> float:
    return round(x, 4)


def judge(groups: Iterable[Group]) -> list[Verdict]:
    """Return a verdict for every rule at every f on every split, the smallest worst gap first."""
    tested: dict[tuple[str, str, int, str], list[Group]] = defaultdict(list)
    for each in groups:
        if each.attack != LEFT_OUT:
            tested[each.dataset, each.partition, each.f, each.rule].append(each)
    verdicts = [_judge(members) for members in tested.values()]
    return sorted(verdicts, key=lambda v: (v.dataset, v.partition, v.f, v.worst_gap is None, v.worst_gap or 0, v.rule))


def _judge(groups: Sequence[Group]) -> Verdict:
    gaps = [(g.gap, g.attack) for g in groups if not is_backdoor(g.attack) and g.gap is not None]
    backdoors = [g for g in groups if is_backdoor(g.attack)]
    rates = [(g.asr, g.attack) for g in backdoors if g.asr is not None]
    worst_gap, worst_attack = max(gaps, default=(None, ""))
    worst_asr, worst_backdoor = max(rates, default=(None, ""))
    first = groups[0]
    return Verdict(
        dataset=first.dataset,
        partition=first.partition,
        f=first.f,
        rule=first.rule,
        seeds=min(g.seeds for g in groups),
        attacks=len(groups),
        price=next((gap for gap, attack in gaps if attack == "none"), None),
        worst_gap=worst_gap,
        worst_attack=worst_attack,
        textbook_asr=max((rate for rate, attack in rates if attack in TEXTBOOK_BACKDOORS), default=None),
        worst_asr=worst_asr,
        worst_backdoor=worst_backdoor,
        backdoor_gap=max((g.gap for g in backdoors if g.gap is not None), default=None),
    )


def to_document(setting: Setting, results: Results) -> dict[str, object]:
    """Return all of it as JSON has it."""
    groups = group(results)
    return {
        "format": FORMAT,
        "setting": asdict(setting),
        "cells": len(results),
        "seconds": round(sum(outcome.seconds for outcome in results.values())),
        "verdicts": [asdict(verdict) for verdict in judge(groups)],
        "groups": [asdict(each) for each in groups],
    }
