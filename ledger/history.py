"""From chain events and stored blobs to a RoundRecord: fetches, judges nothing, states gaps as gaps."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from ledger import spec
from ledger.errors import FedtrailError, NotFoundError
from ledger.layout import Layout, decode_layout
from ledger.readers import (
    BlobReader,
    find_readership,
    get_max_update_bytes,
    open_fetched,
    read_audience,
)
from ledger.records import NOTHING, Fetched, OnProgress, RoundRecord, ignore_progress, read_homomorphic
from ledger.spec.audience import Readership
from ledger.spec.homomorphic import Homomorphic, choose_parameters
from ledger.spec.shares import KIND, ShareEntry, decode_share_list
from ledger.store import Cid, Codec


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

    def get_stakes_at(self, participants: Sequence[int], at: int) -> dict[int, int]:
        """Return the stakes of clients at the end of a second, in wei."""

    def get_encryption_keys_at(self, participants: Sequence[int], at: int) -> Mapping[int, Any]:
        """Return the encryption keys that were in force in a second, by participant; without those that had none."""

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
    """Return the largest vector blob of a task that is read: its size, and the allowance for trailing bytes.

    Whether updates of a composed rule are masked only the layout says: there is room for any table of seeds.
    """
    degree = spec.MAX_PEERS if task.rule is spec.Rule.COMPOSED else task.degree
    return spec.compute_max_bytes(task.size, degree)


def fetch(store: BlobReader, cid: Cid | None, max_bytes: int) -> Fetched:
    """Return a blob, or the reason why it did not come."""
    if cid is None:
        return NOTHING
    try:
        return Fetched(cid=str(cid), data=store.get(cid, max_bytes=max_bytes))
    except FedtrailError as problem:
        return Fetched(cid=str(cid), data=None, problem=problem)


def fetch_update(
    store: BlobReader,
    cid: Cid | None,
    client: int,
    task: spec.Task,
    readership: Readership | None,
    homomorphic: Homomorphic | None = None,
) -> Fetched:
    """Return an update as its author wrote it, or the reason why it did not come, or cannot be opened."""
    if homomorphic is not None:
        return fetch(store, cid, homomorphic.compute_max_update_bytes(task.size, task.bound))
    fetched = fetch(store, cid, get_max_update_bytes(task, readership))
    return open_fetched(fetched, client, readership, store)


def fetch_block(store: BlobReader, digest: bytes) -> Fetched:
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


def _counts_stake(task: spec.Task, layout: Layout | None) -> bool:
    composition = layout.composition if layout is not None else None
    return bool(composition.wei_per_weight if composition is not None else task.wei_per_weight)


_OUTCOMES = ("Proposed", "Abandoned")
_COMMITS = ("SegmentCommitted", "Committed", "RootCommitted")


def load_round(
    chain: ChainReader, store: BlobReader, round_id: int, on_progress: OnProgress = ignore_progress
) -> RoundRecord:
    """Return everything that chain and store say about a round.

    Args: chain: connected and checked. store: where the blobs are. round_id: number within the ledger, from 1.
    on_progress: told of every blob.
    Raises: NotFoundError: no such round. ChainError: the node does not answer. Missing blobs are gaps, not errors.
    """
    if not 1 <= round_id <= (count := chain.count_rounds()):
        raise NotFoundError(kind="round", name=round_id, suggestion=f"; the ledger has {count}")
    # One block for everything: events and state of a round that moves must not contradict each other.
    head = chain.get_confirmed_block()
    view = chain.get_round(round_id, at_block=head)
    task = chain.get_task(view.task_id)
    names = ("RoundOpened", *_COMMITS, *_OUTCOMES, "Finalised")
    history = list(chain.events(last_block=head, names=names, round_id=round_id))
    opened = next(event for event in history if event.name == "RoundOpened")
    finalised = next((event for event in history if event.name == "Finalised"), None)
    before = _find_previous(chain, round_id, view.task_id)
    layout = fetch_layout(store, task)
    ended = next((event for event in history if event.name in _OUTCOMES), None)
    signed_list = _fetch_list(store, history)
    segments = tuple(_read_segments(history, signed_list))
    clients = sorted({entry.client for segment in segments for entry in segment})
    audience = read_audience(layout)
    readership: Readership | None = None
    if audience is not None and not task.degree:
        readership = find_readership(chain, view, audience, clients, size=task.size)
    homomorphic = read_homomorphic(task, layout)
    outcome, is_uncounted = _read_outcome(view, ended), view.mode is spec.CommitMode.ACCUMULATED
    where = ended or opened
    return RoundRecord(
        round_id=round_id,
        number=opened.args["number"],
        task_id=view.task_id,
        task=task,
        domain_separator=chain.domain_separator,
        phase=view.phase,
        aggregator=view.aggregator,
        base_model=opened.args["base_model"],
        previous_model=before.args["model_root"] if before else task.genesis_model,
        previous_head=before.args["head"] if before else spec.ZERO_DIGEST,
        head=finalised.args["head"] if finalised else spec.ZERO_DIGEST,
        segments=segments,
        signed_list=signed_list,
        signers=chain.get_signers_at(clients, view.opened_at),
        stakes=chain.get_stakes_at(clients, view.opened_at - 1) if _counts_stake(task, layout) else {},
        layout=layout,
        readership=readership,
        opening_hash=opened.block_hash,
        block=where.block,
        block_hash=where.block_hash,
        # Nobody counts an accumulated round before its proposal does.
        committed=view.committed if outcome["proposal"] or not is_uncounted else len(clients),
        **_fetch_previous(chain, store, task, layout, before),
        **outcome,
        **_fetch_blobs(store, task, outcome["data_id"], clients, readership, homomorphic, on_progress),
        **_fetch_decryption(chain, store, view.aggregator, task, round_id, homomorphic),
    )


def list_committed(chain: ChainReader, store: BlobReader, round_id: int) -> list[int]:
    """Return who committed in a round, in rising id, whatever became of the round.

    Raises: EvidenceError, ChainError: the list of a round in root-only mode did not come.
    """
    history = list(chain.events(names=_COMMITS, round_id=round_id))
    signed_list = _fetch_list(store, history)
    if signed_list is not None and signed_list.problem is not None:
        raise signed_list.problem
    return sorted({entry.client for segment in _read_segments(history, signed_list) for entry in segment})


def _fetch_list(store: BlobReader, history: Iterable[Any]) -> Fetched | None:
    posted = next((event for event in history if event.name == "RootCommitted"), None)
    return None if posted is None else fetch_block(store, posted.args["list_id"])


def _read_segments(
    history: Iterable[Any], signed_list: Fetched | None
) -> Iterable[tuple[spec.Member | spec.SignedMember, ...]]:
    """Yield the segments; a list that is not there, or that nobody can read, leaves its segment out."""
    for event in history:
        if event.name == "SegmentCommitted":
            yield tuple(spec.decode_members(event.args["entries"]))
        elif event.name == "Committed":
            yield (spec.Member(client=event.args["client"], commitment=event.args["commitment"]),)
    if signed_list is not None and signed_list.data is not None:
        with contextlib.suppress(spec.SpecError):
            yield spec.decode_signed_list(bytes(signed_list.data))


def _read_outcome(view: Any, event: Any | None) -> dict[str, Any]:
    """Return what the record has of a proposal or an abandonment.

    The ledger keeps one hash of a proposal, until it is struck or the next round opens; the rest is in its event.
    """
    exclusions = tuple(spec.decode_exclusions(event.args["excluded"])) if event else ()
    nothing = {"proposal": None, "proposal_hash": view.proposal_hash, "included": 0, "aux": b""}
    kept = {"segments_hash": view.segments_hash, "exclusions": exclusions}
    if event is None:
        return {**nothing, **kept, "data_id": spec.ZERO_DIGEST}
    if event.name == "Abandoned":
        return {**nothing, **kept, "data_id": event.args["data_id"]}
    return {
        "proposal": event.args["proposal"],
        "proposal_hash": view.proposal_hash if any(view.proposal_hash) else event.args["proposal_hash"],
        "included": event.args["included"],
        "aux": event.args["aux"],
        "segments_hash": event.args["segments_hash"],
        "exclusions": exclusions,
        "data_id": event.args["proposal"].data_id,
    }


def _find_previous(chain: ChainReader, round_id: int, task_id: int) -> Any | None:
    """Return the event that finalised the task's last round before this one opened; None before the first."""
    rounds = [event.args["round_id"] for event in chain.events(names=("RoundOpened",), task_id=task_id)]
    for before in sorted((number for number in rounds if number < round_id), reverse=True):
        if finalised := chain.events(names=("Finalised",), round_id=before):
            return finalised[0]
    return None


def _fetch_previous(
    chain: ChainReader, store: BlobReader, task: spec.Task, layout: Layout | None, before: Any | None
) -> dict[str, Any]:
    """Return what the record has of the aggregate before: for tasks with terms, which may compare updates with it."""
    if before is None or layout is None or not layout.terms:
        return {}
    number = before.args["round_id"]
    proposed = chain.events(names=("Proposed",), round_id=number)
    if not proposed:  # events that somebody made up
        return {"previous_round": number}
    proposal = proposed[0].args["proposal"]
    manifest = fetch_block(store, proposal.data_id).data
    content = None
    if manifest is not None:
        with contextlib.suppress(spec.SpecError):
            content = spec.decode_manifest(manifest).aggregate
    return {
        "previous_round": number,
        "previous_root": proposal.aggregate_root,
        "previous_aggregate": fetch(store, to_cid(content), get_max_bytes(task)),
    }


def fetch_layout(store: BlobReader, task: spec.Task) -> Layout | None:
    """Return the layout of a task; None if it is not there, or cannot be read."""
    fetched = fetch_block(store, task.layout_digest)
    if fetched.data is None:
        return None
    try:
        layout = decode_layout(bytes(fetched.data))
    except spec.SpecError:
        return None
    return layout if layout.size == task.size else None


def _fetch_blobs(
    store: BlobReader,
    task: spec.Task,
    data_id: bytes,
    clients: Sequence[int],
    readership: Readership | None,
    homomorphic: Homomorphic | None,
    say: OnProgress,
) -> dict[str, Any]:
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
    updates = {}
    for done, client in enumerate(clients):
        say(done, len(clients), f"fetching the update of client {client}")
        updates[client] = fetch_update(store, to_cid(contents.get(client)), client, task, readership, homomorphic)
    return {
        "manifest": manifest,
        "base": fetch(store, to_cid(named.base), limit),
        "aggregate": fetch(store, to_cid(named.aggregate), limit),
        "model": fetch(store, to_cid(named.model), limit),
        "updates": updates,
    }


def find_share_list(chain: ChainReader, aggregator: int, round_id: int) -> bytes | None:
    """Return the digest of the list of decryption shares that a round's aggregator stated first; None without one."""
    kind = spec.encode_label(KIND)
    for event in chain.events(names=("ScoresRecorded",), round_id=round_id):
        if event.args["kind"] == kind and event.args["scorer"] == aggregator:
            return bytes(event.args["method"])
    return None


def _fetch_decryption(
    chain: ChainReader,
    store: BlobReader,
    aggregator: int,
    task: spec.Task,
    round_id: int,
    homomorphic: Homomorphic | None,
) -> dict[str, Any]:
    """Fetch the list of decryption shares of a homomorphic round, and what it names."""
    digest = find_share_list(chain, aggregator, round_id) if homomorphic is not None else None
    if homomorphic is None or digest is None:
        return {}
    fetched = fetch_block(store, digest)
    entries: tuple[ShareEntry, ...] = ()
    if fetched.data is not None:
        with contextlib.suppress(spec.SpecError):
            domain = chain.domain_separator
            entries = decode_share_list(bytes(fetched.data), domain_separator=domain, round_id=round_id).entries
    clients = max(2, len(entries))
    limit = choose_parameters(clients=clients, size=task.size, bound=task.bound).share_bytes
    return {
        "share_list": fetched,
        "summed": {e.client: fetch_update(store, to_cid(e.update), e.client, task, None, homomorphic) for e in entries},
        "shares": {e.client: fetch(store, to_cid(e.share), limit) for e in entries},
    }
