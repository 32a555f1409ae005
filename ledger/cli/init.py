"""`fedtrail init`."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.output import format_option, print_record
from ledger.cli.progress import say
from ledger.project import FILE_NAME, TEMPLATES, Project


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--template", default="quickstart", show_default=True, help=f"Round script: {', '.join(TEMPLATES)}.")
@format_option
def init(folder: Path, template: str, fmt: str) -> None:
    """Create a project in DIR (default: here): fedtrail.toml, a round script, a .gitignore."""
    project = Project.create(folder, template)
    script = project.root / f"{template}.yaml"
    print_record("init", {"project": project.root, "configuration": FILE_NAME, "script": script.name}, fmt=fmt)
    place = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    say(f"next: {place}fedtrail devnet up && fedtrail contract deploy && fedtrail run start {script.name}")
