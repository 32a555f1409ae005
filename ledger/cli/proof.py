"""`fedtrail proof`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ledger.cli.checkpoint import get_notebook
from ledger.cli.failures import FailedWithData
from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, printable, to_plain
from ledger.cli.progress import say
from ledger.cli.runs import find_round
from ledger.cli.session import Session, project_options
from ledger.errors import EvidenceError, FedtrailError, NotFoundError, Oversized, Unanchored, UsageError
from ledger.records import Grade
from ledger.tomlfile import write_atomically

if TYPE_CHECKING:
    from ledger.chain.views import Event
    from ledger.proofs.checking import Checked
    from ledger.proofs.format import Proof
    from ledger.proofs.making import Prover
    from ledger.trust import Trust

F = TypeVar("F", bound=Callable[..., Any])
TLOG = "tlog-proof"
MAX_DATA_BYTES = 1 << 30


@click.group(cls=LazyGroup)
def proof() -> None:
    """Show one fact of the ledger to somebody who has nothing else, and check what others show.

    A proof is one text file. It needs no node, no index and no store to be checked; what it rests on is a block, which
    the checker's own trust file, or the witnesses named there, vouch for.
    """


@proof.group(cls=LazyGroup)
def get() -> None:
    """Make a proof from this project's node.

    If the project has a checkpoint that is late enough, the proof leads to it; see fedtrail checkpoint. The file has
    every header from the task's first block on: with --as tlog-proof it stays small.
    """


def get_options(command: F) -> F:
    """Add what all kinds of proofs take."""
    for option in (
        click.option(
            "-o",
            "--output",
            metavar="FILE",
            required=True,
            type=click.Path(dir_okay=False, path_type=Path),
            help="File to write.",
        ),
        click.option("--run", "run_name", metavar="NAME", help="Run of the round; default: the latest."),
        click.option(
            "--checkpoint",
            "note_path",
            metavar="FILE",
            type=click.Path(dir_okay=False, exists=True, path_type=Path),
            help="Checkpoint that the proof is to lead to, instead of this project's own.",
        ),
    ):
        command = option(command)
    return command


round_option = click.option("--round", "number", metavar="N", type=click.IntRange(min=1), help="Round of the run.")
needed_round_option = click.option(
    "--round", "number", metavar="N", type=click.IntRange(min=1), required=True, help="Round of the run."
)
form_option = click.option(
    "--as",
    "form",
    type=click.Choice(["proof", TLOG]),
    default="proof",
    show_default=True,
    help="tlog-proof: the event's place in a checkpoint, for the tools of transparency logs.",
)
block_option = click.option(
    "--at-block", metavar="B", type=click.IntRange(min=0), help="Block of the ledger's state; default: the latest."
)


@get.command()
@needed_round_option
@click.option("--client", "who", metavar="C", required=True, help="Client: key name or number.")
@form_option
@get_options
@project_options
def update(
    session: Session, number: int, who: str, form: str, run_name: str | None, note_path: Path | None, output: Path
) -> None:
    """Prove that a client committed in a round, and what became of its update."""
    from ledger.cli.participants import find_participant

    round_id, client = find_round(session, number, run_name), find_participant(session, who).view.id
    prover = _make_prover(session, note_path)
    if form == TLOG:
        _write_tlog(prover, prover.find_commitment(round_id, client), output)
    else:
        _write(prover.prove_update(round_id, client), output)


@get.command()
@round_option
@click.option(
    "--name", metavar="NAME", help="Name of the event, such as Proposed; with --round, its first of the name."
)
@click.option("--block", metavar="B", type=click.IntRange(min=0), help="Block of the event, with --log.")
@click.option("--log", "log_index", metavar="L", type=click.IntRange(min=0), help="Its position in the block.")
@form_option
@get_options
@project_options
def event(
    session: Session,
    number: int | None,
    name: str | None,
    block: int | None,
    log_index: int | None,
    form: str,
    run_name: str | None,
    note_path: Path | None,
    output: Path,
) -> None:
    """Prove one event, by --round and --name or by --block and --log.

    A proof is about an event of the RoundLedger; of the other contracts' it takes --as tlog-proof.
    """
    found = _find_event(session, number, name, block, log_index, run_name)
    prover = _make_prover(session, note_path)
    if form == TLOG:
        _write_tlog(prover, found, output)
        return
    if not _is_of_ledger(found):
        raise UsageError(
            f"{found.name} is no event of the RoundLedger",
            hint="--as tlog-proof shows its place in a checkpoint, which covers all contracts",
        )
    _write(prover.prove_event(found), output)


@get.command("round")
@needed_round_option
@block_option
@get_options
@project_options
def round_(
    session: Session, number: int, at_block: int | None, run_name: str | None, note_path: Path | None, output: Path
) -> None:
    """Prove everything that happened in a round, and that nothing is left out."""
    round_id = find_round(session, number, run_name)
    _write(_make_prover(session, note_path).prove_round(round_id, at_block=at_block), output)


@get.command()
@needed_round_option
@block_option
@get_options
@project_options
def model(
    session: Session, number: int, at_block: int | None, run_name: str | None, note_path: Path | None, output: Path
) -> None:
    """Prove which model a finalised round ended with."""
    round_id = find_round(session, number, run_name)
    _write(_make_prover(session, note_path).prove_model(round_id, at_block=at_block), output)


@proof.command()
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.argument(
    "data_path", metavar="[DATA]", required=False, type=click.Path(dir_okay=False, exists=True, path_type=Path)
)
@click.option(
    "--trust",
    "trust_path",
    metavar="TOML",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Your own file: block hashes or witnesses that you trust.",
)
@format_option
def verify(path: Path, data_path: Path | None, trust_path: Path | None, fmt: str) -> None:
    """Check the proof in FILE, and that DATA is the update or model that it is about; no project is needed.

    Exit status 7: something is proved wrong. 8: the proof agrees with itself, but nothing in the trust file says that
    its blocks are the chain's, or something that such a proof could show is not in it.
    """
    from ledger.trust import Trust

    trust = Trust.load(trust_path) if trust_path is not None else None
    checked = _check(path, _read(data_path) if data_path is not None else None, trust)
    record = {
        "proof": checked.kind,
        "chain_id": checked.chain_id,
        "ledger": checked.ledger,
        **checked.facts,
        "as_of_block": checked.block,
        "block_hash": checked.block_hash,
        "anchor": checked.anchor,
        "gaps": list(checked.gaps),
    }
    problem = _find_problem(checked, trust)
    if problem is not None and fmt == "json":
        raise FailedWithData(problem, record)
    shown = record if fmt != "table" else {**record, "gaps": "; ".join(checked.gaps) or None}
    print_record("proof.verify", _flatten(shown) if fmt == "table" else shown, fmt=fmt, grade=Grade.PROVEN)
    if problem is not None:
        raise problem
    say(f"VERIFIED: {checked.anchor}")


def _check(path: Path, data: bytes | None, trust: Trust | None) -> Checked:
    from ledger.proofs.checking import check_proof
    from ledger.proofs.format import MAX_PROOF_BYTES, decode_proof_file
    from ledger.proofs.tlog import FIRST_LINE, check_tlog_proof, parse_tlog_proof

    content = _read(path, MAX_PROOF_BYTES)
    if content.startswith(FIRST_LINE.encode()):
        return check_tlog_proof(parse_tlog_proof(content), data=data, trust=trust)
    return check_proof(decode_proof_file(content), data=data, trust=trust)


def _find_problem(checked: Checked, trust: Trust | None) -> FedtrailError | None:
    """Return why a proof that agrees with itself is not enough; None if it is."""
    if checked.anchor is None:
        what = f"nothing in the trust file vouches for block {checked.block} of ledger 0x{checked.ledger.hex()}"
        if trust is None:
            what = "no trusted block hash or witness was given"
        elif trust.block_hashes and trust.contract is None:
            what += " (a block's hash counts beside [ledger] contract only)"
        return Unanchored(what=what)
    if checked.gaps:
        return EvidenceError(f"the proof does not show: {'; '.join(checked.gaps)}")
    return None


def _flatten(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record for people: nested values on one line."""
    plain = {key: to_plain(value, key) for key, value in record.items()}
    return {key: printable(str(value)) if isinstance(value, (dict, list)) else value for key, value in plain.items()}


def _make_prover(session: Session, note_path: Path | None) -> Prover:
    from ledger.notes import parse_note
    from ledger.proofs.making import Prover

    notes = [parse_note(note_path.read_bytes())] if note_path is not None else get_notebook(session).list()
    return Prover(chain=session.chain, store=session.store, notes=notes)


def _is_of_ledger(event: Event) -> bool:
    from ledger.chain.abi import get_interface

    return event.name in {item.name for item in get_interface("RoundLedger").events.values()}


def _find_event(
    session: Session, number: int | None, name: str | None, block: int | None, log_index: int | None, run: str | None
) -> Event:
    if block is not None and log_index is not None:
        events = session.chain.events(block, block)
        found = next((event for event in events if event.log_index == log_index), None)
        where = f"log {log_index} of block {block}"
    elif number is not None and name is not None:
        events = session.chain.events(names=(name,), round_id=find_round(session, number, run))
        found, where = next(iter(events), None), f"{name} of round {number}"
    else:
        raise UsageError("name the event by --round and --name, or by --block and --log")
    if found is None:
        raise NotFoundError(kind="event", name=where, suggestion="")
    return found


def _write(proof: Proof, output: Path) -> None:
    from ledger.proofs.checking import check_proof
    from ledger.proofs.format import encode_proof_file

    check_proof(proof)  # what a node makes up, or changes meanwhile, should be noticed here and not by others
    output.write_bytes(encode_proof_file(proof))
    leads = "its checkpoint" if proof.checkpoint is not None else "no checkpoint: name the block's hash in a trust file"
    say(f"{output}: {proof.kind}, {len(proof.headers)} headers, {len(proof.events)} events, leads to {leads}")


def _write_tlog(prover: Prover, found: Event, output: Path) -> None:
    from ledger.proofs.making import choose_note
    from ledger.proofs.tlog import make_tlog_proof

    note = choose_note(prover.notes, found.block)
    if note is None:
        raise NotFoundError(
            f"this project has no checkpoint of block {found.block} or later",
            hint="fedtrail checkpoint create --key NAME, or --checkpoint FILE",
        )
    write_atomically(output, str(make_tlog_proof(prover.chain, found, note)))
    say(f"{output}: {found.name}, leads to the checkpoint signed by {len(note.signatures)}")


def _read(path: Path, limit: int = MAX_DATA_BYTES) -> bytes:
    if (size := path.stat().st_size) > limit:
        raise Oversized(got=size, want=limit)
    return path.read_bytes()
