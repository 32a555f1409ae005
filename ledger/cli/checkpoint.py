"""`fedtrail checkpoint`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.failures import FailedWithData
from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, print_rows, printable
from ledger.cli.progress import say
from ledger.cli.session import Session, project_options
from ledger.cli.watch import ending_cleanly, follow_options
from ledger.errors import ChainError, FedtrailError
from ledger.tomlfile import write_atomically

if TYPE_CHECKING:
    from ledger.checkpoints import Checkpoint
    from ledger.notekeys import NoteKeystore
    from ledger.notes import SignedNote
    from ledger.trust import Trust
    from ledger.witnessing import Notebook

Row = dict[str, Any]
trust_option = click.option(
    "--trust",
    "trust_path",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Trust file: only signatures of its witnesses count.",
)
output_option = click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="File to write."
)
key_option = click.option("--key", "key_name", metavar="NAME", required=True, help="Key that signs; see key.")
file_argument = click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, exists=True, path_type=Path))


@click.group(cls=LazyGroup)
def checkpoint() -> None:
    """Sign what the ledger is, and notice when others are shown another one.

    A checkpoint holds the number of events up to a block, the root over them, and the block's hash. Witnesses cosign
    it after their own nodes have told them the same; each remembers what it signed, and never signs what contradicts
    it. The files are signed notes, which the tools of transparency logs read.
    """


@checkpoint.command()
@click.argument("name")
@click.option("--log", is_flag=True, help="A key of who runs the log: signs the text alone, without the time.")
@format_option
@project_options
def key(session: Session, name: str, log: bool, fmt: str) -> None:
    """Make a witness's key; give the verifier key that is printed to those who are to trust it."""
    from ledger.notes import PLAIN, WITNESS

    verifier = _keys(session).new(name, PLAIN if log else WITNESS, session.password(confirm=True))
    print_record("checkpoint.key", {"name": name, "verifier": str(verifier)}, fmt=fmt)


@checkpoint.command()
@format_option
@project_options
def keys(session: Session, fmt: str) -> None:
    """List the keys that sign checkpoints, with their verifier keys."""
    store = _keys(session)
    rows = [{"name": name, "verifier": str(store.get_verifier(name))} for name in store.names()]
    empty = "no keys; make one: fedtrail checkpoint key NAME"
    print_rows("checkpoint.keys", rows, fmt=fmt, columns=("name", "verifier"), empty=empty)


@checkpoint.command()
@key_option
@output_option
@format_option
@project_options
def create(session: Session, key_name: str, output: Path | None, fmt: str) -> None:
    """Sign the ledger as of the last confirmed block.

    Exit status 7 if the ledger does not extend what this key signed before.
    """
    from ledger import witnessing

    signer = _keys(session).load(key_name, session.password())
    note = witnessing.create(session.chain, signer, get_notebook(session), at=int(time.time()))
    if output is not None:
        write_atomically(output, str(note))
    _print_note("checkpoint.create", note, output, fmt=fmt)


@checkpoint.command()
@file_argument
@key_option
@output_option
@format_option
@project_options
def cosign(session: Session, path: Path, key_name: str, output: Path | None, fmt: str) -> None:
    """Add a signature to the checkpoint in FILE, if one's own node tells the same.

    The result replaces FILE unless -o names another one. Exit status 7 for a ledger that is not the one that this
    node tells, or that does not extend what this key signed before: a split view or a rollback.
    """
    from ledger import witnessing
    from ledger.notes import parse_note

    note = parse_note(path.read_bytes())
    signer = _keys(session).load(key_name, session.password())
    note = witnessing.cosign(session.chain, note, signer, get_notebook(session), at=int(time.time()))
    write_atomically(output or path, str(note))
    _print_note("checkpoint.cosign", note, output or path, fmt=fmt)


@checkpoint.command("list")
@trust_option
@format_option
@project_options
def list_(session: Session, trust_path: Path | None, fmt: str) -> None:
    """List the checkpoints that this project has signed or cosigned."""
    trust = _load_trust(trust_path)
    rows = [_describe(note, trust) for note in get_notebook(session).list()]
    columns = ("block", "block_hash", "size", "root", "signers", *(("witnessed",) if trust else ()))
    empty = "no checkpoints; make one: fedtrail checkpoint create --key NAME"
    print_rows("checkpoint.list", rows, fmt=fmt, columns=columns, empty=empty)


@checkpoint.command()
@click.argument("paths", metavar="[NOTE]...", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--client", "clients", multiple=True, metavar="NAME", help="Client of this project to look after.")
@trust_option
@follow_options
@format_option
@project_options
def monitor(
    session: Session,
    paths: tuple[Path, ...],
    clients: tuple[str, ...],
    trust_path: Path | None,
    once: bool,
    interval: float,
    timeout: float | None,
    fmt: str,
) -> None:
    """Follow the ledger and raise the alarm: exit status 7 at the first one.

    NOTEs are checkpoints of witnesses, files or folders: they must not contradict each other, this project's own
    checkpoints, or its node. --client: the ledger must hold no commitment, publication or key in its name that this
    project does not know of. The node must not forget what it has told before.
    """
    look = _make_look(session, paths, clients, _load_trust(trust_path))
    ends_at = None if timeout is None else time.monotonic() + timeout
    with ending_cleanly():
        while True:
            found = _look_once(look, forgiving=not once)
            _raise_alarm(found, fmt=fmt, final=once)
            if once or (ends_at is not None and time.monotonic() >= ends_at):
                break
            time.sleep(interval if ends_at is None else max(0.0, min(interval, ends_at - time.monotonic())))
    if fmt == "table":
        say("nothing alarming")
    else:
        print_rows("checkpoint.monitor", [], fmt=fmt, columns=("code", "message"))


Look = Callable[[], Iterator[FedtrailError]]


def _make_look(session: Session, paths: tuple[Path, ...], clients: tuple[str, ...], trust: Trust | None) -> Look:
    from ledger import monitoring, witnessing
    from ledger.checkpoints import parse_checkpoint
    from ledger.cli.participants import find_participant

    chain, notebook = session.chain, get_notebook(session)
    known = [(who, find_participant(session, who).view.id) for who in clients]
    acts = monitoring.read_own_acts(session.journal, chain.fingerprint, _list_signers(session))

    def look() -> Iterator[FedtrailError]:
        try:
            monitoring.watch_own_node(chain, notebook)
        except FedtrailError as problem:
            yield problem
        notes = {str(path): note for path, note in witnessing.read_notes(paths).items()}
        for note in notes.values():
            witnessing.verify_origin(chain, parse_checkpoint(note.text))
        if trust is not None:
            notes, problems = monitoring.judge_signatures(notes, trust)
            yield from problems
        own = {f"this project's checkpoint of block {parse_checkpoint(n.text).block}": n for n in notebook.list()}
        yield from monitoring.compare_views(chain, {**own, **notes})
        for who, participant in known:
            yield from monitoring.find_misuse(chain, session.store, participant, acts, name=who)

    return look


def _look_once(look: Look, *, forgiving: bool) -> list[FedtrailError]:
    """Return what is wrong; a node that does not answer for a while ends nothing unless one looks only once."""
    try:
        return list(look())
    except ChainError as error:
        if not forgiving:
            raise
        say(f"{error.code}: {printable(error.message)}; trying again")
        return []


def _raise_alarm(found: list[FedtrailError], *, fmt: str, final: bool) -> None:
    """Raise the worst of what was found: something wrong always, something missing only at the end."""
    alarms = [error for error in found if error.exit_status == 7]
    worst = alarms or (found if final else [])
    if not worst:
        return
    rows = [{"code": error.code, "message": error.message, "detail": error.detail} for error in found]
    if fmt == "json":
        raise FailedWithData(worst[0], rows)
    for row in rows[1:]:
        say(f"{row['code']}: {printable(str(row['message']))}")
    raise worst[0]


def _list_signers(session: Session) -> frozenset[bytes]:
    """Return the addresses of all signing keys that this project holds or held."""
    store = session.keys
    return frozenset(bytes.fromhex(text[2:]) for name in store.names() for text in store.list_addresses(name))


def _keys(session: Session) -> NoteKeystore:
    from ledger.notekeys import FOLDER, NoteKeystore

    return NoteKeystore(session.project.keys_dir / FOLDER)


def get_notebook(session: Session) -> Notebook:
    """Return where the project keeps the checkpoints of its deployment."""
    from ledger.witnessing import Notebook

    return Notebook(session.project.state_dir / "checkpoints" / session.chain.fingerprint)


def _load_trust(path: Path | None) -> Trust | None:
    from ledger.trust import Trust

    return Trust.load(path) if path is not None else None


def _describe(note: SignedNote, trust: Trust | None) -> Row:
    from ledger.checkpoints import parse_checkpoint

    found: Checkpoint = parse_checkpoint(note.text)
    return {
        "block": found.block,
        "block_hash": found.block_hash,
        "size": found.size,
        "root": found.root,
        "signers": ", ".join(line.name for line in note.signatures),
        **({} if trust is None else {"witnessed": trust.is_witnessed(note)}),
    }


def _print_note(schema: str, note: SignedNote, path: Path | None, *, fmt: str) -> None:
    record = {**_describe(note, None), "file": path}
    if fmt == "table" and path is None:
        click.echo(str(note), nl=False)
    else:
        print_record(schema, record, fmt=fmt)
