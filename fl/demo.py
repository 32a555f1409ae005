"""`fedtrail demo`: a project, a devnet, contracts, ten clients of whom three attack, five audited rounds."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import yaml

from fl.commands import run_federation
from ledger.cli.output import format_option
from ledger.cli.progress import progress_bar, say
from ledger.errors import UsageError

if TYPE_CHECKING:
    from ledger.project import Project

MARKER = ".demo"
"""File that tells a folder of an earlier demo from one that must not be emptied."""
SCRIPT_NAME = "demo.yaml"


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 1000), help="Rounds.")
@click.option("--clients", default=10, show_default=True, type=click.IntRange(1, 1000), help="Clients.")
@click.option(
    "--attack", default="sign-flip:3", show_default=True, metavar="KIND:N", help="N clients attack; 'none' for none."
)
@click.option(
    "--dishonest", is_flag=True, help="The aggregator lies in one round: it is proved, slashed, and the round redone."
)
@click.option("--seed", default=7, show_default=True, type=click.IntRange(min=0), help="Another seed, another split.")
@click.option("--engine", default="hardhat", show_default=True, help="hardhat or anvil.")
@click.option(
    "--dir",
    "folder",
    default=".fedtrail-demo",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the demo's project; an earlier demo in it is replaced.",
)
@format_option
def demo(
    rounds: int, clients: int, attack: str, dishonest: bool, seed: int, engine: str, folder: Path, fmt: str
) -> None:
    """Watch ten clients train on real data, three of them dishonest, with every round audited.

    Afterwards the project is in the folder and its devnet still runs, so that you can look around.
    """
    text = make_script(rounds=rounds, clients=clients, attack=attack, seed=seed, dishonest=dishonest)
    project = make_project(folder, text)
    from ledger import devnet

    try:
        deploy(project, engine)
        project = type(project).find(folder)
        script = folder / SCRIPT_NAME
        run_federation(lambda cls, **how: cls.start(project, script, **how), fmt=fmt, fresh=True)
        devnet.release(project.state_dir)  # until here it dies with us, even by kill -9
    except BaseException:
        devnet.stop(project.state_dir)
        raise
    if fmt == "table":
        print_next(folder, rounds, dishonest=dishonest)


def make_script(*, rounds: int, clients: int, attack: str, seed: int, dishonest: bool = False) -> str:
    """Return the demo's round script.

    Raises: UsageError: the attack is not KIND:N, or an unknown one; ScriptError: too many attackers for the rule.
    """
    kind, attackers = parse_attack(attack)
    events: list[dict[str, object]] = []
    if attackers:
        events.append({"at": "always", "clients": list(range(1, attackers + 1)), "attack": kind})
    if dishonest:
        events.append({"at": f"round {find_dishonest_round(rounds)}", "aggregator": "tamper", "coordinate": 1234})
    script = {
        "fedtrail": 1,
        "run": {
            "name": "demo",
            "rounds": rounds,
            "seed": seed,
            "dispute": dishonest,
            "rule": choose_rule(attackers=attackers, clients=clients, dishonest=dishonest),
            "purpose": "show that dishonest clients are withstood and every round can be recomputed",
        },
        "data": {"name": "digits", "partition": "dirichlet", "alpha": 1.0},
        "clients": {"count": clients, "clip_norm": None},
        "aggregator": {"count": 2 if dishonest else 1},
        "events": events,
        "compare": [{"name": "mean"}],
        "expect": {"replay": "pass"},
    }
    return yaml.safe_dump(script, sort_keys=False)


def choose_rule(*, attackers: int, clients: int, dishonest: bool) -> dict[str, object]:
    """Return the demo's rule: the default, told how many attack.

    Where the aggregator lies it is one that a court judges by a coordinate: of the default only a replay can tell.
    """
    if clients <= 2:
        return {"name": "mean"}
    return (
        {"name": "trimmed-mean", "trim": max(attackers, 1)} if dishonest else {"name": "auto", "f": max(attackers, 1)}
    )


def find_dishonest_round(rounds: int) -> int:
    """Return the round in which the first aggregator lies: one in the middle, after an honest one."""
    return (rounds + 2) // 2


def parse_attack(text: str) -> tuple[str, int]:
    """Return kind and number of attackers of `KIND:N`; no attackers for `none`."""
    kind, _, count = text.partition(":")
    if kind == "none":
        return kind, 0
    if not count.isdigit() or int(count) < 1:
        raise UsageError(f"--attack is '{text}', expected KIND:N such as sign-flip:3, or none")
    from fl.attacks import get_attack

    get_attack(kind)
    return kind, int(count)


def make_project(folder: Path, script: str) -> Project:
    """Return a new project with the demo's script; an earlier demo in the folder is stopped and replaced.

    Raises: UsageError: the folder holds something else; ScriptError: the script cannot be.
    """
    from ledger import devnet
    from ledger.project import Project
    from ledger.script import parse_script

    parse_script(script.encode(), name=SCRIPT_NAME)
    if (folder / MARKER).exists():
        devnet.stop(folder / ".fedtrail")
        shutil.rmtree(folder)
    elif folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} holds something else; nothing was changed", hint="--dir names another folder")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    project = Project.create(folder, "attack")
    (folder / SCRIPT_NAME).write_text(script, encoding="utf-8")
    return project


def deploy(project: Project, engine: str) -> None:
    """Start the demo's devnet, deploy the contracts and pin them."""
    from ledger import devnet
    from ledger.cli.contract import deploy_and_pin
    from ledger.journal import Journal

    with progress_bar() as bar:
        bar.update(0, 1, f"start {engine}")
        running = devnet.start(project.state_dir, engine=engine)
        bar.update(0, 1, "deploy the contracts")
        journal = Journal(project.journal_path)
        try:
            network = deploy_and_pin(project, project.network(), devnet.funded_account(0), journal)
        finally:
            journal.close()
    say(f"devnet  {running.engine} {running.rpc}  chain {running.chain_id}  ledger {network.ledger}")


def print_next(folder: Path, rounds: int, *, dishonest: bool) -> None:
    """Print what to type next; each line works as it stands, one after the other."""
    program = find_program(folder)
    number = find_dishonest_round(rounds) if dishonest else min(3, rounds)
    disputed = ((f"dispute show {number}", "what became of its proposal"), ("stake history", "who lost what to whom"))
    click.echo("\nnext, type:")
    if folder.resolve() != Path.cwd():
        click.echo(f"  cd {folder}")
    for command, what in (
        (f"round replay {number}", f"recompute round {number} from what the clients signed"),
        (f"round explain {number}", "what is proved of it, what is not, and why"),
        (f"round show {number}", "its phases, updates and proposal"),
        *(disputed if dishonest else ()),
        ("client list", "who takes part, with which stake"),
        ("devnet down", "stop the chain"),
    ):
        click.echo(f"  {program} {command:<16}  # {what}")


def find_program(folder: Path) -> str:
    """Return how `fedtrail` is called from a folder: by name when it is on the PATH."""
    here = Path(sys.argv[0]).resolve()
    on_path = shutil.which("fedtrail")
    if here.name != "fedtrail" or (on_path and Path(on_path).resolve() == here):
        return "fedtrail"
    return os.path.relpath(here, folder.resolve())
