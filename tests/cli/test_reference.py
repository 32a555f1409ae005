"""docs/cli.md says what the commands are."""

from __future__ import annotations

import click
import make_cli_reference

from ledger.cli.app import build_cli


def test_the_reference_is_up_to_date() -> None:
    assert make_cli_reference.TARGET.read_text(encoding="utf-8") == make_cli_reference.render()


def test_every_command_and_option_says_what_it_is() -> None:
    silent = []
    for command, context in _walk(build_cli(), None, "fedtrail"):
        if not command.help:
            silent.append(context.command_path)
        silent += [f"{context.command_path} {p.opts}" for p in command.params if _is_silent(p)]
    assert not silent


def _is_silent(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and not parameter.help


def _walk(command: click.Command, parent: click.Context | None, name: str) -> list[tuple[click.Command, click.Context]]:
    context = click.Context(command, info_name=name, parent=parent)
    found = [(command, context)]
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            inner = command.get_command(context, child)
            assert inner is not None
            found += _walk(inner, context, child)
    return found


def test_every_command_that_prints_data_takes_every_format() -> None:
    for command, context in _walk(build_cli(), None, "fedtrail"):
        formats = [p.type.choices for p in command.params if "--format" in p.opts and isinstance(p.type, click.Choice)]
        if context.command_path == "fedtrail audit report":
            assert tuple(formats[0]) == ("html", "md", "json"), "a report is a document, not data"
            continue
        assert all(tuple(choices) == ("table", "json", "ndjson", "csv") for choices in formats), context.command_path
