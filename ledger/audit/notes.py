"""What the checks of one replay share: the record, and what they have found so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger import errors
from ledger.errors import FedtrailError, SpecError
from ledger.records import Fetched, Finding, OnProgress, RoundRecord, ignore_progress


@dataclass(slots=True)
class Notes:
    """What the checks of one round have found so far."""

    record: RoundRecord
    findings: list[Finding] = field(default_factory=list)
    attested: list[str] = field(default_factory=list)
    rejections: list[SpecError] = field(default_factory=list)
    say: OnProgress = ignore_progress

    def add(self, clause: str, error: FedtrailError, participant: int | None = None) -> None:
        """Note what the check `clause` of docs/protocol.md §7 found."""
        self.findings.append(Finding(clause=clause, error=error, participant=participant))

    def attest(self, text: str) -> None:
        """Note a fact that is somebody's word."""
        self.attested.append(text)


def make_gap(fetched: Fetched, what: str, record: RoundRecord) -> FedtrailError:
    """Say why bytes are not there: missing is no accusation, bytes that do not hash to their CID are wrong."""
    if fetched.problem is not None and not fetched.missing:
        return fetched.problem
    why = f" ({fetched.problem.message})" if isinstance(fetched.problem, errors.ChainError) else ""
    consequence = f"; {what} of round {record.number}: the round cannot be replayed{why}"
    cid = fetched.cid or "(never published)"
    return errors.Unavailable(cid=cid, found=0, stores=1, seconds=0.0, consequence=consequence)
