"""A federated run under attack: the learning of `fl.workload`, with all clients of a round trained side by side.

Updates are quantised and aggregated by the functions that runs on a ledger use, so that what is measured is what ships.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fl.attacks import Attack, Cohort, Deltas
from fl.data import Examples
from fl.layout import StateDict, apply_vector
from fl.quantization import dequantize, quantize
from fl.robustness.attackers import make_probe, parse_attack
from fl.robustness.cells import LEFT_OUT, Cell, Outcome, Setting, make_script
from fl.robustness.side_by_side import train_side_by_side
from fl.training import evaluate
from fl.workload import Vector, Workload, derive_seed
from ledger import spec
from ledger.aggregation import aggregate, apply_model_step


def run_cell(setting: Setting, cell: Cell) -> Outcome:
    """Return what comes out of a cell; the same in every rerun on one machine, but for the seconds.

    Raises: UsageError, NotFoundError: there is no such data set, split, model, rule or attack.
    """
    started = time.perf_counter()
    workload = Workload(make_script(setting, cell))
    honest = setting.clients - cell.f
    attacks: dict[int, tuple[Attack, ...]] = dict.fromkeys(range(1, honest + 1), ())
    if cell.attack != LEFT_OUT:
        attacks |= {honest + 1 + i: parse_attack(cell.attack, index=i) for i in range(cell.f)}
    play = Play(workload, attacks)
    models = list(play.run())
    accuracies = [workload.evaluate(model_q) for model_q in models]
    probe = make_probe(cell.attack, workload.dataset)
    return Outcome(
        accuracy=accuracies[-1],
        worst_accuracy=min(accuracies[len(accuracies) // 2 :]),
        asr=evaluate(workload.model, play.to_state(models[-1]), probe).accuracy if probe else None,
        seconds=time.perf_counter() - started,
    )


class Play:
    """The rounds of a script's learning with given attackers; its events are not looked at."""

    def __init__(self, workload: Workload, attacks: Mapping[int, Sequence[Attack]]) -> None:
        """Args: attacks: what each client that takes part does, by its number; nothing if it is honest."""
        self.workload = workload
        self.script = workload.script
        self.clients = sorted(attacks)
        self.attacks = [tuple(attacks[client]) for client in self.clients]
        self.parts = [self._deal(client, attacks[client]) for client in self.clients]
        form = self.script.format
        self.rule = self.script.run.rule.make_params(form.bound, form.examples_cap)
        stake_wei = self.script.clients.stake_wei
        self.weights = [spec.compute_weight(self.rule, len(part), stake_wei) for part in self.parts]

    def run(self) -> Iterator[Vector]:
        """Yield the global model after each round, int32[d]."""
        model_q = self.workload.compute_genesis()
        previous = np.zeros(len(model_q), dtype=np.float32)
        for number in range(1, self.script.run.rounds + 1):
            sent = self.poison(self.train(number, model_q), previous, number)
            step = self.combine(range(len(self.clients)), sent, number)
            previous = dequantize(step, self.script.format.scale_bits)
            model_q = apply_model_step(model_q, step)
            yield model_q

    def to_state(self, model_q: Vector) -> StateDict:
        """Return a global model as torch has it."""
        vector = dequantize(model_q, self.script.format.scale_bits)
        return apply_vector(self.workload.template, vector, self.workload.layout)

    def train(self, number: int, model_q: Vector) -> Deltas:
        """Return what each client has before it hears of anybody else, float32 [n, d]."""
        seeds = [derive_seed(self.script, number, client) for client in self.clients]
        state, layout = self.to_state(model_q), self.workload.layout
        return train_side_by_side(self.workload.model, state, layout, self.parts, self.workload.config, seeds=seeds)

    def poison(self, trained: Deltas, previous: NDArray[np.float32], number: int) -> Deltas:
        """Return what each client sends: dishonest ones alone at first, then together, knowing all and the rule."""
        sent = trained.copy()
        for slot, steps in enumerate(self.attacks):
            for step in steps:
                sent[slot] = step.poison_delta(sent[slot])
        honest = [slot for slot in _find_finite(sent) if not self.attacks[slot]]
        if not honest:
            return sent  # nobody is left to be deceived
        for step in dict.fromkeys(step for steps in self.attacks for step in steps if step.colludes):
            group = [slot for slot, steps in enumerate(self.attacks) if step in steps]
            slots = [*honest, *group]
            cohort = Cohort(
                honest=sent[honest],
                previous=previous,
                aggregate=lambda deltas, slots=slots: self._guess(slots, deltas, number),  # type: ignore[misc]
            )
            sent[group] = step.poison_cohort(sent[group], cohort)
        return sent

    def combine(self, slots: Sequence[int], deltas: Deltas, number: int) -> Vector:
        """Return what updates add to the global model, int32[d]; zeros where they are too few for the rule.

        Args: slots: of the n rows of deltas, rising. A row that is not finite has no encoding and is not there.
        """
        there = _find_finite(deltas)
        slots = [slots[row] for row in there]
        if len(slots) < self.script.run.rule.min_updates:
            return np.zeros(deltas.shape[1], dtype=np.int32)
        form, weights = self.script.format, [self.weights[slot] for slot in slots]
        quantized = quantize(deltas[there].reshape(-1), scale_bits=form.scale_bits, bound=form.bound)
        context = spec.Context(
            clients=tuple(self.clients[slot] for slot in slots), weights=tuple(weights), seed=number.to_bytes(32, "big")
        )
        return aggregate(replace(self.rule, context=context), quantized.values.reshape(len(slots), -1), weights)

    def _guess(self, slots: Sequence[int], deltas: Deltas, number: int) -> NDArray[np.float32]:
        return dequantize(self.combine(slots, deltas, number), self.script.format.scale_bits)

    def _deal(self, client: int, attacks: Sequence[Attack]) -> Examples:
        part = self.workload.dataset.take(self.workload.parts[client - 1])
        x, y = part.x, part.y
        for attack in attacks:
            x, y = attack.poison_data(x, y, self.workload.dataset.num_classes)
        return Examples(x=x, y=y)


def _find_finite(deltas: Deltas) -> list[int]:
    rows: list[int] = np.flatnonzero(np.isfinite(deltas).all(axis=1)).tolist()
    return rows
