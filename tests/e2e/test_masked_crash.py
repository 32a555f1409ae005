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
GROUPED: dict[str, Any] = SECTIONS | {
    "clients": {"count": 7},
    "run": {**SECTIONS["run"], "rule": {"name": "mean", "trim": None}, "quorum": 3},
    "masking": {"groups": 2, "min_group": 3, "threshold": 2, "masks": "aes"},
}
"""Of two groups of three and four, the one with client 2 may be lost."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("sections", "kills"), [(SECTIONS, 5), (GROUPED, 2)], ids=["one-sum", "groups"])
def test_a_masked_run_killed_at_any_step_is_resumed_and_no_mask_hides_two_updates(
    project: Project,
    tmp_path: Path,
    write_script: ScriptWriter,
    monkeypatch: pytest.MonkeyPatch,
    sections: dict[str, Any],
    kills: int,
) -> None:
    load_everything()
    monkeypatch.setattr(crashing, "STEPS", (*crashing.STEPS, (masking, "_write")))
    folder, counter, report = project.root, tmp_path / "steps", tmp_path / "report"
    kind = "grouped" if sections is GROUPED else "masked"
    for name in (f"{kind}-first", f"{kind}-reference"):  # the first run registers everybody and announces keys
        assert run_and_die(folder, write_script(name=name, **sections), at=None, report=counter) == 0
    steps = int(counter.read_text())
    assert resume(folder, f"{kind}-reference", report) == 0
    outcome = report.read_text()
    assert outcome.startswith("pass ")
    for step in range(6, steps, steps // kills):
        name = f"{kind}-killed-{step}"
        script = write_script(name=name, **sections)
        assert run_and_die(folder, script, at=step) == -signal.SIGKILL, step
        assert resume(folder, name, report) == 0, step
        # Another round has other groups, and with them another mean of means.
        assert report.read_text() == outcome or (sections is GROUPED and report.read_text().startswith("pass ")), step
    assert not list((project.state_dir / "masks").rglob("*.json"))
    assert in_child(lambda: _assert_every_seed_hides_one_update(project, at_least=3 * kills)) == 0


def _assert_every_seed_hides_one_update(project: Project, *, at_least: int) -> None:
    """Every masked update that anybody could have seen: those in the store, and those in the clients' outboxes."""
    chain = Chain.connect(project.network(), Journal(project.journal_path))
    store, hidden = open_store(project.store_path), {}
    rounds = range(1, chain.count_rounds() + 1)
    for round_id in rounds:
        record = load_round(chain, store, round_id)
        if not record.degree:
            continue
        for client, fetched in record.updates.items():
            if fetched.data is not None:
                blob = spec.decode_vector(fetched.data, max_bytes=1 << 20)
                own = blob.seed_table[: spec.SEED_LINE_BYTES]
                assert hidden.setdefault(own, (round_id, client, blob.payload)) == (round_id, client, blob.payload)
    assert len(hidden) >= at_least
