"""YAML and TOML whose every key knows its line and column, so that an error can name the place."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]

MAX_BYTES = 1 << 20
"""Larger files are refused before they are parsed."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a text file."""

    line: int
    """From 1."""
    column: int
    """From 1."""


class SyntaxProblem(ValueError):
    """The text cannot be parsed, at the mark given."""

    def __init__(self, what: str, mark: Mark) -> None:
        super().__init__(what)
        self.mark = mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed file with the place of every key and item."""

    data: dict[str, Any]
    """Plain dicts, lists and scalars."""
    marks: dict[Path, Mark] = field(repr=False)
    """Place of each key (in mappings) and item (in lists)."""

    def resolve(self, path: Path) -> Path:
        """Return the part of a path that the file has; names in it that are no key are skipped."""
        found: Path = ()
        for part in path:
            if (*found, part) in self.marks:
                found = (*found, part)
        return found

    def locate(self, path: Path) -> Mark:
        """Return the place of a key, or of the nearest one around it."""
        return self.marks.get(self.resolve(path), Mark(1, 1))


def parse(raw: bytes, *, suffix: str) -> Document:
    """Parse a file's bytes.

    Args: suffix: `.toml`, or anything else for YAML.
    Raises: SyntaxProblem: not UTF-8, too large, bad syntax, a duplicate key, an alias, or no mapping at the top.
    """
    if len(raw) > MAX_BYTES:
        raise SyntaxProblem(f"the file has {len(raw)} bytes, the largest allowed is {MAX_BYTES}", Mark(1, 1))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise SyntaxProblem("the file is not UTF-8", Mark(line, column)) from error
    try:
        if suffix == ".toml":
            return parse_toml(text)
        from ledger.marked_yaml import parse_yaml  # the project's own files are TOML: commands start without YAML

        return parse_yaml(text)
    except RecursionError:
        raise SyntaxProblem("nested too deeply", Mark(1, 1)) from None


def parse_toml(text: str) -> Document:
    """Parse TOML 1.0. Raises: SyntaxProblem."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        at = re.search(r"\(at line (\d+), column (\d+)\)", message)
        place = Mark(int(at[1]), int(at[2])) if at else Mark(text.count("\n") + 1, 1)
        raise SyntaxProblem(re.sub(r" \(at .*\)$", "", message), place) from error
    return Document(data=data, marks=_TomlMarks(text).collect())


_TOKEN = re.compile(
    r'(?P<string>"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')'
    r"|(?P<newline>\r?\n)|(?P<skip>[ \t]+|#[^\n]*)|(?P<mark>[\[\]{}=,.])|(?P<word>[^\s\[\]{}=,.#\"']+)",
    re.DOTALL,
)


class _TomlMarks:
    """Walks text that tomllib has accepted, and notes where each key and item stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [t for t in _TOKEN.finditer(text) if t.lastgroup != "skip"]
        self._next = 0
        self._marks: dict[Path, Mark] = {}
        self._lengths: dict[Path, int] = {}

    def collect(self) -> dict[Path, Mark]:
        """Return the marks of the whole text."""
        table: Path = ()
        while self._skip_newlines():
            if self._peek() == "[":
                table = self._read_header()
            else:
                self._read_pair(table)
        return self._marks

    def _peek(self) -> str:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else ""

    def _take(self) -> re.Match[str]:
        self._next += 1
        return self._tokens[self._next - 1]

    def _skip_newlines(self) -> bool:
        while self._peek() in ("\n", "\r\n"):
            self._next += 1
        return bool(self._peek())

    def _place(self, token: re.Match[str]) -> Mark:
        before = self._text[: token.start()]
        return Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))

    def _read_header(self) -> Path:
        opened = 0
        while self._peek() == "[":
            opened += 1
            start = self._take()
        path: Path = ()
        for name, place in self._read_key():
            path = (*path, name)
            self._marks.setdefault(path, place)
            last = self._lengths.get(path)
            path = path if last is None else (*path, last - 1)
        for _ in range(opened):
            self._take()
        if opened == 2:  # one more item of an array of tables
            array = path[:-1] if isinstance(path[-1], int) else path
            index = self._lengths.get(array, 0)
            self._lengths[array], path = index + 1, (*array, index)
            self._marks[path] = self._place(start)
        return path

    def _read_key(self) -> Iterator[tuple[str, Mark]]:
        while True:
            token = self._take()
            name = token[0][1:-1] if token.lastgroup == "string" else token[0]
            yield name, self._place(token)
            if self._peek() != ".":
                return
            self._take()

    def _read_pair(self, table: Path) -> None:
        path = table
        for name, place in self._read_key():
            path = (*path, name)
            self._marks.setdefault(path, place)
        self._take()  # =
        self._read_value(path)

    def _read_value(self, path: Path) -> None:
        if self._peek() == "[":
            self._read_items(path, "]")
        elif self._peek() == "{":
            self._read_items(path, "}")
        else:
            while self._peek() not in ("", "\n", "\r\n", ",", "]", "}"):
                self._take()

    def _read_items(self, path: Path, end: str) -> None:
        self._take()
        index = 0
        while self._skip_newlines() and self._peek() != end:
            if end == "}":
                self._read_pair(path)
            else:
                self._marks[(*path, index)] = self._place(self._tokens[self._next])
                self._read_value((*path, index))
                index += 1
            self._skip_newlines()
            if self._peek() == ",":
                self._take()
        self._take()
