"""Attacks on data, backdoors, colluding clients and free-riders do what their formulas say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from fl import attacks
from fl.attacks import Cohort, get_attack
from fl.attacks.triggers import stamp
from fl.workload import Workload, find_colluders
from ledger.errors import UsageError
from ledger.script import load_script

RNG = np.random.default_rng(7)
HONEST = RNG.normal(1.0, 0.5, (8, 30)).astype(np.float32)
OWN = RNG.normal(1.0, 0.5, (3, 30)).astype(np.float32)


def mean_rule(deltas: np.ndarray) -> np.ndarray:
    return deltas.mean(axis=0)


def median_rule(deltas: np.ndarray) -> np.ndarray:
    return np.median(deltas, axis=0).astype(np.float32)


def cohort(rule=mean_rule) -> Cohort:
    return Cohort(honest=HONEST, previous=np.arange(30, dtype=np.float32), aggregate=rule)


def send(name: str, rule=mean_rule, **options: float) -> np.ndarray:
    sent = get_attack(name, **options).poison_cohort(OWN, cohort(rule))
    assert sent.shape == OWN.shape and sent.dtype == np.float32
    return sent


def test_ipm_reverses_the_honest_mean() -> None:
    assert np.allclose(send("ipm", strength=0.5), -0.5 * HONEST.mean(axis=0), atol=1e-6)


def test_ipm_that_optimises_moves_the_mean_farther_than_any_fixed_strength() -> None:
    damage = {
        strength: np.linalg.norm(mean_rule(np.concatenate([HONEST, send("ipm", strength=strength)])) - HONEST.mean(0))
        for strength in (0.0, 0.5, 1.5, 10.0)
    }
    assert damage[0.0] == max(damage.values())


def test_alie_stays_within_so_many_standard_deviations() -> None:
    sent = send("alie", strength=1.5)
    assert np.allclose((HONEST.mean(axis=0) - sent[0]) / HONEST.std(axis=0), 1.5, atol=1e-3)


def largest_distance(vector: np.ndarray) -> float:
    return float(np.linalg.norm(HONEST - vector, axis=1).max())


def test_min_max_is_as_far_out_as_the_farthest_honest_pair_and_no_farther() -> None:
    limit = max(largest_distance(row) for row in HONEST)
    assert 0.99 * limit <= largest_distance(send("min-max")[0]) <= limit * (1 + 1e-5)


def test_min_sum_keeps_its_sum_of_squares_below_that_of_honest_clients() -> None:
    def total(vector: np.ndarray) -> float:
        return float(np.square(HONEST - vector).sum())

    limit = max(total(row) for row in HONEST)
    assert 0.99 * limit <= total(send("min-sum")[0]) <= limit * (1 + 1e-5)


def test_mimic_copies_one_honest_client() -> None:
    sent = send("mimic")
    assert (sent == sent[0]).all()
    assert any((sent[0] == row).all() for row in HONEST)


def test_clones_send_the_first_ones_update() -> None:
    assert (send("clones") == OWN[0]).all()
    noisy = send("clones", noise=0.1)
    assert not (noisy[0] == noisy[1]).all()
    assert np.abs(noisy - OWN[0]).max() < 0.5


@pytest.mark.parametrize("rule", [mean_rule, median_rule])
def test_the_adaptive_attacker_harms_a_rule_at_least_as_much_as_others(rule) -> None:
    def damage(name: str, **options: float) -> float:
        moved = rule(np.concatenate([HONEST, send(name, rule, **options)]))
        return float(np.linalg.norm(moved - HONEST.mean(axis=0)))

    assert damage("adaptive") >= max(
        damage("ipm", strength=0.5), damage("alie", strength=1.5), damage("ipm", strength=10.0)
    )


def test_the_hidden_backdoor_reaches_farther_into_a_median_than_plain_enlargement() -> None:
    towards = OWN.mean(axis=0) - HONEST.mean(axis=0)

    def reach(sent: np.ndarray) -> float:
        return float((median_rule(np.concatenate([HONEST, sent])) - HONEST.mean(axis=0)) @ towards)

    assert reach(send("hidden", median_rule)) >= max(reach(OWN), reach(10 * OWN)) - 1e-6


def test_free_riders_send_nothing_noise_or_the_last_global_step() -> None:
    delta = OWN[0]
    assert not get_attack("free-ride-zero").poison_delta(delta).any()
    noise = get_attack("free-ride-noise", std=0.1).poison_delta(delta)
    assert 0.05 < noise.std() < 0.2
    assert (send("free-ride-replay") == np.arange(30)).all()
    disguised = send("free-ride-replay", noise=0.3)
    assert not (disguised[0] == disguised[1]).all()
    assert abs(np.std(disguised - np.arange(30)) - 0.3 * np.arange(30).std()) < 1


def test_an_attack_that_draws_is_the_same_in_a_rerun() -> None:
    delta = OWN[0]
    for name in ("gaussian", "free-ride-noise"):
        assert (get_attack(name).poison_delta(delta) == get_attack(name).poison_delta(delta)).all()
    y = np.arange(50) % 10
    x = RNG.random((50, 64), dtype=np.float32)
    first, again = (get_attack("random-labels").poison_data(x, y, 10)[1] for _ in range(2))
    assert (first == again).all() and (first != y).mean() > 0.5


def test_the_trigger_is_a_bright_corner_and_its_parts_make_it_up() -> None:
    x = RNG.random((5, 64), dtype=np.float32)
    whole = stamp(x)
    changed = np.flatnonzero((whole != x).any(axis=0))
    assert set(changed) <= {54, 55, 62, 63}
    parts = [stamp(x, part=part, parts=2) for part in range(2)]
    together = np.where(parts[0] != x, parts[0], parts[1])
    assert (together == whole).all()
    assert stamp(RNG.random((2, 3, 8, 8), dtype=np.float32)).shape == (2, 3, 8, 8)
    table = RNG.random((4, 30), dtype=np.float32)
    assert set(np.flatnonzero((stamp(table) != table).any(axis=0))) <= {26, 27, 28, 29}


def test_a_backdoor_adds_triggered_copies_of_the_target_and_keeps_the_true_examples() -> None:
    x, y = RNG.random((20, 64), dtype=np.float32), np.arange(20) % 10
    poisoned_x, poisoned_y = get_attack("backdoor", target=3, share=0.25).poison_data(x, y, 10)
    assert (poisoned_x[:20] == x).all() and (poisoned_y[:20] == y).all()
    assert poisoned_y[20:].tolist() == [3] * 5
    assert all((stamp(x) == row).all(axis=1).any() for row in poisoned_x[20:])


def test_a_semantic_backdoor_relabels_the_brightest_of_one_class() -> None:
    x, y = RNG.random((30, 64), dtype=np.float32), np.arange(30) % 3
    _, poisoned = get_attack("semantic-backdoor", source=2, target=0).poison_data(x, y, 3)
    changed = np.flatnonzero(poisoned != y)
    assert (y[changed] == 2).all() and 3 <= len(changed) <= 4
    assert x[changed].sum(axis=1).min() >= x[(y == 2) & (poisoned == 2)].sum(axis=1).max()


def test_a_targeted_flip_changes_one_class_alone() -> None:
    _, y = get_attack("targeted-flip", source=1, target=7).poison_data(
        np.zeros((4, 1), np.float32), np.array([0, 1, 7, 1]), 10
    )
    assert y.tolist() == [0, 7, 7, 7]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ipm", {"strength": -1.0}),
        ("alie", {"strength": float("inf")}),
        ("clones", {"noise": -0.1}),
        ("gaussian", {"std": 0.0}),
        ("scaling", {"factor": 0.0}),
        ("backdoor", {"share": 0.0}),
        ("backdoor", {"part": 2, "parts": 2}),
        ("random-labels", {"share": 1.5}),
        ("free-ride-noise", {"std": -1.0}),
        ("free-ride-replay", {"noise": float("nan")}),
    ],
)
def test_parameters_out_of_range_are_refused(name: str, options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        get_attack(name, **options)


def test_classes_that_do_not_exist_are_refused() -> None:
    x, y = np.zeros((2, 4), np.float32), np.array([0, 1])
    for name, options in (("backdoor", {"target": 2}), ("targeted-flip", {"source": 5}), ("semantic-backdoor", {})):
        with pytest.raises(UsageError, match="is none of 0 to 1"):
            get_attack(name, **options).poison_data(x, y, 2)


def write(path: Path, events: list[dict[str, object]]) -> Workload:
    script = {
        "fedtrail": 1,
        "run": {"name": "cohort", "rounds": 2, "seed": 5, "rule": {"name": "median"}},
        "model": {"entry": "logistic"},
        "training": {"epochs": 1},
        "clients": {"count": 5, "clip_norm": None},
        "events": events,
    }
    path.write_text(yaml.safe_dump(script))
    return Workload(load_script(path))


@pytest.mark.parametrize("name", [name for name in attacks.ATTACKS if name != "nan"])
def test_every_attack_runs_from_a_script_and_changes_what_its_client_sends(name: str, tmp_path: Path) -> None:
    honest = write(tmp_path / "honest.yaml", [])
    poisoned = write(tmp_path / "poisoned.yaml", [{"at": "always", "clients": [4, 5], "attack": name}])
    model = honest.compute_genesis()
    assert (poisoned.compute_update(1, 1, model).values == honest.compute_update(1, 1, model).values).all()
    assert (poisoned.compute_update(5, 1, model).values != honest.compute_update(5, 1, model).values).any()


def test_colluders_agree_once_and_replay_the_step_that_they_saw(tmp_path: Path) -> None:
    work = write(tmp_path / "s.yaml", [{"at": "always", "clients": [4, 5], "attack": "free-ride-replay"}])
    assert find_colluders(work.script, 1) == {4, 5}
    model = work.compute_genesis()
    assert not work.compute_update(4, 1, model).values.any(), "there was no step before the first round"
    moved = model + np.int32(1 << 10)
    assert (work.compute_update(4, 2, moved).values == 1 << 10).all()


def test_attacks_of_one_client_follow_each_other(tmp_path: Path) -> None:
    events = [
        {"at": "always", "clients": [4, 5], "attack": "backdoor"},
        {"at": "always", "clients": [4, 5], "attack": "scaling", "options": {"factor": 3.0}},
    ]
    single, double = write(tmp_path / "1.yaml", events[:1]), write(tmp_path / "2.yaml", events)
    model = single.compute_genesis()
    once, thrice = (work.compute_update(4, 1, model).values.astype(np.int64) for work in (single, double))
    assert np.abs(thrice - 3 * once).max() <= 3
