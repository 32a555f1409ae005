"""What a stranger makes of a proof, kind by kind, from its events and the ledger's storage. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ledger import commitments, spec
from ledger.errors import BadProof, EvidenceError, UsageError, WrongRoot
from ledger.proofs.case import COMMITS, ENDS, Case, ProvenEvent, find_anchor, open_case, verify_ledger
from ledger.proofs.format import Proof, ProofKind
from ledger.proofs.rounds import check_round, read_exclusions, read_round, verify_head, verify_proposal
from ledger.proofs.trees import verify_entry
from ledger.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a proof shows."""

    kind: str
    """event, update, round or model."""
    chain_id: int
    """EIP-155 chain id of the ledger that it is about."""
    ledger: bytes
    """Address of that ledger, 20 bytes."""
    facts: Mapping[str, Any]
    """What is proven, if the block is the chain's."""
    block: int
    """The latest block that anything in the proof relies on."""
    block_hash: bytes
    """Its hash."""
    anchor: str | None
    """Who vouches for it, in words; None if nobody does that the trust file names."""
    gaps: tuple[str, ...] = ()
    """What the proof does not show, though a proof of its kind could."""


def check_proof(proof: Proof, *, data: bytes | None = None, trust: Trust | None = None) -> Checked:
    """Return what a proof shows.

    Args: proof: from a stranger. data: the update or the model that it is about, to see whether it is that one.
    trust: what the caller takes as given; None for nothing.
    Raises: BadProof, Incomplete, SplitView, WrongCode; WrongRoot and other SpecErrors: `data` is not what it is about;
    UsageError: there is nothing that `data` could be compared with.
    """
    trust = trust or Trust()
    verify_ledger(proof.chain_id, proof.ledger, trust)
    case = open_case(proof)
    if data is not None and proof.kind in (ProofKind.EVENT, ProofKind.ROUND):
        raise UsageError(f"a proof of a {proof.kind} is about no file")
    facts = _CHECKS[proof.kind](case, data)
    last = case.get_last_block()
    return Checked(
        kind=proof.kind.value,
        chain_id=proof.chain_id,
        ledger=proof.ledger,
        facts=facts,
        block=last,
        block_hash=case.headers[last].hash,
        anchor=find_anchor(proof, case.headers, last, trust),
        gaps=tuple(case.gaps),
    )


def _check_event(case: Case, data: bytes | None) -> dict[str, Any]:
    if len(case.events) != 1:
        raise BadProof(what=f"a proof of an event with {len(case.events)} of them")
    (event,) = case.events
    if event.args.get("round_id") != case.proof.round_id:
        raise BadProof(what=f"the proof is about round {case.proof.round_id}, its event is not")
    return {"event": event.name, "block": event.block, **event.args}


def _check_update(case: Case, data: bytes | None) -> dict[str, Any]:
    client, committed = case.proof.client, case.take(*COMMITS)
    task, opened = read_round(case, {"TaskCreated", "RoundOpened", *COMMITS, "Proposed", "Finalised", "Voided"})
    if client is None:
        raise BadProof(what="a proof of an update that names no client")
    commitment, place = _read_commitment(case, committed, client)
    facts = {
        "round": opened.args["number"],
        "round_id": case.round_id,
        "client": client,
        "commitment": commitment,
        **place,
        "block": committed.block,
        **_read_fate(case, spec.Member(client=client, commitment=commitment)),
    }
    if data is not None:
        facts |= _open_update(case, task, client, commitment, data)
    return facts


def _read_commitment(case: Case, committed: ProvenEvent, client: int) -> tuple[bytes, dict[str, Any]]:
    """Return what a client committed to, and where that stands."""
    args, entry, place = committed.args, case.proof.entry, case.proof.in_segment
    if committed.name == "Committed":
        if args["client"] != client:
            raise BadProof(what=f"the commitment is client {args['client']}'s, the proof is about client {client}")
        return args["commitment"], {"leaf": 1, "leaves": 1}
    want = 36 if committed.name == "SegmentCommitted" else 100
    if entry is None or place is None or len(entry) != want or int.from_bytes(entry[:4], "big") != client:
        raise BadProof(what=f"the proof shows no entry of client {client}")
    verify_entry(entry, place, args["count"], args["root"])
    return entry[4:36], {"leaf": place.index + 1, "leaves": args["count"], "root": args["root"]}


def _read_fate(case: Case, member: spec.Member) -> dict[str, Any]:
    """Return what became of a commitment, as far as the proof says."""
    proposed = case.find("Proposed")
    if proposed is None:
        return {"phase": "committed"}
    verify_proposal(case, proposed)
    phase = next(ENDS[name] for name in ENDS if case.find(name) is not None)
    reasons = read_exclusions(proposed.args["excluded"])
    if member.client in reasons:
        return {"phase": phase, "included": False, "excluded_for": f"FT{reasons[member.client]}"}
    place = case.proof.in_members
    if place is None:
        case.gaps.append("that the update is among those that the proposal calls included")
        return {"phase": phase, "included": None}
    leaf, root = spec.hash_leaf(spec.encode_members([member])), proposed.args["proposal"].members_root
    spec.verify_inclusion(leaf, place.index, proposed.args["included"], place.path, root)
    return {"phase": phase, "included": True}


def _open_update(case: Case, task: spec.Task, client: int, commitment: bytes, data: bytes) -> dict[str, Any]:
    """Return what an update says, if it is what the client committed to; whether it obeys the task is not asked."""
    says_masked = task.rule is spec.Rule.COMPOSED and data[2:3] == spec.Kind.MASKED.value
    if task.degree or says_masked:
        raise EvidenceError("the update is masked: opening its commitment takes the client's seed table, too")
    kind = spec.Kind.NARROW if data[2:3] == spec.Kind.NARROW.value else spec.Kind.UPDATE
    blob = _read_vector(case, task, kind, client, task.leaf_log2, data)
    root = commitments.compute_vector_root(commitments.read_values(blob), task.leaf_log2)
    got = spec.compute_commitment(
        domain_separator=case.domain_separator,
        round_id=case.round_id,
        client=client,
        num_examples=blob.header.num_examples,
        root=root,
    )
    if got != commitment:
        raise WrongRoot(what=f"round {case.round_id}, client {client}", got=got.hex(), want=commitment.hex())
    return {"opens": True, "num_examples": blob.header.num_examples, "size": blob.header.size}


def _read_vector(
    case: Case, task: spec.Task, kind: spec.Kind, author: int, leaf_log2: int, data: bytes
) -> spec.VectorBlob:
    want = spec.Expectation(
        kind=kind,
        domain_separator=case.domain_separator,
        round_id=case.round_id,
        client=author,
        size=task.size,
        scale_bits=task.scale_bits,
        leaf_log2=leaf_log2,
    )
    blob = spec.decode_vector(data, max_bytes=want.max_bytes)
    spec.verify_header(blob.header, want)
    return blob


def _check_model(case: Case, data: bytes | None) -> dict[str, Any]:
    task, opened = read_round(case, {"TaskCreated", "RoundOpened", "Proposed", "Finalised"})
    proposed, finalised = case.take("Proposed"), case.take("Finalised")
    verify_proposal(case, proposed)
    if finalised.args["model_root"] != proposed.args["proposal"].model_root:
        raise BadProof(what="the round was finalised with another model than was proposed")
    if case.words is None:
        case.gaps.append("the ledger's storage, whose head covers the model")
    else:
        verify_head(case, opened.args["task_id"])
    facts = {
        "round": opened.args["number"],
        "round_id": case.round_id,
        "task_id": opened.args["task_id"],
        "model_root": finalised.args["model_root"],
        "base_model": opened.args["base_model"],
        "included": proposed.args["included"],
        "block": finalised.block,
    }
    if data is not None:
        blob = _read_vector(case, task, spec.Kind.MODEL, opened.args["aggregator"], task.model_log2, data)
        root = commitments.compute_vector_root(commitments.read_values(blob), task.model_log2)
        if root != facts["model_root"]:
            what = f"round {case.round_id}, model"
            raise WrongRoot(what=what, got=root.hex(), want=facts["model_root"].hex())
        facts |= {"opens": True, "size": blob.header.size}
    return facts


_CHECKS: Mapping[ProofKind, Callable[[Case, bytes | None], dict[str, Any]]] = {
    ProofKind.EVENT: _check_event,
    ProofKind.UPDATE: _check_update,
    ProofKind.ROUND: check_round,
    ProofKind.MODEL: _check_model,
}
