"""Turn what a contract reverted with into the error that users read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ledger import spec
from ledger.chain.abi import get_errors, to_snake
from ledger.errors import (
    DuplicateCommitment,
    FedtrailError,
    FundsLocked,
    InsufficientStake,
    NotEligible,
    QuorumNotMet,
    Reverted,
    WrongPhase,
    WrongSigner,
)
from ledger.spec import InvalidTask

Args = Mapping[str, Any]

_WANTED_PHASE = {
    "commit": "open for commits",
    "commitBatch": "open for commits",
    "commitRoot": "open for commits",
    "disputeOf": "proposed and not yet finalised",
    "propose": "open for a proposal",
    "abandon": "open for a proposal",
    "finalise": "proposed and past its challenge window",
    "expire": "past its deadline for a proposal",
    **dict.fromkeys(
        (
            "proveColumn",
            "proveWeightedColumn",
            "proveWeight",
            "proveTranspose",
            "proveMembers",
            "proveDirect",
            "proveModelStep",
            "proveWrongEntry",
            "proveOmission",
        ),
        "proposed and not yet finalised",
    ),
}
_UNKNOWN_FIELD = "what docs/protocol.md, Tasks, states"


def decode_revert(data: bytes, *, call: str, context: Args) -> FedtrailError:
    """Return the error for revert data.

    Args: data: selector and arguments; empty when the node gave none. call: the contract's function.
    context: what the caller knows: who (a participant in words), task (spec.Task), sender (an address in words).
    """
    item = get_errors().get(data[:4])
    if item is None:
        return Reverted(call=call, reason=f"0x{data.hex()}" if data else "it gave no reason")
    args = item.decode_error(data)
    translate = _TRANSLATIONS.get(item.name)
    return translate(call, args, context) if translate else _describe(item.name, call, args)


def _describe(name: str, call: str, args: Args) -> Reverted:
    words = ", ".join(f"{field}={_word(value)}" for field, value in args.items())
    return Reverted(call=call, reason=f"{name}({words})")


def _word(value: Any) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def format_time(seconds: int) -> str:
    """Return a time of the chain as users read it: 14:02:10Z, with the date when that is not today's."""
    moment = time.gmtime(seconds)
    is_today = moment[:3] == time.gmtime()[:3]
    return time.strftime("%H:%M:%SZ" if is_today else "%Y-%m-%d %H:%M:%SZ", moment)


def _insufficient_stake(call: str, args: Args, context: Args) -> FedtrailError:
    return InsufficientStake(who=context.get("who", "the participant"), got=args["got"], want=args["want"])


def _wrong_phase(call: str, args: Args, context: Args) -> FedtrailError:
    phase = spec.Phase(args["phase"]).name.lower()
    got = "not there" if phase == "none" else phase
    return WrongPhase(round_id=args["round_id"], got=got, want=_WANTED_PHASE.get(call, "another phase"))


def _wrong_mode(call: str, args: Args, context: Args) -> FedtrailError:
    mode = spec.CommitMode(args["mode"]).name.lower().replace("_", "-")
    want = f"another mode for {call}" if call not in _WANTED_PHASE else f"{_WANTED_PHASE[call]} of this kind"
    return WrongPhase(round_id=args["round_id"], got=f"in {mode} mode", want=want)


def _task_paused(call: str, args: Args, context: Args) -> FedtrailError:
    return WrongPhase(f"task {args['task_id']} is paused by the ledger's guardian", call=call, **args)


def _too_late(call: str, args: Args, context: Args) -> FedtrailError:
    until, now = args["until"], args["now_seconds"]
    got = f"closed since {format_time(until)} ({now - until} s ago)"
    return WrongPhase(round_id=args["round_id"], got=got, want=_WANTED_PHASE.get(call, "open"))


def _too_early(call: str, args: Args, context: Args) -> FedtrailError:
    first, now = args["from"], args["now_seconds"]
    got = f"not ready before {format_time(first)} (in {first - now} s)"
    return WrongPhase(round_id=args["round_id"], got=got, want=_WANTED_PHASE.get(call, "later"))


def _already_committed(call: str, args: Args, context: Args) -> FedtrailError:
    return DuplicateCommitment(client=args["client"], round_id=args["round_id"])


def _quorum_not_met(call: str, args: Args, context: Args) -> FedtrailError:
    return QuorumNotMet(got=args["got"], want=args["want"], round_id=args["round_id"])


def _not_eligible(call: str, args: Args, context: Args) -> FedtrailError:
    what = f"commit in round {args['round_id']}"
    return NotEligible(who=args["client"], what=what, reason="no active client when the round opened")


def _not_aggregator(call: str, args: Args, context: Args) -> FedtrailError:
    reason = f"no active aggregator that {_word(args['sender'])} acts for"
    return NotEligible(who=args["aggregator"], what=call, reason=reason)


def _not_owner(call: str, args: Args, context: Args) -> FedtrailError:
    return NotEligible(who=args["id"], what=call, reason=f"{_word(args['sender'])} is not its owner")


def _not_governor(call: str, args: Args, context: Args) -> FedtrailError:
    return NotEligible(who=_word(args["sender"]), what=call, reason="only the ledger's governor may")


def _not_guardian(call: str, args: Args, context: Args) -> FedtrailError:
    return NotEligible(who=_word(args["sender"]), what=call, reason="only the ledger's guardian may")


def _still_bonded(call: str, args: Args, context: Args) -> FedtrailError:
    bonds = f"; {args['open_tasks']} tasks hold a bond" if args["open_tasks"] else ""
    return FundsLocked(who=args["id"], reason=f"unbonding ends at {format_time(args['unlock_at'])}{bonds}")


def _signature_mismatch(call: str, args: Args, context: Args) -> FedtrailError:
    who = args.get("client", context.get("who", "the signer"))
    return WrongSigner(got=_word(args["got"]), client=who, want=_word(args["want"]))


def _invalid_task(call: str, args: Args, context: Args) -> FedtrailError:
    field = to_snake(args["field"].rstrip(b"\x00").decode("ascii", errors="replace"))
    return InvalidTask(field=field, got=getattr(context.get("task"), field, "refused"), want=_UNKNOWN_FIELD)


_TRANSLATIONS = {
    "InsufficientStake": _insufficient_stake,
    "WrongPhase": _wrong_phase,
    "WrongMode": _wrong_mode,
    "TaskPaused": _task_paused,
    "TooLate": _too_late,
    "TooEarly": _too_early,
    "AlreadyCommitted": _already_committed,
    "QuorumNotMet": _quorum_not_met,
    "NotEligible": _not_eligible,
    "NotAggregator": _not_aggregator,
    "NotOwner": _not_owner,
    "NotGovernor": _not_governor,
    "NotGuardian": _not_guardian,
    "StillBonded": _still_bonded,
    "SignatureMismatch": _signature_mismatch,
    "InvalidTask": _invalid_task,
}
