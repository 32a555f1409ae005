"""A run of many clients on a devnet of its own, whose training is a draw: what is left is the ledger."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import yaml

from fl.federation import Federation, Progress
from fl.scale.gas import TransactionGas, read_gas
from fl.workload import LocalUpdate, Vector, Workload, derive_seed
from ledger import devnet
from ledger.chain import deploy
from ledger.journal import Journal
from ledger.layout import Layout
from ledger.project import Project
from ledger.records import Verdict
from ledger.replays import replay_rounds
from ledger.script import Script, load_script

_DEVIATION = 1 << 17
"""Of drawn coordinates: 1/8 with 20 fractional bits, as of real updates."""
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run took. Seconds are wall time, unless they say CPU."""

    clients: int
    rounds: int
    size: int
    """d, coordinates of an update."""
    mode: str
    """How clients commit: verified or root-only."""
    setup_seconds: float
    """Keys, registrations, task."""
    ledger_seconds: tuple[float, ...]
    """Of every round, all but drawing the updates."""
    ledger_cpu_seconds: float
    """CPU of this process and of the node, a round; drawing the updates included."""
    run_seconds: float
    """Everything, set-up included."""
    replay_seconds: float
    """Every round replayed once more, from chain and store alone."""
    replay_cpu_seconds: float
    """CPU of this process and of the node for that."""
    gas: tuple[TransactionGas, ...]
    """Transactions of the last round."""

    @property
    def ledger_median(self) -> float:
        """Return the median of the rounds."""
        return median(self.ledger_seconds)

    @property
    def speedup(self) -> float:
        """Return how many times faster the replay is than the run."""
        return self.run_seconds / self.replay_seconds


class DrawnWorkload(Workload):
    """A workload of any size whose updates are drawn, not trained."""

    def __init__(self, script: Script, size: int) -> None:
        super().__init__(script)
        self.layout = Layout(names=("drawn",), shapes=((size,),))

    def compute_genesis(self) -> Vector:
        """Return zeros."""
        return np.zeros(self.layout.size, dtype=np.int32)

    def compute_update(self, client: int, number: int, model_q: Vector) -> LocalUpdate:
        """Return normal values; the same for the same script, round and client."""
        generator = np.random.Generator(np.random.SFC64(derive_seed(self.script, number, client)))
        drawn = generator.standard_normal(self.layout.size, dtype=np.float32) * _DEVIATION
        return LocalUpdate(client=client, values=drawn.astype(np.int32), num_examples=1, saturated=0)

    def evaluate(self, model_q: Vector) -> float:
        """Return 0: there is nothing to predict."""
        return 0.0


def measure(
    clients: int, rounds: int, size: int, mode: str, *, on_step: Callable[[Progress], None] | None = None
) -> Run:
    """Run rounds of many clients on a fresh Hardhat devnet, replay all of them, and return what that took.

    Args: clients: at least 1. rounds: at least 1. size: d. mode: of commitments, verified or root-only. on_step: told
    about every step.

    Raises: RuntimeError: a replay did not pass, so that nothing was measured.
    """
    with tempfile.TemporaryDirectory() as folder:
        project = Project.create(Path(folder) / "project")
        with devnet.running(project.state_dir) as node:
            journal = Journal(project.journal_path)
            deployment = deploy(project.network(), devnet.funded_account(0), journal)
            journal.close()
            project = project.save_deployment(project.network().name, deployment)
            script = _write_script(Path(folder) / "scale.yaml", clients, rounds, mode)
            clock = _Clock(node.pid, on_step)
            federation = Federation.start(project, script, observer=clock)
            federation.ctx = replace(federation.ctx, workload=DrawnWorkload(load_script(script), size))
            return _measure(federation, clock)


class _Clock:
    """An observer that notes when set-up is over."""

    def __init__(self, node: int, on_step: Callable[[Progress], None] | None) -> None:
        self.node, self.on_step = node, on_step
        self.began = time.perf_counter()
        self.set_up: tuple[float, float] | None = None

    def __call__(self, progress: Progress) -> None:
        if self.set_up is None and progress.stage != "set-up":
            self.set_up = time.perf_counter() - self.began, read_cpu(self.node)
        if self.on_step is not None:
            self.on_step(progress)


def _measure(federation: Federation, clock: _Clock) -> Run:
    run, chain = federation.script.run, federation.chain
    result = federation.run()
    whole, cpu = time.perf_counter() - clock.began, read_cpu(clock.node)
    setup, cpu_before = clock.set_up or (0.0, cpu)
    round_ids = [each.round_id for each in result.rounds]
    started, before = time.perf_counter(), read_cpu(clock.node)
    verdicts = {each.report.verdict for each in replay_rounds(chain, federation.ctx.store, round_ids)}
    replayed, replay_cpu = time.perf_counter() - started, read_cpu(clock.node) - before
    if verdicts != {Verdict.PASS}:
        raise RuntimeError(f"replays found {', '.join(map(str, verdicts))}: nothing was measured")
    return Run(
        clients=result.clients,
        rounds=run.rounds,
        size=federation.ctx.workload.layout.size,
        mode=run.mode,
        setup_seconds=setup,
        ledger_seconds=tuple(each.seconds - each.training_seconds for each in result.rounds),
        ledger_cpu_seconds=(cpu - cpu_before) / run.rounds,
        run_seconds=whole,
        replay_seconds=replayed,
        replay_cpu_seconds=replay_cpu,
        gas=read_gas(chain, round_ids[-1], result.clients),
    )


def _write_script(path: Path, clients: int, rounds: int, mode: str) -> Path:
    run = {"name": "scale", "rounds": rounds, "seed": 1, "mode": mode, "rule": {"name": "mean"}}
    script = {"fedtrail": 1, "run": run, "model": {"entry": "logistic"}, "clients": {"count": clients}}
    path.write_text(yaml.safe_dump(script, sort_keys=False))
    return path


def read_cpu(node: int) -> float:
    """Return the CPU seconds of this process and, where the system tells them, of the node."""
    stat = Path(f"/proc/{node}/stat")
    fields = stat.read_text().rpartition(")")[2].split() if stat.exists() else []
    return time.process_time() + sum(map(int, fields[11:13])) / _TICKS
