"""Code on a chain against what the sources compile to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from audited_run import AuditedRun
from command_line import run_process

from ledger import artifacts
from ledger.code_check import compare

pytestmark = pytest.mark.chain


@pytest.mark.parametrize("key", artifacts.KEYS)
def test_deployed_code_is_that_of_the_artifact_and_shows_what_deployment_filled_in(audited_run: AuditedRun, key: str):
    addresses = audited_run.chain.contracts.addresses
    found = compare(artifacts.load(artifacts.KEYS[key]), audited_run.chain.get_code(addresses[key]))
    assert found.difference is None
    pointers = {
        name: value[-20:] for name, value in found.immutables.items() if name in ("LEDGER", "REGISTRY", "ESCROW")
    }
    assert pointers == {name: addresses[name.lower()] for name in pointers}


def test_one_other_byte_of_code_is_found_and_so_is_another_length(audited_run: AuditedRun):
    artifact = artifacts.load("DisputeCourt")
    code = bytearray(audited_run.chain.get_code(audited_run.chain.contracts.addresses["court"]))
    code[1000] ^= 1
    assert compare(artifact, bytes(code)).difference == "code from byte 1000"
    assert "bytes of code instead of" in (compare(artifact, bytes(code[:-1])).difference or "")
    assert "0 bytes of code" in (compare(artifact, b"").difference or "")


def test_an_immutable_with_two_values_is_no_immutable(audited_run: AuditedRun):
    artifact = artifacts.load("DisputeCourt")
    code = bytearray(audited_run.chain.get_code(audited_run.chain.contracts.addresses["court"]))
    code[artifact.immutables["LEDGER"][-1] + 31] ^= 1
    assert len(artifact.immutables["LEDGER"]) > 1
    assert compare(artifact, bytes(code)).difference == "LEDGER has several values"


def test_code_where_an_immutable_goes_is_compared_when_the_artifact_has_none_there(audited_run: AuditedRun):
    artifact = replace(artifacts.load("DisputeCourt"), immutables={})
    code = audited_run.chain.get_code(audited_run.chain.contracts.addresses["court"])
    assert compare(artifact, code).difference is not None


def test_contract_verify_says_yes_to_what_was_deployed_and_no_to_an_address_of_other_code(audited_run: AuditedRun):
    root = audited_run.project.root
    answer = run_process("contract", "verify", "--shipped", "--format", "json", cwd=root)
    assert answer.status == 0, answer.err
    assert [row["as_compiled"] for row in answer.json["data"]] == [True] * len(artifacts.KEYS)
    ledger = "0x" + audited_run.chain.contracts.addresses["ledger"].hex()
    court = next(row for row in answer.json["data"] if row["contract"] == "DisputeCourt")
    assert court["immutables"]["LEDGER"] == ledger


def test_contract_verify_wants_sources_and_says_where(audited_run: AuditedRun):
    answer = run_process("contract", "verify", cwd=audited_run.project.root)
    assert (answer.status, "FT501" in answer.err, "--shipped" in answer.err) == (5, True, True)
