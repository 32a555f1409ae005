"""Groups whose commands are imported when they are used: `fedtrail --help` reads no code of any command."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import NamedTuple, cast

import click

from ledger.suggestions import suggest


class LazyCommand(NamedTuple):
    """Where a command is, and its line in the list of commands."""

    target: str
    """MODULE:ATTRIBUTE."""
    help: str
    """One line."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and help until one is used."""

    def __init__(self, *args: object, lazy: Mapping[str, LazyCommand] | None = None, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own signature is checked there
        self.lazy = dict(lazy or {})
        self.extensions: dict[str, dict[str, LazyCommand]] = {}

    def extend(self, group: str, commands: Mapping[str, LazyCommand]) -> None:
        """Add commands to a group of this group; "" is this group itself."""
        if group:
            self.extensions.setdefault(group, {}).update(commands)
        else:
            self.lazy.update(commands)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every name, sorted."""
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or return None if there is none of that name."""
        known = super().get_command(ctx, cmd_name)
        if known is not None or cmd_name not in self.lazy:
            return known
        module, _, attribute = self.lazy[cmd_name].target.partition(":")
        command = cast(click.Command, getattr(importlib.import_module(module), attribute))
        if isinstance(command, LazyGroup):
            command.lazy.update(self.extensions.get(cmd_name, {}))
        self.add_command(command, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant, or suggest the nearest."""
        if not ctx.resilient_parsing and args and args[0] not in self.list_commands(ctx) and args[0][:1] != "-":
            raise click.UsageError(f"no command '{args[0]}'{suggest(args[0], self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        rows = [(name, self._short_help(name)) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def _short_help(self, name: str) -> str:
        if name in self.lazy:
            return self.lazy[name].help
        return self.commands[name].get_short_help_str(100)
