"""Local training of all clients of a round at once: their small models stacked into one computation.

What `fl.training.train_locally` does client by client, with the same batches in the same order; sums are taken in
another order, so that results agree to float32's rounding and not bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from fl.data.dataset import Examples
from fl.layout import Layout, StateDict, flatten
from fl.training import TrainingConfig, deal_batches, train_locally
from ledger.spec.errors import NonFinite

Deltas = NDArray[np.float32]

_STACKABLE = (nn.AdaptiveAvgPool2d, nn.Conv2d, nn.Flatten, nn.Linear, nn.MaxPool2d, nn.ReLU, nn.Sequential)
"""Layers that neither draw nor remember: a stack of models does what each would do alone."""


def can_be_stacked(model: nn.Module) -> bool:
    """Return whether clients' copies of a model may be trained as one stack."""
    return all(isinstance(module, _STACKABLE) for module in model.modules()) and not list(model.buffers())


def train_side_by_side(
    model: nn.Module,
    state: StateDict,
    layout: Layout,
    parts: Sequence[Examples],
    config: TrainingConfig,
    *,
    seeds: Sequence[int],
) -> Deltas:
    """Return each client's model after local training minus the global one, float32 [k, d].

    Args:
        model: gives the architecture.
        state: the global model.
        layout: of its d coordinates.
        parts: k clients' examples, at least one each.
        config: the same for all.
        seeds: one a client, as `train_locally` takes it.

    Returns:
        Rows of clients whose training diverged hold NaN or infinities.

    McMahan et al. 2017, arXiv:1602.05629, algorithm 1.
    """
    before = flatten(state, layout)
    if not can_be_stacked(model):
        return np.stack([_train_alone(model, state, layout, *each, config) for each in zip(parts, seeds, strict=True)])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more of them split sums elsewhere, which changes last bits
    try:
        after = _train_stack(model, state, layout, parts, config, seeds)
    finally:
        torch.set_num_threads(threads)
    with np.errstate(over="ignore", invalid="ignore"):
        deltas: Deltas = after - before
    return deltas


def _train_alone(
    model: nn.Module, state: StateDict, layout: Layout, part: Examples, seed: int, config: TrainingConfig
) -> NDArray[np.float32]:
    try:
        return flatten(train_locally(model, state, part, config, seed=seed), layout) - flatten(state, layout)
    except NonFinite:
        return np.full(layout.size, np.nan, dtype=np.float32)


def _train_stack(
    model: nn.Module,
    state: StateDict,
    layout: Layout,
    parts: Sequence[Examples],
    config: TrainingConfig,
    seeds: Sequence[int],
) -> Deltas:
    """Return the k trained models, float32 [k, d]. Clients with many batches come first: those still at it are a
    prefix of the stack at every step.
    """
    plans = [_plan(len(part), config, seed) for part, seed in zip(parts, seeds, strict=True)]
    order = sorted(range(len(parts)), key=lambda client: -len(plans[client]))
    starts = np.cumsum([0, *(len(part) for part in parts)])
    x = torch.from_numpy(np.concatenate([part.x for part in parts]))
    y = torch.from_numpy(np.concatenate([part.y for part in parts]))
    weights = {name: state[name].detach().expand(len(parts), *state[name].shape).clone() for name in layout.names}
    speeds = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    forward = _make_forward(model)
    index, share = _tabulate([[batch + int(starts[client]) for batch in plans[client]] for client in order])
    for step in range(len(plans[order[0]])):
        count = sum(step < len(plan) for plan in plans)
        moving = {name: weight[:count].requires_grad_() for name, weight in weights.items()}
        chosen = index[step, :count]
        logits = forward(moving, x[chosen])
        losses = functional.cross_entropy(logits.flatten(0, 1), y[chosen].flatten(), reduction="none")
        # Every client's loss depends on its own weights alone: the gradient of their sum is everybody's at once.
        slopes = torch.autograd.grad(losses @ share[step, :count].flatten(), list(moving.values()))
        with torch.no_grad():
            for name, slope in zip(moving, slopes, strict=True):
                speed = speeds[name][:count].mul_(config.momentum).add_(slope)
                weights[name][:count].sub_(speed, alpha=config.learning_rate)
    trained = torch.cat([weights[name].detach().flatten(1) for name in layout.names], dim=1).numpy()
    result = np.empty_like(trained)
    result[order] = trained
    return result


def _make_forward(model: nn.Module) -> Callable[[dict[str, torch.Tensor], torch.Tensor], torch.Tensor]:
    """Return what k models, given by their stacked weights, make of inputs [k, b, ...]."""
    layers = dict(model.named_children())
    if isinstance(model, nn.Sequential) and all(map(_is_plain, layers.values())):
        return lambda weights, x: _apply_plain(layers, weights, x)
    return torch.vmap(lambda weights, x: functional_call(model, weights, (x,)))


def _is_plain(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Flatten):
        return (layer.start_dim, layer.end_dim) == (1, -1)
    return isinstance(layer, nn.ReLU) or (isinstance(layer, nn.Linear) and layer.bias is not None)


def _apply_plain(layers: Mapping[str, nn.Module], weights: Mapping[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """Do what `torch.vmap` would, in half the time: its cost is in calls, and these models are small."""
    for name, layer in layers.items():
        if isinstance(layer, nn.Linear):
            x = torch.baddbmm(weights[f"{name}.bias"][:, None], x, weights[f"{name}.weight"].transpose(1, 2))
        else:
            x = x.flatten(2) if isinstance(layer, nn.Flatten) else x.relu()
    return x


def _plan(num_examples: int, config: TrainingConfig, seed: int) -> list[torch.Tensor]:
    """Return the batches of all epochs, in the order in which `train_locally` takes them."""
    order = torch.Generator().manual_seed(seed)
    return [batch for _ in range(config.epochs) for batch in deal_batches(num_examples, config.batch_size, order)]


def _tabulate(plans: Sequence[Sequence[torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return k clients' batches as one table int64 [steps, k, b], and what each entry counts for in the mean of its
    batch: 0 for padding. The first client has the most steps.
    """
    batches = [batch for plan in plans for batch in plan]
    padded = nn.utils.rnn.pad_sequence(batches, batch_first=True)
    sizes = torch.tensor([len(batch) for batch in batches])[:, None]
    shares = torch.where(torch.arange(padded.shape[1]) < sizes, 1.0 / sizes, 0.0)
    steps = torch.tensor([step for plan in plans for step in range(len(plan))])
    slots = torch.tensor([slot for slot, plan in enumerate(plans) for _ in plan])
    index = torch.zeros(len(plans[0]), len(plans), padded.shape[1], dtype=torch.int64)
    share = torch.zeros(index.shape)
    index[steps, slots], share[steps, slots] = padded, shares
    return index, share
