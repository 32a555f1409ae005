"""`fedtrail audit report` and `fedtrail audit review`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.cli.indexed import (
    Place,
    describe_as_of,
    fail_option,
    find_failures,
    find_folder,
    find_scope,
    log_access,
    name_keys,
    open_place,
    place_options,
    read_warnings,
    scope_options,
)
from ledger.cli.output import format_option, print_record, print_table, to_plain
from ledger.cli.progress import say
from ledger.cli.session import Session, project_options
from ledger.cli.signoff import key_option, name_option, sign_and_keep
from ledger.errors import NotFoundError

if TYPE_CHECKING:
    from ledger.reports.assembling import Report

REVIEW_ROLE, REVIEW_MEANING = "examiner", "examined the activity of information systems"


@click.command()
@click.argument("profile", metavar="PROFILE")
@scope_options
@click.option(
    "--format",
    "form",
    type=click.Choice(("html", "md", "json")),
    default="html",
    show_default=True,
    help="How the report is written.",
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Default: stdout."
)
@fail_option
@place_options
@project_options
def report(
    session: Session,
    profile: str,
    run_name: str | None,
    task_id: int | None,
    form: str,
    output: Path | None,
    fail_on: str | None,
    place: Place,
) -> None:
    """Write a report: annex-iv, ropa, hipaa, part11, partner or research.

    It shows evidence, each row with its grade and what proves it, and lists what no ledger can tell. Whether a law is
    kept is for people to judge.
    """
    from ledger.reports.assembling import assemble
    from ledger.reports.profiles import find_profile

    wanted = find_profile(profile)
    with open_place(session, place) as reader:
        task, scope = find_scope(session, reader, run_name, task_id)
        warnings = read_warnings(session, reader.as_of, place)
        given = {"task": task} if task else {}
        made = assemble(reader, wanted, scope=scope, given=given, keys=name_keys(session), warnings=warnings)
    text = _render(made, form)
    log_access(session, "report", f"{profile} task={task or 'all'}", f"{made.findings} findings")
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, "utf-8")
        say(f"{output}: {len(made.answers)} answers, {made.findings} rows to look at, as of block {made.as_of.block}")
    if failure := find_failures({answer.query.name: answer for answer in made.answers}, fail_on):
        raise failure


def _render(report: Report, form: str) -> str:
    from ledger.reports import assembling, markdown, page

    if form == "html":
        return page.render(report)
    if form == "md":
        return markdown.render(report)
    envelope = {"asof": describe_as_of(report.as_of), "warnings": list(report.warnings)}
    document = {"schema": "fedtrail/audit.report/v1", "ok": True, "data": assembling.to_document(report), **envelope}
    return json.dumps(to_plain(document), indent=2) + "\n"


@click.command()
@click.option("--since", metavar="DAY", default="1970-01-01", show_default=True, help="First day that is examined.")
@key_option
@name_option
@place_options
@format_option
@project_options
def review(session: Session, since: str, key: str, name: str, place: Place, fmt: str) -> None:
    """Show who used the index since a day, and sign that it was examined; the record is kept as a file.

    45 CFR 164.308(a)(1)(ii)(D) asks for such reviews. The signature is listed by fedtrail signoff list.
    """
    from ledger.index.signoffs import Signoff, compute_file_record

    with open_place(session, place) as reader:
        rows = reader.query("SELECT * FROM access_log WHERE at >= :since ORDER BY at, who", {"since": since}).to_dicts()
    if not rows:
        raise NotFoundError(f"nobody has used the index since {since}: there is nothing to examine")
    if fmt == "table":
        print_table(rows, ("at", "who", "action", "target", "outcome"))
        click.echo()
    folder = find_folder(session)
    folder.mkdir(parents=True, exist_ok=True)
    now = int(time.time())
    file = folder / f"review-{now}.json"
    file.write_text(
        json.dumps({"since": since, "as_of": describe_as_of(reader.as_of), "access": rows}, indent=1), "utf-8"
    )
    statement = Signoff(
        chain_id=reader.as_of.chain_id,
        contract=reader.as_of.contract,
        task=0,
        round_id=0,
        record=compute_file_record(file),
        name=name,
        role=REVIEW_ROLE,
        meaning=REVIEW_MEANING,
        signed_at=now,
    )
    signed = sign_and_keep(session, statement, key)
    log_access(session, "review", f"since {since}", f"{len(rows)} rows")
    told = {"examined": len(rows), "record": signed.record, "file": file, "signoff": signed.digest, "name": name}
    print_record("audit.review", told, fmt=fmt)
