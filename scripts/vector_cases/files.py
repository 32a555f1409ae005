"""Vectors as they lie in tests/vectors, for those who run them."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).resolve().parents[2] / "tests" / "vectors" / "v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """A vector file."""

    name: str
    """Section and case: rules/mean-half-up."""
    operation: str
    """What is run."""
    input: dict[str, Any]
    """Its arguments."""
    want: Any
    """Its result; None when an error is wanted."""
    want_error: str | None
    """The FT code of the error, or None."""


def load_vectors(operations: Collection[str] | None = None) -> list[Vector]:
    """Return all vectors on disk, or those of some operations, in the order of their names."""
    vectors = [_load(path) for path in sorted(VECTORS.rglob("*.json"))]
    return [vector for vector in vectors if operations is None or vector.operation in operations]


def _load(path: Path) -> Vector:
    document = json.loads(path.read_text(encoding="utf-8"))
    return Vector(
        name=str(path.relative_to(VECTORS).with_suffix("")),
        operation=document["operation"],
        input=document["input"],
        want=document.get("want"),
        want_error=document.get("want_error"),
    )
