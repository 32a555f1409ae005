"""A model and what is known of it, as other tools read it: their own readers are the oracles."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from audited_run import AuditedRun
from command_line import run_process
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from safetensors.numpy import load

from ledger import dsse, spec
from ledger.errors import NotFoundError, Unavailable, UsageError
from ledger.exports import folder, slsa
from ledger.exports.story import Story, tell
from ledger.records import Grade
from ledger.spec.errors import NotCanonical, WrongSigner

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def story(audited_run: AuditedRun) -> Story:
    return tell(audited_run.chain, audited_run.store, audited_run.final[-1])


@pytest.fixture(scope="module")
def files(story: Story) -> dict[str, bytes]:
    return folder.render(story)


def test_the_story_has_the_finalised_rounds_and_not_the_one_that_was_struck(audited_run: AuditedRun, story: Story):
    assert [step.record.round_id for step in story.steps] == audited_run.final
    assert (story.name, story.grade, len(story.clients)) == (audited_run.name, Grade.PROVEN, 5)
    excluded = [
        (each.reason, step.record.round_id) for step in story.steps for each in step.contributions if each.reason
    ]
    assert excluded == [(715, audited_run.excluding)]


def test_each_fact_has_the_grade_that_it_deserves(story: Story):
    grades = {fact.name: fact.grade for fact in story.iter_facts()}
    assert grades["model_root"] is Grade.PROVEN
    assert grades["examples_in_last_round"] is Grade.ATTESTED
    assert grades["purpose"] is grades["dataset"] is Grade.CLAIMED
    assert grades["accuracy"] is grades["licence"] is Grade.MISSING


def test_a_round_that_is_not_finalised_has_no_model(audited_run: AuditedRun):
    with pytest.raises(NotFoundError, match="not finalised"):
        tell(audited_run.chain, audited_run.store, audited_run.voided)
    with pytest.raises(NotFoundError, match="99"):
        tell(audited_run.chain, audited_run.store, 99)


def test_the_exact_vector_has_the_root_on_the_chain_and_the_tensors_are_its_values(
    story: Story, files: dict[str, bytes]
):
    blob = spec.decode_vector(files["model.vector"], max_bytes=len(files["model.vector"]))
    assert blob.root() == story.model_root
    tensors = load(files["model.safetensors"])
    flat = np.concatenate([tensors[name].reshape(-1) for name in story.steps[-1].record.layout.names])
    exact = np.frombuffer(blob.payload, "<i4") / 2.0**story.task.scale_bits
    assert np.array_equal(flat, exact.astype(np.float32))


def test_a_model_whose_bytes_are_gone_is_not_exported(story: Story):
    with pytest.raises(Unavailable):
        folder.render(replace(story, model=None))


def test_the_bill_of_materials_keeps_the_published_schema(files: dict[str, bytes]):
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(files["bom.cdx.json"].decode()) is None
    assert validator.validate_str(files["bom.cdx.json"].decode().replace('"hashes"', '"hash"')) is not None


def test_the_bill_of_materials_names_every_update_and_every_grade(story: Story, files: dict[str, bytes]):
    bom = json.loads(files["bom.cdx.json"])
    model = bom["metadata"]["component"]
    names = {each["name"] for each in model["properties"]}
    assert {f"fedtrail:{fact.name}:grade" for fact in story.iter_facts()} <= names
    updates = [each for part in bom["components"] for each in part.get("components", [])]
    assert len(updates) == sum(len(step.contributions) for step in story.steps) == 15


def test_the_model_card_opens_with_front_matter_and_grades_every_fact(story: Story, files: dict[str, bytes]):
    _, front, card = files["README.md"].decode().split("---\n", 2)
    assert yaml.safe_load(front)["fedtrail_model_root"] == "0x" + story.model_root.hex()
    for fact in story.iter_facts():
        (row,) = [line for line in card.splitlines() if line.startswith(f"| {fact.name.replace('_', ' ')} |")]
        assert f"| {fact.grade} |" in row


def test_text_of_strangers_is_no_markup_in_the_card(story: Story):
    script = story.script.model_copy(update={"run": story.script.run.model_copy(update={"purpose": "<b>|x|</b>\n# H"})})
    card = folder.render(replace(story, script=script))["README.md"].decode()
    assert "<b>" not in card
    assert "\n# H" not in card
    assert r"&lt;b&gt;\|x\|&lt;/b&gt; \# H" in card


def test_each_round_is_a_statement_whose_parts_are_its_updates(story: Story, files: dict[str, bytes]):
    statements = [json.loads(line) for line in files["provenance.jsonl"].splitlines()]
    assert len(statements) == len(story.steps)
    last = statements[-1]
    assert last["subject"][0]["digest"] == {slsa.DIGEST: story.model_root.hex()}
    parts = last["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert parts[0]["digest"] == statements[-2]["subject"][0]["digest"], "a round starts from the model before it"
    assert len(parts) == 1 + len(story.steps[-1].included)


def test_a_signed_statement_is_its_signers_and_nobody_elses(story: Story):
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    lines = folder.render(story, attester=key)["provenance.intoto.jsonl"].splitlines()
    envelope = json.loads(lines[0])
    payload = dsse.verify(envelope, key.public_key(), payload_type=slsa.PAYLOAD_TYPE)
    assert json.loads(payload)["predicateType"] == "https://slsa.dev/provenance/v1"
    with pytest.raises(WrongSigner):
        dsse.verify(envelope, other.public_key(), payload_type=slsa.PAYLOAD_TYPE)
    with pytest.raises(NotCanonical):
        dsse.verify(envelope, key.public_key(), payload_type="application/json")
    forged = {**envelope, "payload": base64.b64encode(payload.replace(b"PROVEN", b"proven")).decode()}
    with pytest.raises(WrongSigner):
        dsse.verify(forged, key.public_key(), payload_type=slsa.PAYLOAD_TYPE)
    with pytest.raises(NotCanonical):
        dsse.verify({"payload": 7}, key.public_key(), payload_type=slsa.PAYLOAD_TYPE)


def test_the_graph_leads_from_the_model_to_every_client(story: Story, files: dict[str, bytes]):
    graph = {node["@id"]: node for node in json.loads(files["prov.jsonld"])["@graph"]}
    model = next(node for node in graph.values() if node.get("root") == "0x" + story.model_root.hex())
    reached, waiting = set(), [model["@id"]]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            node = graph[name]
            links = [node.get(key, []) for key in ("wasDerivedFrom", "wasGeneratedBy", "used", "wasAssociatedWith")]
            waiting += [each for link in links for each in ([link] if isinstance(link, str) else link)]
    agents = {name for name in reached if ":participant:" in name}
    assert len(agents) >= len(story.clients) + 1


def test_one_story_gives_one_export(story: Story, files: dict[str, bytes]):
    assert folder.render(story) == files


def test_an_export_overwrites_nothing(tmp_path: Path, files: dict[str, bytes]):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="other files"):
        folder.write(tmp_path, files)
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_signed_folder_passes_their_own_verifier_until_a_byte_changes(audited_run: AuditedRun, tmp_path: Path):
    secret = ec.generate_private_key(ec.SECP256R1())
    key, public = tmp_path / "key.pem", tmp_path / "public.pem"
    key.write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(secret.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    out = tmp_path / "model"
    answer = run_process("model", "export", out, "--sign", key, "--format", "json", cwd=audited_run.project.root)
    assert answer.status == 0, answer.err
    assert answer.json["grade"] == "PROVEN"
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(out), "--signature", str(out / "model.sig")]
    command += ["--public_key", str(public)]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    card = out / "README.md"
    card.write_text(card.read_text().replace("PROVEN", "proven", 1))
    assert subprocess.run(command, capture_output=True, timeout=60).returncode != 0


def test_a_key_that_cannot_sign_is_told_apart(audited_run: AuditedRun, tmp_path: Path):
    bad = tmp_path / "bad.pem"
    bad.write_text("nonsense")
    for option in ("--sign", "--attest"):
        answer = run_process("model", "export", tmp_path / option, option, bad, cwd=audited_run.project.root)
        assert (answer.status, "FT200" in answer.err) == (3, True), answer.err


def test_model_show_tells_every_fact_with_its_grade(audited_run: AuditedRun):
    answer = run_process("model", "show", "--round", "2", "--format", "json", cwd=audited_run.project.root)
    assert answer.status == 0, answer.err
    facts = {row["fact"]: row["grade"] for row in answer.json["data"]}
    assert (facts["rounds"], facts["purpose"]) == ("PROVEN", "CLAIMED")
