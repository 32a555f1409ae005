"""A run whose updates are stored with 16 bits a coordinate: half the bytes, the same learning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from both_verifiers import anchor, judge

from fl.federation import Federation, find_unmet
from ledger import spec
from ledger.bundle.create import BundleRequest, create_bundle
from ledger.bundle.format import Level
from ledger.history import load_round
from ledger.project import Project
from ledger.records import Verdict

pytestmark = [pytest.mark.chain]
ScriptWriter = Callable[..., Path]


def test_a_run_with_narrow_updates_learns_replays_and_is_bundled(
    project: Project, write_script: ScriptWriter, tmp_path: Path
) -> None:
    script = write_script(
        run={"rounds": 2, "rule": {"name": "trimmed-mean", "trim": 1}},
        clients={"count": 4, "clip_norm": 4.0},
        format={"bits": 16, "scale_bits": 12, "bound": 32767},
        events=[{"at": "round 2", "client": 4, "malform": "out-of-range"}],
        expect={"replay": "pass", "excluded": [{"client": 4, "rounds": [2], "code": "FT715"}]},
        compare=[{"name": "trimmed-mean", "trim": 1}],
    )
    federation = Federation.start(project, script)
    result = federation.run()
    assert [each.verdict for each in result.rounds] == [Verdict.PASS] * 2
    assert find_unmet(federation.script, result) == []
    assert [twin[0] for twin in result.twins.values()] == [result.rounds[0].accuracy]

    record = load_round(federation.chain, federation.ctx.store, result.rounds[0].round_id)
    assert record.layout is not None and record.layout.terms == (("coordinates", "int16"),)
    sizes = {len(fetched.data or b"") for fetched in record.updates.values()}
    assert sizes == {spec.HEADER_BYTES + 2 * record.task.size}

    bundle = tmp_path / "narrow.ftb.zip"
    request = BundleRequest(level=Level.AUDITOR, tasks=(result.task_id,))
    create_bundle(bundle, federation.chain, federation.ctx.store, request)
    package, alone = judge(bundle.read_bytes(), anchor(bundle, tmp_path).trust, tmp_path)
    assert package["verdict"] == "VERIFIED"
    assert alone["verdict"] == "INCOMPLETE", "the lone file does not know the term, and says so"
