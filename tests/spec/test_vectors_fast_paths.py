"""The shared vectors through the fast paths: same results, same errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from compiled import use_compiled_kernels
from vector_cases.case import from_float_bits, from_hex, to_json
from vector_cases.files import Vector, load_vectors
from vector_cases.operations import composed_params, expectation, name_reasons, rule_params

from fl import quantization
from ledger import commitments, spec
from ledger.aggregation import aggregate, apply_model_step, compute_aux, judge_cohort

Input = Mapping[str, Any]


def _array(values: Any) -> np.ndarray:
    return np.array(values, dtype=np.int32)


def _matrix(updates: Any) -> np.ndarray:
    return _array(updates).reshape(len(updates), len(updates[0]) if updates else 0)


def _members(i: Input) -> list[spec.Member]:
    return [spec.Member(client=client, commitment=from_hex(digest)) for client, digest in i["members"]]


def _decode_update(i: Input) -> dict[str, Any]:
    blob, values = commitments.decode_update(from_hex(i["data"]), want=expectation(i["want"]), bound=i["bound"])
    fields = ("round_id", "client", "num_examples", "size", "scale_bits", "leaf_log2", "domain_separator")
    header = {name: getattr(blob.header, name) for name in fields}
    root = commitments.compute_vector_root(values, blob.header.leaf_log2)
    return {"kind": blob.header.kind.name.lower(), **header, "values": values.tolist(), "root": root}


def _segments(i: Input) -> bytes:
    digest = bytes(32)
    for segment in i["segments"]:
        root = commitments.compute_segment_root(_members({"members": segment}))
        digest = commitments.compute_segments_hash(digest, root, len(segment))
    return digest


def _commitment_digest(i: Input) -> bytes:
    texts = {name: from_hex(i[name]) for name in ("domain_separator", "commitment")}
    return commitments.compute_commitment_digest(round_id=i["round_id"], client=i["client"], **texts)


def _quantize(i: Input) -> int:
    delta = np.array([from_float_bits(i["value"])], dtype=np.float32)
    return int(quantization.quantize(delta, scale_bits=i["scale_bits"], bound=i["bound"]).values[0])


def _compose(i: Input) -> Any:
    params, updates = composed_params(i), _matrix(i["updates"])
    aux = compute_aux(params, updates, i["weights"])
    return {"aggregate": aggregate(params, updates, i["weights"]).tolist(), "aux": aux}


def _judge_cohort(i: Input) -> Any:
    validation, previous = spec.decode_validation(i["validation"].encode()), i["previous"]
    before = None if previous is None else _array(previous)
    return name_reasons(judge_cohort(validation, list(_matrix(i["updates"])), i["clients"], before))


FAST: dict[str, Callable[[Input], Any]] = {
    "vector_root": lambda i: commitments.compute_vector_root(_array(i["values"]), i["leaf_log2"]),
    "matrix_root": lambda i: commitments.compute_matrix_root(_matrix(i["updates"]), i["matrix_log2"]),
    "decode_update": _decode_update,
    "segment_root": lambda i: commitments.compute_segment_root(_members(i)),
    "segments_hash": _segments,
    "commitment_digest": _commitment_digest,
    "quantize": _quantize,
    "aggregate": lambda i: aggregate(rule_params(i), _matrix(i["updates"]), i["weights"]).tolist(),
    "compose": _compose,
    "model_step": lambda i: apply_model_step(_array(i["model"]), _array(i["aggregate"])).tolist(),
    "judge_cohort": _judge_cohort,
}


RAGGED = "rules/mean-different-lengths"
"""An array has no rows of different length."""
APPLICABLE = [vector for vector in load_vectors(FAST) if vector.name != RAGGED]


@pytest.mark.parametrize("vector", APPLICABLE, ids=lambda vector: vector.name)
def test_fast_path_gives_what_the_vector_wants(vector: Vector) -> None:
    if vector.want_error is None:
        assert to_json(FAST[vector.operation](vector.input)) == vector.want
        return
    with pytest.raises(spec.FedtrailError) as caught:
        FAST[vector.operation](vector.input)
    assert caught.value.code == vector.want_error


COMPILED = ("aggregate", "compose", "matrix_root", "vector_root")


@pytest.mark.parametrize("vector", [v for v in APPLICABLE if v.operation in COMPILED], ids=lambda vector: vector.name)
def test_compiled_kernels_give_what_the_vector_wants(vector: Vector) -> None:
    with use_compiled_kernels():
        test_fast_path_gives_what_the_vector_wants(vector)
