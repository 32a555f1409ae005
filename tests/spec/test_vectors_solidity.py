"""The shared vectors through the contracts' libraries on a real node: same results, the matching reverts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from vector_cases import transition
from vector_cases.case import from_hex, to_json
from vector_cases.files import Vector, load_vectors

from ledger import spec

pytestmark = pytest.mark.chain

Input = Mapping[str, Any]
Call = tuple[str, list[Any]]


def _address(data: bytes) -> str:
    return "0x" + data.hex()


def _task(i: Input) -> tuple[Any, ...]:
    task = transition.task(i["task"])
    values = [getattr(task, field.name) for field in dataclasses.fields(task)]
    return tuple(_address(v) if isinstance(v, bytes) and len(v) == 20 else v for v in values)


def _entries(members: list[Any]) -> bytes:
    return spec.encode_members([spec.Member(client=client, commitment=from_hex(digest)) for client, digest in members])


def _named(function: str, *names: str) -> Callable[[Input], Call]:
    """Return a call whose arguments are fields of the input, hex text as bytes, decimal text as integers."""

    def convert(value: Any) -> Any:
        if isinstance(value, str):
            return from_hex(value) if value.startswith("0x") else int(value)
        return [convert(item) for item in value] if isinstance(value, list) else value

    return lambda i: (function, [convert(i[name]) for name in names])


def _details(i: Input) -> list[Any]:
    excluded = spec.encode_exclusions([(client, reason) for client, reason in i["exclusions"]])
    fields = transition.proposal(i["proposal"]).fields()
    return [fields, from_hex(i["segments_hash"]), excluded, from_hex(i["aux"]), i["included"]]


def _aggregate(i: Input) -> Call:
    rule, numbers = spec.RULE_NAMES[i["rule"]], [i[name] for name in ("parameter", "select", "bound")]
    return "aggregate", [rule, *numbers, i["updates"], i["weights"]]


def _head(i: Input) -> Call:
    *before, (round_id, proposal_hash) = i["rounds"]
    previous = spec.ZERO_DIGEST
    for number, digest in before:
        previous = spec.compute_head(previous, number, from_hex(digest))
    return "headHash", [previous, round_id, from_hex(proposal_hash)]


def _segments_hash(i: Input) -> Call:
    *before, last = i["segments"]
    previous = spec.ZERO_DIGEST
    for segment in before:
        root = spec.compute_segment_root(spec.decode_members(_entries(segment)))
        previous = spec.compute_segments_hash(previous, root, len(segment))
    root = spec.compute_segment_root(spec.decode_members(_entries(last)))
    return "segmentsHash", [previous, root, len(last)]


def _register(i: Input) -> Call:
    accounts = [i["owner"], i["signer"]]
    return "registerDigest", [from_hex(i["domain_separator"]), *accounts, i["role"], i["deadline"]]


CALLS: dict[str, Callable[[Input], Call]] = {
    "rdiv": _named("rdiv", "a", "b"),
    "clamp": _named("clamp", "x", "bound"),
    "encode_int32": _named("encodeInt32", "values"),
    "decode_int32": _named("decodeInt32", "data"),
    "model_step": _named("modelStep", "model", "aggregate"),
    "hash_leaf": _named("leafHash", "chunk"),
    "hash_node": _named("nodeHash", "left", "right"),
    "chunk_root": _named("chunkRoot", "data", "chunk_bytes"),
    "vector_root": lambda i: ("chunkRoot", [spec.encode_int32(i["values"]), 4 << i["leaf_log2"]]),
    "matrix_root": lambda i: (
        "chunkRoot",
        [spec.encode_matrix(i["updates"]), 4 * len(i["updates"]) << i["matrix_log2"]],
    ),
    "root_of_data": lambda i: ("rootOf", [[spec.hash_leaf(from_hex(data)) for data in i["data"]]]),
    "path_length": _named("pathLength", "index", "leaf_count"),
    "verify_inclusion": _named("verifyInclusion", "leaf", "index", "leaf_count", "path", "root"),
    "domain_separator": lambda i: ("domainSeparator", [i["name"], i["chain_id"], i["contract"]]),
    "commitment": _named("commitment", "domain_separator", "round_id", "client", "num_examples", "root"),
    "commitment_digest": _named("commitmentDigest", "domain_separator", "round_id", "client", "commitment"),
    "receipt_digest": _named("receiptDigest", "domain_separator", "round_id", "client", "commitment"),
    "register_digest": _register,
    "rotate_digest": lambda i: (
        "rotateDigest",
        [from_hex(i["domain_separator"]), i["participant"], i["signer"], i["deadline"]],
    ),
    "segment_root": lambda i: ("segmentRoot", [_entries(i["members"])]),
    "segments_hash": _segments_hash,
    "signed_leaf": _named("listRoot", "entry"),
    "list_root": _named("listRoot", "data"),
    "details_hash": lambda i: ("detailsHash", _details(i)),
    "core_hash": _named("coreHash", "model_root", "details_hash"),
    "proposal_hash": lambda i: ("proposalHash", [i["round_id"], *_details(i)]),
    "head": _head,
    "task_hash": lambda i: ("taskHash", [_task(i)]),
    "verify_task": lambda i: ("checkTask", [_task(i), i["unbond_seconds"], i["max_pause_seconds"]]),
    "aggregate": _aggregate,
    "krum_scores": _named("krumScores", "updates", "f"),
    "distances": _named("distances", "updates", "bound"),
}
REVERTS = {
    "FT609": {"TooFewUpdates", "EmptyColumn", "ZeroDivisor"},
    "FT710": {"LengthMismatch", "BadSegment", "EmptySegment"},
    "FT610": {"InvalidTask"},
}
NOT_APPLICABLE = {
    # The type of the contract's argument has no negative numbers.
    "tree/inclusion-index-negative",
    # The contract decodes only chunks that it has cut itself.
    "numbers/decode-int32-truncated",
    # createTask refuses f + m above the quorum, so that the library need not (rounds/task-multi-krum-above-maximum).
    "rules/multi-krum-selects-too-many",
    # The type of the contract's argument ends there.
    "rounds/task-weighted-mean-by-too-much-stake",
}
APPLICABLE = [v for v in load_vectors(CALLS) if v.name not in NOT_APPLICABLE]


def _unwrap(outputs: tuple[Any, ...]) -> Any:
    return to_json(outputs[0]) if outputs else True


@pytest.fixture(scope="module")
def answers(harness: Any) -> dict[str, Any]:
    """Return what the contracts answer to every vector, from one request."""
    return dict(
        zip((v.name for v in APPLICABLE), harness.ask([CALLS[v.operation](v.input) for v in APPLICABLE]), strict=True)
    )


@pytest.mark.parametrize("vector", APPLICABLE, ids=lambda vector: vector.name)
def test_contracts_give_what_the_vector_wants(vector: Vector, answers: dict[str, Any]) -> None:
    answer = answers[vector.name]
    if vector.want_error is None:
        assert answer.error is None
        assert _unwrap(answer.outputs) == vector.want
    elif vector.want_error == "FT703":
        assert answer.outputs == (False,)
    else:
        assert answer.error in REVERTS[vector.want_error]


REFUSED_TASKS = [v for v in APPLICABLE if v.operation == "verify_task" and v.want_error]


@pytest.mark.parametrize("vector", REFUSED_TASKS, ids=lambda vector: vector.name)
def test_contract_and_specification_name_the_same_task_parameter(vector: Vector, answers: dict[str, Any]) -> None:
    with pytest.raises(spec.InvalidTask) as caught:
        limits = {name: vector.input[name] for name in ("unbond_seconds", "max_pause_seconds")}
        spec.verify_task(transition.task(vector.input["task"]), **limits)
    field = answers[vector.name].arguments[0].rstrip(b"\x00").decode()
    words = str(caught.value.detail["field"]).split("_")
    assert field == words[0] + "".join(word.capitalize() for word in words[1:])


def test_the_contracts_cover_most_vectors() -> None:
    assert len(APPLICABLE) >= 300
