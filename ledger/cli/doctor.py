"""`fedtrail doctor`."""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import click

from ledger.cli.output import format_option, print_rows, printable
from ledger.cli.session import Session, project_options
from ledger.errors import ConfigurationError, FedtrailError, NoProject

LEAST_FREE_BYTES = 1 << 30
_MARKS = {"ok": "[ok]  ", "warn": "[warn]", "fail": "[FAIL]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    status: str
    """ok, warn or fail."""
    what: str
    """What was looked at."""
    found: str
    """What is there."""
    fix: str = ""
    """What to do about it."""


@click.command()
@format_option
@project_options
def doctor(session: Session, fmt: str) -> None:
    """Check this machine and project: what is there, what is missing, and what to do about it.

    Exit status 3 when a check fails; warnings do not count.
    """
    checks = list(run_checks(session))
    if fmt == "table":
        for check in checks:
            fix = f"  -> {check.fix}" if check.fix else ""
            click.echo(printable(f" {_MARKS[check.status]} {check.what}: {check.found}{fix}"))
    else:
        columns = ("status", "what", "found", "fix")
        print_rows("doctor", [asdict(check) for check in checks], fmt=fmt, columns=columns)
    if any(check.status == "fail" for check in checks):
        raise click.exceptions.Exit(ConfigurationError.exit_status)


def run_checks(session: Session) -> Iterator[Check]:
    """Yield every check, of the machine first; a check that breaks is a failed check."""
    yield _check_python()
    yield _check_packages()
    yield from _check_extras()
    yield from _check_tools(session)
    try:
        root = session.project.root
    except NoProject as error:
        yield Check(status="warn", what="project", found=error.message, fix="fedtrail init")
        yield _check_disk(Path.cwd())
        return
    except FedtrailError as error:
        yield Check(status="fail", what="project", found=str(error), fix="correct that line")
        return
    yield Check(status="ok", what="project", found=str(root))
    yield _check_disk(root)
    for what, check in (("store", _check_store), ("journal", _check_journal), ("keys", _check_keys)):
        yield _guarded(what, lambda check=check: check(session))  # type: ignore[misc]
    yield from _check_chain(session)


def _guarded(what: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except FedtrailError as error:
        return Check(status="fail", what=what, found=str(error), fix=error.hint)
    except OSError as error:
        return Check(status="fail", what=what, found=str(error), fix="check that the folder is yours and writable")


def _check_python() -> Check:
    found = f"{platform.python_version()} ({sys.executable})"
    return Check(status="ok", what="python", found=found)


def _check_packages() -> Check:
    needed = [
        re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0] for text in requires("fedtrail") or () if ";" not in text
    ]
    missing = [name for name in needed if _find_version(name) is None]
    if missing:
        found = f"missing: {', '.join(missing)}"
        return Check(status="fail", what="packages", found=found, fix="pip install --upgrade fedtrail")
    return Check(status="ok", what="packages", found=f"fedtrail {version('fedtrail')}, web3 {version('web3')}")


def _find_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _check_extras() -> Iterator[Check]:
    for name, extra, purpose in (("torch", "fl", "run start, demo"), ("llvmlite", "fl", "fast aggregation")):
        if importlib.util.find_spec(name) is None:
            yield Check(
                status="warn", what=name, found=f"missing: no {purpose}", fix=f"pip install 'fedtrail[{extra}]'"
            )
        else:
            yield Check(status="ok", what=name, found=_find_version(name) or "there")


def _check_tools(session: Session) -> Iterator[Check]:
    from ledger import nodejs

    project = _find_root(session)
    places: tuple[tuple[str, Callable[[], object]], ...] = (
        ("node", nodejs.find_node),
        ("hardhat", lambda: nodejs.find_package_file("hardhat/dist/src/cli.js", project=project)),
        ("solc", lambda: nodejs.find_package_file("solc/soljson.js", project=project)),
        ("anvil", lambda: nodejs.find_anvil(project=project)),
    )
    for what, find in places:
        try:
            yield Check(status="ok", what=what, found=str(find()))
        except FedtrailError as error:
            # A remote chain needs none of them: the compiled contracts ship with the package.
            yield Check(status="warn", what=what, found="not found", fix=error.hint)


def _find_root(session: Session) -> Path | None:
    try:
        return session.project.root
    except FedtrailError:
        return None


def _check_disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    found = f"{free / 2**30:.1f} GiB free"
    if free < LEAST_FREE_BYTES:
        return Check(status="warn", what="disk", found=found, fix="make room: updates and models are kept for audits")
    return Check(status="ok", what="disk", found=found)


def _check_store(session: Session) -> Check:
    from ledger.store import PROFILE

    cid = session.store.put(b"fedtrail doctor\n")
    session.store.get(cid, max_bytes=64)
    session.store.unpin(cid)
    where = session.project.ipfs or session.project.store_path
    return Check(status="ok", what="store", found=f"{where} takes and returns a blob (profile {PROFILE})")


def _check_journal(session: Session) -> Check:
    path = session.project.journal_path
    if not path.exists():
        return Check(status="ok", what="journal", found="not started yet")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            answer = connection.execute("PRAGMA integrity_check").fetchone()[0]
        except sqlite3.DatabaseError as error:
            answer = str(error)
    if answer != "ok":
        return Check(status="fail", what="journal", found=answer, fix=f"restore {path} from a copy")
    return Check(status="ok", what="journal", found=f"{path.stat().st_size} bytes, intact")


def _check_keys(session: Session) -> Check:
    names = session.keys.names()
    folder = session.project.keys_dir
    if folder.exists() and folder.stat().st_mode & 0o077:
        return Check(status="warn", what="keys", found=f"others may read {folder}", fix=f"chmod 700 {folder}")
    return Check(status="ok", what="keys", found=f"{len(names)} in the keystore")


def _check_chain(session: Session) -> Iterator[Check]:
    from ledger import devnet

    table = session.project.network_tables.get(session.network_name, {})
    if table.get("devnet"):
        running = devnet.status(session.project.state_dir)
        if running is None:
            yield Check(status="warn", what="devnet", found="not running", fix="fedtrail devnet up")
            return
        yield Check(status="ok", what="devnet", found=f"{running.engine}, {running.rpc}, process {running.pid}")
    yield _guarded("contracts", lambda: _check_contracts(session))


def _check_contracts(session: Session) -> Check:
    if session.network.ledger is None:
        return Check(status="warn", what="contracts", found="none pinned", fix="fedtrail contract deploy")
    rounds = session.chain.count_rounds()
    found = f"network {session.network.name}, ledger {session.network.ledger}, {rounds} rounds, code as pinned"
    return Check(status="ok", what="contracts", found=found)
