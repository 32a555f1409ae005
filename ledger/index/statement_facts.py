"""Facts that participants state, and what rewards paid: events of Statements and RewardPool.

Scores and spends are somebody's signed word: their rows name the speaker, and no view calls them proven.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger import spec
from ledger.history import raw_cid
from ledger.index.columns import Arguments, Maker, Row, pick, to_amount, to_hex


def _scores_recorded(args: Arguments) -> Iterator[Row]:
    told = {"round_id": args["round_id"], "scorer": args["scorer"], "kind": spec.decode_label(args["kind"])}
    for client, units in spec.decode_scores(args["entries"]):
        yield "x_score", {**told, "client": client, "value": units / spec.SCORE_UNITS, "method": to_hex(args["method"])}


def _privacy_spent(args: Arguments) -> Iterator[Row]:
    told = {"round_id": args["round_id"], "speaker": args["speaker"], "mechanism": spec.decode_label(args["mechanism"])}
    for client, epsilon, delta in spec.decode_spends(args["entries"]):
        yield (
            "x_privacy",
            {**told, "client": client, "eps": epsilon / spec.EPSILON_UNITS, "delta": delta / spec.DELTA_UNITS},
        )


def _round_contested(args: Arguments) -> Iterator[Row]:
    statement = {"statement": to_hex(args["statement"]), "cid": str(raw_cid(args["statement"]))}
    yield "x_contest", {**pick(args, "round_id", "client"), **statement}


def _key_announced(args: Arguments) -> Iterator[Row]:
    yield (
        "x_encryption_key",
        {"client": args["id"], "epoch": args["epoch"], "key": to_hex(args["key"]), "since": args["since"]},
    )


def _pool_funded(args: Arguments) -> Iterator[Row]:
    terms = {"rate_wei": str(args["rate_wei"]), "cap_wei": str(args["cap_wei"]), "until": args["until"]}
    about = {"pool": args["pool_id"], "action": "funded", "task": args["task_id"], "account": to_hex(args["sponsor"])}
    yield "x_reward", {**about, **terms, **to_amount(args["amount_wei"])}


def _pool_changed(action: str, account: str) -> Maker:
    def make(args: Arguments) -> Iterator[Row]:
        about = {"pool": args["pool_id"], "action": action, "account": to_hex(args[account])}
        yield "x_reward", {**about, **to_amount(args["amount_wei"])}

    return make


def _round_admitted(args: Arguments) -> Iterator[Row]:
    yield "x_reward", {"action": "admitted", "task": args["task_id"], "round_id": args["round_id"]}


def _reward_paid(args: Arguments) -> Iterator[Row]:
    about = {"pool": args["pool_id"], "action": "paid", "account": to_hex(args["to"])}
    yield "x_reward", {**about, **pick(args, "round_id", "client"), **to_amount(args["amount_wei"])}


MAKERS: dict[str, Maker] = {
    "ScoresRecorded": _scores_recorded,
    "PrivacySpent": _privacy_spent,
    "RoundContested": _round_contested,
    "EncryptionKeyAnnounced": _key_announced,
    "PoolFunded": _pool_funded,
    "PoolToppedUp": _pool_changed("topped up", "from"),
    "PoolReclaimed": _pool_changed("reclaimed", "sponsor"),
    "RoundAdmitted": _round_admitted,
    "RewardPaid": _reward_paid,
}
"""Makers by the name of their event in Solidity."""
