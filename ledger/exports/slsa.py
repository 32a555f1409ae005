"""Provenance: one in-toto statement a round, SLSA provenance 1.0 (https://slsa.dev/spec/v1.0/provenance).

The model of a round is the subject, the updates and the model before it are what it was made of.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ledger.exports.story import Step, Story
from ledger.records import name_rule

PAYLOAD_TYPE = "application/vnd.in-toto+json"
BUILD_TYPE = "urn:fedtrail:fl-round:v1"
DIGEST = "fedtrailRoot"
"""Name of the digest that the ledger has of a vector: the root of its SHA-256 chunk tree (docs/protocol.md §2.3)."""


def iter_statements(story: Story, *, version: str) -> Iterator[dict[str, Any]]:
    """Yield the statement of every round, oldest first. Args: version: of fedtrail."""
    for step in story.steps:
        yield _make_statement(story, step, version)


def encode(statement: dict[str, Any]) -> bytes:
    """Return a statement as the payload of an envelope."""
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()


def _make_statement(story: Story, step: Step, version: str) -> dict[str, Any]:
    record, proposal = step.record, step.record.proposal
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {
                "name": f"{story.name}, model after round {record.number}",
                "digest": {DIGEST: proposal.model_root.hex() if proposal else ""},
            }
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "chainId": story.chain_id,
                    "ledger": "0x" + story.ledger.hex(),
                    "taskId": story.task_id,
                    "roundId": record.round_id,
                    "rule": name_rule(story.task),
                },
                "internalParameters": {"grade": str(step.grade), "replay": str(step.verdict)},
                "resolvedDependencies": list(_iter_dependencies(step)),
            },
            "runDetails": {
                "builder": {"id": f"fedtrail:eip155:{story.chain_id}:aggregator-{record.aggregator}"},
                "metadata": {
                    "invocationId": f"eip155:{story.chain_id}/0x{story.ledger.hex()}/{record.round_id}",
                    "startedOn": datetime.fromtimestamp(step.opened_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                },
                "byproducts": [{"name": "fedtrail", "annotations": {"version": version}}],
            },
        },
    }


def _iter_dependencies(step: Step) -> Iterator[dict[str, Any]]:
    record = step.record
    yield {"name": "base model", "uri": f"ipfs://{record.base.cid}", "digest": {DIGEST: record.base_model.hex()}}
    for each in step.included:
        yield {
            "name": f"update of client {each.client}",
            "uri": f"ipfs://{each.cid}",
            "digest": {"fedtrailCommitment": each.commitment.hex()},
        }
