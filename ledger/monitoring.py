"""What a client's monitor looks for: acts in its name that it knows nothing of, and witnesses that saw other ledgers.

As for certificates: a log cannot keep somebody from using a stolen key, but it cannot hide it either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ledger import signing, spec
from ledger.checkpoints import parse_checkpoint, verify_same_view
from ledger.errors import FedtrailError, IntegrityError, KeyMisused, SpecError
from ledger.history import fetch_block, to_cid
from ledger.notes import SignedNote
from ledger.trust import Trust
from ledger.witnessing import Notebook, observe, verify_not_rolled_back, verify_view

if TYPE_CHECKING:
    from ledger.chain import Chain
    from ledger.journal import Journal
    from ledger.store import ContentStore

MONITOR = ".monitor"
"""Under this name a monitor remembers what its node said last; no key has such a name."""

_COMMITS = ("SegmentCommitted", "Committed", "RootCommitted")
_OUTCOMES = ("Proposed", "Abandoned")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnActs:
    """What a project knows that its clients did on a deployment."""

    commitments: frozenset[bytes]
    """To updates that lie in the outbox."""
    cids: frozenset[str]
    """Of these updates."""
    signers: frozenset[bytes]
    """Addresses of its keys, those rotated away included."""
    encryption_keys: frozenset[bytes] = frozenset()
    """Public halves of the encryption keys that it announced."""


def read_own_acts(journal: Journal, fingerprint: str, signers: frozenset[bytes]) -> OwnActs:
    """Return what the journal says that this project's clients promised.

    Args: fingerprint: of the deployment. signers: addresses of the keys that the project holds or held.
    """
    notes = journal.notes(f"{fingerprint}/run/").values()
    kept = [note for note in notes if "commitment" in note and "cid" in note]
    return OwnActs(
        commitments=frozenset(bytes.fromhex(str(note["commitment"])) for note in kept),
        cids=frozenset(str(note["cid"]) for note in kept),
        signers=signers,
        encryption_keys=frozenset(
            bytes.fromhex(str(note["public_key"])) for note in journal.notes(f"{fingerprint}/encryption-key/").values()
        ),
    )


def find_misuse(
    chain: Chain, store: ContentStore, client: int, acts: OwnActs, *, name: str, first_block: int | None = None
) -> Iterator[FedtrailError]:
    """Yield what the ledger holds in a client's name and its project does not know of; evidence that is missing, too.

    Looks at commitments, at publications that its key signed, at rotations of its key, and at encryption keys.

    Args: client: participant id. name: of its key. first_block: None for the deployment's.
    """
    wanted = (*_COMMITS, *_OUTCOMES, "KeyRotated", "EncryptionKeyAnnounced")
    for event in chain.events(first_block, names=wanted):
        if event.name == "KeyRotated":
            if event.args["id"] == client and event.args["signer"] not in acts.signers:
                yield KeyMisused(name=name, what=f"rotated its key to 0x{event.args['signer'].hex()}")
        elif event.name == "EncryptionKeyAnnounced":
            if event.args["id"] == client and event.args["key"] not in acts.encryption_keys:
                yield KeyMisused(name=name, what=f"announced the encryption key {event.args['key'].hex()}")
        elif event.name in _COMMITS:
            yield from _judge_commitments(store, event, client, acts, name)
        else:
            yield from _judge_publication(chain, store, event, client, acts, name)


def _judge_commitments(
    store: ContentStore, event: Any, client: int, acts: OwnActs, name: str
) -> Iterator[FedtrailError]:
    members, problem = _read_members(store, event)
    if problem is not None:
        yield problem
    for member in members:
        if member.client == client and member.commitment not in acts.commitments:
            what = f"committed to {member.commitment.hex()} in round {event.args['round_id']}"
            yield KeyMisused(name=name, what=what)


def _read_members(store: ContentStore, event: Any) -> tuple[list[Any], FedtrailError | None]:
    """Return the commitments of an event, and why some of them could not be had."""
    if event.name == "Committed":
        return [spec.Member(client=event.args["client"], commitment=event.args["commitment"])], None
    if event.name == "SegmentCommitted":
        return list(spec.decode_members(event.args["entries"])), None
    found = fetch_block(store, event.args["list_id"])
    try:
        return (list(spec.decode_signed_list(bytes(found.data))) if found.data is not None else []), found.problem
    except SpecError as problem:
        return [], problem


def _judge_publication(
    chain: Chain, store: ContentStore, event: Any, client: int, acts: OwnActs, name: str
) -> Iterator[FedtrailError]:
    """Judge what a round's manifest says that the client has signed; what others made up in its name is no misuse."""
    round_id = event.args["round_id"]
    data_id = event.args["proposal"].data_id if event.name == "Proposed" else event.args["data_id"]
    found = fetch_block(store, data_id)
    if found.data is None:
        if found.problem is not None:
            yield found.problem
        return
    try:
        entries = spec.decode_manifest(found.data).entries
    except SpecError:
        return  # the aggregator's fault, which a replay tells
    content = next((entry for entry in entries if entry.client == client and entry.content is not None), None)
    if content is None or content.content is None or str(to_cid(content.content)) in acts.cids:
        return
    digest = spec.compute_publication_digest(
        domain_separator=chain.domain_separator, round_id=round_id, client=client, content=content.content
    )
    signer = chain.get_signer_at(client, chain.get_round(round_id).opened_at)
    if signer is not None and signing.recover(digest, content.signature) == signer:
        yield KeyMisused(name=name, what=f"signed that its update of round {round_id} is {to_cid(content.content)}")


def watch_own_node(chain: Chain, notebook: Notebook) -> None:
    """Return if the node still tells what it told the last time, and remember what it tells now.

    Raises: SplitView: it was rolled back, or tells another history.
    """
    verify_not_rolled_back(chain, notebook, MONITOR)
    history, seen = observe(chain), notebook.get_last(MONITOR)
    if seen is not None:
        verify_view(chain, history, seen, who="itself before")
    notebook.set_last(MONITOR, history.checkpoint)


def judge_signatures(
    notes: Mapping[str, SignedNote], trust: Trust
) -> tuple[dict[str, SignedNote], list[FedtrailError]]:
    """Return the checkpoints that a known witness signed, and signatures in known names that do not verify.

    Args: notes: by where they come from.
    """
    taken: dict[str, SignedNote] = {}
    problems: list[FedtrailError] = []
    for source, note in notes.items():
        try:
            if trust.find_witnesses(note):
                taken[source] = note
        except SpecError as problem:
            problems.append(problem)
    return taken, problems


def compare_views(chain: Chain, notes: Mapping[str, SignedNote]) -> Iterator[FedtrailError]:
    """Yield where checkpoints contradict each other, or one's own node.

    Args: notes: of this ledger, by where they come from.
    """
    checkpoints = {source: parse_checkpoint(note.text) for source, note in notes.items()}
    for (one, mine), (other, theirs) in combinations(checkpoints.items(), 2):
        try:
            verify_same_view(mine, theirs, who=one, against=other)
        except IntegrityError as problem:
            yield problem
    last = chain.get_confirmed_block()
    history = observe(chain, last)
    for source, checkpoint in checkpoints.items():
        try:
            if checkpoint.block <= last:  # a witness may be ahead of this node, which accuses nobody
                verify_view(chain, history, checkpoint, who=source)
        except (IntegrityError, SpecError) as problem:
            yield problem
