"""The commands that train: `fedtrail demo`, `fedtrail run start`, `fedtrail run resume`, `fedtrail bench`.

Found by the command line of `ledger` through the entry point group `fedtrail.commands`. Importing this loads no
torch: that waits for a command to be used.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from ledger.cli.lazy import LazyCommand, LazyGroup
from ledger.cli.output import format_option, printable
from ledger.cli.progress import Progressing, progress_bar, say
from ledger.cli.session import Session, project_options
from ledger.errors import FindingsError, Interrupted, MissingExtra

if TYPE_CHECKING:
    from fl.federation import Federation, Progress, RunResult

T = TypeVar("T")

engine_option = click.option(
    "--engine",
    default="local",
    show_default=True,
    metavar="local|ray[:ADDRESS]",
    help="Where clients train and large rounds are computed: here, or on a Ray cluster (extra scale).",
)

STAGES = (
    *("set-up", "train", "commit", "publish", "attest", "aggregate"),
    *("replay", "finalise", "score", "reward", "dispute"),
)


def register(root: LazyGroup) -> None:
    """Add the commands of the trainer's half to the command line."""
    firsts = {
        "bench": LazyCommand("fl.robustness.command:bench", "Measure what fedtrail promises: rules by attacks, speed."),
        "contribution": LazyCommand(
            "fl.contribution.command:contribution", "Ask what single clients added to a model, by a test set."
        ),
        "demo": LazyCommand("fl.demo:demo", "Watch a federated run under attack, audited, in a minute."),
    }
    root.extend("", firsts)
    speed = LazyCommand("fl.speed.command:speed", "Measure rules and trees against what this machine can do at all.")
    scale = {
        "gas": LazyCommand("fl.scale.command:gas", "Measure the gas of a round's transactions beside their floor."),
        "scale": LazyCommand("fl.scale.command:scale", "Measure what the ledger takes of rounds of many clients."),
    }
    root.extend("bench", {"speed": speed, **scale})
    commands = {
        "start": LazyCommand("fl.commands:start", "Run a round script on the project's network."),
        "resume": LazyCommand("fl.commands:resume", "Go on with a run that was interrupted."),
    }
    root.extend("run", commands)
    plan = LazyCommand("fl.privacy.command:plan", "Find the noise for a target, and what it costs in accuracy.")
    root.extend("privacy", {"plan": plan})
    privacy = LazyCommand("fl.leakage.command:privacy", "Reconstruct clients' images, with and without protections.")
    root.extend("bench", {"privacy": privacy})


@click.command()
@click.argument("script", type=click.Path(path_type=Path))
@engine_option
@format_option
@project_options
def start(session: Session, script: Path, fmt: str, engine: str) -> None:
    """Run a round SCRIPT on the project's network; started again, it goes on where it was.

    Exit status 9 when an expectation of the script (`expect:`) is not met, 7 or 8 when a replay does not pass.
    """
    from ledger.cli.runs import list_runs
    from ledger.script import load_script
    from ledger.script.combining import find_warnings

    loaded = load_script(script)  # a mistake in it is told before torch is loaded
    name = loaded.run.name
    for told in find_warnings(loaded):
        say(printable(f"warning: {told}"))
    fresh = all(known.name != name for known in list_runs(session))
    run_federation(
        lambda cls, **how: cls.start(session.project, script, network=session.network.name, **how),
        fmt=fmt,
        fresh=fresh,
        engine=engine,
    )


@click.command()
@click.argument("name")
@engine_option
@format_option
@project_options
def resume(session: Session, name: str, fmt: str, engine: str) -> None:
    """Go on with run NAME; what has happened does not happen again."""
    run_federation(
        lambda cls, **how: cls.resume(session.project, name, network=session.network.name, **how),
        fmt=fmt,
        fresh=False,
        engine=engine,
    )


def run_federation(make: Callable[..., Federation], *, fmt: str, fresh: bool, engine: str = "local") -> RunResult:
    """Run a federation with a progress bar, print its result, and judge it.

    Args: make: given the class Federation, and by name `observer` and `engine`. fresh: whether the run starts now, and
    is not gone on with. engine: where clients train, as `fl.engines.open_engine` takes it.

    Raises: MissingExtra; Interrupted; FindingsError: an expectation was not met; the first finding of a replay that did
    not pass and was not struck.
    """
    try:
        from fl.engines import open_engine
        from fl.federation import Federation
    except ModuleNotFoundError as error:
        raise MissingExtra(feature="training", package=error.name, extra="fl") from error
    try:
        with open_engine(engine) as opened, progress_bar() as bar:
            bar.update(0, 1, "load")
            federation = make(Federation, observer=_observe(bar), engine=opened)
            result = federation.run()
    except KeyboardInterrupt:
        raise Interrupted from None
    from fl.report import print_result

    print_result(federation.script, result, fmt=fmt, fresh=fresh)
    judge(federation, result)
    return result


def judge(federation: Federation, result: RunResult) -> None:
    """Return if a run ended as its script expects and every replay passed; raise otherwise."""
    from fl.federation import find_unmet

    for item in result.rounds:
        if item.conviction is None:
            item.report.raise_for_status()  # what is proved wrong outranks what was hoped for
    unmet = find_unmet(federation.script, result)
    if unmet:
        raise FindingsError("; ".join(unmet), hint="fedtrail round explain N", unmet=unmet)


def _observe(bar: Progressing) -> Callable[[Progress], None]:
    def observe(progress: Progress) -> None:
        within = (STAGES.index(progress.stage) if progress.stage in STAGES else len(STAGES)) / len(STAGES)
        within += progress.done / max(progress.total, 1) / len(STAGES)
        done = progress.rounds if progress.stage == "twin" else max(progress.round - 1, 0) + min(within, 1.0)
        text = f"round {progress.round}/{progress.rounds}  {progress.stage}"
        if progress.stage == "set-up":
            done, text = 0, progress.text or "set up"
        bar.update(done, progress.rounds, text)

    return observe
