"""Small models for clients on a CPU, and the door for any other torch model."""

from __future__ import annotations

import importlib
from collections import OrderedDict
from collections.abc import Callable
from math import prod

import torch
from torch import nn

from ledger.errors import NotFoundError, UsageError


def build(name: str, *, input_shape: tuple[int, ...], num_classes: int, seed: int) -> nn.Module:
    """Return a new model; the same seed gives the same weights, whatever was drawn before.

    Args:
        name: `mlp`, `cnn`, `logistic`, or `module:function`: an importable function that takes the keywords
            `input_shape` and `num_classes` and returns a torch module. Importing runs that module, so such a
            name may come from the user's own script alone, never from the ledger or another participant.
        input_shape: shape of one input, without the batch.
        num_classes: at least 2.
        seed: 0 to 2**63 - 1.

    Raises:
        NotFoundError: there is no such model.
        UsageError: the model does not take such inputs, or the function returned something else.
    """
    if num_classes < 2:
        raise UsageError(f"there are {num_classes} classes, at least 2 are needed", field="num_classes")
    constructor = _MODELS.get(name) or _import_constructor(name)
    # Initial weights come from torch's global generator: seed it for this call alone.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = constructor(input_shape=input_shape, num_classes=num_classes)
    if not isinstance(model, nn.Module):
        raise UsageError(f"{name} returned {type(model).__name__}, expected a torch.nn.Module")
    return model


def build_mlp(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """Return a perceptron with one hidden layer of 64 units: 4,810 parameters on digits."""
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            fc1=nn.Linear(prod(input_shape), 64),
            relu=nn.ReLU(),
            fc2=nn.Linear(64, num_classes),
        )
    )


def build_cnn(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """Return two convolutions (16 and 32 channels) under two layers: 21,546 parameters on digits.

    Raises:
        UsageError: an input is not [channels, height, width] with sides of at least 8.
    """
    if len(input_shape) != 3 or min(input_shape[1:]) < 8:
        raise UsageError(
            f"the model cnn takes images [channels, height, width] with sides from 8, not {list(input_shape)}",
            hint="use mlp or logistic for tables",
        )
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(input_shape[0], 16, kernel_size=3, padding=1),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(16, 32, kernel_size=3, padding=1),
            relu2=nn.ReLU(),
            # Images of every size end as 4 x 4: the number of parameters does not grow with them.
            pool2=nn.AdaptiveAvgPool2d(4),
            flatten=nn.Flatten(),
            fc1=nn.Linear(32 * 4 * 4, 32),
            relu3=nn.ReLU(),
            fc2=nn.Linear(32, num_classes),
        )
    )


def build_logistic(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """Return multinomial logistic regression: 650 parameters on digits."""
    return nn.Sequential(OrderedDict(flatten=nn.Flatten(), fc=nn.Linear(prod(input_shape), num_classes)))


_MODELS: dict[str, Callable[..., object]] = {"cnn": build_cnn, "logistic": build_logistic, "mlp": build_mlp}

MODELS = tuple(_MODELS)
"""Names that `build` knows without importing anything."""


def _import_constructor(name: str) -> Callable[..., object]:
    module_name, colon, function_name = name.partition(":")
    hint = f"known models: {', '.join(MODELS)}; your own: MODULE:FUNCTION"
    if not (module_name and colon and function_name.isidentifier()):
        raise NotFoundError(kind="model", name=name, suggestion="", hint=hint)
    try:
        constructor = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, TypeError) as error:
        raise NotFoundError(kind="model", name=name, suggestion=f" ({error})", hint=hint) from error
    if not callable(constructor):
        raise UsageError(f"{name} is {type(constructor).__name__}, expected a function")
    return constructor  # type: ignore[no-any-return]  # whatever the user wrote; its result is checked
