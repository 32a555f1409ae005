"""The engine that spreads training, aggregates and replays over a Ray cluster.

Every task is a pure function of what it is given: a client's training of script, round and model, a shard of its
coordinates. So a task whose worker or machine dies is done again elsewhere, with the same result.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

# Nobody is told that or how fedtrail is used; read when Ray is imported.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray.exceptions import RayError, RayTaskError

from fl import kernels as local_kernels
from fl.engines.local import Outcome, compute_outcome
from fl.engines.sharding import Shard, ShardedKernels, compute_shard
from fl.workload import Vector, Workload, find_colluders
from ledger import kernels
from ledger.errors import ConfigurationError

MAX_RETRIES = 10
"""How often a task is done again whose worker or machine died."""
_TASKS_A_WORKER = 4
"""Tasks in flight: enough that no worker waits, few enough that results do not pile up."""
_TASK_ENTRIES = 1 << 22
"""Coordinates of all updates that one training task returns, about."""


class RayEngine:
    """Lets clients train on the workers of a cluster. Made by `connect`."""

    def compute_updates(
        self, workload: Workload, clients: Sequence[int], number: int, model_q: Vector
    ) -> Iterator[Outcome]:
        """Yield what `Workload.compute_update` makes for every client, in their order.

        Colluding clients know what everybody trained: what they send is worked out here, once for all of them.
        """
        workload.remember(number, model_q)
        colluders = find_colluders(workload.script, number)
        alone = [client for client in clients if client not in colluders]
        given = ray.put(workload), ray.put(model_q)
        size = max(1, min(_TASK_ENTRIES // max(1, len(model_q)), -(-len(alone) // (_TASKS_A_WORKER * count_workers()))))
        groups = (alone[start : start + size] for start in range(0, len(alone), size))
        trained = (each for group in _run(_train, ((*given, number, group) for group in groups)) for each in group)
        for client in clients:
            yield compute_outcome(workload, client, number, model_q) if client in colluders else next(trained)


@ray.remote(max_retries=MAX_RETRIES)
def _train(workload: Workload, model_q: Vector, number: int, clients: Sequence[int]) -> list[Outcome]:
    return [compute_outcome(workload, client, number, model_q) for client in clients]


@ray.remote(max_retries=MAX_RETRIES)
def _compute(shard: Shard) -> Any:
    return compute_shard(shard)


def count_workers() -> int:
    """Return how many tasks the cluster does at a time."""
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return max(1, int(resources.get("CPU", 1)))


def _run(task: Any, inputs: Iterable[Sequence[Any]]) -> Iterator[Any]:
    """Yield the results of a task for every input, in order; only so many are under way at a time.

    Raises: what the task raises; ConfigurationError: the cluster is gone, or lost the same task too often.
    """
    waiting, limit = deque[Any](), _TASKS_A_WORKER * count_workers()
    for given in inputs:
        waiting.append(task.remote(*given))
        if len(waiting) >= limit:
            yield _get(waiting.popleft())
    while waiting:
        yield _get(waiting.popleft())


def _get(reference: Any) -> Any:
    try:
        return ray.get(reference)
    except RayTaskError as error:  # the task ran, and raised what it would have raised here
        raise error.cause from error
    except RayError as error:
        raise ConfigurationError(
            f"the Ray cluster did not finish a task: {_first_line(error)}", hint="ray status; or --engine local"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


@contextmanager
def connect(address: str) -> Iterator[RayEngine]:
    """Yield the engine of a cluster; large aggregates and trees are computed on it while it is open.

    Args: address: of a cluster, or nothing for one of this machine that ends with the engine.
    Raises: ConfigurationError: no cluster answers there.
    """
    try:
        if address:
            ray.init(address=address, log_to_driver=False)
        else:  # nobody else's business: "local", since Ray would join whatever RAY_ADDRESS names
            ray.init(address="local", _node_ip_address="127.0.0.1", include_dashboard=False, log_to_driver=False)
    except (ConnectionError, RayError, RuntimeError, ValueError) as error:
        where = f"at {address}" if address else "of this machine"
        raise ConfigurationError(f"no Ray cluster {where}: {_first_line(error)}", hint="ray status") from error
    sharded = ShardedKernels(lambda shards: _run(_compute, ((shard,) for shard in shards)), count=count_workers())
    kernels.install(lambda: sharded)
    try:
        yield RayEngine()
    finally:
        local_kernels.install()
        ray.shutdown()
