"""Local training and evaluation on the CPU: the same seed gives the same bytes on the same machine."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from fl.data.dataset import Examples
from fl.layout import StateDict
from ledger.errors import UsageError

EVALUATION_BATCH = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How a client trains between two rounds.

    Raises:
        UsageError: a field is out of its range.
    """

    epochs: int = 3
    """Passes over the client's examples, at least 1."""
    batch_size: int = 16
    """Most examples a step, at least 1."""
    learning_rate: float = 0.1
    """Step width of SGD, above 0."""
    momentum: float = 0.9
    """Momentum of SGD, 0 up to but not including 1; it starts at 0 in every round."""

    def __post_init__(self) -> None:
        for field in ("epochs", "batch_size"):
            if (count := getattr(self, field)) < 1:
                raise UsageError(f"{field} is {count}, allowed are integers from 1", field=field, got=count)
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise UsageError(f"learning_rate is {self.learning_rate}, allowed are finite numbers above 0")
        if not 0 <= self.momentum < 1:
            raise UsageError(f"momentum is {self.momentum}, allowed are numbers from 0 up to, not including, 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What a model scores on examples; floats, for people: no verdict depends on them."""

    loss: float
    """Mean cross-entropy in nats."""
    accuracy: float
    """Share of examples whose largest logit is the label's, 0 to 1."""
    num_examples: int
    """Examples scored."""


def train_locally(
    model: nn.Module, state: StateDict, part: Examples, config: TrainingConfig, *, seed: int
) -> dict[str, torch.Tensor]:
    """Return the state after SGD with momentum on one client's examples (FedAvg's ClientUpdate).

    Args:
        model: gives the architecture; neither its weights nor its mode are changed.
        state: the global model's state_dict.
        part: the client's examples, at least one.
        config: epochs, batch size, learning rate, momentum.
        seed: 0 to 2**63 - 1; decides the order of examples and what layers like dropout draw.

    Returns:
        A new state_dict with the names of `state`. It may hold NaN when training diverged: `fl.layout.flatten`
        refuses that with the tensor's name.

    Raises:
        UsageError: the part is empty.

    McMahan et al. 2017, arXiv:1602.05629, algorithm 1.
    """
    if not len(part):
        raise UsageError("a client without examples cannot train", field="num_examples", got=0)
    local = copy_with(model, state).train()
    optimizer = torch.optim.SGD(local.parameters(), lr=config.learning_rate, momentum=config.momentum)
    x, y = torch.tensor(part.x), torch.tensor(part.y)
    order = torch.Generator().manual_seed(seed)
    with _reproducible(seed):
        for _ in range(config.epochs):
            for batch in deal_batches(len(part), config.batch_size, order):
                optimizer.zero_grad()
                functional.cross_entropy(local(x[batch]), y[batch]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
    return {name: tensor.detach().clone() for name, tensor in local.state_dict().items()}


def evaluate(model: nn.Module, state: StateDict, examples: Examples) -> Metrics:
    """Return loss and accuracy of a state on examples.

    Args:
        model: gives the architecture; it is not changed.
        state: the state_dict to score.
        examples: at least one.

    Raises:
        UsageError: there are no examples.
    """
    if not len(examples):
        raise UsageError("a model cannot be scored on no examples", field="num_examples", got=0)
    local = copy_with(model, state).eval()
    loss, correct = 0.0, 0
    with _reproducible(0), torch.no_grad():
        for start in range(0, len(examples), EVALUATION_BATCH):
            x = torch.tensor(examples.x[start : start + EVALUATION_BATCH])
            y = torch.tensor(examples.y[start : start + EVALUATION_BATCH])
            logits = local(x)
            loss += float(functional.cross_entropy(logits, y, reduction="sum"))
            correct += int((logits.argmax(dim=1) == y).sum())
    return Metrics(loss=loss / len(examples), accuracy=correct / len(examples), num_examples=len(examples))


def copy_with(model: nn.Module, state: StateDict) -> nn.Module:
    """Return a model of its own with a state's weights."""
    local = copy.deepcopy(model)
    local.load_state_dict(dict(state))
    return local


def deal_batches(num_examples: int, batch_size: int, order: torch.Generator) -> tuple[torch.Tensor, ...]:
    """Return the indices of an epoch's examples, step by step: int64, at most batch_size a step.

    Nearly equal batches: a last one of a single example would break batch normalisation.
    """
    shuffled = torch.randperm(num_examples, generator=order)
    return torch.tensor_split(shuffled, math.ceil(num_examples / batch_size))


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Run on one thread, with torch's global generator seeded for the block alone.

    More threads split sums elsewhere, which changes their last bits; on a busy machine they are slower too.
    """
    threads = torch.get_num_threads()
    if threads != 1:
        torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        if threads != 1:
            torch.set_num_threads(threads)
