"""kill -9 in a masked run, then `resume`: the run completes, and no mask hides two updates."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import crashing
import pytest
from crashing import in_child, load_everything, resume, run_and_die

from fl.federation import masking
from ledger import spec
from ledger.chain import Chain
from ledger.history import load_round
from ledger.journal import Journal
from ledger.project import Project
from ledger.store import open_store

pytestmark = [pytest.mark.chain, pytest.mark.slow]
ScriptWriter = Callable[..., Path]
SECTIONS: dict[str, Any] = {
    "clients": {"count": 4},
    "run": {"rounds": 1, "seed": 3, "rule": {"name": "sum32", "trim": None}, "quorum": 2},
    "masking": {"degree": 3, "threshold": 1},
    "events": [{"at": "always", "withhold": 2}],
}
KILLS = 5


@pytest.mark.timeout(600)
def test_a_masked_run_killed_at_any_step_is_resumed_and_no_mask_hides_two_updates(
    project: Project, tmp_path: Path, write_script: ScriptWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_everything()
    monkeypatch.setattr(crashing, "STEPS", (*crashing.STEPS, (masking, "_write")))
    folder, counter, report = project.root, tmp_path / "steps", tmp_path / "report"
    for name in ("masked-first", "masked-reference"):  # the first run registers everybody and announces keys
        assert run_and_die(folder, write_script(name=name, **SECTIONS), at=None, report=counter) == 0
    steps = int(counter.read_text())
    assert resume(folder, "masked-reference", report) == 0
    outcome = report.read_text()
    assert outcome.startswith("pass ")
    for step in range(6, steps, steps // KILLS):
        name = f"masked-killed-{step}"
        script = write_script(name=name, **SECTIONS)
        assert run_and_die(folder, script, at=step) == -signal.SIGKILL, step
        assert resume(folder, name, report) == 0, step
        assert report.read_text() == outcome, step
    assert not list((project.state_dir / "masks").rglob("*.json"))
    assert in_child(lambda: _assert_every_seed_hides_one_update(project)) == 0


def _assert_every_seed_hides_one_update(project: Project) -> None:
    """Every masked update that anybody could have seen: those in the store, and those in the clients' outboxes."""
    chain = Chain.connect(project.network(), Journal(project.journal_path))
    store, hidden = open_store(project.store_path), {}
    rounds = range(1, chain.count_rounds() + 1)
    for round_id in rounds:
        record = load_round(chain, store, round_id)
        if not record.task.degree:
            continue
        for client, fetched in record.updates.items():
            if fetched.data is not None:
                blob = spec.decode_vector(fetched.data, max_bytes=1 << 20)
                own = blob.seed_table[: spec.SEED_LINE_BYTES]
                assert hidden.setdefault(own, (round_id, client, blob.payload)) == (round_id, client, blob.payload)
    assert len(hidden) >= 3 * KILLS
