"""`fedtrail script`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, printable
from ledger.cli.progress import say
from ledger.errors import UsageError
from ledger.project import TEMPLATES, read_template
from ledger.script import json_schema, load_script
from ledger.script.combining import find_warnings
from ledger.tomlfile import write_atomically


@click.group(cls=LazyGroup)
def script() -> None:
    """Check round scripts, print their schema, write new ones."""


@script.command()
@click.argument("path", metavar="SCRIPT", type=click.Path(path_type=Path))
@format_option
def check(path: Path, fmt: str) -> None:
    """Check a round SCRIPT; errors name file, line and column."""
    loaded = load_script(path)
    summary = {
        "run": loaded.run.name,
        "rounds": loaded.run.rounds,
        "clients": loaded.clients.count,
        "rule": loaded.run.rule.label,
        "quorum": loaded.quorum,
        "model": loaded.model.entry,
        "data": loaded.data.name,
        "events": len(loaded.events),
        "digest": loaded.digest(),
    }
    if loaded.validation is not None:
        summary |= {"validation": loaded.validation.label}
    if loaded.audience is not None:
        attestors = loaded.availability.attestors if loaded.availability else 0
        summary |= {"audience": loaded.audience.label(attestors)}
    if loaded.masking is not None:
        summary |= {"masking": loaded.masking.label(loaded.clients.count)}
    if loaded.homomorphic is not None:
        summary |= {"homomorphic": loaded.homomorphic.label(loaded.clients.count)}
    if loaded.noise_term is not None:
        summary |= {"noise": str(loaded.noise_term)}
    print_record("script.check", summary, fmt=fmt)
    for told in find_warnings(loaded):
        say(printable(f"warning: {told}"))


@script.command()
def schema() -> None:
    """Print the JSON Schema of round scripts."""
    click.echo(json.dumps(json_schema(), indent=2))


@script.command()
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--template", default="quickstart", show_default=True, help=f"One of {', '.join(TEMPLATES)}.")
def new(path: Path | None, template: str) -> None:
    """Write a round script to FILE, or to stdout."""
    text = read_template(template)
    if path is None:
        click.echo(text, nl=False)
        return
    if path.exists():
        raise UsageError(f"{path} exists already; nothing was changed", hint="choose another name")
    write_atomically(path, text)
    click.echo(path)
