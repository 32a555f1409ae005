"""The bundle's own verifier against the shared vectors: a second implementation of docs/protocol.md §1 to §5."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from standalone import load_standalone
from vector_cases.case import from_hex, to_json
from vector_cases.files import Vector, load_vectors

from ledger.spec.compositions import STAGES

verify = load_standalone()
Input = Mapping[str, Any]
RULES = ("sum32", "mean", "weighted-mean", "median", "trimmed-mean", "krum", "multi-krum")
MODES = ("verified", "accumulated", "root-only")


def _params(i: Input) -> dict[str, Any]:
    chosen = {"rule": RULES.index(i["rule"]), "rule_param": i["parameter"], "rule_select": i["select"]}
    return {**chosen, "bound": i["bound"]}


def _weight(i: Input) -> int:
    task = {"examples_cap": i["examples_cap"], "wei_per_weight": int(i["wei_per_weight"])}
    return int(verify.weigh(task, i["num_examples"], int(i["stake_wei"])))


def _describe(vector: Any) -> dict[str, Any]:
    payload = verify.to_little_endian(vector.values)
    return {
        "kind": {b"U": "update", b"A": "aggregate", b"M": "model"}[vector.kind],
        "round_id": vector.round,
        "client": vector.client,
        "num_examples": vector.examples,
        "size": vector.size,
        "scale_bits": vector.scale_bits,
        "leaf_log2": vector.leaf_log2,
        "domain_separator": vector.domain,
        "values": list(vector.values),
        "root": verify.chunk_root(payload, 4 << vector.leaf_log2),
    }


def _decode_update(i: Input) -> dict[str, Any]:
    want = i["want"]
    kind = {"update": b"U", "aggregate": b"A", "model": b"M"}[want["kind"]]
    rest = [want[name] for name in ("round_id", "client", "size", "scale_bits", "leaf_log2")]
    expected = (kind, from_hex(want["domain_separator"]), *rest)
    return _describe(verify.decode_update(from_hex(i["data"]), expected, i["bound"]))


def _content(content: tuple[int, bytes] | None) -> dict[str, Any] | None:
    return None if content is None else {"codec": content[0], "digest": content[1]}


def _decode_manifest(i: Input) -> dict[str, Any]:
    manifest = verify.decode_manifest(from_hex(i["data"]))
    entries = [
        {"client": e.client, "reason": e.reason, "content": _content(e.content), "signature": e.signature}
        for e in manifest.entries
    ]
    named = {name: _content(getattr(manifest, name)) for name in ("base", "aggregate", "model")}
    return {"domain_separator": manifest.domain, "round_id": manifest.round, **named, "entries": entries}


def _signed(i: Input) -> tuple[bytes, int]:
    return from_hex(i["domain_separator"]), int(i["round_id"])


def _publication(i: Input) -> bytes:
    content = (i["content"]["codec"], from_hex(i["content"]["digest"]))
    return bytes(verify.publication_digest(*_signed(i), i["client"], content))


def _members(items: list[Any]) -> list[tuple[int, bytes]]:
    return [(client, from_hex(digest)) for client, digest in items]


def _pack(members: list[Any]) -> list[bytes]:
    return [client.to_bytes(4, "big") + digest for client, digest in sorted(_members(members))]


def _segments(i: Input) -> bytes:
    rolling = bytes(32)
    for segment in i["segments"]:
        rolling = verify.roll_segment(rolling, verify.segment_root(_pack(segment)), len(segment))
    return rolling


def _list_root(i: Input) -> bytes:
    data = from_hex(i["data"])
    if len(data) % 100 or not data:
        verify.decode_list(data)  # refuses it
    return bytes(verify.segment_root([data[at : at + 100] for at in range(0, len(data), 100)]))


def _proposal_hash(i: Input) -> bytes:
    names = ("aggregate_root", "matrix_root", "model_root", "members_root", "data_id")
    proposal = [*(from_hex(i["proposal"][name]) for name in names), i["proposal"]["committed"]]
    excluded = b"".join(c.to_bytes(4, "big") + r.to_bytes(2, "big") for c, r in sorted(i["exclusions"]))
    tail = (from_hex(i["segments_hash"]), excluded, from_hex(i["aux"]), i["included"])
    return bytes(verify.proposal_hash(i["round_id"], proposal, *tail))


def _heads(i: Input) -> bytes:
    head = bytes(32)
    for number, digest in i["rounds"]:
        head = verify.extend_head(head, number, from_hex(digest))
    return head


def _task_hash(i: Input) -> bytes:
    task = i["task"]
    chosen = {"rule": RULES.index(task["rule"]), "mode": MODES.index(task["mode"])}
    words = []
    fields = next(fields for name, fields in verify.EVENTS["ledger"].values() if name == "TaskCreated")
    for _, name, _ in fields[2:]:
        value = chosen.get(name, task[name])
        is_digest = isinstance(value, str) and value.startswith("0x")
        words.append(from_hex(value).rjust(32, b"\0") if is_digest else verify.word(int(value)))
    return bytes(verify.keccak(b"".join(words)))


def _rule(i: Input) -> tuple[dict[str, Any], dict[str, Any]]:
    stages, f = verify.parse_composition(i["composition"])
    task = {"rule": verify.COMPOSED, "rule_param": 1, "rule_select": 0, "bound": i["bound"]}
    return task, {"stages": stages, "f": f, "clients": i["clients"], "seed": from_hex(i["seed"])}


def _compose(i: Input) -> dict[str, Any]:
    task, rule = _rule(i)
    aggregate = verify.aggregate(task, i["updates"], i["weights"], rule)
    return {"aggregate": list(aggregate), "aux": verify.encode_aux(task, i["updates"], i["weights"], rule)}


def _validation(i: Input) -> str:
    limits = verify.parse_validation(i["text"])
    return "+".join(f"{name}({limit})" for name, limit in limits.items()) or "zero"


def _judge(i: Input) -> list[list[Any]]:
    limits = verify.parse_validation(i["validation"])
    return [list(each) for each in verify.judge_cohort(limits, i["updates"], i["clients"], i["previous"]).items()]


def _distances(i: Input) -> list[int]:
    clamped = verify.clamp(i["updates"], i["bound"])
    return list(verify.squared_distances(clamped))


OPERATIONS: dict[str, Callable[[Input], Any]] = {
    "rdiv": lambda i: verify.rdiv(int(i["a"]), int(i["b"])),
    "encode_int32": lambda i: verify.to_little_endian(i["values"]),
    "root_of_data": lambda i: verify.merkle_root([verify.sha256(b"\x00" + from_hex(x)) for x in i["data"]]),
    "chunk_root": lambda i: verify.chunk_root(from_hex(i["data"]), i["chunk_bytes"]),
    "vector_root": lambda i: verify.chunk_root(verify.to_little_endian(i["values"]), 4 << i["leaf_log2"]),
    "matrix_root": lambda i: verify.matrix_root(i["updates"], i["matrix_log2"]),
    "decode_vector": lambda i: _describe(verify.decode_vector(from_hex(i["data"]), i["max_bytes"])),
    "decode_update": _decode_update,
    "decode_manifest": _decode_manifest,
    "keccak256": lambda i: verify.keccak(from_hex(i["data"])),
    "domain_separator": lambda i: verify.domain_separator(i["name"], i["chain_id"], from_hex(i["contract"])),
    "commitment": lambda i: verify.commitment(*_signed(i), i["client"], i["num_examples"], from_hex(i["root"])),
    "commitment_digest": lambda i: verify.commitment_digest(*_signed(i), i["client"], from_hex(i["commitment"])),
    "publication_digest": _publication,
    "members_root": lambda i: verify.members_root(sorted(_members(i["members"]))),
    "segment_root": lambda i: verify.segment_root(_pack(i["members"])),
    "segments_hash": _segments,
    "decode_signed_list": lambda i: verify.decode_list(from_hex(i["data"])),
    "list_root": _list_root,
    "proposal_hash": _proposal_hash,
    "head": _heads,
    "task_hash": _task_hash,
    "aggregate": lambda i: list(verify.aggregate(_params(i), i["updates"], i["weights"])),
    "weight": _weight,
    "model_step": lambda i: list(verify.step_model(i["model"], i["aggregate"])),
    "distances": _distances,
    "aux": lambda i: verify.encode_aux(_params(i), i["updates"], i["weights"]),
    "compose": _compose,
    "decode_validation": _validation,
    "judge_cohort": _judge,
    "unmasked_sum": lambda i: verify.unmask(
        [sum(column) for column in zip(*i["masked"], strict=True)], verify.REVEAL.iter_unpack(from_hex(i["reveals"]))
    ),
    "groups": lambda i: [sorted(group) for group in verify.draw_groups(i["roster"], i["count"], from_hex(i["beacon"]))],
    "expand_aes_mask": lambda i: [
        word for (word,) in struct.iter_unpack("<I", verify.expand_aes(from_hex(i["seed"]), -(-i["size"] // 4)))
    ][: i["size"]],
}
"""What the verifier has a function for. It encodes no blobs, follows no round's clock and quantises nothing."""


def _run(vector: Vector) -> tuple[Any, str | None]:
    try:
        return to_json(OPERATIONS[vector.operation](vector.input)), None
    except verify.Bad as bad:
        return None, bad.code


@pytest.mark.parametrize("vector", load_vectors(OPERATIONS), ids=lambda vector: vector.name)
def test_standalone_verifier_gives_what_the_vector_wants(vector: Vector) -> None:
    assert _run(vector) == (vector.want, vector.want_error)


def test_most_vectors_of_what_a_replay_computes_reach_the_standalone_verifier() -> None:
    assert len(load_vectors(OPERATIONS)) >= 390


def test_every_stage_of_a_composed_rule_has_a_vector_that_the_standalone_verifier_reaches() -> None:
    stages = {*verify.SELECTING, *verify.CLIPPING, *verify.MIXING, *verify.ENDING, "distinct"}
    used = {name for vector in load_vectors(["compose"]) for name, _ in _rule(vector.input)[1]["stages"]}
    assert used == stages == set(STAGES)


def _is_composition(text: str) -> bool:
    try:
        verify.parse_composition(text)
    except verify.Bad:
        return False
    return True


@pytest.mark.parametrize("vector", load_vectors(["decode_composition"]), ids=lambda vector: vector.name)
def test_the_standalone_verifier_reads_the_compositions_that_the_specification_reads(vector: Vector) -> None:
    assert _is_composition(vector.input["text"]) == (vector.want_error is None)
