"""docs/privacy.md has the figures that were kept, and these keep the promises of the plan."""

import json

from make_privacy_tables import RESULT, TARGET, render

FOUND = json.loads(RESULT.read_text("utf-8"))


def get_accuracy(clients: int, epsilon: float) -> float:
    rows = [row for row in FOUND["accuracy"] if (row["model"], row["clients"]) == ("logistic", clients)]
    return next(row["accuracy"] for row in rows if row["epsilon"] and abs(row["epsilon"] - epsilon) < 0.01)


def test_the_page_has_the_figures_that_were_kept():
    assert TARGET.read_text("utf-8") == render(), "run: python scripts/make_privacy_tables.py"


def test_a_hundred_clients_learn_at_a_small_epsilon_and_twenty_at_a_larger_one():
    assert get_accuracy(100, 3.9) >= 0.88
    assert get_accuracy(20, 8.9) >= 0.86
    assert get_accuracy(20, 3.9) < 0.8  # what scripts are warned about


def test_no_attack_refutes_a_claimed_epsilon_and_none_is_idle():
    assert all(0.3 * row["claimed"] < row["refuted_below"] < row["claimed"] for row in FOUND["attack"])


def test_rules_that_trust_the_centre_fail_under_noise_and_averages_do_not():
    accuracy = {row["rule"]: row["accuracy"] for row in FOUND["rules"]}
    assert max(accuracy[rule] for rule in ("krum", "geometric-median", "median")) < 0.5
    assert min(accuracy[rule] for rule in ("mean", "multi-krum", "nnm+trimmed-mean")) > 0.8
