"""Engines: training, aggregates and replays over a Ray cluster of two nodes, bit for bit as in one process."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fl import kernels as local_kernels
from fl.engines import LocalEngine, open_engine
from fl.engines.local import Engine, Outcome
from fl.engines.sharding import Shard, ShardedKernels, compute_shard
from fl.workload import LocalUpdate, Workload
from ledger import kernels, spec
from ledger.aggregation import aggregate
from ledger.commitments import compute_matrix_root, compute_vector_root
from ledger.errors import MissingExtra, UsageError
from ledger.script import Script, parse_script

# Read when Ray is imported: nodes talk over the loopback interface only, and tell nobody about it.
os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
ray = pytest.importorskip("ray", reason="the extra scale is not installed")

SCRIPT = """
fedtrail: 1
run: {name: engines, rounds: 2, seed: 5, rule: {name: mean}}
model: {entry: logistic}
training: {epochs: 1}
clients: {count: 6, clip_norm: null}
"""
COLLUSION = """
events:
  - {at: always, clients: [2, 5], attack: alie}
"""
RULES = (
    {"rule": spec.Rule.SUM32},
    {"rule": spec.Rule.MEAN},
    {"rule": spec.Rule.WEIGHTED_MEAN, "examples_cap": 100},
    {"rule": spec.Rule.MEDIAN},
    {"rule": spec.Rule.TRIMMED_MEAN, "parameter": 2},
    {"rule": spec.Rule.KRUM, "parameter": 2},
    {"rule": spec.Rule.MULTI_KRUM, "parameter": 2, "select": 4},
    {"rule": spec.Rule.COMPOSED, "stages": b"nnm+trimmed-mean@2"},
)


class EventfulWorkload(Workload):
    """A workload whose first two clients wait until both nodes are at work, and whose third one is killed once."""

    def __init__(self, script: Script, folder: Path) -> None:
        super().__init__(script)
        self.folder = folder

    def compute_update(self, client: int, number: int, model_q: Any) -> LocalUpdate:
        if client <= 2:
            (self.folder / f"node-{ray.get_runtime_context().get_node_id()}").touch()
            deadline = time.monotonic() + 120
            while len(list(self.folder.glob("node-*"))) < 2:
                assert time.monotonic() < deadline, "the other node does nothing"
                time.sleep(0.02)
        if client == 3 and not (grave := self.folder / "grave").exists():
            grave.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().compute_update(client, number, model_q)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Return a Ray cluster of two nodes on this machine, with one worker each."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 100 << 20, "include_dashboard": False, "include_log_monitor": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    cluster.add_node(**node)
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="module")
def engine(cluster: Any) -> Iterator[Engine]:
    with open_engine(f"ray:{cluster.address}") as opened:
        yield opened


def train(engine: Engine, workload: Workload, number: int = 1) -> list[Outcome]:
    return list(engine.compute_updates(workload, range(1, 7), number, workload.compute_genesis()))


def are_equal(ours: list[Outcome], theirs: list[Outcome]) -> bool:
    pairs = zip(ours, theirs, strict=True)
    return all(
        isinstance(a, LocalUpdate)
        and isinstance(b, LocalUpdate)
        and (a.client, a.num_examples, a.saturated) == (b.client, b.num_examples, b.saturated)
        and (a.values == b.values).all()
        for a, b in pairs
    )


@contextmanager
def installed(fast: kernels.Kernels | None) -> Iterator[None]:
    before = kernels.find_for_entries(kernels.MIN_ENTRIES)
    kernels.install(lambda: fast)
    try:
        yield
    finally:
        kernels.install(lambda: before)


def make_params(n: int, *, rule: spec.Rule, stages: bytes = b"", **numbers: int) -> spec.RuleParams:
    return spec.RuleParams(
        **{"rule": rule, "parameter": 0, "select": 0, "bound": spec.MAX_BOUND, "examples_cap": 1, **numbers},
        composition=spec.decode_composition(stages) if stages else None,
        context=spec.Context(clients=tuple(range(n)), weights=(1,) * n, seed=bytes(32)) if stages else None,
    )


@pytest.mark.slow
@pytest.mark.parametrize("extra", ["", COLLUSION], ids=["honest", "colluding"])
def test_clients_train_on_a_cluster_as_in_one_process(engine: Engine, extra: str) -> None:
    script = parse_script((SCRIPT + extra).encode(), name="engines.yaml")
    ours, theirs = Workload(script), Workload(script)
    for number in (1, 2):
        assert are_equal(train(engine, ours, number), train(LocalEngine(), theirs, number))


@pytest.mark.slow
def test_all_nodes_train_and_what_a_killed_worker_had_to_do_is_done_again(engine: Engine, tmp_path: Path) -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests
    script = parse_script(SCRIPT.encode(), name="engines.yaml")
    trained = train(engine, EventfulWorkload(script, tmp_path))
    assert int((tmp_path / "grave").read_text()) != os.getpid()
    assert are_equal(trained, train(LocalEngine(), Workload(script)))


@pytest.mark.slow
def test_an_update_that_cannot_be_encoded_is_an_outcome_and_stops_nobody(engine: Engine) -> None:
    script = parse_script((SCRIPT + "events: [{at: always, clients: [4], attack: nan}]").encode(), name="engines.yaml")
    outcomes = train(engine, Workload(script))
    assert [type(outcome) for outcome in outcomes].count(LocalUpdate) == 5
    assert isinstance(outcomes[3], spec.NonFinite)
    assert outcomes[3].detail == train(LocalEngine(), Workload(script))[3].detail  # type: ignore[union-attr]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["rule"].name)
def test_sharded_aggregates_are_those_of_one_process(rule: dict[str, Any]) -> None:
    generator = np.random.default_rng(1)
    updates = generator.integers(-(1 << 22), 1 << 22, (11, kernels.MIN_ENTRIES // 11 + 77), dtype=np.int32)
    params, weights = make_params(11, **rule), [3] * 10 + [90]
    want = aggregate(params, updates, weights)
    shards: list[Shard] = []

    def run(given: Iterable[Shard]) -> Iterator[Any]:
        for shard in given:
            shards.append(shard)
            yield compute_shard(shard)

    with installed(ShardedKernels(run, count=5)):
        assert (aggregate(params, updates, weights) == want).all()
    assert len(shards) >= 5, "it was not computed in shards"


@pytest.mark.slow
def test_an_aggregate_and_its_trees_are_computed_on_a_cluster_as_in_one_process(engine: Engine) -> None:
    del engine  # while it is open, large rounds go through it
    updates = np.random.default_rng(2).integers(-(1 << 22), 1 << 22, (130, 18_000), dtype=np.int32)
    params, weights = make_params(130, rule=spec.Rule.TRIMMED_MEAN, parameter=3), [1] * 130
    work = (
        lambda: aggregate(params, updates, weights).tobytes(),  # above 128 clients numpy sorts, there as here
        lambda: compute_matrix_root(updates, 3),
        lambda: compute_vector_root(updates.reshape(-1), 8),
    )
    ours = [each() for each in work]
    with installed(local_kernels.load()):
        assert ours == [each() for each in work]


@pytest.mark.slow
def test_what_a_task_raises_is_raised_where_it_was_asked_for(engine: Engine) -> None:
    del engine
    rows = [np.zeros(kernels.MIN_ENTRIES // 4, dtype=np.int32)] * 4
    fast = kernels.find_for_entries(kernels.MIN_ENTRIES)
    assert fast is not None
    with pytest.raises(TypeError):
        fast.reduce_weighted(rows, bound=1, weights=[None] * 4, divisor=4)  # type: ignore[list-item]


@pytest.mark.parametrize("text", ["", "dask", "local:1", "Ray"])
def test_an_unknown_engine_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no engine"), open_engine(text):
        pass


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "fl.engines.on_ray", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra) as caught, open_engine("ray"):
        pass
    assert caught.value.hint == "pip install 'fedtrail[scale]'"
