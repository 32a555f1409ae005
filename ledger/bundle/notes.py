"""What the checks of a bundle report: twelve lines, findings, a verdict."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ledger import errors
from ledger.bundle.format import Level
from ledger.errors import FedtrailError
from ledger.records import Grade

CHECKS = (
    "manifest",
    "anchor",
    "headers",
    "receipts",
    "events",
    "counters",
    "blobs",
    "commitments",
    "membership",
    "replay",
    "lineage",
    "stakes",
)
"""Names of the checks, in their order (docs/bundle.md, Checks)."""
MAX_FINDINGS = 1000
"""Findings that are kept: enough for people, and no flood of a stranger's making."""


class BundleVerdict(enum.StrEnum):
    """What is known of a bundle as a whole."""

    VERIFIED = "VERIFIED"
    """Complete, recomputed, and on the chain that the auditor named."""
    CONSISTENT = "CONSISTENT"
    """Complete and recomputed; nothing that the auditor trusts says that this is the real chain."""
    INCOMPLETE = "INCOMPLETE"
    """Evidence is not in the bundle."""
    FAILED = "FAILED"
    """Something is proved wrong."""


EXITS = {
    BundleVerdict.VERIFIED: 0,
    BundleVerdict.CONSISTENT: errors.EvidenceError.exit_status,
    BundleVerdict.INCOMPLETE: errors.EvidenceError.exit_status,
    BundleVerdict.FAILED: errors.IntegrityError.exit_status,
}
"""Exit status of each verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFinding:
    """One thing that a check found."""

    check: str
    """Name of the check."""
    error: FedtrailError
    """What it is."""
    round_id: int | None
    """Round in the ledger, where it concerns one."""
    participant: int | None
    """Whom it concerns, where that is known."""

    @property
    def accuses(self) -> bool:
        """Whether this is evidence of something wrong, not a gap."""
        return not isinstance(self.error, errors.EvidenceError)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """One line of a report."""

    name: str
    """One of CHECKS."""
    ok: bool | None
    """True: made, nothing accuses. False: something does. None: not made, or only in part."""
    detail: str
    """What was looked at, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundReport:
    """What is known of one round."""

    round_id: int
    """Number in the ledger."""
    verdict: str
    """Of `records.Verdict`, or `voided`."""
    grade: Grade
    """How well it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleReport:
    """What a verifier makes of a bundle."""

    verdict: BundleVerdict
    """The whole."""
    checks: tuple[CheckReport, ...]
    """Twelve, in their order."""
    findings: tuple[BundleFinding, ...]
    """Everything found, in the order of the checks."""
    rounds: tuple[RoundReport, ...]
    """Rounds of the tasks that the bundle is about, rising."""
    level: Level | None
    """What the bundle discloses; None where it cannot be read."""
    anchor: str | None
    """What anchored it, in words."""

    @property
    def exit_status(self) -> int:
        """Of a program that ends with this report."""
        return EXITS[self.verdict]

    def to_json(self) -> dict[str, Any]:
        """Return the report as both verifiers print it."""
        return {
            "verdict": self.verdict.value,
            "exit": self.exit_status,
            "checks": [{"name": each.name, "ok": each.ok, "detail": each.detail} for each in self.checks],
            "findings": [
                {
                    "code": each.error.code,
                    "message": each.error.message,
                    "round": _to_text(each.round_id),
                    "client": _to_text(each.participant),
                }
                for each in self.findings
            ],
            "rounds": [
                {"round_id": str(each.round_id), "verdict": each.verdict, "grade": each.grade.value}
                for each in self.rounds
            ],
            "level": None if self.level is None else self.level.value,
            "anchor": self.anchor,
        }


@dataclass(slots=True)
class Notes:
    """What the checks have found so far."""

    findings: list[BundleFinding] = field(default_factory=list)
    details: dict[str, str] = field(default_factory=dict)
    rounds: list[RoundReport] = field(default_factory=list)
    anchor: str | None = None
    level: Level | None = None
    _partial: set[str] = field(default_factory=set)

    def add(
        self, check: str, error: FedtrailError, *, round_id: int | None = None, participant: int | None = None
    ) -> None:
        """Note what a check found, once."""
        known = any((each.check, str(each.error)) == (check, str(error)) for each in self.findings)
        if not known and len(self.findings) < MAX_FINDINGS:
            found = BundleFinding(check=check, error=error, round_id=round_id, participant=participant)
            self.findings.append(found)

    def finish(self, check: str, detail: str) -> None:
        """Note that a check was made, and on what."""
        self.details[check] = detail

    def leave_open(self, *checks: str) -> None:
        """Note that checks could not be made, or not wholly."""
        self._partial.update(checks)

    def is_clean(self, check: str) -> bool:
        """Whether nothing found by a check accuses so far."""
        return not any(finding.accuses for finding in self.findings if finding.check == check)

    @contextmanager
    def guard(self, check: str) -> Iterator[None]:
        """Turn whatever a stranger's bytes set off into a finding: a verifier reports, it never breaks."""
        try:
            yield
        except FedtrailError as error:
            self.add(check, error)
        except (MemoryError, OSError):  # this machine's fault, and no evidence against anybody
            raise
        except Exception as problem:  # bytes that nobody thought of; the check is not made, and says so
            self.add(check, errors.BadProof(what=f"cannot be read: {type(problem).__name__}: {problem}"[:300]))

    def report(self) -> BundleReport:
        """Return the whole."""
        ordered = sorted(self.findings, key=lambda each: (CHECKS.index(each.check), each.round_id or 0))
        return BundleReport(
            verdict=_judge(ordered),
            checks=tuple(self._report_check(name) for name in CHECKS),
            findings=tuple(ordered),
            rounds=tuple(self.rounds),
            level=self.level,
            anchor=self.anchor,
        )

    def _report_check(self, name: str) -> CheckReport:
        gaps = any(finding.check == name for finding in self.findings)
        ok = None if gaps or name in self._partial or name not in self.details else True
        return CheckReport(
            name=name, ok=ok if self.is_clean(name) else False, detail=self.details.get(name, "not made")
        )


def _judge(findings: list[BundleFinding]) -> BundleVerdict:
    if any(finding.accuses for finding in findings):
        return BundleVerdict.FAILED
    if any(not isinstance(finding.error, errors.Unanchored) for finding in findings):
        return BundleVerdict.INCOMPLETE
    return BundleVerdict.CONSISTENT if findings else BundleVerdict.VERIFIED


def _to_text(number: int | None) -> str | None:
    return None if number is None else str(number)
