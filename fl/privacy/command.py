"""`fedtrail privacy plan`: how much noise a promise takes, and what it costs."""

from __future__ import annotations

import click

from ledger.cli.output import format_option, print_record
from ledger.cli.progress import say
from ledger.compatibility import Answer, Combination, find_pairs


@click.command()
@click.option("--epsilon", type=click.FloatRange(min=0, min_open=True), required=True, help="ε after all rounds.")
@click.option(
    "--delta", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=1e-5, show_default=True, help="δ."
)
@click.option("--rounds", type=click.IntRange(1, 100_000), required=True, help="Rounds that a client takes part in.")
@click.option("--clients", type=click.IntRange(1, 10_000), required=True, help="Honest clients in every sum.")
@click.option(
    "--sample-rate",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Chance of an example to be in a step of DP-SGD; rounds then counts steps.",
)
@click.option("--pilot", is_flag=True, help="Train on digits with and without the noise, one seed (a minute).")
@format_option
def plan(epsilon: float, delta: float, rounds: int, clients: int, sample_rate: float, pilot: bool, fmt: str) -> None:
    """Find the noise for a target: as 'multiplier' of a script's section noise, and as σ of what each client adds.

    Clients are never sampled at random, so a sample rate below 1 is for 'mechanism: sample' alone.
    """
    from ledger.accounting import find_multiplier

    multiplier = find_multiplier(epsilon=epsilon, delta=delta, rounds=rounds, rate=sample_rate)
    found: dict[str, object] = {
        "epsilon": epsilon,
        "delta": f"{delta:g}" if fmt == "table" else delta,
        "rounds": rounds,
        "clients": clients,
        "sample_rate": sample_rate,
        "mechanism": "distributed" if sample_rate == 1 else "sample",
        "multiplier": round(multiplier + 5e-5, 4),
    }
    if sample_rate == 1:
        found["share_sigma_in_clips"] = round(multiplier / clients**0.5, 4)
        found["noise_of_mean_in_clips"] = round(multiplier / clients, 4)
    if pilot:
        found |= _run_pilot(clients, rounds, multiplier)
    print_record("privacy.plan", found, fmt=fmt)
    asked = Combination(noise="distributed", masked=True, clients=clients, epsilon=epsilon)
    for pair in find_pairs(asked, Answer.PARTLY):
        say(f"warning: {pair}")


def _run_pilot(clients: int, rounds: int, multiplier: float) -> dict[str, object]:
    from fl.privacy.pilot import Trial, run_trial

    noisy, plain = (run_trial(Trial(clients=clients, rounds=rounds, multiplier=z))[0] for z in (multiplier, 0.0))
    return {"pilot_accuracy": round(noisy, 4), "pilot_accuracy_without_noise": round(plain, 4)}
