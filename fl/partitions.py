"""How training examples are dealt to clients: evenly, or skewed by class as in real federations."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ledger.errors import UsageError

MAX_DRAWS = 1000
"""Draws of the Dirichlet split before it gives up on `min_examples`."""


def partition_iid(num_examples: int, num_clients: int, *, seed: int, min_examples: int = 1) -> list[NDArray[np.int64]]:
    """Deal examples to clients at random, in parts that differ by one example at most.

    Args:
        num_examples: n, examples to deal.
        num_clients: at least 1.
        seed: at least 0; the same seed gives the same parts under one version of NumPy.
        min_examples: at least 1; the smallest part allowed.

    Returns:
        One array of indices in rising order a client; every index 0 to n - 1 is in exactly one.

    Raises:
        UsageError: an argument is out of range, or there are too few examples.
    """
    _verify_counts(num_examples, num_clients, min_examples, seed)
    order = _generator(seed).permutation(num_examples)
    return [np.sort(part) for part in np.array_split(order, num_clients)]


def partition_dirichlet(
    labels: NDArray[np.int64], num_clients: int, *, alpha: float, seed: int, min_examples: int = 1
) -> list[NDArray[np.int64]]:
    """Deal each class to clients in shares p ~ Dirichlet(alpha, ..., alpha).

    The whole split is drawn again while a client has less than `min_examples`, so shares keep their
    distribution given that bound.

    Args:
        labels: int64 [n], class of each example.
        num_clients: at least 1.
        alpha: above 0; 0.1 leaves most clients one or two classes, 100 is close to an even split.
        seed: at least 0; the same seed gives the same parts under one version of NumPy.
        min_examples: at least 1; the smallest part allowed.

    Returns:
        One array of indices in rising order a client; every index 0 to n - 1 is in exactly one.

    Raises:
        UsageError: an argument is out of range, or 1000 draws gave no split with such parts.

    Hsu, Qi and Brown 2019, arXiv:1909.06335.
    """
    _verify_counts(len(labels), num_clients, min_examples, seed)
    if not (math.isfinite(alpha) and alpha > 0):
        raise UsageError(f"alpha is {alpha}, allowed are finite numbers above 0", field="alpha", got=alpha)
    generator = _generator(seed)
    for _ in range(MAX_DRAWS):
        parts = _draw_dirichlet(labels, num_clients, alpha, generator)
        if min(len(part) for part in parts) >= min_examples:
            return parts
    raise UsageError(
        f"no split of {len(labels)} examples over {num_clients} clients with alpha {alpha} gave every client "
        f"{min_examples} examples in {MAX_DRAWS} draws",
        hint="raise alpha, or lower the number of clients or min_examples",
    )


def _draw_dirichlet(
    labels: NDArray[np.int64], num_clients: int, alpha: float, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    owner = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        shares = generator.dirichlet(np.full(num_clients, alpha))
        # Rounding the running sum, not each share, deals every example exactly once.
        ends = np.rint(np.cumsum(shares)[:-1] * len(members)).astype(np.int64)
        for client, part in enumerate(np.split(members, ends)):
            owner[part] = client
    return [np.flatnonzero(owner == client) for client in range(num_clients)]


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def _verify_counts(num_examples: int, num_clients: int, min_examples: int, seed: int) -> None:
    if seed < 0:
        raise UsageError(f"seed is {seed}, allowed are integers from 0", field="seed", got=seed)
    if num_clients < 1:
        raise UsageError(f"there are {num_clients} clients, at least 1 is needed", field="num_clients", got=num_clients)
    if min_examples < 1:
        raise UsageError(f"min_examples is {min_examples}, allowed are integers from 1", field="min_examples")
    if num_examples < num_clients * min_examples:
        raise UsageError(
            f"{num_examples} examples cannot give {num_clients} clients {min_examples} each",
            field="min_examples",
            got=num_examples,
            want=num_clients * min_examples,
        )
