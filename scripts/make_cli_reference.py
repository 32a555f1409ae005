"""Write docs/cli.md from the commands themselves; with --check, only compare.

Usage: python scripts/make_cli_reference.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from devtools import pages

from ledger.cli.app import build_cli
from ledger.script import Script

TARGET = Path(__file__).resolve().parents[1] / "docs" / "cli.md"

HEAD = """\
# The command line

`fedtrail NOUN VERB`. This page is written by `scripts/make_cli_reference.py`; a test compares it with the commands.

## Conventions

- Data goes to stdout. Progress, hints and errors go to stderr; progress bars only when stderr is a terminal.
- `--format table|json|ndjson|csv` on every command that prints data; the variable `FEDTRAIL_FORMAT` sets another
  default. Tables cut nothing when they go into a pipe. `NO_COLOR` is respected.
- JSON is one envelope: `{"schema": "fedtrail/round.replay/v1", "ok": true, "data": …, "grade": "PROVEN", "asof":
  {"chain", "block", "hash"}, "warnings": []}`. Identifiers, block numbers, amounts in wei and integers above 2^53 - 1
  are strings; digests and addresses are `0x` hex.
- A failure is one line with a code and, mostly, a hint: `FT402: wrong chain: …`. `fedtrail explain FT402` tells cause
  and fix. With `--format json` stdout gets `{"ok": false, "error": {"code", "exit", "message", "hint", "detail"}}`,
  and `data` with whatever the command found out nevertheless, such as the findings of a replay.
- The project is the folder with `fedtrail.toml`, here or above; `--project DIR` or `FEDTRAIL_PROJECT` names another.
  `--network NAME` or `FEDTRAIL_NETWORK` picks one of its networks; else the first of the file counts.
- Passwords of keys come from `FEDTRAIL_KEY_PASSWORD`, from the file that `FEDTRAIL_KEY_PASSWORD_FILE` names, from the
  program that `FEDTRAIL_KEY_PASSWORD_COMMAND` starts, or from the terminal; never from options.
- `fedtrail --debug COMMAND` prints the traceback of an unexpected failure.

| exit status | meaning |
|---|---|
| 0 | done |
| 1 | a bug in fedtrail |
| 2 | the command line or a script is wrong |
| 3 | configuration, keys, another network than the project's |
| 4 | the chain or its node |
| 5 | no such thing |
| 6 | refused by a rule of the protocol: stake, deadline, phase |
| 7 | something is proved wrong |
| 8 | evidence is missing; nobody is accused |
| 9 | an expectation of the script was not met |
| 130 | interrupted; `fedtrail run resume` goes on |

## The project file

```toml
fedtrail = 1

[networks.devnet]             # the first network is the default
devnet = true                 # its address comes from `fedtrail devnet up`
chain_id = 31337

[networks.consortium]
rpc = "https://node.example:8545"
chain_id = 1337
confirmations = 2             # blocks on top before a transaction counts
# ca_file = "authority.pem"   # certificates of an authority of your own, for https; the same under [store]
# one address a contract (registry, ledger, escrow, ...), code_hash, deploy_block, deploy_block_hash: written by
# `fedtrail contract deploy`

[store]
path = ".fedtrail/blocks"     # the embedded content store
# ipfs = "/ip4/127.0.0.1/tcp/5001"   # a Kubo daemon's RPC address instead
```

What is on another machine is asked over TLS alone: `https://` of a node, `/dns4/HOST/tcp/443/https` of a daemon. Plain
HTTP is refused (FT204) unless it stays on this machine, and so is a server whose certificate does not verify (FT411).

## Round scripts

YAML or TOML, checked before anything starts; mistakes are told with file, line and column, and unknown keys are
refused. `fedtrail script schema` prints the JSON Schema, `fedtrail script new` an example. The SHA-256 of the file
goes on chain with the task. Clients are numbered from 1.
"""


def render() -> str:
    """Return the whole page."""
    parts = [HEAD, *_render_schema(), "\n## Commands\n"]
    root = build_cli()
    with click.Context(root, info_name="fedtrail") as context:
        parts += _render_group(root, context)
    return "\n".join(parts).rstrip() + "\n"


def _render_schema() -> Iterator[str]:
    schema = Script.model_json_schema()
    for name, entry in schema["properties"].items():
        options = entry.get("anyOf", [{}])
        reference = entry.get("$ref") or entry.get("items", options[0]).get("$ref")
        section = schema["$defs"].get(str(reference).rpartition("/")[2], {})
        what = entry.get("description") or section.get("description", "")
        yield f"- `{name}`: {what}"
        if name == "events":
            yield from _render_events(schema)
        for key, field in section.get("properties", {}).items():
            yield f"  - `{key}`{_render_default(field)}: {field.get('description', '')}"


def _render_events(schema: dict[str, dict[str, dict[str, dict[str, dict[str, str]]]]]) -> Iterator[str]:
    for name in ("AttackEvent", "DropEvent", "WithholdEvent", "AggregatorEvent", "MalformEvent"):
        keys = ", ".join(f"`{key}`" for key in schema["$defs"][name]["properties"])
        yield f"  - {schema['$defs'][name]['description']} Keys: {keys}."


def _render_default(field: dict[str, object]) -> str:
    default = field.get("default")
    return "" if default in (None, "") else f" (default {default})"


def _render_group(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        with click.Context(command, info_name=name, parent=context) as inner:
            if isinstance(command, click.Group):
                yield f"### {inner.command_path}\n"
                yield _prose(command) + "\n"
                yield from _render_group(command, inner)
            else:
                yield from _render_command(command, inner)


def _render_command(command: click.Command, context: click.Context) -> Iterator[str]:
    pieces = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
    depth = "####" if context.command_path.count(" ") > 1 else "###"
    yield f"{depth} {context.command_path}\n"
    yield f"`{' '.join([context.command_path, *pieces])}`\n"
    yield _prose(command) + "\n"
    options = [record for record in _option_records(command, context) if record]
    if options:
        yield "\n".join(options) + "\n"


_SHARED = {"--format", "--project", "--network", "--help"}


def _option_records(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None and not _SHARED.intersection(parameter.opts):
            yield f"- `{record[0]}`: {record[1]}".replace("INTEGER RANGE", "N").rstrip(": ")


def _prose(command: click.Command) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (command.help or "").replace("\b\n", "").split("\n\n"))


if __name__ == "__main__":
    sys.exit(pages.run(__file__, __doc__, TARGET, render))
