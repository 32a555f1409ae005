"""`fedtrail verify`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.cli.bundle import file_type, key_option, load_key, password_of
from ledger.cli.output import format_option, print_json, print_rows, printable
from ledger.errors import SpecError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from ledger.bundle.notes import BundleReport

_PROOF_STARTS = (b"{", b"c2sp.org/tlog-proof@")
"""First bytes of the two forms of a proof; anything else is taken for a bundle."""
_MARKS = {True: "[ok]", False: "[FAIL]", None: "[gap]"}


@click.command()
@click.argument("target", metavar="BUNDLE|PROOF|RUN")
@click.option("--trust", "trust_file", metavar="FILE", type=file_type, help="What you take as given.")
@key_option
@click.option("--attest", metavar="FILE", type=file_type, help="Write what passed as an in-toto statement.")
@click.option("--sign-with", metavar="FILE", type=file_type, help="Key file that signs this statement (DSSE).")
@format_option
@click.pass_context
def verify(
    context: click.Context,
    target: str,
    trust_file: Path | None,
    key_file: Path | None,
    attest: Path | None,
    sign_with: Path | None,
    fmt: str,
) -> None:
    """Check a bundle or a proof without a node, a store or a network; or replay a run of this project by its name.

    A run is checked as by `run replay`, a proof as by `proof verify`, which also compares bytes with it. Of a bundle,
    exit status 0: VERIFIED. 7: FAILED, something is proved wrong. 8: INCOMPLETE, evidence is not in it; or CONSISTENT,
    nothing in your trust file says that its chain is the real one. What JSON looks like: docs/bundle.md.
    """
    from ledger.bundle.check import check_bundle
    from ledger.trust import Trust

    path = Path(target)
    flags = {"--trust": trust_file, "--key": key_file, "--attest": attest, "--sign-with": sign_with}
    if not path.exists() and path.name == target and not path.suffix:
        _verify_run(context, target, flags, fmt)
        return
    if path.is_file() and _starts_as_proof(path):
        _verify_proof(context, path, flags, fmt)
        return
    trust = Trust.load(trust_file) if trust_file else None
    key = load_key(key_file)
    if key is not None:
        _verify_reader(path, key)
    report = check_bundle(path, trust, key)
    if fmt == "json":
        print_json(report.to_json())
    elif fmt == "table":
        _print_report(report)
    else:
        print_rows("verify", report.to_json()["checks"], fmt=fmt, columns=("name", "ok", "detail"))
    if attest is not None:
        _write_statement(path, report, attest, sign_with)
    context.exit(report.exit_status)


def _starts_as_proof(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_PROOF_STARTS[-1])).startswith(_PROOF_STARTS)


def _verify_run(context: click.Context, name: str, flags: Mapping[str, Path | None], fmt: str) -> None:
    from ledger.cli.replays import run_replay

    _refuse_flags("a run", flags)
    _forward(context, run_replay, name, "--format", fmt)


def _verify_proof(context: click.Context, path: Path, flags: Mapping[str, Path | None], fmt: str) -> None:
    from ledger.cli.proof import verify as verify_proof

    _refuse_flags("a proof", {name: value for name, value in flags.items() if name != "--trust"})
    trust = ("--trust", str(flags["--trust"])) if flags["--trust"] else ()
    _forward(context, verify_proof, str(path), *trust, "--format", fmt)


def _forward(context: click.Context, command: click.Command, *arguments: str) -> None:
    """Run another command as if it had been typed, environment variables included."""
    with command.make_context(context.info_name, list(arguments), parent=context.parent) as there:
        command.invoke(there)


def _refuse_flags(what: str, flags: Mapping[str, Path | None]) -> None:
    given = [name for name, value in flags.items() if value is not None]
    if given:
        raise UsageError(f"{', '.join(given)} is for bundles, not for {what}")


def _verify_reader(path: Path, key: X25519PrivateKey) -> None:
    """Say at once that a bundle is for somebody else; whatever else is wrong with it, the check tells."""
    from ledger.bundle.check import open_manifest
    from ledger.bundle.container import Container
    from ledger.bundle.overview import verify_recipient

    with contextlib.suppress(SpecError), Container(path) as container:
        verify_recipient(open_manifest(container), key)


def _print_report(report: BundleReport) -> None:
    for check in report.checks:
        click.echo(f" {_MARKS[check.ok]:6} {check.name:11} {printable(check.detail)}")
    for finding in report.findings:
        click.echo(printable(str(finding.error)))
        if finding.error.hint:
            click.echo(f"  hint: {printable(finding.error.hint)}")
    open_rounds = [str(each.round_id) for each in report.rounds if each.verdict == "incomplete"]
    if open_rounds:
        click.echo(f"not replayed: rounds {', '.join(open_rounds)}")
    click.echo(f"{report.verdict}" + (f" ({report.anchor})" if report.anchor else ""))


def _write_statement(path: Path, report: BundleReport, target: Path, sign_with: Path | None) -> None:
    from ledger.bundle.attestation import make_statement
    from ledger.bundle.envelope import sign_statement
    from ledger.bundle.sealing import load_signing_key

    statement = make_statement(path, report, at=int(time.time()))
    if sign_with is not None:
        statement = sign_statement(statement, load_signing_key(sign_with, password_of(sign_with)))
    target.write_bytes(statement)
