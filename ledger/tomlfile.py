"""Change values in a TOML table and keep every other line, and replace text files whole."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Replace a text file so that a crash leaves the old or the new one, never half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def set_network_values(text: str, network: str, values: Mapping[str, object]) -> str:
    """Return the text with keys of the table [networks.NETWORK] set; a value of None removes its key.

    Raises: ValueError: the text is laid out in a way that this cannot edit; nothing is lost, nothing returned.
    """
    wanted = tomllib.loads(text)
    table = wanted["networks"][network]
    for key, value in values.items():
        table.pop(key, None)
        if value is not None:
            table[key] = value
    edited = _edit(text, network, table, values)
    try:
        if tomllib.loads(edited) == wanted:
            return edited
    except tomllib.TOMLDecodeError:
        pass
    raise ValueError(f"cannot edit the table [networks.{network}]")


def _edit(text: str, network: str, table: Mapping[str, object], values: Mapping[str, object]) -> str:
    lines = text.splitlines()
    name = rf"[\"']?{re.escape(network)}[\"']?"
    header = re.compile(rf"\s*\[\s*networks\s*\.\s*{name}\s*\]\s*(#.*)?")
    start = next((i for i, line in enumerate(lines) if header.fullmatch(line)), None)
    if start is None:  # an inline table: becomes a table of its own at the end
        inline = re.compile(rf"\s*(networks\s*\.\s*)?{name}\s*=\s*\{{.*")
        kept = [line for line in lines if not inline.fullmatch(line)]
        return "\n".join([*kept, "", f"[networks.{network}]", *_format_values(table)]) + "\n"
    end = next((i for i in range(start + 1, len(lines)) if lines[i].lstrip().startswith("[")), len(lines))
    assigned = re.compile(rf"\s*({'|'.join(values)})\s*=.*")
    body = [line for line in lines[start + 1 : end] if not assigned.fullmatch(line)]
    blank = len(body)
    while blank and not body[blank - 1].strip():
        blank -= 1
    return "\n".join([*lines[: start + 1], *body[:blank], *_format_values(values), *body[blank:], *lines[end:]]) + "\n"


def _format_values(values: Mapping[str, object]) -> list[str]:
    return [f"{key} = {_format_value(value)}" for key, value in values.items() if value is not None]


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
