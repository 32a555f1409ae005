"""What a proof shows about a whole round: all its events, and the ledger's own count of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eth_utils.crypto import keccak

from ledger import commitments, spec
from ledger.errors import BadProof, Incomplete, WrongRoot
from ledger.evidence import slots
from ledger.proofs.case import COMMITS, ENDS, Case, ProvenEvent
from ledger.proofs.trees import compute_entries_root


def check_round(case: Case, data: bytes | None) -> dict[str, Any]:
    """Return what a proof shows about a round.

    Raises: BadProof; Incomplete: the ledger counts more than the proof has, or is in another phase.
    """
    task, opened = read_round(case, {"TaskCreated", "RoundOpened", *COMMITS, *ENDS})
    members, count, segments_hash = _read_members(case)
    proposed = case.find("Proposed")
    if proposed is not None:
        verify_proposal(case, proposed)
        if proposed.args["segments_hash"] != segments_hash:
            raise Incomplete(
                f"incomplete: the commitments of round {case.round_id} hash to {segments_hash.hex()}, "
                f"the ledger had {proposed.args['segments_hash'].hex()} when it took the proposal"
            )
    ended = case.find("Abandoned") or proposed
    excluded = read_exclusions(ended.args["excluded"]) if ended else {}
    phase = next((ENDS[name] for name in ENDS if case.find(name) is not None), spec.Phase.OPEN)
    facts = {
        "round": opened.args["number"],
        "round_id": case.round_id,
        "task_id": opened.args["task_id"],
        "phase": phase,
        "committed": count,
        "included": ended.args["included"] if ended else None,
        "clients": [member.client for member in members] if members is not None else None,
        "excluded": {str(client): f"FT{reason}" for client, reason in excluded.items()},
        "model_root": proposed.args["proposal"].model_root if proposed else None,
    }
    return facts | _compare_with_state(case, task, opened, phase, count, len(excluded))


def _read_members(case: Case) -> tuple[list[spec.Member] | None, int, bytes]:
    """Return who committed, how many that are, and the rolling hash over the segments; None for an absent list."""
    members: list[spec.Member] = []
    rolling, absent = spec.ZERO_DIGEST, 0
    for event in case.events:
        args = event.args
        if event.name == "Committed":
            member = spec.Member(client=args["client"], commitment=args["commitment"])
            members.append(member)
            rolling = commitments.compute_segments_hash(rolling, commitments.compute_segment_root([member]), 1)
        elif event.name == "SegmentCommitted":
            members += read_segment(args)
            rolling = commitments.compute_segments_hash(rolling, args["root"], args["count"])
        elif event.name == "RootCommitted":
            rolling = commitments.compute_segments_hash(rolling, args["root"], args["count"])
            if case.proof.listed is None:
                case.gaps.append("the list of commitments, which names the clients")
                absent = args["count"]
            else:
                members += _read_list(case.proof.listed, args)
    distinct = spec.distinct_members(members)
    return (None if absent else distinct), absent or len(distinct), rolling


def read_exclusions(excluded: bytes) -> dict[int, int]:
    """Return the reason of each exclusion by client. Raises: BadProof: the bytes are no exclusions."""
    if len(excluded) % 6:
        raise BadProof(what=f"{len(excluded)} bytes of exclusions")
    return dict(spec.decode_exclusions(excluded))


def read_segment(args: Mapping[str, Any]) -> list[spec.Member]:
    """Return the commitments in a SegmentCommitted. Raises: BadProof: they are not as many as it says."""
    members = spec.decode_members(args["entries"]) if len(args["entries"]) % 36 == 0 else []
    if len(members) != args["count"]:
        raise BadProof(what=f"a segment of {args['count']} commitments that shows {len(members)}")
    return members


def _read_list(listed: bytes, args: Mapping[str, Any]) -> list[spec.Member]:
    entries = spec.decode_signed_list(listed)
    if (got := spec.compute_list_id(listed)) != args["list_id"]:
        raise WrongRoot(what="the list of commitments", got=got.hex(), want=args["list_id"].hex())
    root = compute_entries_root([listed[at : at + 100] for at in range(0, len(listed), 100)])
    if (root, len(entries)) != (args["root"], args["count"]):
        raise BadProof(what=f"a list of {len(entries)} with root {root.hex()}, posted with {args['root'].hex()}")
    return [spec.Member(client=entry.client, commitment=entry.commitment) for entry in entries]


def _compare_with_state(
    case: Case, task: spec.Task, opened: ProvenEvent, phase: spec.Phase, committed: int, excluded: int
) -> dict[str, Any]:
    """Return what the ledger's own storage says, if the events agree with it: then none of them is left out."""
    if case.words is None:
        case.gaps.append("the ledger's storage, which counts the commitments")
        return {"complete": None}
    stored = slots.read_round(case.words, case.round_id)
    if stored.phase is not phase:
        raise Incomplete(
            f"incomplete: the ledger says that round {case.round_id} is {stored.phase.name.lower()}, "
            f"the events say {phase.name.lower()}"
        )
    is_counted = task.mode is not spec.CommitMode.ACCUMULATED or case.find("Proposed") is not None
    pairs = {
        "commitments": (committed, stored.committed if is_counted else committed),
        "exclusions": (excluded, stored.excluded),
        "task": (opened.args["task_id"], stored.task_id),
        "aggregator": (opened.args["aggregator"], stored.aggregator),
    }
    for what, (got, want) in pairs.items():
        if got != want:
            raise Incomplete(want=want, what=what, round_id=case.round_id, got=got)
    if not is_counted:
        case.gaps.append("a count of the commitments: the ledger has none before a proposal in this mode")
    if phase is spec.Phase.FINALISED:
        verify_head(case, opened.args["task_id"])
    return {"complete": is_counted}


def verify_head(case: Case, task_id: int) -> None:
    """Return if the task's head, in storage, covers this round's proposal. Raises: BadProof."""
    chain, proposed, finalised = case.proof.head, case.take("Proposed"), case.take("Finalised")
    if chain is None or case.words is None:
        raise BadProof(what="the proof does not show how the task's head follows from the round")
    head = compute_head(chain.previous, case.round_id, proposed.args["proposal_hash"])
    if head != finalised.args["head"] or finalised.args["model_root"] != proposed.args["proposal"].model_root:
        raise BadProof(what=f"the round is finalised with head {finalised.args['head'].hex()}, not {head.hex()}")
    for round_id, proposal_hash in chain.later:
        head = compute_head(head, round_id, proposal_hash)
    stored = slots.read_task(case.words, task_id)
    if head != stored.head or (not chain.later and stored.model != finalised.args["model_root"]):
        raise BadProof(what=f"the proposals lead to head {head.hex()}, the ledger has {stored.head.hex()}")


def read_round(case: Case, names: set[str]) -> tuple[spec.Task, ProvenEvent]:
    """Return the task and the opening of the round that a proof is about, if all its events are about it."""
    for event in case.events:
        if event.name not in names or event.args.get("round_id", case.round_id) != case.round_id:
            raise BadProof(what=f"the event {event.name} of block {event.block} is not about round {case.round_id}")
    created, opened = case.take("TaskCreated"), case.take("RoundOpened")
    if created.args["task_id"] != opened.args["task_id"]:
        raise BadProof(what=f"round {case.round_id} is of task {opened.args['task_id']}, the proof shows another one")
    return created.args["task"], opened


def verify_proposal(case: Case, proposed: ProvenEvent) -> None:
    """Return if the parts of a proposal give the hash that the ledger keeps. Raises: BadProof."""
    args = proposed.args
    parts = {name: args[name] for name in ("segments_hash", "excluded", "aux", "included")}
    got = spec.compute_proposal_hash(case.round_id, args["proposal"], **parts)
    if got != args["proposal_hash"]:
        raise BadProof(what=f"the proposal hashes to {got.hex()}, the ledger keeps {args['proposal_hash'].hex()}")


def compute_head(previous: bytes, round_id: int, proposal_hash: bytes) -> bytes:
    """Return what `spec.compute_head` returns, fast: a stranger chooses how many of them there are."""
    return bytes(keccak(previous + round_id.to_bytes(32, "big") + proposal_hash))
