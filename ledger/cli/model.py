"""`fedtrail model`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ledger.cli.bundle import password_of
from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, print_rows
from ledger.cli.progress import progress_bar, say
from ledger.cli.runs import find_round, find_run, find_task, list_rounds
from ledger.cli.session import Session, project_options
from ledger.errors import NotFoundError

run_option = click.option("--run", "run_name", metavar="NAME", help="Run of the model; default: the latest.")
round_option = click.option(
    "--round", "number", type=click.IntRange(min=1), metavar="N", help="Round that ended with it; default: the last."
)


@click.group(cls=LazyGroup)
def model() -> None:
    """Show what is known of a model, and export it for other tools."""


@model.command()
@run_option
@round_option
@format_option
@project_options
def show(session: Session, run_name: str | None, number: int | None, fmt: str) -> None:
    """Show every fact that is known of a model, each with its grade; its rounds are replayed for that."""
    from ledger.exports.story import tell

    story = tell(session.chain, session.reader, _find_round(session, run_name, number))
    rows = [
        {"fact": fact.name, "value": fact.value, "grade": fact.grade, "from": fact.source}
        for fact in story.iter_facts()
    ]
    print_rows("model.show", rows, fmt=fmt, columns=("fact", "value", "grade", "from"), grade=story.grade)


@model.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@run_option
@round_option
@click.option(
    "--sign",
    "key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PEM",
    help="Sign all files as OpenSSF Model Signing does, with this elliptic-curve key.",
)
@click.option(
    "--attest",
    "attester",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PEM",
    help="Sign the provenance of every round, with this Ed25519 key.",
)
@format_option
@project_options
def export(
    session: Session,
    folder: Path,
    run_name: str | None,
    number: int | None,
    key: Path | None,
    attester: Path | None,
    fmt: str,
) -> None:
    """Write a model into DIR: weights, exact vector, model card, CycloneDX ML-BOM, SLSA provenance, PROV graph.

    Every fact carries its grade. `model_signing verify key` checks what --sign wrote.
    """
    from ledger.bundle.sealing import load_signing_key
    from ledger.exports import folder as folders
    from ledger.exports.story import tell

    signer = load_signing_key(attester, password_of(attester)) if attester else None
    with progress_bar() as bar:
        bar.update(0, 2, "replay")
        story = tell(session.chain, session.reader, _find_round(session, run_name, number))
        bar.update(1, 2, "write")
        files = folders.render(story, attester=signer)
        folders.write(folder, files)
        if key is not None:
            folders.sign_folder(folder, key)
    record: dict[str, Any] = {
        "folder": folder,
        "model_root": story.model_root,
        "rounds": len(story.steps),
        "files": [*sorted(files), *([folders.SIGNATURE] if key else [])],
    }
    print_record("model.export", record, fmt=fmt, grade=story.grade)
    if key is not None and fmt == "table":
        say(f"check it: model_signing verify key {folder} --signature {folder / folders.SIGNATURE} --public_key PUB")


def _find_round(session: Session, run_name: str | None, number: int | None) -> int:
    """Return the id of the round that a model is of: the last finalised one if none is named."""
    if number is not None:
        return find_round(session, number, run_name)
    task_id = find_task(session.chain, find_run(session, run_name)) or 0
    finalised = {event.args["round_id"] for event in session.chain.events(names=("Finalised",))}
    ids = [int(args["round_id"]) for args in list_rounds(session.chain, task_id).values()]
    done = [each for each in ids if each in finalised]
    if not done:
        raise NotFoundError("no round of this run is finalised yet: there is no model", hint="fedtrail run show")
    return done[-1]
