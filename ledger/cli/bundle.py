"""`fedtrail bundle`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, print_rows, print_table
from ledger.cli.progress import progress_bar, say
from ledger.cli.session import Session, project_options
from ledger.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

file_type = click.Path(dir_okay=False, path_type=Path)
bundle_argument = click.argument("path", metavar="BUNDLE", type=file_type)
key_option = click.option(
    "--key", "key_file", metavar="FILE", type=file_type, help="Key file that opens sealed blobs, and encrypted updates."
)
LEVELS = ("public", "partner", "auditor")
_PLACES = ("kind", "open", "sealed", "withheld", "missing")


@click.group(cls=LazyGroup)
def bundle() -> None:
    """Make and read bundles: one file with which a stranger checks a ledger, offline.

    Levels: public (hashes and proofs), partner (also models, and one client's own updates), auditor (everything,
    encrypted to the auditor's key). What a bundle is: docs/bundle.md.
    """


@bundle.command()
@click.option("-o", "--output", metavar="FILE", type=file_type, help="File to write; default: RUN-LEVEL.ftb.zip.")
@click.option("--run", "run_name", metavar="NAME", help="Only the task of this run.")
@click.option("--task", "tasks", multiple=True, type=click.IntRange(min=1), help="Only this task; may be repeated.")
@click.option("--level", type=click.Choice(LEVELS), default="public", show_default=True, help="What it discloses.")
@click.option("--partner", metavar="CLIENT", help="Client whose updates are in a partner's bundle: key name or number.")
@click.option("--recipient", metavar="KEY", help="The auditor's public key, to which an auditor's bundle is sealed.")
@click.option("--unsealed", is_flag=True, help="Leave an auditor's bundle readable for everybody.")
@click.option("--at-block", type=click.IntRange(min=0), help="Last block of the evidence; default: the confirmed one.")
@click.option("--checkpoint", "checkpoints", multiple=True, metavar="FILE", type=file_type, help="Put this note in.")
@click.option("--include", "includes", multiple=True, metavar="FILE", type=file_type, help="Put a report or export in.")
@click.option("--allow-gaps", is_flag=True, help="State blobs that cannot be had as gaps instead of giving up.")
@format_option
@project_options
def create(
    session: Session,
    output: Path | None,
    run_name: str | None,
    tasks: tuple[int, ...],
    level: str,
    partner: str | None,
    recipient: str | None,
    unsealed: bool,
    at_block: int | None,
    checkpoints: tuple[Path, ...],
    includes: tuple[Path, ...],
    allow_gaps: bool,
    fmt: str,
) -> None:
    """Make a bundle of the ledger on the network, with the blobs of the project's store.

    The file appears when it is complete. The same chain and store give the same bytes, sealed blobs apart.
    """
    from ledger.bundle.create import BundleRequest, create_bundle
    from ledger.bundle.format import Level
    from ledger.bundle.sealing import parse_recipient
    from ledger.cli.participants import find_participant

    if level == "auditor" and (recipient is None) != unsealed:
        hint = "the auditor makes one: fedtrail bundle key FILE"
        raise UsageError("an auditor's bundle takes either --recipient KEY or --unsealed", hint=hint)
    request = BundleRequest(
        level=Level(level),
        tasks=_find_tasks(session, run_name, tasks),
        partner=find_participant(session, partner).view.id if partner else None,
        recipient=parse_recipient(recipient) if recipient else None,
        last_block=at_block,
        allow_gaps=allow_gaps,
        extras={_name_extra(file, is_note=file in checkpoints): file for file in (*checkpoints, *includes)},
    )
    target = output or Path(f"{run_name or 'ledger'}-{level}.ftb.zip")
    with progress_bar() as bar:
        manifest = create_bundle(target, session.chain, session.store, request, bar.update)
    for gap in manifest.gaps:
        of = f" of round {gap.round_id}" if gap.round_id is not None else ""
        say(f"{gap.code}: {gap.cid} is not in the bundle: the {gap.kind}{of}")
    record = {
        "file": target,
        "size_bytes": target.stat().st_size,
        "level": manifest.level,
        "tasks": list(manifest.tasks),
        "first_block": manifest.first_block.number,
        "last_block": manifest.last_block.number,
        "last_hash": manifest.last_block.hash,
        "files": len(manifest.files),
        "gaps": len(manifest.gaps),
    }
    print_record("bundle.create", record, fmt=fmt)


def _name_extra(file: Path, *, is_note: bool) -> str:
    """Return the name of a file in the bundle. Raises: UsageError: it is not there, or no bundle has such a name."""
    from ledger.bundle import format as bundle_format

    if is_note:
        name = bundle_format.CHECKPOINTS + file.name.removesuffix(".note") + ".note"
    else:
        name = file.name if file.name in bundle_format.EXTRAS else bundle_format.EXPORTS + file.name
    if not file.is_file() or not bundle_format.is_name(name):
        raise UsageError(f"{file} cannot be put in", hint="a file whose name is letters, digits, '.', '_' and '-'")
    return name


def _find_tasks(session: Session, run_name: str | None, tasks: tuple[int, ...]) -> tuple[int, ...] | None:
    from ledger.cli.runs import find_run, find_task

    if run_name is None:
        return tasks or None
    task_id = find_task(session.chain, find_run(session, run_name))
    if task_id is None:
        raise UsageError(f"run '{run_name}' has not created its task yet")
    return (*tasks, task_id)


@bundle.command()
@bundle_argument
@format_option
def show(path: Path, fmt: str) -> None:
    """Show what is in BUNDLE, and what is withheld or missing. Nothing is verified."""
    from ledger.bundle.overview import read_overview

    found = read_overview(path)
    manifest = found.manifest
    record = {
        "file": path,
        "size_bytes": path.stat().st_size,
        "level": manifest.level,
        "partner": manifest.partner,
        "sealed_to": manifest.recipient,
        "signed_by": list(found.signers),
        "chain_id": manifest.chain_id,
        "ledger": manifest.contracts["ledger"],
        "first_block": manifest.first_block.number,
        "last_block": manifest.last_block.number,
        "last_hash": manifest.last_block.hash,
        "tasks": list(manifest.tasks),
        "rounds": found.rounds,
        "files": len(manifest.files),
    }
    rows = [{column: getattr(each, column) for column in _PLACES} for each in found.holdings]
    if fmt != "table":
        print_record("bundle.show", {**record, "blobs": rows}, fmt=fmt)
        return
    print_record("bundle.show", record, fmt=fmt)
    click.echo()
    print_table(rows, _PLACES)


@bundle.command()
@click.argument("one", metavar="A", type=file_type)
@click.argument("other", metavar="B", type=file_type)
@format_option
def diff(one: Path, other: Path, fmt: str) -> None:
    """Show what differs between bundles A and B, by their manifests."""
    from ledger.bundle.check import open_manifest
    from ledger.bundle.container import Container
    from ledger.bundle.overview import compare_manifests

    manifests = []
    for path in (one, other):
        with Container(path) as container:
            manifests.append(open_manifest(container))
    rows = [{"what": what, "a": a, "b": b} for what, a, b in compare_manifests(*manifests)]
    print_rows("bundle.diff", rows, fmt=fmt, columns=("what", "a", "b"), empty="no difference")


@bundle.command()
@bundle_argument
@click.option("--key", "key_file", metavar="FILE", required=True, type=file_type, help="Key file that signs.")
@format_option
def sign(path: Path, key_file: Path, fmt: str) -> None:
    """Sign the manifest of BUNDLE, beside earlier signatures."""
    from ledger.bundle.overview import sign_bundle
    from ledger.bundle.sealing import load_signing_key

    signers = sign_bundle(path, load_signing_key(key_file, password_of(key_file)))
    print_rows("bundle.sign", [{"signed_by": signer} for signer in signers], fmt=fmt, columns=("signed_by",))


@bundle.command()
@bundle_argument
@click.option("-o", "--output", metavar="TARGET", required=True, type=click.Path(path_type=Path), help="See above.")
@key_option
@format_option
def extract(path: Path, output: Path, key_file: Path | None, fmt: str) -> None:
    """Write what is in BUNDLE to TARGET.

    To a file NAME.ftb.zip: the bundle without its seals, which takes --key. To a folder: its blobs, as files named by
    round and kind; each is hashed first.
    """
    from ledger.bundle.overview import extract_blobs, open_bundle

    key = load_key(key_file)
    if output.name.endswith(".ftb.zip"):
        if key is None:
            raise UsageError("a bundle is opened with its reader's key", hint="--key FILE; or name a folder for blobs")
        manifest = open_bundle(path, output, key)
        print_record("bundle.extract", {"file": output, "files": len(manifest.files)}, fmt=fmt)
        return
    rows = [
        {"file": file, "kind": wanted.kind, "round_id": wanted.round_id, "client": wanted.client, "cid": wanted.cid}
        for file, wanted in extract_blobs(path, output, key)
    ]
    columns = ("file", "kind", "round_id", "client", "cid")
    print_rows("bundle.extract", rows, fmt=fmt, columns=columns, empty="no blobs are in it that can be read")


@bundle.command()
@click.argument("path", metavar="FILE", type=file_type)
@click.option("--sign", "signs", is_flag=True, help="A key that signs bundles, instead of one that opens them.")
@click.option("--no-password", is_flag=True, help="Leave the file unencrypted.")
@format_option
def key(path: Path, signs: bool, no_password: bool, fmt: str) -> None:
    """Make a key file: one that sealed bundles open with (X25519), or with --sign one that signs (Ed25519).

    The public key that is printed is what others need. The password comes from the environment or the terminal.
    """
    from ledger.bundle.sealing import make_recipient_key, make_signing_key

    password = None if no_password else _ask_password(path, confirm=True)
    public = (make_signing_key if signs else make_recipient_key)(path, password)
    record = {"file": path, "kind": "Ed25519" if signs else "X25519", "public_key": public.hex()}
    print_record("bundle.key", record, fmt=fmt)


def load_key(key_file: Path | None) -> X25519PrivateKey | None:
    """Return the key that opens sealed blobs; None where no file is named."""
    from ledger.bundle.sealing import load_recipient_key

    return None if key_file is None else load_recipient_key(key_file, password_of(key_file))


def password_of(key_file: Path) -> str | None:
    """Return the password of a key file, from the environment or the person at the terminal; None if it has none."""
    from ledger.bundle.sealing import is_encrypted

    return _ask_password(key_file, confirm=False) if is_encrypted(key_file) else None


def _ask_password(key_file: Path, *, confirm: bool) -> str:
    from ledger.passwords import get_password

    return get_password(key_file.name, confirm=confirm)
