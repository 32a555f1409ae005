"""An ML-BOM: CycloneDX 1.6 with a model card (https://cyclonedx.org/docs/1.6/json/).

Every fact is a property `fedtrail:NAME` of the model, beside `fedtrail:NAME:grade`, since the format has no grades.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any

from ledger.exports.story import Story
from ledger.records import Grade

_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 4122, for URLs


def render(story: Story, *, version: str) -> dict[str, Any]:
    """Return the bill of materials of a model.

    Args: version: of fedtrail. The time is that of the last round on the chain, so that one model gives one file.
    """
    name = f"eip155:{story.chain_id}/0x{story.ledger.hex()}/0x{story.model_root.hex()}"
    moment = datetime.fromtimestamp(story.steps[-1].opened_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, name)}",
        "version": 1,
        "metadata": {
            "timestamp": moment,
            "tools": {"components": [{"type": "application", "name": "fedtrail", "version": version}]},
            "component": _make_model(story),
        },
        "components": [_make_update(story, number) for number in range(len(story.steps))] + _make_dataset(story),
    }


def _make_model(story: Story) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": story.name,
        "version": str(len(story.steps)),
        "modelCard": {"modelParameters": _make_parameters(story)},
        "properties": _make_properties(story),
    }
    if story.model is not None:
        component["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(story.model).hexdigest()}]
    return component


def _make_parameters(story: Story) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "approach": {"type": "supervised"},
        "inputs": [],
        "outputs": [],
    }
    if story.script:
        parameters["modelArchitecture"] = story.script.model.entry
        parameters["datasets"] = [{"ref": "dataset"}]
    return parameters


def _make_properties(story: Story) -> list[dict[str, str]]:
    properties = []
    for fact in story.iter_facts():
        if fact.grade is not Grade.MISSING:
            properties.append({"name": f"fedtrail:{fact.name}", "value": str(fact.value)})
        properties.append({"name": f"fedtrail:{fact.name}:grade", "value": str(fact.grade)})
    return properties


def _make_dataset(story: Story) -> list[dict[str, Any]]:
    if not story.script:
        return []
    grade = {"name": "fedtrail:dataset:grade", "value": str(Grade.CLAIMED)}
    return [{"type": "data", "bom-ref": "dataset", "name": story.script.data.name, "properties": [grade]}]


def _make_update(story: Story, number: int) -> dict[str, Any]:
    """Return what one round took in: its updates as parts of one component."""
    step = story.steps[number]
    return {
        "type": "data",
        "bom-ref": f"round-{step.record.round_id}",
        "name": f"updates of round {step.record.number}",
        "components": [
            {
                "type": "data",
                "bom-ref": f"round-{step.record.round_id}-client-{each.client}",
                "name": f"update of client {each.client}",
                "properties": [
                    {"name": "fedtrail:commitment", "value": "0x" + each.commitment.hex()},
                    {"name": "fedtrail:cid", "value": each.cid},
                    {"name": "fedtrail:included", "value": str(not each.reason).lower()},
                    {"name": "fedtrail:grade", "value": str(step.grade)},
                ],
            }
            for each in step.contributions
        ],
    }
