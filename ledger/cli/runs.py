"""Which runs a project knows, and which rounds of the ledger are theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger.cli.session import Session
from ledger.errors import NotFoundError
from ledger.suggestions import suggest

if TYPE_CHECKING:
    from ledger.chain import Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRun:
    """A run that was started in this project."""

    name: str
    """Of its script."""
    deployment: str
    """Fingerprint of the deployment that it ran on."""
    script_digest: str
    """SHA-256 of its script, hex."""
    file: str
    """Copy of its script, in .fedtrail/runs."""


def list_runs(session: Session) -> list[KnownRun]:
    """Return the runs of every deployment that this project had, oldest first."""
    found = []
    for key, note in session.journal.notes("").items():
        deployment, _, rest = key.partition("/run/")
        name, _, what = rest.partition("/")
        if what == "script":
            digest, file = str(note["digest"]), str(note["file"])
            found.append(KnownRun(name=name, deployment=deployment, script_digest=digest, file=file))
    return found


def find_run(session: Session, name: str | None) -> KnownRun:
    """Return a run of the current deployment by name; the latest if none is named.

    Raises: NotFoundError.
    """
    fingerprint = session.chain.fingerprint
    here = {run.name: run for run in list_runs(session) if run.deployment == fingerprint}
    if not here:
        raise NotFoundError(
            "no run was started here on this deployment", hint="fedtrail run list; fedtrail run start SCRIPT"
        )
    if name is None:
        return list(here.values())[-1]
    if name not in here:
        raise NotFoundError(kind="run", name=name, suggestion=suggest(name, here), hint="fedtrail run list")
    return here[name]


def find_task(chain: Chain, run: KnownRun) -> int | None:
    """Return the id of the task that a run created; None while it has not come that far."""
    for event in reversed(list(chain.events(names=("TaskCreated",)))):
        if event.args["task"].script_digest.hex() == run.script_digest:
            return int(event.args["task_id"])
    return None


def list_rounds(chain: Chain, task_id: int) -> dict[int, Mapping[str, Any]]:
    """Return what the event RoundOpened tells of each round of a task, by its number within the task, from 1."""
    opened = [event.args for event in chain.events(names=("RoundOpened",), task_id=task_id)]
    return {int(args["number"]): args for args in opened}


def find_round(session: Session, number: int, run_name: str | None) -> int:
    """Return the id in the ledger of a round of a run.

    Args: number: within the run, from 1; within the ledger where no run is named and none is known, as for an auditor.
    Raises: NotFoundError.
    """
    chain = session.chain
    if run_name is None and not any(run.deployment == chain.fingerprint for run in list_runs(session)):
        return number
    run = find_run(session, run_name)
    task_id = find_task(chain, run)
    rounds = list_rounds(chain, task_id) if task_id is not None else {}
    if number not in rounds:
        there = f"; run '{run.name}' has {len(rounds)}" if rounds else f"; run '{run.name}' has none yet"
        raise NotFoundError(kind="round", name=number, suggestion=there, hint=f"fedtrail run show {run.name}")
    return int(rounds[number]["round_id"])


def name_participants(session: Session, participants: list[int]) -> dict[int, str]:
    """Return the key names of participants whose keys this project holds."""
    names = {session.keys.address(name).lower(): name for name in session.keys.names()}
    found = {}
    for participant in participants:
        signer = session.chain.get_participant(participant).signer
        if name := names.get("0x" + signer.hex()):
            found[participant] = name
    return found
