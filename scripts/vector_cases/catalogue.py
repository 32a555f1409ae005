"""All cases of all sections, rendered; hand-worked results are compared with the specification on the way."""

from __future__ import annotations

from typing import Any

from vector_cases import (
    audience,
    auxiliary,
    blobs,
    chain_hashes,
    commitment,
    composed,
    groups,
    masks,
    member_lists,
    numbers,
    rounds,
    rules,
    tasks,
    tree,
    validation,
)
from vector_cases.case import COMPUTED, Case, dump
from vector_cases.operations import run

SECTIONS = (
    numbers,
    tree,
    blobs,
    commitment,
    chain_hashes,
    member_lists,
    rules,
    composed,
    auxiliary,
    tasks,
    rounds,
    masks,
    groups,
    validation,
    audience,
)


def get_cases() -> list[Case]:
    """Return every case, section by section.

    Raises: ValueError: two cases have one name.
    """
    cases = [case for section in SECTIONS for case in section.get_cases()]
    names = [case.name for case in cases]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"cases with one name: {sorted(repeated)}")
    return cases


def render_all() -> dict[str, str]:
    """Return the JSON text of every case by its name."""
    return {case.name: render(case) for case in get_cases()}


def render(case: Case) -> str:
    """Return the JSON text of a case.

    Raises: ValueError: the specification disagrees with a literal result, or raises what it should not.
    """
    got, error = run(case.operation, case.input)
    if error != case.want_error:
        raise ValueError(f"{case.name}: error {error}, expected {case.want_error}")
    if error is None and case.want is not COMPUTED and got != case.want:
        raise ValueError(f"{case.name}: the specification gives {got}, worked by hand: {case.want}")
    result: dict[str, Any] = {"want": got} if error is None else {"want_error": error}
    head = {"clause": case.clause, "why": case.why, "operation": case.operation, "input": case.input}
    return dump({**head, **result})
