"""What a witness does: reads the ledger from its own node, and signs only what extends everything it signed before.

The notes that it has seen lie in a folder, one file a checkpoint; signatures of the same text are put together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.chain.connection import Connection
from ledger.checkpoints import (
    Checkpoint,
    compute_consistency_proof,
    compute_log_root,
    hash_events,
    parse_checkpoint,
    verify_consistency,
    verify_same_view,
)
from ledger.errors import ChainError, SplitView, UsageError
from ledger.evidence.fetching import fetch_logs
from ledger.evidence.receipts import RawLog
from ledger.notes import NoteKey, SignedNote, parse_note, sign_note
from ledger.tomlfile import write_atomically

if TYPE_CHECKING:
    from ledger.chain import Chain

OWN_NODE = "this node"


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A ledger up to a block, as one's own node tells it."""

    checkpoint: Checkpoint
    """What it comes to."""
    leaves: tuple[bytes, ...]
    """Leaf digests of all events, 32 bytes each."""
    logs: tuple[RawLog, ...]
    """The events themselves."""
    places: tuple[tuple[int, int], ...]
    """Number of the block of each, and its position there."""

    def cut(self, block: int, block_hash: bytes) -> Checkpoint:
        """Return the checkpoint of an earlier block.

        Args: block_hash: what the same node says its hash is.
        """
        size = sum(number <= block for number, _ in self.places)
        root = compute_log_root(self.leaves[:size])
        return replace(self.checkpoint, size=size, root=root, block=block, block_hash=block_hash)


def observe(chain: Chain, block: int | None = None) -> History:
    """Return the ledger up to a block.

    Args: block: None for the last confirmed one.
    Raises: ChainError: the node has no such block yet, or replaced it while it was asked; CannotReach, Pruned.
    """
    last = chain.get_confirmed_block()
    number = last if block is None else block
    before = chain.get_block_hash(number) if number <= last else None
    if before is None:
        raise ChainError(
            f"this node has confirmed block {last}, the checkpoint is of block {number}",
            hint="wait until the node has caught up",
        )
    addresses = tuple(chain.contracts.addresses.values())
    found = fetch_logs(
        Connection(chain.network.rpc, ca_file=chain.network.ca_file), addresses, chain.network.deploy_block or 0, number
    )
    if chain.get_block_hash(number) != before:
        raise ChainError(f"block {number} was replaced while it was read", hint="try again")
    logs = tuple(log for _, _, log in found)
    leaves = hash_events(logs)
    checkpoint = Checkpoint(
        chain_id=chain.network.chain_id,
        ledger=chain.contracts.ledger,
        size=len(leaves),
        root=compute_log_root(leaves),
        block=number,
        block_hash=before,
    )
    places = tuple((number, index) for number, index, _ in found)
    return History(checkpoint=checkpoint, leaves=tuple(leaves), logs=logs, places=places)


def verify_view(chain: Chain, history: History, seen: Checkpoint, *, who: str) -> None:
    """Return if a checkpoint of some time before is part of the history that one's own node tells now.

    Args: seen: at most as late as the history. who: whose it is, as people read it.
    Raises: SplitView: it is not, with both hashes or roots; BadProof: the history does not extend it.
    """
    got = chain.get_block_hash(seen.block)
    if got is None:
        want = f"0x{seen.block_hash.hex()}"
        raise SplitView(who=OWN_NODE, what=f"block {seen.block}", got="not there", against=who, want=want)
    verify_same_view(seen, history.cut(seen.block, got), who=who, against=OWN_NODE)
    proof = compute_consistency_proof(history.leaves, seen.size)
    verify_consistency(seen.size, seen.root, history.checkpoint.size, history.checkpoint.root, proof)


def create(chain: Chain, key: NoteKey, notebook: Notebook, *, at: int) -> SignedNote:
    """Return a checkpoint of the last confirmed block, signed; it extends what this key signed before.

    Raises: SplitView: it does not; ChainError.
    """
    verify_not_rolled_back(chain, notebook, key.verifier.name)
    history = observe(chain)
    return _sign(chain, history, SignedNote(text=str(history.checkpoint), signatures=()), key, notebook, at=at)


def cosign(chain: Chain, note: SignedNote, key: NoteKey, notebook: Notebook, *, at: int) -> SignedNote:
    """Return somebody's checkpoint with one's own signature, if one's own node tells the same.

    Raises: SplitView: it does not, or the checkpoint does not extend what this key signed before; UsageError: it is
    of another ledger, or older than what this key signed; ChainError: the node has not come that far.
    """
    theirs = parse_checkpoint(note.text)
    verify_origin(chain, theirs)
    verify_not_rolled_back(chain, notebook, key.verifier.name)
    history = observe(chain, theirs.block)
    verify_same_view(theirs, history.checkpoint, who=name_signers(note), against=OWN_NODE)
    return _sign(chain, history, note, key, notebook, at=at)


def _sign(chain: Chain, history: History, note: SignedNote, key: NoteKey, notebook: Notebook, *, at: int) -> SignedNote:
    name, checkpoint = key.verifier.name, history.checkpoint
    seen = notebook.get_last(name)
    if seen is not None:
        if seen.block > checkpoint.block:
            raise UsageError(
                f"the checkpoint is of block {checkpoint.block}, '{name}' has signed block {seen.block}: "
                "a witness does not go back",
                hint="cosign a later one: fedtrail checkpoint list",
            )
        verify_view(chain, history, seen, who=f"'{name}' itself")
    # Remembered first: a witness that dies now must not sign another history when it is started again.
    notebook.set_last(name, checkpoint)
    return notebook.add(sign_note(note, key, at=at))


def verify_not_rolled_back(chain: Chain, notebook: Notebook, name: str) -> None:
    """Return unless the node has lost the block that somebody signed or saw last.

    Comes before anything is fetched: that such a node has not come as far as some checkpoint is no excuse.
    Raises: SplitView: with both hashes.
    """
    seen = notebook.get_last(name)
    got = chain.get_block_hash(seen.block) if seen is not None else None
    if seen is not None and got != seen.block_hash:
        raise SplitView(
            who=OWN_NODE,
            what=f"block {seen.block}",
            got="not there" if got is None else f"0x{got.hex()}",
            against=f"the checkpoint that '{name}' took last",
            want=f"0x{seen.block_hash.hex()}",
        )


def verify_origin(chain: Chain, checkpoint: Checkpoint) -> None:
    """Return if a checkpoint is of the ledger of this project. Raises: UsageError."""
    ours = (chain.network.chain_id, chain.contracts.ledger)
    if (checkpoint.chain_id, checkpoint.ledger) != ours:
        raise UsageError(
            f"the checkpoint is of {checkpoint.origin}, this project of fedtrail.{ours[0]}.0x{ours[1].hex()}"
        )


def name_signers(note: SignedNote) -> str:
    """Return who a note says that it is signed by, as people read it."""
    return ", ".join(f"'{line.name}'" for line in note.signatures)


class Notebook:
    """A folder of checkpoints of one deployment, and of what each key signed last."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, note: SignedNote) -> SignedNote:
        """Keep a note, and return it with the signatures that are kept for the same text."""
        checkpoint = parse_checkpoint(note.text)
        file = self.path / f"{checkpoint.block}-{checkpoint.block_hash.hex()[:8]}-{checkpoint.root.hex()[:8]}.note"
        if file.exists() and (kept := parse_note(file.read_bytes())).text == note.text:
            lines = {(line.name, line.key_id): line for line in (*kept.signatures, *note.signatures)}
            note = replace(note, signatures=tuple(lines.values()))
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(file, str(note))
        return note

    def list(self) -> list[SignedNote]:
        """Return the notes that are kept, in the order of their blocks."""
        notes = [parse_note(file.read_bytes()) for file in self.path.glob("*.note")]
        return sorted(notes, key=lambda note: parse_checkpoint(note.text).block)

    def get_last(self, name: str) -> Checkpoint | None:
        """Return what a key signed last."""
        file = self._last(name)
        return parse_checkpoint(file.read_text("utf-8")) if file.exists() else None

    def set_last(self, name: str, checkpoint: Checkpoint) -> None:
        """Remember what a key signs."""
        self._last(name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._last(name), str(checkpoint))

    def _last(self, name: str) -> Path:
        return self.path / "last" / f"{name}.checkpoint"


def read_notes(paths: Iterable[Path]) -> dict[Path, SignedNote]:
    """Return the notes in files and folders (their *.note), by file.

    Raises: UsageError: there is no such file; Oversized, NotCanonical: no note, or none of a checkpoint.
    """
    files = [file for path in paths for file in (sorted(path.glob("*.note")) if path.is_dir() else [path])]
    found = {}
    for file in files:
        if not file.is_file():
            raise UsageError(f"no file {file}")
        found[file] = parse_note(file.read_bytes())
        parse_checkpoint(found[file].text)
    return found
