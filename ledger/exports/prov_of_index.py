"""All rounds of an index as one W3C PROV graph in JSON-LD; of a single model, `ledger.exports.prov` tells more."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ledger.errors import UsageError
from ledger.exports.prov import CONTEXT, make_model_id, make_update_id

_ROUNDS = """SELECT a.round_id, a.aggregator, a.base_model, a.model_root, a.phase, r.opened_at,
    EXISTS (SELECT 1 FROM replays p WHERE p.proposal_hash = a.proposal_hash AND p.verdict = 'pass')
        AS replayed
FROM aggregates a JOIN rounds r USING (round_id) ORDER BY a.round_id, a.ev"""
_UPDATES = "SELECT round_id, client, commitment, outcome, reason FROM contributions ORDER BY round_id, client"


def export_prov(db: sqlite3.Connection, target: Path) -> int:
    """Write the graph to a new file, whole or not at all; return its number of nodes.

    What an aggregation used is PROVEN where this index has seen its replay pass, and CLAIMED by its aggregator else.

    Raises: UsageError: the file is there already.
    """
    if target.exists():
        raise UsageError(f"{target} exists already; nothing was written", hint="choose another name with -o")
    nodes = list(iter_nodes(db))
    partial = target.with_name(f".{target.name}.partial")
    partial.write_text(json.dumps({"@context": CONTEXT, "@graph": nodes}, indent=1) + "\n", "utf-8")
    partial.rename(target)
    return len(nodes)


def iter_nodes(db: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Yield agents, then of every proposed round its updates, its aggregation and its model."""
    chain_id, contract = db.execute("SELECT chain_id, contract FROM chain ORDER BY chain DESC LIMIT 1").fetchone()
    base = f"urn:fedtrail:{chain_id}:{contract.lower()}"
    for (number,) in db.execute("SELECT DISTINCT client FROM clients ORDER BY client"):
        yield {"@id": _participant(base, number), "@type": ["prov:Agent", "prov:Organization"]}
    used: dict[int, list[str]] = {}
    for row in db.execute(_UPDATES):
        update = make_update_id(base, row["round_id"], row["client"])
        if row["outcome"] == "accepted":
            used.setdefault(row["round_id"], []).append(update)
        yield from _iter_update(base, update, row)
    known: set[str] = set()
    for row in db.execute(_ROUNDS):
        if row["base_model"] not in known:
            yield {"@id": make_model_id(base, row["base_model"]), "@type": "prov:Entity", "root": row["base_model"]}
        known |= {row["base_model"], row["model_root"]}
        yield from _iter_round(base, row, used.get(row["round_id"], []))


def _iter_update(base: str, update: str, row: sqlite3.Row) -> Iterator[dict[str, Any]]:
    training, client = f"{base}:training:{row['round_id']}:{row['client']}", _participant(base, row["client"])
    yield {"@id": training, "@type": "prov:Activity", "wasAssociatedWith": client, "grade": "CLAIMED"}
    yield {
        "@id": update,
        "@type": "prov:Entity",
        "commitment": row["commitment"],
        "included": row["outcome"] == "accepted",
        "grade": "PROVEN",
        "wasGeneratedBy": training,
        "wasAttributedTo": client,
    }


def _iter_round(base: str, row: sqlite3.Row, used: list[str]) -> Iterator[dict[str, Any]]:
    activity, before = f"{base}:round:{row['round_id']}", make_model_id(base, row["base_model"])
    yield {
        "@id": activity,
        "@type": "prov:Activity",
        "startedAtTime": datetime.fromtimestamp(row["opened_at"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "wasAssociatedWith": _participant(base, row["aggregator"]),
        "used": [before, *used],
    }
    yield {
        "@id": make_model_id(base, row["model_root"]),
        "@type": "prov:Entity",
        "root": row["model_root"],
        "grade": "PROVEN" if row["replayed"] else "CLAIMED",
        "phase": row["phase"],
        "wasGeneratedBy": activity,
        "wasDerivedFrom": [before, *used],
    }


def _participant(base: str, number: int) -> str:
    return f"{base}:participant:{number}"
