"""A client that was left out proves it by its receipt: `fedtrail dispute open --kind omitted-commitment`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import Cli
from scripted_runs import run_tampered

from fl.federation import commits
from ledger.chain import Chain
from ledger.project import Project
from ledger.statements import decode_commitment, encode_commitment, write_file

pytestmark = pytest.mark.chain


@pytest.fixture
def omitting(in_served: Project, chain: Chain, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run in root-only mode whose aggregator took five commitments and listed four; return its name."""
    post = commits._post_list

    def leave_one_out(ctx: Any, roster: Any, plan: Any, good: Any) -> None:
        for submission in good:
            commits._give_receipt(ctx, roster, plan, submission)
        post(ctx, roster, plan, [*good[:1], *good[2:]])

    monkeypatch.setattr(commits, "_post_list", leave_one_out)
    name = f"omitting-{chain.count_rounds()}"
    run_tampered(in_served, name, run={"mode": "root-only"})
    return name


def list_receipts(project: Project, chain: Chain) -> list[Path]:
    """Return the files of the receipts of the latest round, by client."""
    folder = project.state_dir / "receipts" / chain.fingerprint / str(chain.count_rounds())
    return sorted(folder.glob("*.json"), key=lambda path: int(path.stem))


def accuse(cli: Cli, run: str, *arguments: object) -> Any:
    kind = ("--kind", "omitted-commitment")
    answer = cli("dispute", "open", 1, "--run", run, *kind, *arguments, "--format", "json")
    assert answer.status == 0, answer.err
    return answer.json["data"]


def refuse(cli: Cli, run: str, *arguments: object) -> str:
    answer = cli("dispute", "open", 1, "--run", run, "--kind", "omitted-commitment", *arguments)
    assert answer.status != 0
    return answer.err


def test_a_commitment_that_was_receipted_and_left_out_voids_the_round(
    cli: Cli, in_served: Project, chain: Chain, omitting: str
) -> None:
    assert len(list_receipts(in_served, chain)) == 5
    told = accuse(cli, omitting)
    assert (told["proof"], told["phase"]) == ("proveOmission", "voided")
    listed = cli("dispute", "list", "--format", "json").json["data"]
    assert listed[-1]["reason"] == "omitted commitment"


def test_a_receipt_is_named_by_its_file_where_the_project_has_none(
    cli: Cli, in_served: Project, chain: Chain, omitting: str, tmp_path: Path
) -> None:
    files = list_receipts(in_served, chain)
    listed, omitted = (files[at].rename(tmp_path / f"{at}.json") for at in (0, 1))
    assert "no receipt" in refuse(cli, omitting)
    assert "no receipt" in refuse(cli, omitting, "--evidence", listed)
    assert "tx" not in accuse(cli, omitting, "--evidence", omitted, "--dry-run")
    assert accuse(cli, omitting, "--evidence", omitted)["phase"] == "voided"


def test_a_receipt_that_the_aggregator_did_not_sign_proves_nothing(
    cli: Cli, in_served: Project, chain: Chain, omitting: str, tmp_path: Path
) -> None:
    receipt = decode_commitment(list_receipts(in_served, chain)[0].read_bytes())
    forged = replace(receipt, commitment=b"\x05" * 32)
    write_file(tmp_path / "forged.json", encode_commitment(forged))
    assert "WrongSigner" in refuse(cli, omitting, "--evidence", tmp_path / "forged.json")
    (tmp_path / "broken.json").write_bytes(b"{}")
    assert "FT722" in refuse(cli, omitting, "--evidence", tmp_path / "broken.json")
