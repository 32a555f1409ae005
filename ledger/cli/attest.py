"""`fedtrail attest`."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.output import format_option
from ledger.cli.participants import find_participant, load_signer
from ledger.cli.session import Session, project_options
from ledger.cli.watch import follow, follow_options, print_once
from ledger.errors import NotEligible

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--attestor", required=True, metavar="NAME", help="Key name or number of the attestor.")
@click.option("--publications", type=_FOLDER, help="Folder of publication lists; default: the project's.")
@click.option("--statements", type=_FOLDER, help="Folder that the committee shares; default: the project's.")
@follow_options
@format_option
@project_options
def attest(
    session: Session,
    attestor: str,
    publications: Path | None,
    statements: Path | None,
    once: bool,
    interval: float,
    timeout: float | None,
    fmt: str,
) -> None:
    """Say which updates of a round could be had, certify that with the committee, and show them to who demands it.

    Follows the rounds of tasks with an availability board. Once the commit phase is over it fetches every update that a
    client has published, signs what it found, and puts its statement where the others find it; who finds enough of
    them sends the certificate. It never says two things about one round.
    """
    from ledger.attesting import Attestor
    from ledger.chain import Role

    known = find_participant(session, attestor)
    if known.view.role is not Role.ATTESTOR:
        raise NotEligible(who=known.name or known.view.id, what="attest", reason="it is registered as another role")
    load_signer(session, known)  # says at once what is missing
    name, password, here = known.name or "", session.password(), session.project.state_dir
    daemon = Attestor(
        session.chain,
        session.reader,
        participant=known.view.id,
        load_key=lambda address: session.keys.load_by_address(name, address, password),
        relayer=session.operator(),
        publications=publications or here / "publications" / session.chain.fingerprint,
        statements=statements or here / "statements" / session.chain.fingerprint,
    )
    if once:
        print_once("attest", daemon.look(), fmt=fmt)
    else:
        follow(daemon.look, interval=interval, timeout=timeout, fmt=fmt)
