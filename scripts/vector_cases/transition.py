"""Steps of a round as vectors write them, applied to the round transition of `ledger.spec`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger import spec
from vector_cases.case import from_hex

_DIGESTS = ("board", "genesis_model", "layout_digest", "script_digest")


def task(item: Mapping[str, Any]) -> spec.Task:
    """Return the task of a vector."""
    rest = {key: value for key, value in item.items() if key not in ("rule", "bond_wei", *_DIGESTS)}
    digests: dict[str, Any] = {key: from_hex(item[key]) for key in _DIGESTS}
    return spec.Task(rule=spec.RULE_NAMES[item["rule"]], bond_wei=int(item["bond_wei"]), **rest, **digests)


def proposal(item: Mapping[str, Any]) -> spec.Proposal:
    """Return the proposal of a vector."""
    return spec.Proposal(**{key: from_hex(value) for key, value in item.items()})


def apply(state: spec.TaskState, step: Mapping[str, Any]) -> spec.TaskState:
    """Return the state after one step, which says what is done and when."""
    now, what = step["at"], step["do"]
    exclusions = [(client, reason) for client, reason in step.get("exclusions", [])]
    if what == "open":
        return spec.apply_open(state, step["round_id"], now)
    if what == "commit":
        members = [spec.Member(client=client, commitment=from_hex(digest)) for client, digest in step["members"]]
        return spec.apply_commits(state, members, now)
    if what == "propose":
        return spec.apply_proposal(state, proposal(step["proposal"]), exclusions, now)
    if what == "abandon":
        return spec.apply_abandon(state, exclusions, now)
    if what == "finalise":
        return spec.apply_finalise(state, proposal(step["proposal"]), exclusions, now)
    if what == "expire":
        return spec.apply_expire(state, now)
    raise ValueError(f"no such step: {what}")


def run(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state after all steps; only the last step may be refused."""
    state = spec.start_task(task(arguments["task"]), unbond_seconds=arguments["unbond_seconds"])
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
    outcome: dict[str, Any] = {"rounds": state.rounds, "model": state.model, "head": state.head}
    if current is not None:
        clock = ("opened_at", "commit_end", "data_end", "propose_end", "challenge_end")
        outcome |= {"phase": current.phase.name.lower(), "round_id": current.round_id}
        outcome |= {name: getattr(current, name) for name in clock}
        outcome |= {"base_model": current.base_model, "committed": len(current.members)}
        outcome |= {"segments_hash": current.segments_hash, "proposal_hash": current.proposal_hash}
    return outcome
