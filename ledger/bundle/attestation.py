"""What a verifier found, as a statement that other tools read: an in-toto Simple Verification Result.

Source: in-toto attestation framework, Statement v1 and predicate svr v0.1. Only what passed is stated.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from ledger.bundle.container import CHUNK_BYTES
from ledger.bundle.format import encode_json
from ledger.bundle.notes import BundleReport, BundleVerdict

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/svr/v0.1"
VERIFIER = "pkg:pypi/fedtrail@{version}"


def make_statement(path: Path, report: BundleReport, *, at: int) -> bytes:
    """Return the statement about a bundle as canonical JSON.

    Args: path: the bundle. at: when it was checked, seconds since 1970.
    """
    passed = [f"FEDTRAIL_{check.name.upper()}" for check in report.checks if check.ok]
    verdict = ["FEDTRAIL_BUNDLE_VERIFIED"] if report.verdict is BundleVerdict.VERIFIED else []
    return encode_json(
        {
            "_type": STATEMENT,
            "subject": [{"name": path.name, "digest": {"sha256": _hash(path)}}],
            "predicateType": PREDICATE,
            "predicate": {
                "verifier": {"id": VERIFIER.format(version=version("fedtrail"))},
                "timeCreated": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "properties": [*verdict, *passed],
            },
        }
    )


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
