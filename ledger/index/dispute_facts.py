"""Facts about disputes, the availability board and governance: events of the courts, RewardEscrow, the board, the
ledger's powers and its timelock.

A dispute has a key that all its events share: ROUND/SUBJECT for a proof and what it costs and earns (subject 0 is the
aggregator), the game's id, the demand's hash, or session/ROUND/CHALLENGER.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.availability import Demand, Subject, compute_demand_hash
from ledger.docket import decode_reason
from ledger.index.columns import Arguments, Maker, Row, pick, to_amount, to_hex

WITHHELD = {2: "answered", 3: "withheld", 4: "moot"}
"""How a demand ended, by the board's number of its state."""
AGGREGATOR = 0
"""Subject of a proof against a round's aggregator."""


def _dispute(kind: str, key: str, phase: str, **columns: Any) -> Row:
    return "x_dispute", {"kind": kind, "dispute": key, "phase": phase, **columns}


def _about(args: Arguments, subject: int) -> dict[str, Any]:
    return {"key": f"{args['round_id']}/{subject}", "round_id": args["round_id"], "subject": subject}


# ------------------------------------------------------------------------------------------- proofs, and what they cost


def _fraud_proven(args: Arguments) -> Iterator[Row]:
    yield _dispute("proof", phase="proven", **_about(args, args["subject"]), **_finding(args))


def _seed_fraud_proven(args: Arguments) -> Iterator[Row]:
    # The court of masked sums accuses aggregators only; `owner` and `peer` say whose seed it was about.
    found = {"coordinate": args["owner"], **{name: to_hex(args[name]) for name in ("claimed", "recomputed")}}
    yield _dispute("proof", phase="proven", **_about(args, AGGREGATOR), **{**_finding(args), **found})


def _finding(args: Arguments) -> dict[str, Any]:
    return {
        "account": to_hex(args["challenger"]),
        "reason": decode_reason(args["reason"]),
        "coordinate": args.get("coordinate"),
        "claimed": str(args["claimed"]),
        "recomputed": str(args["recomputed"]),
        "proof_hash": to_hex(args["proof_hash"]),
    }


def _voided(args: Arguments) -> Iterator[Row]:
    told = {"reason": decode_reason(args["reason"]), "account": to_hex(args["challenger"])}
    yield "x_phase", {"round_id": args["round_id"], "phase": "voided", **told}
    yield _dispute("proof", phase="voided", **_about(args, AGGREGATOR), **told)


def _settled(args: Arguments) -> Iterator[Row]:
    yield _dispute("proof", phase="settled", **_about(args, AGGREGATOR), **to_amount(args["taken_wei"]))


def _ticketed(args: Arguments) -> Iterator[Row]:
    yield _dispute("ticket", to_hex(args["hash"]), "ticketed")


def _contested(args: Arguments) -> Iterator[Row]:
    told = {"account": to_hex(args["challenger"]), "reason": decode_reason(args["reason"])}
    yield _dispute("proof", phase="contested", **_about(args, args["subject"]), **told)


def _rewarded(args: Arguments) -> Iterator[Row]:
    paid = {"account": to_hex(args["to"]), **to_amount(args["amount_wei"])}
    yield _dispute("proof", phase="rewarded", **_about(args, args["subject"]), **paid)
    yield "x_stake", {"kind": "reward", "round_id": args["round_id"], **paid}


def _share_claimed(args: Arguments) -> Iterator[Row]:
    paid = {"account": to_hex(args["to"]), **to_amount(args["amount_wei"])}
    yield "x_stake", {"kind": "share", "client": args["client"], "round_id": args["round_id"], **paid}


def _held(phase: str) -> Maker:
    def make(args: Arguments) -> Iterator[Row]:
        key = f"hold/{args['round_id']}/{to_hex(args['court'])}"
        yield _dispute("hold", key, phase, round_id=args["round_id"], account=to_hex(args["court"]))

    return make


# ----------------------------------------------------------------------------------------- games, sessions, demands


def _game(phase: str) -> Maker:
    def make(args: Arguments) -> Iterator[Row]:
        game = args["game"]
        told = {"account": to_hex(game["challenger"]), "reason": f"distance of slots {game['low']} and {game['high']}"}
        about = {"round_id": args["round_id"], "subject": AGGREGATOR, "claimed": str(game["distance"])}
        yield _dispute("game", to_hex(args["game_id"]), phase, **about, **told)

    return make


def _game_closed(args: Arguments) -> Iterator[Row]:
    told = {"round_id": args["round_id"], "subject": AGGREGATOR, "account": to_hex(args["bond_to"])}
    yield _dispute("game", to_hex(args["game_id"]), "closed", **told)


def _session(phase: str) -> Maker:
    def make(args: Arguments) -> Iterator[Row]:
        challenger = to_hex(args["challenger"])
        about = {"round_id": args["round_id"], "subject": AGGREGATOR, "account": challenger}
        yield _dispute(
            "session",
            f"session/{args['round_id']}/{challenger}",
            phase,
            **about,
            coordinate=args.get("coordinate", args.get("number")),
        )

    return make


def _leaves_demanded(args: Arguments) -> Iterator[Row]:
    demand = Demand(**{**args["demand"], "subject": Subject(args["demand"]["subject"])})
    what = f"{demand.subject.name.lower()}: leaves {demand.first_leaf} to {demand.first_leaf + demand.leaf_count - 1}"
    about = {"round_id": args["round_id"], "subject": demand.client, "account": to_hex(args["challenger"])}
    key = to_hex(compute_demand_hash(demand))
    yield _dispute("demand", key, "demanded", **about, reason=what, **to_amount(demand.bond_wei))


def _leaves_served(args: Arguments) -> Iterator[Row]:
    yield _dispute("demand", to_hex(args["demand_hash"]), "answered", account=to_hex(args["answerer"]))


def _leaves_withheld(args: Arguments) -> Iterator[Row]:
    yield _dispute("demand", to_hex(args["demand_hash"]), WITHHELD.get(args["state"], "closed"))


# --------------------------------------------------------------------------------------------- attestors and governors


def _committee_named(args: Arguments) -> Iterator[Row]:
    for attestor in args["ids"]:
        yield "x_board", {"action": "named", **pick(args, "epoch", "since", "threshold"), "attestor": attestor}


def _certified(args: Arguments) -> Iterator[Row]:
    signers = args["signers"].bit_count()
    yield "x_board", {"action": "certified", **pick(args, "round_id", "epoch"), "signers": signers}


def _double_attested(args: Arguments) -> Iterator[Row]:
    told = {"action": "double attested", **pick(args, "round_id", "attestor")}
    yield "x_board", {**told, "account": to_hex(args["challenger"])}


def _unserved(args: Arguments) -> Iterator[Row]:
    yield "x_board", {"action": "unserved", **pick(args, "round_id", "attestor")}


def _successor_named(args: Arguments) -> Iterator[Row]:
    yield "x_governance", {"action": "successor named", "account": to_hex(args["successor"])}


def _scheduled(args: Arguments) -> Iterator[Row]:
    told = {"account": to_hex(args["target"]), "operation": to_hex(args["id"]), "seconds": args["delay"]}
    yield "x_governance", {"action": "act scheduled", **told}


def _executed(args: Arguments) -> Iterator[Row]:
    told = {"account": to_hex(args["target"]), "operation": to_hex(args["id"])}
    yield "x_governance", {"action": "act executed", **told}


def _cancelled(args: Arguments) -> Iterator[Row]:
    yield "x_governance", {"action": "act cancelled", "operation": to_hex(args["id"])}


def _delay_changed(args: Arguments) -> Iterator[Row]:
    yield "x_governance", {"action": "delay changed", "seconds": args["new_duration"]}


def _role_changed(action: str) -> Maker:
    def make(args: Arguments) -> Iterator[Row]:
        yield "x_governance", {"action": action, "account": to_hex(args["account"]), "operation": to_hex(args["role"])}

    return make


MAKERS: dict[str, Maker] = {
    "FraudProven": _fraud_proven,
    "SeedFraudProven": _seed_fraud_proven,
    "Voided": _voided,
    "Settled": _settled,
    "Ticketed": _ticketed,
    "Contested": _contested,
    "Rewarded": _rewarded,
    "ShareClaimed": _share_claimed,
    "DisputeHeld": _held("held"),
    "DisputeReleased": _held("released"),
    "GameOpened": _game("opened"),
    "Dissected": _game("dissected"),
    "Picked": _game("picked"),
    "GameClosed": _game_closed,
    "SessionOpened": _session("opened"),
    "BlockShown": _session("block shown"),
    "LeavesDemanded": _leaves_demanded,
    "LeavesServed": _leaves_served,
    "LeavesWithheld": _leaves_withheld,
    "CommitteeNamed": _committee_named,
    "Certified": _certified,
    "DoubleAttested": _double_attested,
    "Unserved": _unserved,
    "SuccessorNamed": _successor_named,
    "CallScheduled": _scheduled,
    "CallExecuted": _executed,
    "Cancelled": _cancelled,
    "MinDelayChange": _delay_changed,
    "RoleGranted": _role_changed("role granted"),
    "RoleRevoked": _role_changed("role revoked"),
}
"""Makers by the name of their event in Solidity."""
