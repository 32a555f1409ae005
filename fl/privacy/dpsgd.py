"""Local training with DP-SGD (Abadi et al. 2016) through Opacus, the extra `dp`: protects single examples of a client.

Each step takes every example with a probability, clips the gradient of each and adds Gaussian noise to their sum. This
noise is of torch's generator in float32, seeded with 64 bits from the operating system: weaker than the integers of
`fl.privacy.discrete`, in that an adversary who breaks that generator, or who exploits floats (Mironov 2012), is not
covered. Opacus's own secure mode needs a package that is built for no current torch.
"""

from __future__ import annotations

import secrets
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from fl.data.dataset import Examples
from fl.layout import StateDict
from fl.training import TrainingConfig, copy_with
from ledger.errors import MissingExtra, UsageError
from ledger.spec.noise import MICRO, Noise


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledTraining:
    """DP-SGD of one round."""

    clip_norm: float
    """Largest L2 norm of the gradient of an example."""
    multiplier: float
    """σ of a step's noise over clip_norm."""
    rate: float
    """Chance of an example to be in a step."""
    steps: int
    """Steps of the round, at least 1."""

    @classmethod
    def of(cls, noise: Noise, scale_bits: int) -> SampledTraining:
        """Return what a task's term asks for."""
        clip_norm = noise.clip / (1 << scale_bits)
        multiplier, rate = noise.multiplier / MICRO, noise.rate / MICRO
        return cls(clip_norm=clip_norm, multiplier=multiplier, rate=rate, steps=noise.steps)


def train_privately(
    model: torch.nn.Module, state: StateDict, part: Examples, config: TrainingConfig, how: SampledTraining
) -> dict[str, torch.Tensor]:
    """Return the state after the noisy steps; learning rate and momentum are those of config.

    Raises: MissingExtra: Opacus is not installed. UsageError: the model mixes examples (batch normalisation), or the
    part is empty.
    """
    if not len(part):
        raise UsageError("a client without examples cannot train", field="num_examples", got=0)
    opacus = _import_opacus()
    local = copy_with(model, state).train()
    if problems := opacus.validators.ModuleValidator.validate(local, strict=False):
        raise UsageError(f"the model cannot be trained with DP-SGD: {problems[0]}", field="model")
    wrapped = opacus.GradSampleModule(local)
    draws = torch.Generator().manual_seed(secrets.randbits(63))
    optimizer = opacus.optimizers.DPOptimizer(
        torch.optim.SGD(wrapped.parameters(), lr=config.learning_rate, momentum=config.momentum),
        noise_multiplier=how.multiplier,
        max_grad_norm=how.clip_norm,
        expected_batch_size=max(1, round(how.rate * len(part))),
        generator=draws,
    )
    x, y = torch.tensor(part.x), torch.tensor(part.y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's hooks, for the developers of Opacus
        for _ in range(how.steps):
            _take_step(wrapped, optimizer, x, y, torch.rand(len(part), generator=draws) < how.rate)
    return {name: tensor.detach().clone() for name, tensor in local.state_dict().items()}


def _take_step(wrapped: Any, optimizer: Any, x: torch.Tensor, y: torch.Tensor, chosen: torch.Tensor) -> None:
    optimizer.zero_grad()
    if not bool(chosen.any()):  # noise alone: a step that is left out would tell that nobody was chosen
        for parameter in wrapped.parameters():
            parameter.grad_sample = torch.zeros((0, *parameter.shape))
        optimizer.step()
        return
    functional.cross_entropy(wrapped(x[chosen]), y[chosen]).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _import_opacus() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import opacus
            import opacus.optimizers
            import opacus.validators
    except ModuleNotFoundError as error:
        raise MissingExtra(feature="DP-SGD", package=error.name, extra="dp") from error
    return opacus
