"""Statements that people sign about a round or a record: who, when, and what it means (21 CFR 11.50 and 11.70).

EIP-712 typed data in the domain {`fedtrail signoff`, `1`, chain id, ledger}. A statement names its record by a digest,
so it cannot be moved to another one. Nothing of this is on the chain: statements are JSON files, and rows of the index.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from ledger import signing, spec
from ledger.errors import NotCanonical, UsageError
from ledger.index.opening import writing

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

DOMAIN_NAME = "fedtrail signoff"
TYPE = (
    b"Signoff(uint32 task,uint64 roundId,bytes32 record,string name,string role,string meaning,string metrics,"
    b"uint64 signedAt)"
)
FORMAT = "fedtrail-signoff-1"
MAX_TEXT = 200
"""Characters of a name, a role or a meaning."""

_TYPE_HASH = spec.keccak256(TYPE)
_METRIC = re.compile(r"[a-z0-9_-]{1,32}/[a-z0-9_@-]{1,32}")
_FILE = re.compile(r"0x[0-9a-f]{64}\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signoff:
    """One statement."""

    chain_id: int
    """Chain of the ledger that it is about."""
    contract: str
    """Address of its RoundLedger, 0x hex in lower case."""
    task: int
    """Task that it is about."""
    round_id: int
    """Round that it is about; 0 for the task as a whole."""
    record: str
    """SHA-256 of a file, or the head of a finalised round: 0x hex."""
    name: str
    """Printed name of who signs."""
    role: str
    """In which capacity: reviewer, examiner, approver, evaluator, ..."""
    meaning: str
    """What the signature means: review, approval, responsibility, authorship, ..."""
    metrics: str = "{}"
    """Canonical JSON {"split/metric": "decimal"}: what was measured, if anything."""
    signed_at: int
    """Seconds since 1970, as the signer's machine says."""
    signer: str = ""
    """Address of the key, 0x hex in lower case."""
    signature: str = ""
    """r | vs, 0x hex."""
    digest: str = field(default="")
    """EIP-712 digest, which is also the name of its file: 0x hex."""

    @property
    def is_signed(self) -> bool:
        """Whether digest and signature are those of this statement and this signer."""
        if self.digest != compute_digest(self):
            return False
        try:
            signature = bytes.fromhex(self.signature[2:])
            return "0x" + signing.recover(bytes.fromhex(self.digest[2:]), signature).hex() == self.signer
        except (spec.WrongLength, ValueError):
            return False


def compute_digest(statement: Signoff) -> str:
    """Return the EIP-712 digest of a statement, 0x hex."""
    contract = bytes.fromhex(statement.contract[2:])
    domain = spec.compute_domain_separator(DOMAIN_NAME, statement.chain_id, contract)
    texts = (statement.name, statement.role, statement.meaning, statement.metrics)
    numbers = statement.task.to_bytes(32, "big") + statement.round_id.to_bytes(32, "big")
    words = numbers + bytes.fromhex(statement.record[2:]) + b"".join(spec.keccak256(text.encode()) for text in texts)
    hashed = spec.keccak256(_TYPE_HASH + words + statement.signed_at.to_bytes(32, "big"))
    return "0x" + spec.compute_typed_digest(domain, hashed).hex()


def sign(statement: Signoff, account: LocalAccount) -> Signoff:
    """Return a statement with signer, digest and signature.

    Raises: UsageError: a text is empty, too long, or has control characters.
    """
    for text in (statement.name, statement.role, statement.meaning):
        if not text.strip() or len(text) > MAX_TEXT or not text.isprintable():
            raise UsageError(f"name, role and meaning are 1 to {MAX_TEXT} printable characters, not {text!r}")
    digest = compute_digest(statement)
    signature = signing.sign_digest(account, bytes.fromhex(digest[2:]))
    signer = account.address.lower()
    return replace(statement, digest=digest, signer=signer, signature="0x" + signature.hex())


def encode_metrics(metrics: Mapping[str, str]) -> str:
    """Return measured values as a statement has them: canonical JSON.

    Args: metrics: decimal text by split/metric, such as test/accuracy.
    Raises: UsageError: a name or a value is none.
    """
    for name, value in metrics.items():
        if not _METRIC.fullmatch(name) or not _is_decimal(value):
            raise UsageError(f"'{name}={value}' is no metric", hint="write SPLIT/NAME=NUMBER, as in test/accuracy=0.93")
    return json.dumps(metrics, sort_keys=True, separators=(",", ":"))


def _is_decimal(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def compute_file_record(path: Path) -> str:
    """Return the SHA-256 of a file, 0x hex: what a statement about it names."""
    with path.open("rb") as file:
        return "0x" + hashlib.file_digest(file, "sha256").hexdigest()


def write_file(statement: Signoff, folder: Path) -> Path:
    """Write a statement into a folder under its digest, and return the path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{statement.digest}.json"
    path.write_text(json.dumps({"format": FORMAT, **asdict(statement)}, indent=2) + "\n", "utf-8")
    return path


def read_files(folder: Path) -> Iterator[Signoff]:
    """Yield the statements of a folder in the order of their names; whether they are signed is for the caller to ask.

    Raises: NotCanonical: a file that has the name of a statement is none.
    """
    for path in sorted(folder.glob("0x*.json")):
        if _FILE.fullmatch(path.name):
            yield _read_file(path)


def _read_file(path: Path) -> Signoff:
    try:
        values = json.loads(path.read_text("utf-8"))
        if values.pop("format") != FORMAT:
            raise ValueError("another format")
        statement = Signoff(**values)
        _verify_types(statement)
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise NotCanonical(what=f"signoff {path}: {problem}") from None
    return statement


def _verify_types(statement: Signoff) -> None:
    for name, kind in Signoff.__annotations__.items():
        value = getattr(statement, name)
        if type(value).__name__ != kind or (kind == "int" and not 0 <= value < 1 << 63):
            raise ValueError(f"{name} is {value!r}")
    for name, length in (("contract", 42), ("record", 66), ("digest", 66), ("signer", 42)):
        if not re.fullmatch(rf"0x[0-9a-f]{{{length - 2}}}", getattr(statement, name)):
            raise ValueError(f"{name} is {getattr(statement, name)!r}")


_COLUMNS = (
    "digest, chain_id, contract, task, round_id, record, name, role, meaning, metrics, signed_at, signer, signature"
)


def store(connection: sqlite3.Connection, statements: Iterable[Signoff]) -> None:
    """Put statements into an index; those that it has stay as they are."""
    marks = ", ".join(f":{name}" for name in _COLUMNS.split(", "))
    rows = [asdict(statement) for statement in statements]
    with writing(connection):
        connection.executemany(f"INSERT OR IGNORE INTO signoff({_COLUMNS}) VALUES ({marks})", rows)


def load(connection: sqlite3.Connection) -> list[Signoff]:
    """Return the statements of an index, oldest first."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM main.signoff ORDER BY signed_at, digest").fetchall()
    return [Signoff(**dict(zip(_COLUMNS.split(", "), row, strict=True))) for row in rows]
