"""`fedtrail bench scale` and `bench gas` on little; floors worked by hand."""

from __future__ import annotations

import json
import subprocess

import pytest
from command_line import COMMAND

from fl.scale.gas import compute_floor
from fl.scale.running import measure


def test_the_floor_of_a_transaction_is_that_of_its_bytes_or_its_signatures() -> None:
    assert compute_floor(b"", 0) == 21_000
    assert compute_floor(bytes(100), 0) == 21_000 + 100 * 10  # EIP-7623: ten for a zero byte
    assert compute_floor(b"\x01" * 100, 0) == 21_000 + 100 * 40
    assert compute_floor(b"\x01" * 100 + bytes(10), 2) == 21_000 + 100 * 16 + 10 * 4 + 2 * 3_000


@pytest.mark.chain
@pytest.mark.parametrize("mode", ["verified", "root-only"])
def test_rounds_of_many_clients_are_measured_and_replayed(mode: str) -> None:
    run = measure(4, 2, 100, mode)
    assert (run.clients, run.rounds, run.size, run.mode, len(run.ledger_seconds)) == (4, 2, 100, mode, 2)
    assert 0 < run.ledger_median < run.run_seconds
    assert run.speedup == run.run_seconds / run.replay_seconds
    commit = "commitBatch n=4" if mode == "verified" else "commitRoot"
    assert [sent.name for sent in run.gas] == ["openRound", commit, "propose", "finalise"]
    assert all(21_000 < sent.floor_gas < sent.gas for sent in run.gas)


@pytest.mark.chain
def test_gas_is_told_beside_its_floor() -> None:
    words = ["bench", "gas", "--clients", "3", "--format", "json"]
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=300, check=True)
    rows = {row["transaction"]: row for row in json.loads(done.stdout)["data"]}
    batch = rows["commitBatch n=3"]
    assert int(batch["gas_per_client"]) == round(int(batch["gas"]) / 3)
    assert batch["ratio"] == round(int(batch["gas"]) / int(batch["floor_gas"]), 2)
