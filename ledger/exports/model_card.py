"""A model card in Markdown, as model hubs read it: https://huggingface.co/docs/hub/model-cards."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ledger.exports.story import Fact, Story
from ledger.records import Grade

MEANING = {
    Grade.PROVEN: "recomputed from bytes",
    Grade.ATTESTED: "signed by a known party, not recomputable",
    Grade.CLAIMED: "said by somebody",
    Grade.MISSING: "not in the ledger",
}


def render(story: Story) -> str:
    """Return the card: front matter for machines, tables for people; every fact with its grade."""
    return "\n".join(_iter_lines(story)) + "\n"


def _iter_lines(story: Story) -> Iterator[str]:
    yield from _iter_front_matter(story)
    yield f"# {_plain(story.name)}"
    yield ""
    yield (
        f"A model of {story.task.size} parameters, learned by {len(story.clients)} clients in {len(story.steps)} "
        "rounds of federated learning. Whoever has the updates can compute it again, bit for bit."
    )
    yield ""
    yield "| fact | value | grade | from |"
    yield "|---|---|---|---|"
    for fact in story.iter_facts():
        yield f"| {fact.name.replace('_', ' ')} | {_show(fact)} | {fact.grade} | {_plain(fact.source)} |"
    yield ""
    yield "Grades: " + "; ".join(f"{grade} is {words}" for grade, words in MEANING.items()) + "."
    yield ""
    yield "## Rounds"
    yield ""
    yield "| round | committed | included | excluded | replay | grade | block | model |"
    yield "|---:|---:|---:|---|---|---|---:|---|"
    for step in story.steps:
        record = step.record
        excluded = ", ".join(f"{each.client} (FT{each.reason})" for each in step.contributions if each.reason) or "none"
        root = record.proposal.model_root.hex() if record.proposal else ""
        yield (
            f"| {record.number} | {len(step.contributions)} | {len(step.included)} | {excluded} | {step.verdict} | "
            f"{step.grade} | {record.block} | 0x{root} |"
        )
    yield ""
    yield "## What this does not say"
    yield ""
    yield (
        "That the data is good, that clients trained honestly on what they say, or that the model is fit for a "
        "purpose. A replay shows that the model is what its rule makes of the updates, and nothing about the updates."
    )


def _iter_front_matter(story: Story) -> Iterator[str]:
    yield "---"
    yield "library_name: fedtrail"
    yield "tags: [federated-learning, audited]"
    yield f"model_name: {json.dumps(story.name)}"
    yield f'fedtrail_model_root: "0x{story.model_root.hex()}"'
    yield f"fedtrail_ledger: {json.dumps(f'eip155:{story.chain_id}:0x{story.ledger.hex()}')}"
    yield "---"
    yield ""


def _show(fact: Fact) -> str:
    return "-" if fact.value is None else _plain(str(fact.value))


def _plain(text: str) -> str:
    """Return text of strangers without what Markdown or HTML would take for markup."""
    escaped = "".join("\\" + c if c in r"\`*_{}[]()#+!|~" else c for c in " ".join(text.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
