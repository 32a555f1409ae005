"""The operations that vectors name, as calls of `ledger.spec`; input and result in JSON form (docs/vectors.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ledger import spec
from vector_cases import audience, groups, masks, transition
from vector_cases.case import from_float_bits, from_hex, to_float_bits, to_json

Input = Mapping[str, Any]


def _members(items: list[Any]) -> list[spec.Member]:
    return [spec.Member(client=client, commitment=from_hex(commitment)) for client, commitment in items]


def _content(item: Mapping[str, Any] | None) -> spec.ContentId | None:
    return None if item is None else spec.ContentId(codec=item["codec"], digest=from_hex(item["digest"]))


def _content_json(content: spec.ContentId | None) -> dict[str, Any] | None:
    return None if content is None else {"codec": content.codec, "digest": content.digest}


def rule_params(i: Input) -> spec.RuleParams:
    """Return the parameters of an `aggregate` vector."""
    return spec.RuleParams(
        rule=spec.RULE_NAMES[i["rule"]],
        parameter=i["parameter"],
        select=i["select"],
        bound=i["bound"],
        examples_cap=spec.MAX_EXAMPLES_CAP,
    )


def composed_params(i: Input) -> spec.RuleParams:
    """Return the parameters of a `compose` vector."""
    context = spec.Context(clients=tuple(i["clients"]), weights=tuple(i["weights"]), seed=from_hex(i["seed"]))
    composition = spec.decode_composition(i["composition"].encode())
    return spec.RuleParams(
        rule=spec.Rule.COMPOSED,
        parameter=1,
        bound=i["bound"],
        examples_cap=spec.MAX_EXAMPLES_CAP,
        composition=composition,
        context=context,
    )


def _compose(i: Input) -> Any:
    params = composed_params(i)
    found = spec.aggregate(params, i["updates"], i["weights"])
    return {"aggregate": found, "aux": spec.compute_aux(params, i["updates"], i["weights"])}


def _composition(i: Input) -> Any:
    composition = spec.decode_composition(i["text"].encode())
    return {"min_updates": composition.min_updates, "selects_only": composition.selects_only}


def name_reasons(rejections: spec.Rejections) -> list[list[Any]]:
    """Return who is rejected and the code of the reason, in rising client number."""
    return [[client, reason.code] for client, reason in rejections.items()]


def _weight(i: Input) -> int:
    params = spec.RuleParams(
        rule=spec.Rule.WEIGHTED_MEAN,
        bound=1,
        examples_cap=i["examples_cap"],
        wei_per_weight=int(i["wei_per_weight"]),
    )
    return spec.compute_weight(params, i["num_examples"], int(i["stake_wei"]))


def expectation(item: Mapping[str, Any]) -> spec.Expectation:
    """Return what chain state fixes in a `decode_update` vector."""
    domain, kind = from_hex(item["domain_separator"]), spec.Kind[item["kind"].upper()]
    rest = {key: item[key] for key in ("round_id", "client", "size", "scale_bits", "leaf_log2")}
    return spec.Expectation(kind=kind, domain_separator=domain, **rest)


def _header(item: Mapping[str, Any]) -> spec.VectorHeader:
    domain, kind = from_hex(item["domain_separator"]), spec.Kind[item["kind"].upper()]
    rest = {key: item[key] for key in ("round_id", "client", "num_examples", "size", "scale_bits", "leaf_log2")}
    return spec.VectorHeader(kind=kind, domain_separator=domain, **rest)


def _blob_json(blob: spec.VectorBlob) -> dict[str, Any]:
    header = blob.header
    fields = ("round_id", "client", "num_examples", "size", "scale_bits", "leaf_log2", "domain_separator")
    described = {name: getattr(header, name) for name in fields}
    return {"kind": header.kind.name.lower(), **described, "values": blob.values(), "root": blob.root()}


def _manifest(i: Input) -> spec.Manifest:
    entries = tuple(
        spec.ManifestEntry(
            client=entry["client"],
            reason=entry["reason"],
            content=_content(entry["content"]),
            signature=from_hex(entry["signature"]),
        )
        for entry in i["entries"]
    )
    return spec.Manifest(
        domain_separator=from_hex(i["domain_separator"]),
        round_id=int(i["round_id"]),
        base=_content(i["base"]),
        aggregate=_content(i["aggregate"]),
        model=_content(i["model"]),
        entries=entries,
    )


def _manifest_json(manifest: spec.Manifest) -> dict[str, Any]:
    entries = [
        {"client": e.client, "reason": e.reason, "content": _content_json(e.content), "signature": e.signature}
        for e in manifest.entries
    ]
    contents = {name: _content_json(getattr(manifest, name)) for name in ("base", "aggregate", "model")}
    head = {"domain_separator": manifest.domain_separator, "round_id": manifest.round_id}
    return {**head, **contents, "entries": entries}


def _publication(i: Input) -> bytes:
    content = _content(i["content"])
    assert content is not None
    return spec.compute_publication_digest(
        domain_separator=from_hex(i["domain_separator"]),
        round_id=int(i["round_id"]),
        client=i["client"],
        content=content,
    )


def _register(i: Input) -> bytes:
    return spec.compute_register_digest(
        domain_separator=from_hex(i["domain_separator"]),
        owner=from_hex(i["owner"]),
        signer=from_hex(i["signer"]),
        role=i["role"],
        deadline=int(i["deadline"]),
    )


def _rotate(i: Input) -> bytes:
    return spec.compute_rotate_digest(
        domain_separator=from_hex(i["domain_separator"]),
        participant=i["participant"],
        signer=from_hex(i["signer"]),
        deadline=int(i["deadline"]),
    )


def _commitment(i: Input) -> bytes:
    return spec.compute_commitment(
        domain_separator=from_hex(i["domain_separator"]),
        round_id=int(i["round_id"]),
        client=i["client"],
        num_examples=i["num_examples"],
        root=from_hex(i["root"]),
    )


def _commitment_digest(i: Input) -> bytes:
    return spec.compute_commitment_digest(
        domain_separator=from_hex(i["domain_separator"]),
        round_id=int(i["round_id"]),
        client=i["client"],
        commitment=from_hex(i["commitment"]),
    )


def _receipt_digest(i: Input) -> bytes:
    return spec.compute_receipt_digest(
        domain_separator=from_hex(i["domain_separator"]),
        round_id=int(i["round_id"]),
        client=i["client"],
        commitment=from_hex(i["commitment"]),
    )


def _segments(i: Input) -> bytes:
    digest = spec.ZERO_DIGEST
    for segment in i["segments"]:
        members = _members(segment)
        digest = spec.compute_segments_hash(digest, spec.compute_segment_root(members), len(members))
    return digest


def _context(i: Input) -> dict[str, Any]:
    return {
        "segments_hash": from_hex(i["segments_hash"]),
        "excluded": spec.encode_exclusions([tuple(pair) for pair in i["exclusions"]]),
        "aux": from_hex(i["aux"]),
        "included": i["included"],
    }


def _details_hash(i: Input) -> bytes:
    return spec.compute_details_hash(transition.proposal(i["proposal"]), **_context(i))


def _proposal_hash(i: Input) -> bytes:
    return spec.compute_proposal_hash(i["round_id"], transition.proposal(i["proposal"]), **_context(i))


def _signed_list_json(batch: bytes) -> list[Any]:
    return [[m.client, m.commitment, m.signature] for m in spec.decode_signed_list(batch)]


def _heads(i: Input) -> bytes:
    digest = spec.ZERO_DIGEST
    for round_id, proposal_hash in i["rounds"]:
        digest = spec.compute_head(digest, round_id, from_hex(proposal_hash))
    return digest


def _verify_inclusion(i: Input) -> bool:
    path = [from_hex(sibling) for sibling in i["path"]]
    spec.verify_inclusion(from_hex(i["leaf"]), i["index"], i["leaf_count"], path, from_hex(i["root"]))
    return True


def _verify_task(i: Input) -> bool:
    limits = {name: i[name] for name in ("unbond_seconds", "max_pause_seconds")}
    spec.verify_task(transition.task(i["task"]), **limits)
    return True


def _leaves(i: Input) -> list[bytes]:
    return [spec.hash_leaf(from_hex(data)) for data in i["data"]]


OPERATIONS: dict[str, Callable[[Input], Any]] = {
    # numbers
    "rdiv": lambda i: spec.rdiv(int(i["a"]), int(i["b"])),
    "clamp": lambda i: spec.clamp(i["x"], i["bound"]),
    "wrap32": lambda i: spec.wrap32(i["x"]),
    "saturate32": lambda i: spec.saturate32(i["x"]),
    "quantize": lambda i: spec.quantize(from_float_bits(i["value"]), i["scale_bits"], i["bound"]),
    "dequantize": lambda i: to_float_bits(spec.dequantize(i["value_q"], i["scale_bits"]), size=8),
    "encode_int32": lambda i: spec.encode_int32(i["values"]),
    "decode_int32": lambda i: spec.decode_int32(from_hex(i["data"])),
    # tree
    "hash_leaf": lambda i: spec.hash_leaf(from_hex(i["chunk"])),
    "hash_node": lambda i: spec.hash_node(from_hex(i["left"]), from_hex(i["right"])),
    "root_of_data": lambda i: spec.compute_root(_leaves(i)),
    "chunk_root": lambda i: spec.compute_chunk_root(from_hex(i["data"]), i["chunk_bytes"]),
    "vector_root": lambda i: spec.compute_vector_root(i["values"], i["leaf_log2"]),
    "matrix_root": lambda i: spec.compute_matrix_root(i["updates"], i["matrix_log2"]),
    "path_length": lambda i: spec.compute_path_length(i["index"], i["leaf_count"]),
    "inclusion_proof": lambda i: spec.compute_inclusion_proof(_leaves(i), i["index"]),
    "verify_inclusion": _verify_inclusion,
    # blobs
    "encode_vector": lambda i: spec.encode_vector(_header(i["header"]), from_hex(i["payload"])),
    "decode_vector": lambda i: _blob_json(spec.decode_vector(from_hex(i["data"]), max_bytes=i["max_bytes"])),
    "decode_update": lambda i: _blob_json(
        spec.decode_update(from_hex(i["data"]), want=expectation(i["want"]), bound=i["bound"])
    ),
    "encode_manifest": lambda i: spec.encode_manifest(_manifest(i)),
    "decode_manifest": lambda i: _manifest_json(spec.decode_manifest(from_hex(i["data"]))),
    # commitment
    "keccak256": lambda i: spec.keccak256(from_hex(i["data"])),
    "domain_separator": lambda i: spec.compute_domain_separator(i["name"], i["chain_id"], from_hex(i["contract"])),
    "commitment": _commitment,
    "commitment_digest": _commitment_digest,
    "receipt_digest": _receipt_digest,
    "publication_digest": _publication,
    "register_digest": _register,
    "rotate_digest": _rotate,
    "members_root": lambda i: spec.compute_members_root(_members(i["members"])),
    "encode_members": lambda i: spec.encode_members(_members(i["members"])),
    "segment_root": lambda i: spec.compute_segment_root(_members(i["members"])),
    "segments_hash": _segments,
    "distinct_members": lambda i: [[m.client, m.commitment] for m in spec.distinct_members(_members(i["members"]))],
    "encode_signed_list": lambda i: transition.signed_list(i["list"]),
    "decode_signed_list": lambda i: _signed_list_json(from_hex(i["data"])),
    "signed_leaf": lambda i: spec.compute_signed_leaf(from_hex(i["entry"])),
    "list_root": lambda i: spec.compute_list_root(from_hex(i["data"])),
    "list_id": lambda i: spec.compute_list_id(from_hex(i["data"])),
    "encode_exclusions": lambda i: spec.encode_exclusions([tuple(pair) for pair in i["exclusions"]]),
    "details_hash": _details_hash,
    "core_hash": lambda i: spec.compute_core_hash(from_hex(i["model_root"]), from_hex(i["details_hash"])),
    "proposal_hash": _proposal_hash,
    "head": _heads,
    "task_hash": lambda i: spec.compute_task_hash(transition.task(i["task"])),
    # rules
    "aggregate": lambda i: spec.aggregate(rule_params(i), i["updates"], i["weights"]),
    "weight": _weight,
    "krum_scores": lambda i: spec.compute_krum_scores(i["updates"], i["f"]),
    "select_lowest": lambda i: spec.select_lowest([int(score) for score in i["scores"]], i["count"]),
    "min_updates": lambda i: spec.compute_min_updates(spec.RULE_NAMES[i["rule"]], i["parameter"], i["select"]),
    "compose": _compose,
    "decode_composition": _composition,
    "model_step": lambda i: spec.apply_model_step(i["model"], i["aggregate"]),
    # auxiliary data
    "distances": lambda i: spec.compute_distances(i["updates"], i["bound"]),
    "encode_distances": lambda i: spec.encode_distances([int(distance) for distance in i["distances"]]),
    "decode_distances": lambda i: spec.decode_distances(from_hex(i["data"]), count=i["count"]),
    "encode_weights": lambda i: spec.encode_weights(i["weights"]),
    "decode_weights": lambda i: spec.decode_weights(from_hex(i["data"]), count=i["count"]),
    "aux": lambda i: spec.compute_aux(rule_params(i), i["updates"], i["weights"]),
    # validation
    "decode_validation": lambda i: str(spec.decode_validation(i["text"].encode())),
    "judge_cohort": lambda i: name_reasons(
        spec.judge_cohort(spec.decode_validation(i["validation"].encode()), i["updates"], i["clients"], i["previous"])
    ),
    # masks
    **masks.OPERATIONS,
    **groups.OPERATIONS,
    # audience
    **audience.OPERATIONS,
    # rounds
    "verify_task": _verify_task,
    "transition": transition.run,
}


def run(operation: str, arguments: Input) -> tuple[Any, str | None]:
    """Return the result of an operation in JSON form, or the FT code of the error that it raises."""
    try:
        return to_json(OPERATIONS[operation](arguments)), None
    except spec.FedtrailError as error:
        return None, error.code
