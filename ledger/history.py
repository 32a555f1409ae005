"""From chain events and stored blobs to a RoundRecord: fetches, judges nothing, states gaps as gaps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

from ledger import spec
from ledger.errors import FedtrailError, NotFoundError
from ledger.layout import Layout, decode_layout
from ledger.records import NOTHING, Fetched, RoundRecord
from ledger.store import Cid, Codec, ContentStore


class ChainReader(Protocol):
    """What a record needs of a chain; `ledger.chain.Chain` is one."""

    @property
    def domain_separator(self) -> bytes:
        """EIP-712 domain separator of the RoundLedger."""

    def get_task(self, task_id: int) -> spec.Task:
        """Return the parameters of a task."""

    def get_round(self, round_id: int, *, at_block: int | None = None) -> Any:
        """Return the contract's view of a round."""

    def count_rounds(self) -> int:
        """Return how many rounds the ledger has."""

    def get_confirmed_block(self) -> int:
        """Return the last block that counts."""

    def get_signers_at(self, participants: Sequence[int], at: int) -> dict[int, bytes]:
        """Return the addresses that clients signed with at a time."""

    def events(
        self,
        first_block: int | None = None,
        last_block: int | None = None,
        *,
        names: Collection[str] | None = None,
        round_id: int | None = None,
        task_id: int | None = None,
    ) -> Sequence[Any]:
        """Return decoded events in order."""


def raw_cid(digest: bytes) -> Cid:
    """Return the CID of a blob that is one raw block: manifests, layouts and scripts are."""
    return Cid(codec=Codec.RAW, digest=digest)


def get_max_bytes(task: spec.Task) -> int:
    """Return the largest vector blob of a task that is read: its size, and the allowance for trailing bytes."""
    return spec.HEADER_BYTES + spec.WORD_BYTES * task.size + spec.TRAILING_ALLOWANCE_BYTES


def fetch(store: ContentStore, cid: Cid | None, max_bytes: int) -> Fetched:
    """Return a blob, or the reason why it did not come."""
    if cid is None:
        return NOTHING
    try:
        return Fetched(cid=str(cid), data=store.get(cid, max_bytes=max_bytes))
    except FedtrailError as problem:
        return Fetched(cid=str(cid), data=None, problem=problem)


def fetch_block(store: ContentStore, digest: bytes) -> Fetched:
    """Return a blob that is one raw block, named by its digest on the chain, or the reason why it did not come."""
    cid = raw_cid(digest)
    try:
        return Fetched(cid=str(cid), data=store.get_block(cid))
    except FedtrailError as problem:
        return Fetched(cid=str(cid), data=None, problem=problem)


def to_cid(content: spec.ContentId | None) -> Cid | None:
    """Return the CID of a manifest's content id."""
    return None if content is None else Cid(codec=Codec(content.codec), digest=content.digest)


def to_content(cid: Cid) -> spec.ContentId:
    """Return the manifest's form of a CID."""
    return spec.ContentId(codec=int(cid.codec), digest=cid.digest)


_OUTCOMES = ("Proposed", "Abandoned")
_COMMITS = ("SegmentCommitted", "Committed")


def load_round(chain: ChainReader, store: ContentStore, round_id: int) -> RoundRecord:
    """Return everything that chain and store say about a round.

    Args: chain: connected and checked. store: where the blobs are. round_id: number within the ledger, from 1.
    Raises: NotFoundError: no such round. ChainError: the node does not answer. Missing blobs are gaps, not errors.
    """
    if not 1 <= round_id <= (count := chain.count_rounds()):
        raise NotFoundError(kind="round", name=round_id, suggestion=f"; the ledger has {count}")
    # One block for everything: events and state of a round that moves must not contradict each other.
    head = chain.get_confirmed_block()
    view = chain.get_round(round_id, at_block=head)
    task = chain.get_task(view.task_id)
    history = list(chain.events(last_block=head, names=("RoundOpened", *_COMMITS, *_OUTCOMES), round_id=round_id))
    opened = next(event for event in history if event.name == "RoundOpened")
    outcome = next((event for event in history if event.name in _OUTCOMES), None)
    segments = tuple(_segments(history))
    proposal, data_id, exclusions = _read_outcome(outcome)
    where = outcome or opened
    return RoundRecord(
        round_id=round_id,
        number=view.number,
        task_id=view.task_id,
        task=task,
        domain_separator=chain.domain_separator,
        phase=view.phase,
        aggregator=view.aggregator,
        base_model=view.base_model,
        previous_model=_find_previous_model(chain, view, task),
        segments=segments,
        committed=view.committed,
        segments_hash=view.segments_hash,
        signers=chain.get_signers_at([m.client for segment in segments for m in segment], view.opened_at),
        proposal=proposal,
        proposal_hash=view.proposal_hash,
        exclusions=exclusions,
        data_id=data_id,
        layout=_fetch_layout(store, task),
        block=where.block,
        block_hash=where.block_hash,
        **_fetch_blobs(store, task, data_id, {m.client for segment in segments for m in segment}),
    )


def _segments(history: Iterable[Any]) -> Iterable[tuple[spec.Member, ...]]:
    for event in history:
        if event.name == "SegmentCommitted":
            yield tuple(spec.decode_members(event.args["entries"]))
        elif event.name == "Committed":
            yield (spec.Member(client=event.args["client"], commitment=event.args["commitment"]),)


def _read_outcome(event: Any | None) -> tuple[spec.Proposal | None, bytes, tuple[tuple[int, int], ...]]:
    if event is None:
        return None, spec.ZERO_DIGEST, ()
    exclusions = tuple(spec.decode_exclusions(event.args["excluded"]))
    if event.name == "Abandoned":
        return None, event.args["data_id"], exclusions
    proposal: spec.Proposal = event.args["proposal"]
    return proposal, proposal.data_id, exclusions


def _find_previous_model(chain: ChainReader, view: Any, task: spec.Task) -> bytes:
    """Return the model root of the last round of this task that was finalised before this one opened."""
    rounds = [event.args["round_id"] for event in chain.events(names=("RoundOpened",), task_id=view.task_id)]
    for before in sorted((number for number in rounds if number < view.round_id), reverse=True):
        finalised = chain.events(names=("Finalised",), round_id=before)
        if finalised:
            return bytes(finalised[0].args["model_root"])
    return task.genesis_model


def _fetch_layout(store: ContentStore, task: spec.Task) -> Layout | None:
    fetched = fetch_block(store, task.layout_digest)
    if fetched.data is None:
        return None
    layout = decode_layout(fetched.data)
    return layout if layout.size == task.size else None


def _fetch_blobs(store: ContentStore, task: spec.Task, data_id: bytes, clients: set[int]) -> dict[str, Any]:
    """Fetch the manifest and what it names; an unreadable manifest leaves everything else missing."""
    nothing = {"base": NOTHING, "aggregate": NOTHING, "model": NOTHING}
    missing: dict[str, Any] = {**nothing, "updates": dict.fromkeys(clients, NOTHING)}
    if not any(data_id):
        return {**missing, "manifest": NOTHING}
    manifest = fetch_block(store, data_id)
    try:
        named = spec.decode_manifest(manifest.data) if manifest.data is not None else None
    except FedtrailError:
        named = None
    if named is None:
        return {**missing, "manifest": manifest}
    limit = get_max_bytes(task)
    contents = {entry.client: entry.content for entry in named.entries}
    return {
        "manifest": manifest,
        "base": fetch(store, to_cid(named.base), limit),
        "aggregate": fetch(store, to_cid(named.aggregate), limit),
        "model": fetch(store, to_cid(named.model), limit),
        "updates": {client: fetch(store, to_cid(contents.get(client)), limit) for client in clients},
    }
