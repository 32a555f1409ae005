"""Makes a bundle from a chain and a store. It appears whole or not at all, and holds one blob in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import resources
from pathlib import Path

from ledger import artifacts, spec
from ledger.bundle import format as fmt
from ledger.bundle.chain_evidence import Block, LedgerLog, decode_events, find_logs, make_block
from ledger.bundle.container import CHUNK_BYTES, Staging, stage
from ledger.bundle.contents import Wanted, is_disclosed, iter_wanted, read_entries
from ledger.bundle.facts import encode_facts
from ledger.bundle.format import BlockRef, FileInfo, Gap, Level, Manifest
from ledger.bundle.notes import Notes
from ledger.bundle.readme import make_readme
from ledger.bundle.sealing import seal
from ledger.bundle.state import StateFile, encode_state, list_state_slots
from ledger.chain import Chain, Connection, Role
from ledger.chain.deployment import get_code
from ledger.chain.views import Event
from ledger.errors import BlobCorrupt, ChainError, EvidenceError, FedtrailError, NotFoundError, UsageError
from ledger.evidence import rlp
from ledger.evidence.fetching import fetch_block_receipts, fetch_headers, fetch_state
from ledger.evidence.headers import decode_header, may_contain
from ledger.evidence.receipts import compute_receipts_root
from ledger.evidence.state import AccountProof
from ledger.readers import BlobReader
from ledger.recorded_chain import RecordedChain
from ledger.records import OnProgress, ignore_progress
from ledger.store import Cid
from ledger.store.unixfs import split_bytes

_HEADERS_PER_REQUEST = 200
_SLOTS_PER_REQUEST = 200
_ROLES = (Role.CLIENT, Role.AGGREGATOR, Role.ATTESTOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleRequest:
    """What a bundle is to be."""

    level: Level = Level.PUBLIC
    """What it discloses."""
    tasks: tuple[int, ...] | None = None
    """Tasks whose rounds are to be checked; None for all."""
    partner: int | None = None
    """Client whose updates are disclosed, at level partner."""
    recipient: bytes | None = None
    """X25519 key, 32 bytes, that everything not public is encrypted to, at level auditor; None to leave it open."""
    last_block: int | None = None
    """Last block of the evidence; None for the last confirmed one."""
    allow_gaps: bool = False
    """Whether blobs that cannot be had are stated as gaps instead of refused."""
    extras: Mapping[str, Path] = field(default_factory=dict)
    """Files to put in beside, by their names in the bundle: checkpoints, reports."""


def create_bundle(
    path: Path, chain: Chain, store: BlobReader, request: BundleRequest, on_progress: OnProgress = ignore_progress
) -> Manifest:
    """Write a bundle and return its manifest.

    Args: path: replaced when the bundle is complete. chain: connected and checked. store: where the blobs are.
    Raises: Unavailable, BlobCorrupt: a blob that a check needs cannot be had, unless gaps are allowed. ChainError: the
    node does not answer, or its chain changed meanwhile. NotFoundError: no such task or client. Oversized: it would be
    too large. UsageError: level, partner and recipient do not fit. Nothing is written then.
    """
    if (request.partner is None) == (request.level is Level.PARTNER):
        raise UsageError("a partner's bundle names the client whose updates it has, others do not")
    if request.recipient is not None and request.level is not Level.AUDITOR:
        raise UsageError("only an auditor's bundle is sealed")
    with stage(path) as staging:
        manifest = _Creation(staging, chain, store, request, on_progress).run()
        staging.add(fmt.MANIFEST, [fmt.encode_manifest(manifest)])
        staging.write(path)
    return manifest


class _Creation:
    def __init__(
        self, staging: Staging, chain: Chain, store: BlobReader, request: BundleRequest, on_progress: OnProgress
    ) -> None:
        self._staging, self._chain, self._store, self._request = staging, chain, store, request
        self._say = on_progress
        self._connection = Connection(chain.network.rpc, ca_file=chain.network.ca_file)
        self._addresses = dict(chain.contracts.addresses)
        self._gaps: list[Gap] = []

    def run(self) -> Manifest:
        first = self._chain.network.deploy_block or 0
        confirmed = self._chain.get_confirmed_block()
        last = confirmed if self._request.last_block is None else self._request.last_block
        if not first <= last <= confirmed:
            raise NotFoundError(kind="confirmed block of this ledger", name=last, suggestion=f" ({first}..{confirmed})")
        blocks: list[Block] = []
        self._staging.add(fmt.HEADERS, self._stage_headers(first, last, blocks))
        logs: list[LedgerLog] = []
        self._staging.add(fmt.RECEIPTS, self._stage_receipts([b for b in blocks if b.matters], logs))
        events = self._decode(logs)
        self._staging.add(fmt.FACTS, [encode_facts(event for event, _ in events)])
        recorded = self._fold(events, last)
        self._stage_state(recorded, last)
        tasks = self._choose_tasks(recorded)
        for task_id in tasks:
            self._stage_blobs(recorded, task_id)
        for name, file in self._request.extras.items():
            with file.open("rb") as content:
                self._staging.add(name, iter(partial(content.read, CHUNK_BYTES), b""))
        for name in (fmt.VERIFIER, *fmt.VERIFIER_PARTS):
            self._staging.add(name, [resources.files("ledger.bundle").joinpath(name).read_bytes()])
        readme = make_readme(self._make_manifest(blocks, recorded, tasks))
        self._staging.add(fmt.README, [readme.encode()])
        return self._make_manifest(blocks, recorded, tasks)

    # ---------------------------------------------------------------------------------------------------------- chain

    def _stage_headers(self, first: int, last: int, blocks: list[Block]) -> Iterator[bytes]:
        addresses, parent = list(self._addresses.values()), None
        for start in range(first, last + 1, _HEADERS_PER_REQUEST):
            self._say(start - first, last + 1 - first, "headers")
            for encoded in fetch_headers(self._connection, start, min(start + _HEADERS_PER_REQUEST - 1, last)):
                header = decode_header(encoded)
                if parent not in (None, header.parent_hash):
                    raise _changed(header.number)
                parent = header.hash
                block = make_block(header, may_contain(header.logs_bloom, addresses))
                if block.matters or block.number in (first, last):
                    blocks.append(block)
                yield encoded

    def _stage_receipts(self, blocks: Sequence[Block], logs: list[LedgerLog]) -> Iterator[bytes]:
        addresses = frozenset(self._addresses.values())
        for done, block in enumerate(blocks):
            self._say(done, len(blocks), "receipts")
            receipts = fetch_block_receipts(self._connection, block.number)
            if compute_receipts_root(receipts) != block.receipts_root:
                raise _changed(block.number)
            logs += find_logs(block, receipts, addresses)
            yield rlp.encode([rlp.encode_int(block.number), receipts])

    def _decode(self, logs: Sequence[LedgerLog]) -> list[tuple[Event, int]]:
        notes = Notes()
        events = list(decode_events(self._addresses, logs, notes))
        for finding in notes.findings:
            raise finding.error
        return events

    def _fold(self, events: Sequence[tuple[Event, int]], last: int) -> RecordedChain:
        stakes = {role: self._chain.get_min_stake(role) for role in _ROLES}
        return RecordedChain(self._chain.contracts, events, last_block=last, min_stake_wei=stakes)

    def _stage_state(self, recorded: RecordedChain, last: int) -> None:
        """Keep the proofs of state; without them, where the node has none, the bundle is incomplete and says so."""
        accounts = {key: self._prove(key, slots, last) for key, slots in list_state_slots(recorded).items()}
        proofs = {key: proof for key, proof in accounts.items() if proof is not None}
        if len(proofs) < len(accounts):
            return
        state = StateFile(
            block=last,
            accounts=proofs,
            code={key: get_code(self._connection, address) for key, address in self._addresses.items()},
        )
        self._staging.add(fmt.STATE, [encode_state(state)])

    def _prove(self, key: str, slots: Sequence[int], block: int) -> AccountProof | None:
        """Return the proof of an account and its slots, some at a time: a node answers within seconds."""
        whole: AccountProof | None = None
        for start in range(0, max(len(slots), 1), _SLOTS_PER_REQUEST):
            wanted = {self._addresses[key]: slots[start : start + _SLOTS_PER_REQUEST]}
            found = fetch_state(self._connection, block, wanted)
            if found is None:
                return None
            whole = replace(found[0], slots={**(whole.slots if whole else {}), **found[0].slots})
            self._say(start, max(len(slots), 1), f"state of {artifacts.NAMES[key]}")
        return whole

    def _choose_tasks(self, recorded: RecordedChain) -> tuple[int, ...]:
        known = range(1, recorded.count_tasks() + 1)
        wanted = known if self._request.tasks is None else sorted(set(self._request.tasks))
        if strange := [task for task in wanted if task not in known]:
            raise NotFoundError(kind="task", name=strange[0], suggestion=f"; the ledger has {len(known)}")
        if self._request.partner is not None:
            self._chain.get_participant(self._request.partner)
        return tuple(wanted)

    # ---------------------------------------------------------------------------------------------------------- blobs

    def _stage_blobs(self, recorded: RecordedChain, task_id: int) -> None:
        total, done = recorded.get_task_state(task_id).rounds, set[int]()
        for wanted in iter_wanted(recorded, task_id, self._read_manifest):
            done |= {wanted.round_id} if wanted.round_id is not None else set()
            self._say(len(done) - 0.5, total, f"blobs of task {task_id}")
            if is_disclosed(wanted, self._request.level, self._request.partner):
                self._stage_blob(wanted)

    def _read_manifest(self, cid: Cid) -> bytes | None:
        staged = self._staging.files.get(fmt.BLOBS + str(cid))
        return staged.path.read_bytes() if staged else None

    def _stage_blob(self, wanted: Wanted) -> None:
        try:
            entries = list(read_entries(self._store, wanted))
        except (EvidenceError, ChainError, BlobCorrupt, spec.SpecError) as problem:
            self._note_gap(wanted, problem)
            return
        for cid, content in entries:
            name = fmt.BLOBS + str(cid)
            if self._request.recipient is None or wanted.kind.is_public:
                if name not in self._staging.files:
                    self._staging.add(name, split_bytes(content, CHUNK_BYTES))
            elif (sealed := fmt.SEALED + str(cid)) not in self._staging.files and name not in self._staging.files:
                self._staging.add(sealed, [seal(content, cid, self._request.recipient)])

    def _note_gap(self, wanted: Wanted, problem: FedtrailError) -> None:
        if wanted.is_needed and not self._request.allow_gaps:
            of = "" if wanted.round_id is None else f" of round {wanted.round_id}"
            raise type(problem)(
                f"{problem.message}: the {wanted.kind}{of}; no bundle was written",
                hint=f"{problem.hint or 'ask its publisher'}; or state it as missing: --allow-gaps",
                **problem.detail,
            )
        code = BlobCorrupt.code if isinstance(problem, BlobCorrupt) else "FT801"
        self._gaps.append(Gap(cid=str(wanted.cid), kind=wanted.kind, round_id=wanted.round_id, code=code))

    # ------------------------------------------------------------------------------------------------------- manifest

    def _make_manifest(self, blocks: Sequence[Block], recorded: RecordedChain, tasks: tuple[int, ...]) -> Manifest:
        recipient = self._request.recipient
        return Manifest(
            level=self._request.level,
            partner=self._request.partner,
            recipient=recipient.hex() if recipient else None,
            chain_id=self._chain.network.chain_id,
            contracts=self._addresses,
            first_block=BlockRef(number=blocks[0].number, hash=blocks[0].hash),
            last_block=BlockRef(number=blocks[-1].number, hash=blocks[-1].hash),
            min_stake_wei=recorded.registry.min_stake_wei,
            tasks=tasks,
            gaps=tuple(fmt.sort_gaps(self._gaps)),
            files={
                name: FileInfo(size_bytes=each.size_bytes, sha256=each.sha256)
                for name, each in self._staging.files.items()
            },
        )


def _changed(block: int) -> ChainError:
    return ChainError(
        f"the chain changed at block {block} while the bundle was made; none was written", hint="make it again"
    )
