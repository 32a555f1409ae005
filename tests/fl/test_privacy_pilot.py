"""Plans: how much noise a target takes, what it costs, and when it is not worth it."""

from __future__ import annotations

import json
import math
from xml.etree import ElementTree

import pytest

from fl.chart_svg import Line, draw_curves
from fl.privacy.pilot import Trial, run_trial
from fl.workload import Workload
from ledger.accounting import find_multiplier
from ledger.cli import main
from ledger.script import parse_script

QUICK = {"clients": 10, "rounds": 6, "model": "logistic", "clip": 2.0}


def test_a_pilot_shows_what_noise_costs():
    plain, noisy, drowned = (run_trial(Trial(multiplier=z, **QUICK))[0] for z in (0.0, 0.2, 30.0))
    assert plain > 0.8
    assert noisy > 0.6
    assert drowned < 0.4


def test_a_pilot_accounts_for_its_rounds():
    trial = Trial(clients=100, multiplier=find_multiplier(epsilon=3.9, delta=1e-5, rounds=30), model="logistic")
    assert trial.compute_epsilon(650) == pytest.approx(3.9, rel=0.01)
    assert Trial(clients=100, multiplier=0.0).compute_epsilon(650) is None


def test_clients_without_noise_win_under_krum_and_not_under_the_mean():
    run = {**QUICK, "multiplier": 1.0, "f": 3, "attack": "sign-flip"}
    assert run_trial(Trial(rule="krum", **run))[0] < 0.3 < run_trial(Trial(rule="mean", **run))[0]


def test_a_plan_tells_the_noise_and_warns_where_it_is_not_useful(capsys: pytest.CaptureFixture[str]):
    words = ["privacy", "plan", "--epsilon", "3.9", "--rounds", "30", "--format", "json"]
    assert main([*words, "--clients", "20"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["data"]["multiplier"] == pytest.approx(6.0535, abs=1e-3)
    assert "not useful" in told.err
    assert main([*words, "--clients", "100"]) == 0
    assert "not useful" not in capsys.readouterr().err


def test_a_plan_with_a_pilot_tells_both_accuracies(capsys: pytest.CaptureFixture[str]):
    words = ["privacy", "plan", "--epsilon", "30", "--rounds", "2", "--clients", "10", "--pilot", "--format", "json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)["data"]
    assert 0 < found["pilot_accuracy"] <= 1
    assert 0 < found["pilot_accuracy_without_noise"] <= 1


def test_a_script_with_sampled_training_sends_what_dp_sgd_made():
    source = (
        b"fedtrail: 1\nrun: {name: s, rounds: 1, rule: {name: mean}}\nmodel: {entry: logistic}\nclients: {count: 5}\n"
        b"noise: {mechanism: sample, clip: 1.0, multiplier: 50.0, rate: 0.1, steps: 2, budget: 10}\n"
    )
    workload = Workload(parse_script(source, name="s.yaml"))
    base = workload.compute_genesis()
    first, second = (workload.compute_update(1, 1, base).values / 2.0**20 for _ in range(2))
    assert math.sqrt(float((first**2).sum())) == pytest.approx(
        4.0, rel=0.01
    )  # much noise, clipped by clients.clip_norm
    assert float(first @ second) < 8


def test_curves_are_one_picture_with_a_name_for_each():
    lines = [Line(name="20 <clients>", points=((1.8, 0.4), (37.6, 0.9))), Line(name="100", points=((1.8, 0.8),))]
    picture = ElementTree.fromstring(draw_curves(lines, title="accuracy & ε", x="ε", y="accuracy"))
    texts = {element.text for element in picture.iter() if element.tag.endswith("text")}
    assert {"20 <clients>", "100", "accuracy & ε", "1.8", "37.6"} <= texts
    assert len([e for e in picture.iter() if e.tag.endswith("polyline")]) == 2
