"""What noise costs in accuracy: small federated runs without a ledger, with the clipping and noise that runs use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fl.attacks import Attack
from fl.privacy.mechanisms import protect
from fl.quantization import quantize
from fl.robustness.attackers import parse_attack
from fl.robustness.cells import Cell, Setting, make_script
from fl.robustness.learning import Play
from fl.workload import Vector, Workload
from ledger import spec
from ledger.accounting import compute_spend, compute_variance
from ledger.aggregation import aggregate
from ledger.script import FormatSection, TrainingSection
from ledger.spec.noise import Noise

SCALE_BITS = 18
"""Of pilots: the bound is 32, which noise for few clients needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of a pilot."""

    clients: int
    """n, of which the last f are dishonest."""
    multiplier: float
    """σ of the sum's noise over the clip; 0 for no noise, and then no clipping either."""
    clip: float = 0.5
    """Largest L2 norm of an update."""
    rounds: int = 30
    """Rounds."""
    seed: int = 0
    """Of the split, the first model and training; noise has none."""
    dataset: str = "digits"
    """As in a round script."""
    model: str = "fl.robustness.model:build_mlp"
    """As in a round script: a small one, since noise grows with the number of coordinates."""
    rule: str = "mean"
    """As in a matrix of `fedtrail bench robustness`."""
    f: int = 0
    """Dishonest clients: they clip, so that nobody notices, and add no noise."""
    attack: str = "none"
    """What they do."""
    epochs: int = 2
    """Local epochs of a round."""
    learning_rate: float = 0.1
    """Step size of local training."""

    def make_noise(self, delta: float = 1e-5) -> Noise | None:
        """Return the noise of each client: a share of that of the sum."""
        if not self.multiplier:
            return None
        clip = int(self.clip * (1 << SCALE_BITS))
        return Noise(
            mechanism="distributed",
            clip=clip,
            variance=compute_variance(self.multiplier, clip, self.clients),
            shares=self.clients,
            delta=round(delta * 10**12),
            budget=10**15,
        )

    def compute_epsilon(self, size: int, delta: float = 1e-5) -> float | None:
        """Return what the rounds cost a client against who reads the models; None without noise."""
        noise = self.make_noise(delta)
        return None if noise is None else compute_spend(noise, self.rounds, size).epsilon


def run_trial(trial: Trial) -> tuple[float, int]:
    """Return the accuracy of the last model on the test part, and the number of its coordinates."""
    setting = Setting(clients=trial.clients, rounds=trial.rounds, model=trial.model)
    cell = Cell(
        dataset=trial.dataset, seed=trial.seed, partition="iid", f=trial.f, attack=trial.attack, rule=trial.rule
    )
    training = TrainingSection(epochs=trial.epochs, learning_rate=trial.learning_rate)
    changed = {"format": FormatSection(scale_bits=SCALE_BITS), "training": training}
    script = make_script(setting, cell).model_copy(update=changed)
    workload = Workload(script)
    honest = range(1, trial.clients - trial.f + 1)
    attacks: dict[int, tuple[Attack, ...]] = dict.fromkeys(honest, ())
    attacks |= {honest.stop + i: parse_attack(trial.attack, index=i) for i in range(trial.f)}
    *_, model_q = _NoisyPlay(workload, attacks, trial.make_noise()).run()
    return workload.evaluate(model_q), len(model_q)


class _NoisyPlay(Play):
    """The rounds of a matrix cell, with every honest update clipped and noisy."""

    def __init__(self, workload: Workload, attacks: dict[int, tuple[Attack, ...]], noise: Noise | None) -> None:
        super().__init__(workload, attacks)
        self._noise = noise

    @cached_property
    def _silent(self) -> Noise | None:
        """The clipping of those who add no noise."""
        return self._noise and replace(self._noise, mechanism="central", shares=1)

    def combine(self, slots: Sequence[int], deltas: NDArray[np.float32], number: int) -> Vector:
        """Return what updates add to the global model, int32[d]."""
        form = self.script.format
        rows = []
        for slot, delta in zip(slots, deltas, strict=True):
            row = quantize(delta, scale_bits=form.scale_bits, bound=form.bound).values
            noise = self._silent if self.attacks[slot] else self._noise
            rows.append(row if noise is None else protect(row, noise, bound=form.bound))
        weights = [self.weights[slot] for slot in slots]
        clients = tuple(self.clients[slot] for slot in slots)
        context = spec.Context(clients=clients, weights=tuple(weights), seed=number.to_bytes(32, "big"))
        return aggregate(replace(self.rule, context=context), np.stack(rows), weights)
