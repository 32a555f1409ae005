"""Every example goes to exactly one client, by a rule that the seed decides."""

from __future__ import annotations

import numpy as np
import pytest

from fl import data
from fl.partitions import partition_dirichlet, partition_iid
from ledger.errors import UsageError

LABELS = data.load("digits").y_train


def skew(parts: list[np.ndarray]) -> float:
    """Mean over clients of the share of their commonest class: 0.1 is even on digits."""
    return float(np.mean([np.bincount(LABELS[part]).max() / len(part) for part in parts]))


@pytest.mark.parametrize("num_clients", [1, 3, 10, 1438])
def test_iid_parts_cover_everything_once_in_equal_sizes(num_clients: int) -> None:
    parts = partition_iid(1438, num_clients, seed=1)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(1438))
    assert len(parts) == num_clients
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0, 100.0])
@pytest.mark.parametrize("seed", [0, 7])
def test_dirichlet_parts_cover_everything_once(alpha: float, seed: int) -> None:
    parts = partition_dirichlet(LABELS, 10, alpha=alpha, seed=seed, min_examples=5)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(LABELS)))
    assert len(parts) == 10 and min(map(len, parts)) >= 5


def test_smaller_alpha_is_more_skewed() -> None:
    skews = [skew(partition_dirichlet(LABELS, 10, alpha=alpha, seed=0)) for alpha in (0.1, 1.0, 1000.0)]
    assert skews[0] > 0.5 > skews[1] > 0.2 > skews[2]


def test_every_client_gets_the_minimum_that_was_asked_for() -> None:
    without = partition_dirichlet(LABELS, 10, alpha=0.5, seed=0)
    asked = min(map(len, without)) + 20
    parts = partition_dirichlet(LABELS, 10, alpha=0.5, seed=0, min_examples=asked)
    assert min(map(len, parts)) >= asked
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(LABELS)))


def test_one_seed_gives_one_partition_whatever_was_drawn_before() -> None:
    first = partition_dirichlet(LABELS, 10, alpha=1.0, seed=5), partition_iid(100, 3, seed=5)
    np.random.default_rng().random(10)
    np.random.seed(1)
    again = partition_dirichlet(LABELS, 10, alpha=1.0, seed=5), partition_iid(100, 3, seed=5)
    for parts, same in zip(first, again, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(parts, same, strict=True))
    other = partition_dirichlet(LABELS, 10, alpha=1.0, seed=6)
    assert not all(np.array_equal(a, b) for a, b in zip(first[0], other, strict=True))


def test_partitions_are_those_of_earlier_releases() -> None:
    # A change here means that old round scripts give other clients: NumPy's streams or our draws changed.
    assert [part.tolist() for part in partition_iid(10, 3, seed=0)] == [[2, 4, 6, 7], [3, 5, 9], [0, 1, 8]]
    parts = partition_dirichlet(LABELS, 10, alpha=1.0, seed=0, min_examples=32)
    assert [len(part) for part in parts] == [78, 185, 153, 108, 153, 158, 164, 163, 129, 147]


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_clients": 0},
        {"num_clients": -1},
        {"seed": -1},
        {"min_examples": 0},
        {"num_clients": 11, "min_examples": 200},
        {"alpha": 0.0},
        {"alpha": -1.0},
        {"alpha": float("nan")},
        {"alpha": float("inf")},
    ],
    ids=str,
)
def test_impossible_partitions_are_refused(arguments: dict) -> None:
    with pytest.raises(UsageError):
        partition_dirichlet(LABELS, **{"num_clients": 10, "alpha": 1.0, "seed": 0, "min_examples": 1, **arguments})


def test_minimum_out_of_reach_ends_with_advice() -> None:
    with pytest.raises(UsageError, match="1000 draws") as caught:
        partition_dirichlet(LABELS, 10, alpha=0.01, seed=0, min_examples=140)
    assert "raise alpha" in caught.value.hint
