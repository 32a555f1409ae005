"""Statements that people sign stay theirs, and stay with their record."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st
from planted_index import PlantedIndex

from ledger.devnet import funded_account
from ledger.errors import NotCanonical, UsageError
from ledger.index import opening, signoffs
from ledger.index.reading import open_reader

STATEMENT = signoffs.Signoff(
    chain_id=31337,
    contract="0x" + "1e" * 20,
    task=2,
    round_id=7,
    record="0x" + "ab" * 32,
    name="Dr. Ada Byron",
    role="reviewer",
    meaning="review",
    metrics='{"test/accuracy":"0.93"}',
    signed_at=1_700_000_000,
)


def sign(statement: signoffs.Signoff = STATEMENT) -> signoffs.Signoff:
    return signoffs.sign(statement, funded_account(3))


def test_the_digest_is_the_one_that_wallets_compute() -> None:
    fields = signoffs.TYPE.decode().removeprefix("Signoff(").removesuffix(")").split(",")
    message = {
        "task": 2,
        "roundId": 7,
        "record": bytes.fromhex("ab" * 32),
        "name": "Dr. Ada Byron",
        "role": "reviewer",
        "meaning": "review",
        "metrics": '{"test/accuracy":"0.93"}',
        "signedAt": 1_700_000_000,
    }
    domain = {"name": "fedtrail signoff", "version": "1", "chainId": 31337, "verifyingContract": STATEMENT.contract}
    types = {"Signoff": [dict(zip(("type", "name"), field.split(" "), strict=True)) for field in fields]}
    signed = Account.sign_message(encode_typed_data(domain, types, message), funded_account(3).key)
    assert "0x" + signed.message_hash.hex() == signoffs.compute_digest(STATEMENT)


@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": 1},
        {"contract": "0x" + "2e" * 20},
        {"task": 3},
        {"round_id": 8},
        {"record": "0x" + "ac" * 32},
        {"name": "Dr. Ada Lovelace"},
        {"role": "approver"},
        {"meaning": "approval"},
        {"metrics": "{}"},
        {"signed_at": 1_700_000_001},
        {"signer": "0x" + "00" * 20},
        {"signature": "0x" + "00" * 64},
        {"signature": "0x00"},
        {"signature": "text"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_statement_that_somebody_changed_is_not_signed(change: dict[str, object]) -> None:
    assert sign().is_signed
    changed = replace(sign(), **change)  # type: ignore[arg-type]
    assert not changed.is_signed
    assert not replace(changed, digest=signoffs.compute_digest(changed)).is_signed


def test_a_file_gives_the_statement_back(tmp_path: Path) -> None:
    path = signoffs.write_file(sign(), tmp_path / "new")
    assert path.name == f"{sign().digest}.json"
    (tmp_path / "new" / "review-1.json").write_text("no statement")
    assert list(signoffs.read_files(tmp_path / "new")) == [sign()]


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"task": "2"},
        {"task": -1},
        {"task": True},
        {"name": None},
        {"record": "0xAB"},
        {"surplus": 1},
        {"signed_at": 2**70},
    ],
    ids=str,
)
def test_a_file_that_is_no_statement_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = signoffs.write_file(sign(), tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(NotCanonical, match="signoff"):
        list(signoffs.read_files(tmp_path))


@given(st.binary(max_size=200))
def test_bytes_from_a_stranger_are_no_statement(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("files")
    (folder / f"0x{'00' * 32}.json").write_bytes(data)
    with pytest.raises(NotCanonical):
        list(signoffs.read_files(folder))


@pytest.mark.parametrize("text", ["", "  ", "x" * 201, "two\nlines", "\u202ename"])
def test_texts_that_people_cannot_read_are_not_signed(text: str) -> None:
    with pytest.raises(UsageError, match="printable"):
        sign(replace(STATEMENT, name=text))


@pytest.mark.parametrize(
    "metric", [("accuracy", "1"), ("test/accuracy", "high"), ("test/accuracy", "NaN"), ("a/b", "")]
)
def test_metrics_are_decimal_numbers_of_a_split(metric: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="no metric"):
        signoffs.encode_metrics(dict([metric]))


def test_an_index_keeps_statements_and_says_which_are_true(planted: PlantedIndex) -> None:
    planted.run(rounds=1)
    forged = replace(sign(replace(STATEMENT, round_id=1)), name="Somebody Else")
    true = sign(replace(STATEMENT, round_id=1))
    other = sign(replace(STATEMENT, contract="0x" + "2f" * 20))
    with closing(opening.open_index(planted.path)) as index:
        signoffs.store(index, [replace(forged, digest="0x" + "11" * 32), true, true, other])
        assert len(signoffs.load(index)) == 3
    with open_reader(planted.path) as reader:
        rows = reader.query("SELECT name, round, valid FROM signoffs ORDER BY valid").rows
    assert rows == (("Somebody Else", 1, 0), ("Dr. Ada Byron", 1, 1))
