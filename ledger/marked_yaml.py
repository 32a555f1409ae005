"""YAML whose every key knows its line and column."""

from __future__ import annotations

from typing import Any

import yaml

from ledger.marked import Document, Mark, Path, SyntaxProblem


class _Composer(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):  # a few aliases of aliases expand to gigabytes
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # PyYAML's stubs
            raise SyntaxProblem("aliases are not allowed", Mark(mark.line + 1, mark.column + 1))
        return super().compose_node(parent, index)


def parse_yaml(text: str) -> Document:
    """Parse YAML with the safe loader's types (YAML 1.1, no tags, no aliases). Raises: SyntaxProblem."""
    loader = None
    try:
        loader = _Composer(text)  # reads the first characters: a control character fails here
        node = loader.get_single_node()
        marks: dict[Path, Mark] = {}
        data = {} if node is None else _construct(loader, node, (), marks)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)
        raise SyntaxProblem(error.problem or "not YAML", place) from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise SyntaxProblem(f"character #x{ord(str(text[error.position])):04x} is not allowed", place) from error
    finally:
        if loader is not None:
            loader.dispose()
    if not isinstance(data, dict):
        raise SyntaxProblem("expected a mapping of keys to values", Mark(1, 1))
    return Document(data=data, marks=marks)


def _construct(loader: yaml.SafeLoader, node: yaml.Node, path: Path, marks: dict[Path, Mark]) -> Any:
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            marks[(*path, index)] = _mark_of(item)
        return [_construct(loader, item, (*path, index), marks) for index, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        try:
            return loader.construct_object(node)
        except ValueError as error:  # such as the date 2026-13-01
            raise SyntaxProblem(str(error), _mark_of(node)) from error
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key, place = str(key_node.value), _mark_of(key_node)
        if not isinstance(key_node, yaml.ScalarNode):
            raise SyntaxProblem("a key must be a plain word", place)
        if key in result:
            raise SyntaxProblem(f"duplicate key '{key}' (first in line {marks[(*path, key)].line})", place)
        marks[(*path, key)] = place
        result[key] = _construct(loader, value_node, (*path, key), marks)
    return result


def _mark_of(node: yaml.Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)
