"""Attacks as text, who of the dishonest clients does which part, and how a backdoor's success is measured."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from fl.attacks import Attack, get_attack
from fl.attacks.data_poisoning import Backdoor, SemanticBackdoor
from fl.attacks.triggers import stamp
from fl.data import Dataset, Examples
from fl.robustness.cells import LEFT_OUT
from ledger.errors import UsageError

_STEP = r"[a-z][a-z-]*(?:\([^()+]*\))?"
_TEXT = re.compile(rf"{_STEP}(?:\+{_STEP})*")
_OPTION = re.compile(r"([a-z_]+)=(-?[0-9]+(?:\.[0-9]+)?)")
IDLE = ("none", LEFT_OUT)


def parse_attack(text: str, *, index: int = 0) -> tuple[Attack, ...]:
    """Return what one dishonest client does, step by step.

    Args:
        text: steps joined by `+`, each an attack of `fl.attacks` with options, as in
            `backdoor(share=0.5)+scaling(factor=10)`; `none` for honesty.
        index: which of the dishonest clients, from 0; where an attack has parts they take them in turn.

    Raises:
        UsageError: this is no such text. NotFoundError: there is no such attack.
    """
    if text in IDLE:
        return ()
    if not _TEXT.fullmatch(text):
        raise UsageError(f"{text!r} is no attack such as backdoor(share=0.5)+scaling(factor=10)", field="attack")
    return tuple(_parse_step(step, index) for step in text.split("+"))


def _parse_step(text: str, index: int) -> Attack:
    name, _, inside = text.rstrip(")").partition("(")
    options: dict[str, float | str] = {}
    for option in filter(None, inside.split(",")):
        found = _OPTION.fullmatch(option)
        if not found:
            raise UsageError(f"{option!r} is no option such as factor=10", field="attack", got=text)
        options[found[1]] = float(found[2]) if "." in found[2] else int(found[2])
    attack = get_attack(name, **options)
    return replace(attack, part=index % attack.parts) if isinstance(attack, Backdoor) else attack


def is_backdoor(text: str) -> bool:
    """Return whether an attack wants certain inputs to be called something, and all others to be left alone."""
    return any(isinstance(step, (Backdoor, SemanticBackdoor)) for step in parse_attack(text))


def make_probe(text: str, dataset: Dataset) -> Examples | None:
    """Return test inputs that a backdoor should open, labelled as it wants them; None where there is none.

    Of a trigger: the test examples of all other classes, with the whole trigger. Of a semantic backdoor: the test
    examples that the attacker would have relabelled. An accuracy on them is the attack success rate. For clients that
    stay away, the rate of the plain trigger: what a clean model gets wrong anyway.
    """
    steps = (Backdoor(),) if text == LEFT_OUT else parse_attack(text)
    for step in steps:
        if isinstance(step, Backdoor):
            x = stamp(dataset.x_test[dataset.y_test != step.target])
            return Examples(x=x, y=np.full(len(x), step.target, dtype=np.int64))
        if isinstance(step, SemanticBackdoor):
            _, wanted = step.poison_data(dataset.x_test, dataset.y_test, dataset.num_classes)
            chosen = wanted != dataset.y_test
            return Examples(x=dataset.x_test[chosen], y=wanted[chosen])
    return None
