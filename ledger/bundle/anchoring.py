"""Whether the chain in a bundle is the one that an auditor trusts: check (2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ledger import errors
from ledger.bundle.chain_evidence import Block, LedgerLog
from ledger.bundle.container import Container
from ledger.bundle.format import CHECKPOINTS, MAX_NOTE_BYTES, Manifest
from ledger.bundle.notes import Notes
from ledger.bundle.state import StateFile, compute_code_hash
from ledger.checkpoints import Checkpoint, compute_ledger_root, parse_checkpoint
from ledger.notes import SignedNote, parse_note
from ledger.trust import Trust


class Anchoring:
    """Holds a bundle against a trust file.

    Args: blocks, logs: what the evidence proves. trust: None for an auditor who names nothing.
    """

    def __init__(
        self, manifest: Manifest, blocks: Sequence[Block], logs: Sequence[LedgerLog], trust: Trust | None, notes: Notes
    ) -> None:
        self._manifest, self._logs, self._notes = manifest, logs, notes
        self._blocks: Mapping[int, Block] = {block.number: block for block in blocks}
        self._trust = trust or Trust()
        self._anchors: list[tuple[int, str]] = []

    def check(self, container: Container, state: StateFile | None) -> None:
        """Note what contradicts the trust file, and which anchor is satisfied."""
        with self._notes.guard("anchor"):
            self._check_ledger(state)
            self._check_block_hashes()
        names = [name for name in container.entries if name.startswith(CHECKPOINTS)]
        for name in names:
            with self._notes.guard("anchor"):
                self._check_checkpoint(name, container.read(name, max_bytes=MAX_NOTE_BYTES))
        # A block of the chain says nothing about which of the ledgers on it is the auditor's.
        is_named = self._trust.contract is not None
        anchors = sorted(self._anchors, reverse=True) if is_named else []
        satisfying = [text for number, text in anchors if self._satisfies(number)]
        self._notes.anchor = satisfying[0] if satisfying else None
        if not satisfying:
            self._notes.add("anchor", errors.Unanchored(what=self._explain()))
        self._notes.finish("anchor", self._notes.anchor or "none satisfied")

    def _check_ledger(self, state: StateFile | None) -> None:
        trust, manifest = self._trust, self._manifest
        if trust.chain_id not in (None, manifest.chain_id):
            self._differs("chain id", manifest.chain_id, trust.chain_id)
        if trust.contract not in (None, manifest.contracts["ledger"]):
            self._differs("contract", manifest.contracts["ledger"], trust.contract)
        if trust.code_hash is not None and state is not None:
            got = compute_code_hash(state.code)
            if got != trust.code_hash:
                self._differs("code hash", got, trust.code_hash)

    def _differs(self, what: str, got: object, want: object) -> None:
        texts = ["0x" + value.hex() if isinstance(value, bytes) else str(value) for value in (got, want)]
        message = f"another ledger: the bundle's {what} is {texts[0]}, the trust file names {texts[1]}"
        self._notes.add("anchor", errors.WrongCode(message, what=what))

    def _check_block_hashes(self) -> None:
        for number, want in sorted(self._trust.block_hashes.items()):
            if number in self._blocks:
                got = self._blocks[number].hash
                if got == want:
                    self._anchors.append((number, f"block {number} = 0x{want.hex()}"))
                else:
                    self._split("the bundle", f"block {number}", got, "the trust file", want)

    def _check_checkpoint(self, name: str, data: bytes) -> None:
        note = parse_note(data)
        checkpoint = parse_checkpoint(note.text)
        manifest = self._manifest
        is_ours = (checkpoint.chain_id, checkpoint.ledger) == (manifest.chain_id, manifest.contracts["ledger"])
        witnesses = self._trust.find_witnesses(note)
        if not is_ours or not witnesses or checkpoint.block not in self._blocks:
            return
        if self._agrees(checkpoint, f"{' and '.join(witnesses)} in {name}") and self._trust.is_witnessed(note):
            self._anchors.append((checkpoint.block, self._describe(checkpoint, note)))

    def _agrees(self, checkpoint: Checkpoint, who: str) -> bool:
        logs = [log.raw for log in self._logs if log.block.number <= checkpoint.block]
        facts = (
            (f"block {checkpoint.block}", checkpoint.block_hash, self._blocks[checkpoint.block].hash),
            (f"number of events by block {checkpoint.block}", checkpoint.size, len(logs)),
            (f"root of the events by block {checkpoint.block}", checkpoint.root, compute_ledger_root(logs)),
        )
        wrong = [(what, got, want) for what, got, want in facts if got != want]
        for what, got, want in wrong[:1]:
            self._split(who, what, got, "the bundle", want)
        return not wrong

    def _split(self, who: str, what: str, got: object, against: str, want: object) -> None:
        texts = ["0x" + value.hex() if isinstance(value, bytes) else str(value) for value in (got, want)]
        error = errors.SplitView(who=who, what=what, got=texts[0], against=against, want=texts[1])
        self._notes.add("anchor", error)

    def _describe(self, checkpoint: Checkpoint, note: SignedNote) -> str:
        signers = self._trust.find_witnesses(note)
        of = f"{len(signers)} of {len(self._trust.keys)} witnesses: {', '.join(signers)}"
        return f"checkpoint of block {checkpoint.block} signed by {of}"

    def _satisfies(self, number: int) -> bool:
        """Whether an anchor covers everything: behind one, whoever made the bundle may have put blocks of their own.

        The state is proven after the last block; without it, only codes that the auditor pinned say which registry is
        the ledger's.
        """
        is_pinned = self._trust.contract is not None and self._trust.code_hash is not None
        return number == self._manifest.last_block.number or (is_pinned and number >= self._last_event)

    @property
    def _last_event(self) -> int:
        return self._logs[-1].block.number if self._logs else 0

    def _explain(self) -> str:
        return "; ".join(self._iter_reasons())

    def _iter_reasons(self) -> Iterator[str]:
        if not self._trust.block_hashes and not self._trust.keys:
            yield "no trusted block hash and no witness was given"
        elif self._trust.contract is None:
            yield "the trust file does not name the ledger: [ledger] contract"
        elif not self._anchors:
            yield "no trusted block is in the bundle, and not enough witnesses signed a checkpoint in it"
        else:
            ends = f"last event in block {self._last_event}, last block {self._manifest.last_block.number}"
            yield f"what comes after block {max(self._anchors)[0]} is not anchored ({ends})"
