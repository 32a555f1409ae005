"""Steps of a round as vectors write them, applied to the round transition of `ledger.spec`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger import spec
from vector_cases.case import from_hex

_DIGESTS = ("board", "genesis_model", "layout_digest", "script_digest")


def task(item: Mapping[str, Any]) -> spec.Task:
    """Return the task of a vector."""
    values: dict[str, Any] = {
        **item,
        **{key: from_hex(item[key]) for key in _DIGESTS},
        **{key: int(item[key]) for key in ("wei_per_weight", "bond_wei")},
        "rule": spec.RULE_NAMES[item["rule"]],
        "mode": spec.CommitMode[item["mode"].replace("-", "_").upper()],
    }
    return spec.Task(**values)


def proposal(item: Mapping[str, Any]) -> spec.Proposal:
    """Return the proposal of a vector."""
    return spec.Proposal(**{key: from_hex(value) if isinstance(value, str) else value for key, value in item.items()})


def members(step: Mapping[str, Any]) -> list[spec.Member]:
    """Return the commitments of a step."""
    return [spec.Member(client=client, commitment=from_hex(digest)) for client, digest in step["members"]]


def signed_list(items: list[list[Any]]) -> bytes:
    """Return the list of (client, commitment, signature)."""
    entries = [
        spec.SignedMember(client=client, commitment=from_hex(digest), signature=from_hex(signature))
        for client, digest, signature in items
    ]
    return spec.encode_signed_list(entries)


def outcome(state: spec.TaskState, step: Mapping[str, Any]) -> spec.Outcome:
    """Return the outcome that follows from a step's proposal, exclusions and auxiliary data, and from the round."""
    exclusions = [(client, reason) for client, reason in step.get("exclusions", [])]
    made = proposal(step["proposal"])
    return spec.make_outcome(
        made,
        segments_hash=state.current.segments_hash if state.current else spec.ZERO_DIGEST,
        excluded=spec.encode_exclusions(exclusions),
        aux=from_hex(step.get("aux", "0x")),
        included=max(0, made.committed - len(exclusions)),
    )


def apply(state: spec.TaskState, step: Mapping[str, Any]) -> spec.TaskState:
    """Return the state after one step, which says what is done and when."""
    now, what = step["at"], step["do"]
    exclusions = [(client, reason) for client, reason in step.get("exclusions", [])]
    if what == "open":
        return spec.apply_open(state, step["round_id"], now)
    if what == "commit":
        return spec.apply_commits(state, members(step), now)
    if what == "commit-list":
        return spec.apply_list(state, signed_list(step["list"]), now)
    if what == "propose":
        return spec.apply_proposal(state, proposal(step["proposal"]), exclusions, now, from_hex(step.get("aux", "0x")))
    if what == "abandon":
        return spec.apply_abandon(state, exclusions, now)
    if what == "finalise":
        return spec.apply_finalise(state, outcome(state, step), now)
    if what == "expire":
        return spec.apply_expire(state, now)
    if what == "pause":
        return spec.apply_pause(state, now)
    if what == "resume":
        return spec.apply_resume(state, now)
    raise ValueError(f"no such step: {what}")


def run(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state after all steps; only the last step may be refused."""
    limits = {name: arguments[name] for name in ("unbond_seconds", "max_pause_seconds")}
    state = spec.start_task(task(arguments["task"]), **limits)
    *before, last = arguments["steps"]
    for step in before:
        state = _apply_allowed(state, step)
    return describe(apply(state, last))


def _apply_allowed(state: spec.TaskState, step: Mapping[str, Any]) -> spec.TaskState:
    try:
        return apply(state, step)
    except spec.FedtrailError as error:
        raise ValueError(f"a step before the last is refused: {step}: {error}") from error


def describe(state: spec.TaskState) -> dict[str, Any]:
    """Return what contract and specification must agree on after a step."""
    current = state.current
    found: dict[str, Any] = {"rounds": state.rounds, "model": state.model, "head": state.head}
    found["paused_at"] = state.paused_at
    if current is not None:
        clock = ("opened_at", "commit_end", "data_end", "propose_end", "challenge_end")
        found |= {"phase": current.phase.name.lower(), "round_id": current.round_id}
        found |= {name: getattr(current, name) for name in clock}
        found |= {"base_model": current.base_model, "committed": current.committed}
        found |= {"segments_hash": current.segments_hash, "proposal_hash": current.proposal_hash}
    return found
