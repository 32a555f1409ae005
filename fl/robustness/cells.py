"""One cell of the matrix: what is learned, by which rule, under which attack, and what came out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledger.errors import UsageError
from ledger.script import RuleSection, Script

LEFT_OUT = "left-out"
"""The attack of clients that stay away: with the plain mean this is the oracle."""
_PARTITION = re.compile(r"iid|dirichlet\(([0-9]+(?:\.[0-9]+)?)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all cells of a matrix have in common."""

    clients: int = 20
    """n, dishonest ones included; these have the highest numbers."""
    rounds: int = 30
    """Rounds of every cell."""
    model: str = "fl.robustness.model:build_mlp"
    """As in a round script."""
    epochs: int = 2
    """Local epochs of a round."""
    min_examples: int = 4
    """Smallest part that a client may get."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cell:
    """One run of the learning.

    Raises: UsageError: the partition is none.
    """

    dataset: str
    """As in a round script."""
    seed: int
    """Of the split, the first model and all training."""
    partition: str
    """iid, or dirichlet(ALPHA)."""
    f: int
    """Dishonest clients; the rule is told."""
    attack: str
    """What they do (`fl.robustness.attackers`), none, or left-out."""
    rule: str
    """Rule or stages of a composed one, without f."""

    def __post_init__(self) -> None:
        if not _PARTITION.fullmatch(self.partition):
            raise UsageError(f"partition {self.partition} is neither iid nor dirichlet(ALPHA)", field="partition")

    @property
    def oracle(self) -> Cell:
        """The cell that this one is compared with: dishonest clients left out, plain mean."""
        return Cell(
            dataset=self.dataset, seed=self.seed, partition=self.partition, f=self.f, attack=LEFT_OUT, rule="mean"
        )

    def __str__(self) -> str:
        return f"{self.dataset} {self.partition} f={self.f} seed {self.seed}: {self.rule} against {self.attack}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came out of a cell."""

    accuracy: float
    """On the test part after the last round, 0 to 1."""
    worst_accuracy: float
    """Lowest after any round of the second half."""
    asr: float | None
    """Share of probes that the last model calls what a backdoor wants, 0 to 1; None where the attack has none."""
    seconds: float
    """Wall time."""


def make_rule(name: str, *, f: int, clients: int) -> RuleSection:
    """Return a rule that is told f, as a round script has it. Multi-Krum averages n − f updates.

    Raises: UsageError: there is no such rule.
    """
    options: dict[str, object] = {"name": name}
    if name == "trimmed-mean":
        options["trim"] = f
    elif name == "multi-krum":
        options |= {"f": f, "select": max(1, clients - f)}
    elif name not in ("mean", "median", "weighted-mean"):
        options["f"] = f
    try:
        return RuleSection.model_validate(options)
    except ValueError as error:
        raise UsageError(f"{name} is no rule and no composition", field="rule", got=name) from error


def is_defined(cell: Cell, setting: Setting) -> bool:
    """Return whether a cell's rule takes so few updates."""
    present = setting.clients - (cell.f if cell.attack == LEFT_OUT else 0)
    return make_rule(cell.rule, f=cell.f, clients=setting.clients).min_updates <= present


def make_script(setting: Setting, cell: Cell) -> Script:
    """Return the learning of a cell as a round script without events.

    Nobody clips: dishonest clients would not, and a rule that needs it has a stage for it.
    """
    found = _PARTITION.fullmatch(cell.partition)
    skew = {"partition": "dirichlet", "alpha": float(found[1])} if found and found[1] else {"partition": "iid"}
    rule = make_rule(cell.rule, f=cell.f, clients=setting.clients)
    run = {"name": "robustness", "rounds": setting.rounds, "seed": cell.seed, "rule": rule}
    return Script.model_validate(
        {
            "fedtrail": 1,
            "run": run,
            "model": {"entry": setting.model},
            "data": {"name": cell.dataset, "min_examples": setting.min_examples, **skew},
            "training": {"epochs": setting.epochs},
            "clients": {"count": setting.clients, "clip_norm": None},
        }
    )
