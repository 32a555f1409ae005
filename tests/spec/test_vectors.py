"""Every shared vector through the specification, and what the vectors must cover."""

from __future__ import annotations

import json
import re
from collections import defaultdict

import make_vectors
import pytest
from vector_cases import catalogue
from vector_cases.case import COMPUTED
from vector_cases.files import VECTORS, Vector, load_vectors
from vector_cases.operations import OPERATIONS, run

ALL = load_vectors()
CLAUSES = [
    "§1.1",
    "§1.2",
    "§1.3",
    "§1.4",
    "§1.5",
    "§1.6",
    "§2.1",
    "§2.2",
    "§2.3",
    "§2.4",
    "§2.5",
    "§3.1",
    "§3.2",
    "§3.3",
]
CLAUSES += [f"§4.{i}" for i in range(1, 9)] + [f"§5.{i}" for i in range(1, 9)] + [f"§6.{i}" for i in range(1, 9)]
CLAUSES += [f"§11.{i}" for i in range(1, 8)] + ["§12.1", "§12.2"]


@pytest.mark.parametrize("vector", ALL, ids=lambda vector: vector.name)
def test_specification_gives_what_the_vector_wants(vector: Vector) -> None:
    assert run(vector.operation, vector.input) == (vector.want, vector.want_error)


def test_every_operation_has_vectors() -> None:
    assert {vector.operation for vector in ALL} == set(OPERATIONS)


def test_every_clause_has_vectors_and_there_are_enough() -> None:
    found = {json.loads(path.read_text(encoding="utf-8"))["clause"] for path in VECTORS.rglob("*.json")}
    assert found >= set(CLAUSES)
    assert len(ALL) >= 500


def test_every_clause_has_a_case_worked_by_hand_or_refused() -> None:
    independent = {c.clause for c in catalogue.get_cases() if c.want is not COMPUTED or c.want_error is not None}
    assert independent >= set(CLAUSES)


@pytest.mark.parametrize("operation", ["rdiv", "quantize", "clamp", "aggregate", "model_step", "encode_int32"])
def test_numbers_and_rules_on_one_coordinate_are_worked_by_hand(operation: str) -> None:
    computed = [c.name for c in catalogue.get_cases() if c.operation == operation and c.want is COMPUTED]
    assert all(re.search(r"coordinates$", name) or _is_refused(name) for name in computed), computed


def _is_refused(name: str) -> bool:
    return next(vector for vector in ALL if vector.name == name).want_error is not None


def test_a_changed_field_changes_every_digest() -> None:
    digests = defaultdict(list)
    for vector in ALL:
        if vector.operation in CHANGED and "shuffled" not in vector.name and vector.want_error is None:
            digests[vector.operation].append((vector.want, vector.name))
    for operation in CHANGED:
        assert len({want for want, _ in digests[operation]}) == len(digests[operation]) > 2, operation


CHANGED = (
    "domain_separator",
    "commitment",
    "commitment_digest",
    "receipt_digest",
    "publication_digest",
    "register_digest",
    "rotate_digest",
    "details_hash",
    "core_hash",
    "proposal_hash",
    "signed_leaf",
    "list_root",
    "segment_root",
    "members_root",
    "segments_hash",
    "task_hash",
)


def test_task_hash_has_a_case_for_each_of_the_parameters() -> None:
    assert len([vector for vector in ALL if vector.name.startswith("rounds/task-hash-other-")]) == 23


def test_vectors_on_disk_are_those_of_the_cases() -> None:
    assert make_vectors.find_differences(make_vectors.render_all()) == []


def test_a_literal_that_the_specification_contradicts_is_not_written() -> None:
    case = next(c for c in catalogue.get_cases() if c.name == "numbers/rdiv-half-up")
    wrong = type(case)(name=case.name, clause="§1.3", why="", operation="rdiv", input={"a": 5, "b": 2}, want=2)
    with pytest.raises(ValueError, match="worked by hand: 2"):
        catalogue.render(wrong)
