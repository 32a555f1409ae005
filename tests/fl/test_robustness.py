"""The matrix of rules and attacks learns as runs do, can be resumed, and attacks do in it what they are known for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import COMMAND
from make_robustness_report import SOURCE, TARGET, render

from fl.attacks import get_attack
from fl.layout import flatten
from fl.robustness.attackers import is_backdoor, make_probe, parse_attack
from fl.robustness.cells import Cell, Outcome, Setting, is_defined, make_script
from fl.robustness.defaults import RULES, list_attacks
from fl.robustness.heatmap import draw
from fl.robustness.learning import Play, run_cell
from fl.robustness.matrix import ResultsFile, list_cells, run_matrix
from fl.robustness.picture import draw_png
from fl.robustness.side_by_side import can_be_stacked, train_side_by_side
from fl.robustness.summary import group, judge
from fl.training import train_locally
from fl.workload import Workload, run_plain
from ledger.errors import ConfigurationError, MissingExtra, NotFoundError, UsageError
from ledger.script import AttackEvent

SMALL = Setting(clients=8, rounds=2, model="logistic")
CELL = Cell(dataset="digits", seed=1, partition="dirichlet(0.5)", f=2, attack="none", rule="mean")
ROUNDING = 1e-5
"""Of weights below 2 in float32, after a few dozen steps whose sums were taken in another order."""


def small_cells(attacks=("none", "sign-flip"), rules=("mean", "trimmed-mean"), seeds=(1,)) -> list[Cell]:
    return list_cells(
        SMALL,
        datasets=["digits"],
        rules=rules,
        attacks=lambda _: attacks,
        fs=[2],
        partitions=["iid"],
        seeds=seeds,
    )


def outcome_of(**changes: object) -> Outcome:
    return run_cell(SMALL, replace(CELL, partition="iid", **changes))  # type: ignore[arg-type]


def without_seconds(results: ResultsFile) -> dict[Cell, Outcome]:
    return {cell: replace(outcome, seconds=0.0) for cell, outcome in results.outcomes.items()}


@pytest.mark.parametrize("model", ["logistic", "mlp", "cnn", "fl.robustness.model:build_mlp"])
def test_training_side_by_side_gives_what_each_client_gets_alone(model: str) -> None:
    workload = Workload(make_script(replace(SMALL, model=model), CELL))
    # Uneven parts: some clients end before others, and batches of one step differ in size.
    parts = [workload.dataset.take(part[:size]) for part, size in zip(workload.parts, (40, 60, 17, 8), strict=False)]
    assert can_be_stacked(workload.model)
    together = train_side_by_side(
        workload.model, workload.template, workload.layout, parts, workload.config, seeds=[5, 6, 7, 8]
    )
    before = flatten(workload.template, workload.layout)
    for row, part, seed in zip(together, parts, [5, 6, 7, 8], strict=True):
        after = train_locally(workload.model, workload.template, part, workload.config, seed=seed)
        alone = flatten(after, workload.layout) - before
        assert np.abs(alone).max() > 100 * ROUNDING
        assert np.abs(row - alone).max() < ROUNDING


def test_models_that_remember_are_trained_one_by_one() -> None:
    workload = Workload(make_script(replace(SMALL, model="own_model:build"), CELL))
    assert not can_be_stacked(workload.model)
    part = workload.dataset.take(workload.parts[0][:20])
    (row,) = train_side_by_side(workload.model, workload.template, workload.layout, [part], workload.config, seeds=[5])
    after = train_locally(workload.model, workload.template, part, workload.config, seed=5)
    assert (row == flatten(after, workload.layout) - flatten(workload.template, workload.layout)).all()


def test_training_that_diverges_leaves_its_client_out_and_nobody_else() -> None:
    workload = Workload(make_script(SMALL, CELL))
    play = Play(workload, dict.fromkeys(range(1, 9), ()))
    sent = play.train(1, workload.compute_genesis())
    sent[3] = np.nan
    rest = np.delete(sent, 3, axis=0)
    slots = [0, 1, 2, 4, 5, 6, 7]
    assert (play.combine(range(8), sent, 1) == play.combine(slots, rest, 1)).all()


def test_a_matrix_learns_what_a_run_learns() -> None:
    workload = Workload(make_script(SMALL, CELL))
    rule = workload.script.run.rule.make_params(workload.script.format.bound, workload.script.format.examples_cap)
    want = run_plain(workload, rule, rounds=2)
    models = list(Play(workload, dict.fromkeys(range(1, 9), ())).run())
    for ours, theirs in zip(models, want.models, strict=True):
        assert np.abs(ours - theirs).max() < ROUNDING * 2**workload.script.format.scale_bits


def test_colluders_of_a_matrix_send_what_those_of_a_run_send() -> None:
    script = make_script(SMALL, replace(CELL, attack="alie(strength=1.5)"))
    event = AttackEvent(at="always", clients=(7, 8), attack="alie", options={"strength": 1.5})
    workload = Workload(script.model_copy(update={"events": (event,)}))
    genesis = workload.compute_genesis()
    want = workload.compute_update(7, 1, genesis).values
    play = Play(Workload(script), {client: parse_attack("none" if client < 7 else "alie") for client in range(1, 9)})
    sent = play.poison(play.train(1, genesis), np.zeros(len(genesis), dtype=np.float32), 1)
    assert np.abs(sent[6] * 2.0**20 - want).max() < ROUNDING * 2**20
    assert (sent[6] == sent[7]).all()


def test_sign_flips_destroy_the_mean_within_two_rounds_and_not_the_trimmed_mean() -> None:
    oracle = outcome_of(attack="left-out").accuracy
    assert outcome_of(attack="sign-flip").accuracy < oracle - 0.4
    assert outcome_of(attack="sign-flip", rule="trimmed-mean").accuracy > oracle - 0.05


def test_a_backdoor_opens_a_mean_that_takes_in_scaled_updates_and_no_clean_model() -> None:
    assert (outcome_of(attack="left-out").asr or 0) < 0.15
    assert (outcome_of(attack="backdoor+scaling(factor=10)").asr or 0) > 0.9
    assert outcome_of(attack="sign-flip").asr is None


def test_probes_are_what_a_backdoor_wants_to_be_called_something_else() -> None:
    dataset = Workload(make_script(SMALL, CELL)).dataset
    probe = make_probe("backdoor(target=3)+scaling(factor=10)", dataset)
    assert probe is not None and len(probe) == int((dataset.y_test != 3).sum()) and set(probe.y) == {3}
    assert (probe.x.reshape(len(probe), -1)[:, -1] == dataset.x_test.max()).all()
    semantic = make_probe("semantic-backdoor(source=7,target=1)", dataset)
    assert semantic is not None and 0.25 < len(semantic) / (dataset.y_test == 7).sum() < 0.45
    assert make_probe("sign-flip", dataset) is None


def test_attackers_take_the_parts_of_a_trigger_in_turn() -> None:
    assert [parse_attack("backdoor(parts=4)", index=i)[0].part for i in range(5)] == [0, 1, 2, 3, 0]  # type: ignore[attr-defined]
    assert parse_attack("backdoor(share=0.25)+clones") == (get_attack("backdoor", share=0.25), get_attack("clones"))


@pytest.mark.parametrize("text", ["", "sign-flip(", "sign-flip(factor)", "sign-flip+", "SIGN", "ipm(strength=1e3)"])
def test_texts_that_are_no_attack_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_attack(text)


def test_unknown_attacks_and_rules_are_refused_before_anything_runs() -> None:
    with pytest.raises(NotFoundError, match="sign-flop"):
        small_cells(attacks=["sign-flop"])
    with pytest.raises(UsageError, match="trimmed-moan"):
        small_cells(rules=["trimmed-moan"])


def test_the_default_matrix_has_rules_and_attacks_that_exist() -> None:
    for dataset in ("digits", "breast_cancer"):
        attacks = list_attacks(dataset)
        assert len(set(attacks)) == len(attacks) and sum(map(is_backdoor, attacks)) == 6
        for attack in attacks:
            parse_attack(attack)
    assert all(is_defined(replace(CELL, rule=rule, f=4), Setting()) for rule in RULES)
    assert not is_defined(replace(CELL, rule="bulyan", f=5), Setting())


def test_the_same_cells_give_the_same_with_one_worker_or_two(tmp_path: Path) -> None:
    found = []
    for workers in (1, 2):
        results = ResultsFile(tmp_path / f"{workers}.jsonl", SMALL)
        run_matrix(small_cells(), SMALL, results, workers=workers)
        found.append(without_seconds(results))
    assert found[0] == found[1] and len(found[0]) == 5  # two rules by two attacks, and the oracle


def test_a_torn_line_is_cut_off_and_its_cell_run_again(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    run_matrix(small_cells(), SMALL, ResultsFile(path, SMALL), workers=1)
    whole = ResultsFile(path, SMALL)
    path.write_bytes(path.read_bytes()[:-20])
    torn = ResultsFile(path, SMALL)
    assert len(torn.outcomes) == 4 and path.read_bytes().endswith(b"\n")
    ran: list[Cell] = []
    run_matrix(small_cells(), SMALL, torn, workers=1, on_done=lambda done, cell: ran.append(cell))
    assert len(ran) == 1
    assert without_seconds(ResultsFile(path, SMALL)) == without_seconds(whole)


def test_results_of_another_setting_are_not_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    ResultsFile(path, SMALL)
    with pytest.raises(ConfigurationError, match="another setting"):
        ResultsFile(path, replace(SMALL, rounds=3))
    path.write_bytes(path.read_bytes() + b"{}\n")
    with pytest.raises(ConfigurationError, match="no result"):
        ResultsFile(path, SMALL)


def command(output: Path, *more: str) -> list[str]:
    return [
        *(*COMMAND, "bench", "robustness", "--output", str(output), "--datasets", "digits", "--f", "2"),
        *("--clients", "8", "--rounds", "2", "--model", "logistic", "--rules", "mean,trimmed-mean"),
        *("--attacks", "none,sign-flip,backdoor", "--partitions", "iid", *more),
    ]


def wait_for_lines(path: Path, count: int) -> None:
    for _ in range(600):
        if path.exists() and path.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.1)
    raise AssertionError(f"no {count} lines in {path}")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "status", "workers"), [(signal.SIGKILL, -9, "1"), (signal.SIGINT, 130, "2")])
def test_a_matrix_that_was_stopped_goes_on_where_it_was(
    tmp_path: Path, kind: signal.Signals, status: int, workers: str
) -> None:
    lines = tmp_path / "robustness.jsonl"
    long = command(tmp_path, "--seeds", "40", "--workers", workers)
    with subprocess.Popen(long, stderr=subprocess.PIPE, start_new_session=True) as process:
        wait_for_lines(lines, 3)
        os.killpg(process.pid, kind)  # as a terminal does: all processes of the command
        assert process.wait(60) == status
        assert b"Traceback" not in process.communicate()[1]
    known = lines.read_bytes()
    done = subprocess.run(
        command(tmp_path, "--seeds", "2", "--workers", "1", "--format", "json"), capture_output=True, check=True
    )
    assert lines.read_bytes().startswith(known[: known.rfind(b"\n") + 1])
    verdicts = json.loads(done.stdout)["data"]
    assert [verdict["rule"] for verdict in verdicts] == ["trimmed-mean", "mean"]
    assert verdicts[0]["worst_gap"] < 0.05 < 0.4 < verdicts[1]["worst_gap"]
    summary = json.loads((tmp_path / "robustness.json").read_text())
    assert summary["cells"] == lines.read_bytes().count(b"\n") - 1
    page = (tmp_path / "robustness.html").read_text()
    assert page.count("<table>") == 2 and "trimmed-mean against sign-flip: gap" in page


def test_a_summary_compares_seed_by_seed_and_takes_the_worst_attack() -> None:
    def outcome(accuracy: float, asr: float | None = None) -> Outcome:
        return Outcome(accuracy=accuracy, worst_accuracy=accuracy, asr=asr, seconds=1.0)

    results = {}
    for seed, (oracle, calm, flipped, rate) in {1: (0.9, 0.88, 0.5, 0.2), 2: (0.8, 0.8, 0.6, 0.4)}.items():
        cell = replace(CELL, seed=seed)
        results |= {cell.oracle: outcome(oracle, 0.0), cell: outcome(calm)}
        results |= {replace(cell, attack="sign-flip"): outcome(flipped)}
        results |= {replace(cell, attack="backdoor"): outcome(calm, rate)}
    (verdict,) = judge(group(results))
    assert (verdict.price, verdict.worst_gap, verdict.worst_attack) == (0.01, 0.3, "sign-flip")
    assert (verdict.textbook_asr, verdict.worst_asr, verdict.seeds, verdict.attacks) == (0.3, 0.3, 2, 3)
    flips = next(each for each in group(results) if each.attack == "sign-flip")
    assert (flips.highest_gap, flips.lowest_accuracy, flips.spread) == (0.4, 0.5, 0.0707)


def test_a_heat_map_shows_every_number() -> None:
    results = {CELL.oracle: Outcome(accuracy=0.9, worst_accuracy=0.9, asr=0.0, seconds=1.0)}
    results[CELL] = Outcome(accuracy=0.773, worst_accuracy=0.7, asr=None, seconds=1.0)
    figure = draw(group(results), rules=RULES, attacks=list_attacks("digits"))
    assert ">12.7</text>" in figure and ">mean</text>" in figure and "left-out" not in figure


def test_a_png_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra) as refusal:
        draw_png([], rules=(), attacks=())
    assert "fedtrail[plots]" in refusal.value.hint


def test_the_page_has_the_tables_of_the_committed_results() -> None:
    assert SOURCE.exists()
    assert TARGET.read_text("utf-8") == render(), f"run: {sys.executable} scripts/make_robustness_report.py"
