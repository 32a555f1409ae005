"""`fedtrail completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a completion script: eval "$(fedtrail completion bash)"."""
    kind = get_completion_class(shell)
    assert kind is not None  # click ships all of SHELLS
    click.echo(kind(context.find_root().command, {}, "fedtrail", "_FEDTRAIL_COMPLETE").source())
