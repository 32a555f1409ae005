"""Which coordinate of a flat vector belongs to which tensor of the model; needs no torch.

The aggregate on the chain is a vector of d integers. Auditors use the layout, published once a task, to say
`fc2.bias[7]` where the vector alone would say coordinate 4807. Its bytes are canonical JSON:

    {"format":"fedtrail-layout-1","tensors":[["fc1.weight",[64,64]],["fc1.bias",[64]]]}

Tensors lie one after the other in the order listed, each in row-major order. The layout of a task with a composed rule
(docs/protocol.md §5.9) also has its stages, so that the task's digest covers them:

    {"format":"fedtrail-layout-2","rule":"nnm+trimmed-mean@6","tensors":[...]}

What else binds a task's rounds, such as how updates are validated, stands beside it as terms, in rising name:

    {"format":"fedtrail-layout-3","rule":"...","terms":[["validation","norm(300)"]],"tensors":[...]}
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import prod

from ledger.spec.compositions import Composition, decode_composition
from ledger.spec.errors import NotCanonical, OutOfRange, Oversized

FORMAT, FORMAT_WITH_RULE, FORMAT_WITH_TERMS = "fedtrail-layout-1", "fedtrail-layout-2", "fedtrail-layout-3"
MAX_LAYOUT_BYTES = 1 << 20
MAX_COORDINATES = 1 << 32
MAX_NAME_CHARACTERS = 256
MAX_DIMENSIONS = 16
MAX_TERMS = 16
MAX_TERM_CHARACTERS = 1000
KNOWN_TERMS = ("audience", "coordinates", "homomorphic", "masking", "noise", "validation")
"""Terms that a replay judges by; with any other, it cannot tell whether a round is honest."""
MAX_DEPTH = 4
"""The object, the list of tensors, a tensor, its shape."""

_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Names and shapes of a model's floating point tensors, in the order of its vector.

    Raises:
        NotCanonical: a name is empty, repeated, too long or not printable ASCII, a dimension is not a
            positive integer, or the coordinates are none or more than 2**32.
    """

    names: tuple[str, ...]
    """Tensor names, all different, 1 to 256 printable ASCII characters each."""
    shapes: tuple[tuple[int, ...], ...]
    """One shape a name, at most 16 dimensions of at least 1; () is a single number."""
    composition: Composition | None = None
    """Stages of a composed rule; None where the task has another rule."""
    terms: tuple[tuple[str, str], ...] = ()
    """What else binds the task's rounds: (name, text) in rising name, printable ASCII, at most 16."""

    def __post_init__(self) -> None:
        if len(self.names) != len(self.shapes):
            raise NotCanonical(what=f"{len(self.names)} tensor names with {len(self.shapes)} shapes")
        for name, shape in zip(self.names, self.shapes, strict=True):
            _verify_name(name)
            _verify_shape(name, shape)
        if len(set(self.names)) != len(self.names):
            raise NotCanonical(what="two tensors have one name")
        if not 1 <= self.size <= MAX_COORDINATES:
            raise NotCanonical(what=f"the layout has {self.size} coordinates, allowed are 1 to {MAX_COORDINATES}")
        _verify_terms(self.terms)

    def term(self, name: str) -> str | None:
        """Return the text of a term; None where the task has no such term."""
        return dict(self.terms).get(name)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of coordinates of each tensor."""
        return tuple(prod(shape) for shape in self.shapes)

    @property
    def size(self) -> int:
        """Number of coordinates d of the whole vector."""
        return sum(self.sizes)


def encode_layout(layout: Layout) -> bytes:
    """Return the canonical JSON of a layout.

    Raises:
        Oversized: it would take more than 1 MiB.
    """
    tensors = [[name, list(shape)] for name, shape in zip(layout.names, layout.shapes, strict=True)]
    document: dict[str, object] = {"format": FORMAT}
    if layout.composition is not None:
        document = {"format": FORMAT_WITH_RULE, "rule": str(layout.composition)}
    if layout.terms:
        document |= {"format": FORMAT_WITH_TERMS, "terms": [list(term) for term in layout.terms]}
    text = json.dumps({**document, "tensors": tensors}, separators=(",", ":"), ensure_ascii=True)
    blob = text.encode("ascii")
    if len(blob) > MAX_LAYOUT_BYTES:
        raise Oversized(got=len(blob), want=MAX_LAYOUT_BYTES)
    return blob


def decode_layout(blob: bytes) -> Layout:
    """Return the layout that a stranger's bytes hold.

    Args:
        blob: at most 1 MiB; checked before parsing.

    Raises:
        Oversized: the bytes are more than 1 MiB.
        NotCanonical: they are not what `encode_layout` makes of any layout.
    """
    if len(blob) > MAX_LAYOUT_BYTES:
        raise Oversized(got=len(blob), want=MAX_LAYOUT_BYTES)
    layout = _layout_from(_parse(blob))
    if encode_layout(layout) != blob:
        raise NotCanonical(what="the layout does not encode back to the same bytes")
    return layout


def locate(layout: Layout, coordinate: int) -> str:
    """Return the tensor element that a coordinate of the vector is, as `fc1.weight[3,17]`.

    Args:
        layout: the model's layout, d coordinates.
        coordinate: 0 to d - 1.

    Raises:
        OutOfRange: there is no such coordinate.
    """
    if not 0 <= coordinate < layout.size:
        raise OutOfRange(coordinate="number", got=coordinate, want=layout.size - 1)
    rest = coordinate
    for name, shape, size in zip(layout.names, layout.shapes, layout.sizes, strict=True):
        if rest < size:
            return name + _index_text(shape, rest)
        rest -= size
    raise OutOfRange(coordinate="number", got=coordinate, want=layout.size - 1)


def _index_text(shape: tuple[int, ...], offset: int) -> str:
    if not shape:
        return ""
    index: list[int] = []
    for dimension in reversed(shape):
        offset, position = divmod(offset, dimension)
        index.append(position)
    return "[" + ",".join(str(position) for position in reversed(index)) + "]"


def _parse(blob: bytes) -> object:
    # A library may have raised the recursion limit so far that deep nesting ends the process, not the parser.
    if (depth := _measure_depth(blob)) > MAX_DEPTH:
        raise NotCanonical(what=f"the layout nests {depth} levels deep, at most {MAX_DEPTH} are needed")
    try:
        return json.loads(blob.decode("ascii"))
    except ValueError as error:
        raise NotCanonical(what=f"the layout is not ASCII JSON ({type(error).__name__})") from error


def _measure_depth(blob: bytes) -> int:
    depth = deepest = 0
    for token in _STRING_OR_BRACKET.finditer(blob):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        deepest = max(deepest, depth)
    return deepest


def _layout_from(value: object) -> Layout:
    formats = (FORMAT, FORMAT_WITH_RULE, FORMAT_WITH_TERMS)
    if not isinstance(value, dict) or value.get("format") not in formats:
        raise NotCanonical(what=f"the layout is not of one of the formats {', '.join(formats)}")
    tensors = value.get("tensors")
    if not isinstance(tensors, list):
        raise NotCanonical(what="the layout lists no tensors")
    for entry in tensors:
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], list)):
            raise NotCanonical(what="a tensor of the layout is not a name with a shape")
    return Layout(
        names=tuple(name for name, _ in tensors),
        shapes=tuple(tuple(shape) for _, shape in tensors),
        composition=_composition_from(value),
        terms=_terms_from(value),
    )


def _composition_from(value: dict[object, object]) -> Composition | None:
    if value["format"] == FORMAT or (value["format"] == FORMAT_WITH_TERMS and "rule" not in value):
        return None
    rule = value.get("rule")
    if not isinstance(rule, str):
        raise NotCanonical(what="the layout names no rule")
    return decode_composition(rule.encode("ascii", "replace"))


def _terms_from(value: dict[object, object]) -> tuple[tuple[str, str], ...]:
    if value["format"] != FORMAT_WITH_TERMS:
        return ()
    terms = value.get("terms")
    if not isinstance(terms, list) or not terms:
        raise NotCanonical(what="the layout lists no terms")
    for entry in terms:
        if not (isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry)):
            raise NotCanonical(what="a term of the layout is not a name with a text")
    return tuple((name, text) for name, text in terms)


def _verify_terms(terms: tuple[tuple[str, str], ...]) -> None:
    names = [name for name, _ in terms]
    if names != sorted(set(names)) or len(names) > MAX_TERMS:
        raise NotCanonical(what=f"terms {names}: allowed are at most {MAX_TERMS}, all different, in rising order")
    for name, text in terms:
        _verify_name(name)
        if not (text.isascii() and text.isprintable() and 1 <= len(text) <= MAX_TERM_CHARACTERS):
            raise NotCanonical(what=f"term {name} is not 1 to {MAX_TERM_CHARACTERS} characters of printable ASCII")


def _verify_name(name: object) -> None:
    # ASCII alone: what is printable in Unicode depends on the Python version, and names reach terminals.
    if not (isinstance(name, str) and name.isascii() and name.isprintable()):
        raise NotCanonical(what=f"tensor name {name!r} is not printable ASCII")
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        raise NotCanonical(what=f"a tensor name has {len(name)} characters, allowed are 1 to {MAX_NAME_CHARACTERS}")


def _verify_shape(name: str, shape: tuple[object, ...]) -> None:
    if len(shape) > MAX_DIMENSIONS:
        raise NotCanonical(what=f"tensor {name} has {len(shape)} dimensions, allowed are {MAX_DIMENSIONS}")
    for dimension in shape:
        # bool is an int in Python, and JSON's true must not count as the dimension 1.
        if type(dimension) is not int or not 1 <= dimension <= MAX_COORDINATES:
            raise NotCanonical(what=f"tensor {name} has a dimension that is no integer from 1 to {MAX_COORDINATES}")
