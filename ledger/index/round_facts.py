"""Facts about participants, tasks and rounds: events of ParticipantRegistry and RoundLedger."""

from __future__ import annotations

from collections.abc import Iterator

from ledger import spec
from ledger.docket import decode_reason
from ledger.history import raw_cid
from ledger.index.columns import Arguments, Maker, Row, pick, to_amount, to_hex, to_hex_or_none


def _registered(args: Arguments) -> Iterator[Row]:
    keys = {"owner": to_hex(args["owner"]), "signer": to_hex(args["signer"]), "key_epoch": 0}
    role = args["role"].name.lower()
    yield "x_client", {"client": args["id"], "action": "registered", "role": role, **keys, "since": args["active_from"]}
    yield "x_stake", {"client": args["id"], "kind": "deposit", **to_amount(args["stake_wei"])}


def _key_rotated(args: Arguments) -> Iterator[Row]:
    keys = {"signer": to_hex(args["signer"]), "key_epoch": args["epoch"]}
    yield "x_client", {"client": args["id"], "action": "rotated", **keys}


def _unbonding(args: Arguments) -> Iterator[Row]:
    yield "x_client", {"client": args["id"], "action": "unbonding", "since": args["unlock_at"]}


def _withdrawn(args: Arguments) -> Iterator[Row]:
    yield "x_client", {"client": args["id"], "action": "withdrawn"}
    yield "x_stake", {"client": args["id"], "kind": "withdraw", **to_amount(args["amount_wei"])}


def _stake(kind: str) -> Maker:
    def make(args: Arguments) -> Iterator[Row]:
        yield "x_stake", {"client": args["id"], "kind": kind, **_task_of(args), **to_amount(args["amount_wei"])}

    return make


def _task_of(args: Arguments) -> dict[str, object]:
    return {"task": args["task_id"]} if "task_id" in args else {}


def _slashed(args: Arguments) -> Iterator[Row]:
    shares = {key: args[key] for key in ("to_challenger", "to_clients", "burnt")}
    about = {"client": args["id"], "kind": "slash", "round_id": args["round_id"] or None}
    parts = {f"{key}_wei": str(amount) for key, amount in shares.items()}
    yield "x_stake", {**about, "reason": decode_reason(args["reason"]), **to_amount(sum(shares.values())), **parts}


def _credit(kind: str, account: str) -> Maker:
    """Return a maker for credit that an account has or loses; it is no stake."""

    def make(args: Arguments) -> Iterator[Row]:
        yield "x_stake", {"account": to_hex(args[account]), "kind": kind, **to_amount(args["amount_wei"])}

    return make


def _credit_moved(args: Arguments) -> Iterator[Row]:
    for kind, account in (("credit sent", "from"), ("credit received", "to")):
        yield "x_stake", {"account": to_hex(args[account]), "kind": kind, **to_amount(args["amount_wei"])}


# --------------------------------------------------------------------------------------------------- tasks and rounds


def _task_created(args: Arguments) -> Iterator[Row]:
    task: spec.Task = args["task"]
    kept: tuple[str, ...] = (
        "rule_param",
        "rule_select",
        "size",
        "scale_bits",
        "bound",
        "examples_cap",
        "commit_seconds",
    )
    kept += ("data_seconds", "propose_seconds", "challenge_seconds", "max_clients", "quorum")
    bond = to_amount(task.bond_wei)
    yield (
        "x_task",
        {
            "task": args["task_id"],
            "params_hash": to_hex(args["params_hash"]),
            "rule": task.rule.name.lower().replace("_", "-"),
            "mode": task.mode.name.lower().replace("_", "-"),
            **{name: getattr(task, name) for name in kept},
            "wei_per_weight": str(task.wei_per_weight),
            "bond_wei": bond["wei"],
            "bond_gwei": bond["gwei"],
            "board": to_hex_or_none(task.board),
            **{name: to_hex(getattr(task, name)) for name in ("genesis_model", "layout_digest", "script_digest")},
        },
    )


def _round_opened(args: Arguments) -> Iterator[Row]:
    kept = pick(args, "round_id", "aggregator", "opened_at", "commit_end", "data_end", "propose_end")
    named = {"task": args["task_id"], "round": args["number"], "base_model": to_hex(args["base_model"])}
    yield "x_round", {**kept, **named}


def _committed(args: Arguments) -> Iterator[Row]:
    yield "x_segment", {"round_id": args["round_id"], "kind": "alone", "count": 1}
    yield "x_update", make_commitment(args["round_id"], args["client"], args["commitment"])


def _segment_committed(args: Arguments) -> Iterator[Row]:
    told = pick(args, "round_id", "first", "count")
    yield "x_segment", {**told, "kind": "batch", "root": to_hex(args["root"])}
    for member in spec.decode_members(args["entries"]):
        yield "x_update", make_commitment(args["round_id"], member.client, member.commitment)


def _root_committed(args: Arguments) -> Iterator[Row]:
    told = {"round_id": args["round_id"], "root": to_hex(args["root"]), "count": args["count"]}
    yield "x_segment", {**told, "kind": "list", "list_cid": str(raw_cid(args["list_id"]))}
    yield from _block_blob(args["round_id"], "list", args["list_id"])


def _block_blob(round_id: int, kind: str, digest: bytes) -> Iterator[Row]:
    if any(digest):
        yield "x_blob", {"round_id": round_id, "kind": kind, "cid": str(raw_cid(digest))}


def _proposed(args: Arguments) -> Iterator[Row]:
    proposal: spec.Proposal = args["proposal"]
    roots = ("aggregate_root", "matrix_root", "model_root", "members_root")
    round_id = args["round_id"]
    yield "x_phase", {"round_id": round_id, "phase": "proposed", "ends_at": args["challenge_end"]}
    yield (
        "x_aggregate",
        {
            **pick(args, "round_id", "aggregator", "included", "challenge_end"),
            "proposal_hash": to_hex(args["proposal_hash"]),
            **{name: to_hex(getattr(proposal, name)) for name in roots},
            "manifest_cid": str(raw_cid(proposal.data_id)),
            "committed": proposal.committed,
        },
    )
    yield from _block_blob(round_id, "manifest", proposal.data_id)
    yield from _rejections(round_id, args["excluded"])


def _finalised(args: Arguments) -> Iterator[Row]:
    roots = {"head": to_hex(args["head"]), "model_root": to_hex(args["model_root"])}
    yield "x_phase", {"round_id": args["round_id"], "phase": "finalised", **roots}


def _abandoned(args: Arguments) -> Iterator[Row]:
    yield "x_phase", {"round_id": args["round_id"], "phase": "abandoned"}
    yield from _block_blob(args["round_id"], "manifest", args["data_id"])
    yield from _rejections(args["round_id"], args["excluded"])


def _expired(args: Arguments) -> Iterator[Row]:
    yield "x_phase", {"round_id": args["round_id"], "phase": "expired", "reason": "no proposal"}


def _paused(args: Arguments) -> Iterator[Row]:
    yield "x_governance", {"action": "paused", **_task_of(args), "round_id": args["round_id"] or None}


def _resumed(args: Arguments) -> Iterator[Row]:
    about = {**_task_of(args), "round_id": args["round_id"] or None, "seconds": args["paused_seconds"]}
    yield "x_governance", {"action": "resumed", **about}


def make_commitment(round_id: int, client: int, commitment: bytes) -> dict[str, object]:
    """Return the columns of a commitment."""
    return {"round_id": round_id, "client": client, "stage": "committed", "commitment": to_hex(commitment)}


def _rejections(round_id: int, excluded: bytes) -> Iterator[Row]:
    for client, reason in spec.decode_exclusions(excluded):
        yield "x_update", {"round_id": round_id, "client": client, "stage": "rejected", "reason": f"FT{reason}"}


MAKERS: dict[str, Maker] = {
    "Registered": _registered,
    "KeyRotated": _key_rotated,
    "Deposited": _stake("deposit"),
    "Unbonding": _unbonding,
    "Withdrawn": _withdrawn,
    "Locked": _stake("lock"),
    "Unlocked": _stake("unlock"),
    "Slashed": _slashed,
    "Claimed": _credit("claimed", "account"),
    "CreditDeposited": _credit("credit deposited", "account"),
    "CreditMoved": _credit_moved,
    "TaskCreated": _task_created,
    "RoundOpened": _round_opened,
    "Committed": _committed,
    "SegmentCommitted": _segment_committed,
    "RootCommitted": _root_committed,
    "Proposed": _proposed,
    "Finalised": _finalised,
    "Abandoned": _abandoned,
    "Expired": _expired,
    "Paused": _paused,
    "Resumed": _resumed,
}
"""Makers by the name of their event in Solidity."""
