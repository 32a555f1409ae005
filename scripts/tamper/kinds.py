"""The kinds of tampering: each takes the files of a sound bundle and returns those of a false one."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from eth_utils.crypto import keccak

from ledger import spec
from ledger.bundle.envelope import PAYLOAD_TYPE
from ledger.chain.abi import get_interface
from ledger.dsse import encode_pae
from ledger.evidence import rlp
from ledger.evidence.slots import LEDGER_COUNTS
from ledger.store import Cid
from tamper.forgery import ENVELOPE, MANIFEST, TIME, Forgery, Log, encode_json, reseal

Files = dict[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A way to falsify a bundle."""

    tamper: Callable[[Files], Files]
    """Returns the files of the false bundle; LookupError where the bundle has nothing of the sort to falsify."""
    codes: frozenset[str]
    """FT codes, one of which a verifier finds."""
    verdict: str = "FAILED"
    """Verdict of an auditor who knows the hash of the sound bundle's last block."""


def _topic(name: str, contract: str = "RoundLedger") -> bytes:
    return next(topic for topic, item in get_interface(contract).events.items() if item.name == name)


def _put_word(data: bytes, place: int, word: bytes) -> bytes:
    return data[: 32 * place] + word + data[32 * place + 32 :]


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _manifests(files: Files) -> dict[str, spec.Manifest]:
    """Return the rounds' manifests by the names of their entries, in the order of their rounds."""
    found = {
        name: spec.decode_manifest(data)
        for name, data in files.items()
        if name.startswith("blobs/") and data[:4] == b"FTD\x01"
    }
    return dict(sorted(found.items(), key=lambda item: item[1].round_id))


def _name_of(content: spec.ContentId | None) -> str:
    if content is None:
        raise LookupError("nothing of the sort in the bundle")
    return "blobs/" + str(Cid.from_bytes(bytes([1, content.codec, 0x12, 0x20]) + content.digest))


def _change_update(files: Files) -> Files:
    """One coordinate of an included update."""
    manifest = next(iter(_manifests(files).values()))
    name = _name_of(next(entry.content for entry in manifest.entries if not entry.reason))
    return reseal(files | {name: _flip(files[name], len(files[name]) - 4)})


def _change_commitment(files: Files) -> Files:
    """The commitment of a client in its event, with the segment's root."""
    forgery = Forgery(files)

    def change(log: Log) -> Log:
        address, topics, data = log
        start = 32 + int.from_bytes(data[64:96], "big")
        end = start + int.from_bytes(data[start - 32 : start], "big")
        entries = _flip(data[start:end], 35)
        root = spec.compute_segment_root(spec.decode_members(entries))
        return [address, [*topics[:2], root], data[:start] + entries + data[end:]]

    try:
        forgery.edit_logs("ledger", _topic("SegmentCommitted"), change)
    except LookupError:
        forgery.edit_logs("ledger", _topic("Committed"), lambda log: [log[0], log[1], _flip(log[2], 31)])
    return forgery.seal()


def _change_header(files: Files) -> Files:
    """The time of a block, with every link behind it."""
    forgery = Forgery(files)
    middle = forgery.headers[len(forgery.headers) // 2]
    middle[TIME] = rlp.encode_int(int.from_bytes(middle[TIME], "big") + 1)
    return forgery.seal()


def _change_receipt(files: Files) -> Files:
    """The gas of a receipt, which its block's root covers."""
    forgery = Forgery(files)
    number = max(forgery.receipts)
    receipt = forgery.receipts[number][0]
    typed = 1 if receipt[0] < 0x80 else 0
    parts = list(rlp.decode(receipt[typed:]))
    parts[1] = rlp.encode_int(int.from_bytes(bytes(parts[1]), "big") + 1)  # type: ignore[arg-type]
    forgery.receipts[number][0] = receipt[:typed] + rlp.encode(parts)
    return forgery.seal(relink=False)


def _change_counter(files: Files) -> Files:
    """How many rounds there are, proven in a state of the forger's own."""
    forgery = Forgery(files)
    words = forgery.read_words()
    words["ledger"][LEDGER_COUNTS] += 1 << 32
    forgery.rebuild_state(words)
    return forgery.seal()


def _drop_event(files: Files) -> Files:
    """The last event of an opened round."""
    forgery = Forgery(files)
    forgery.edit_logs("ledger", _topic("RoundOpened"), lambda log: None, at=-1)
    return forgery.seal()


def _drop_block(files: Files) -> Files:
    """A block in which nothing happened, with every link behind it."""
    forgery = Forgery(files)
    numbers = [int.from_bytes(header[8], "big") for header in forgery.headers]
    at = next((i for i, number in enumerate(numbers[1:-1], 1) if number not in forgery.receipts), len(numbers) // 2)
    forgery.receipts.pop(numbers[at], None)
    del forgery.headers[at]
    return forgery.seal()


def _repropose(forgery: Forgery, change: Callable[[bytes], bytes], *, at: int = -1) -> None:
    """Change the data of a proposal's event, with its hash."""

    def propose(log: Log) -> Log:
        data = change(log[2])
        args = get_interface("RoundLedger").events[_topic("Proposed")].decode_log(log[1], data)
        digest = spec.compute_proposal_hash(
            args["round_id"],
            spec.Proposal(**args["proposal"]),
            segments_hash=args["segments_hash"],
            excluded=args["excluded"],
            aux=args["aux"],
            included=args["included"],
        )
        return [log[0], [*log[1][:3], digest], data]

    forgery.edit_logs("ledger", _topic("Proposed"), propose, at=at)


def _change_root(place: int) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        """One of the roots of the last proposal, with its hash."""
        forgery = Forgery(files)
        _repropose(forgery, lambda data: _flip(data, 32 * place + 31))
        return forgery.seal()

    return change


def _change_proposal_hash(files: Files) -> Files:
    """The hash of the last proposal in its event."""
    forgery = Forgery(files)
    change = lambda log: [log[0], [*log[1][:3], _flip(log[1][3], 9)], log[2]]  # noqa: E731
    forgery.edit_logs("ledger", _topic("Proposed"), change, at=-1)
    return forgery.seal()


def _change_exclusion(files: Files) -> Files:
    """The reason for which a client was excluded, in the proposal and with its hash, not in the manifest."""
    forgery = Forgery(files)
    order = [log for _, log in forgery.iter_logs() if log[1] and log[1][0] == _topic("Proposed")]
    start = 12 * 32  # the bytes of the exclusions: behind eleven words and their length
    at = next((i for i, log in enumerate(order) if log[2][start - 1]), None)
    if at is None:
        raise LookupError("the bundle excludes nobody")
    _repropose(forgery, lambda data: _flip(data, start + 5), at=at)
    return forgery.seal()


def _swap_model(files: Files) -> Files:
    """The root of the last proposed model, in its event and in that of its finalisation."""
    forgery = Forgery(files)
    other = hashlib.sha256(b"another model").digest()
    _repropose(forgery, lambda data: _put_word(data, 2, other))
    forgery.edit_logs("ledger", _topic("Finalised"), lambda log: [log[0], log[1], other], at=-1)
    return forgery.seal()


def _change_rule(files: Files) -> Files:
    """The aggregation rule of the first task, with the hash of its parameters."""
    forgery = Forgery(files)

    def change(log: Log) -> Log:
        rule = 3 if log[2][31] == 1 else 1
        data = _put_word(log[2], 0, rule.to_bytes(32, "big"))
        data = _put_word(data, 1, bytes(32)) if rule == 1 else data
        return [log[0], [*log[1][:2], keccak(data)], data]

    forgery.edit_logs("ledger", _topic("TaskCreated"), change)
    return forgery.seal()


def _change_leaves(files: Files) -> Files:
    """The leaf size of the first task's models, with the hash of its parameters: the same values have other roots."""
    forgery = Forgery(files)

    def change(log: Log) -> Log:
        data = _put_word(log[2], 7, (log[2][32 * 7 + 31] ^ 1).to_bytes(32, "big"))
        return [log[0], [*log[1][:2], keccak(data)], data]

    forgery.edit_logs("ledger", _topic("TaskCreated"), change)
    return forgery.seal()


def _forge_signature(files: Files) -> Files:
    """A signature of the manifest in the name of a key that the forger does not have."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    files = reseal(files)
    seeds = [Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name).digest()) for name in (b"own", b"another's")]
    signature = seeds[0].sign(encode_pae(PAYLOAD_TYPE, files[MANIFEST]))
    keyid = "ed25519:" + seeds[1].public_key().public_bytes_raw().hex()
    envelope = {
        "payload": base64.b64encode(files[MANIFEST]).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": keyid, "sig": base64.b64encode(signature).decode()}],
    }
    return files | {ENVELOPE: encode_json(envelope)}


def _forge_publication(files: Files) -> Files:
    """The publication for which a client was excluded, in a manifest that the proposal names."""
    forgery = Forgery(files)
    rounds = [(name, m) for name, m in _manifests(files).items() if any(e.reason not in (0, 801) for e in m.entries)]
    if not rounds:
        raise LookupError("the bundle excludes nobody for its update")
    name, manifest = rounds[0]
    at = next(i for i, entry in enumerate(manifest.entries) if entry.reason not in (0, 801))
    start = 147 + 103 * at + 39
    forged = _flip(files[name], start + 5)
    del forgery.files[name]
    digest = hashlib.sha256(forged).digest()
    forgery.files["blobs/" + str(Cid.from_bytes(b"\x01\x55\x12\x20" + digest))] = forged
    order = [log[1][1] for _, log in forgery.iter_logs() if log[1] and log[1][0] == _topic("Proposed")]
    place = order.index(manifest.round_id.to_bytes(32, "big"))
    _repropose(forgery, lambda data: _put_word(data, 4, digest), at=place)
    return forgery.seal()


def _name_other_court(files: Files) -> Files:
    """Another court, at an address of the forger's, with the true one's code."""
    forgery = Forgery(files)
    words = forgery.read_words()
    forgery.manifest["contracts"]["court"] = "0x" + "66" * 20
    forgery.rebuild_state(words)
    return forgery.seal()


def _outrun_checkpoint(files: Files) -> Files:
    """A block behind the one that somebody anchored, so that the anchor says nothing of the state any more."""
    forgery = Forgery(files)
    forgery.append_block()
    return forgery.seal()


KINDS = {
    "update": Kind(tamper=_change_update, codes=frozenset({"FT701", "FT708"})),
    "commitment": Kind(tamper=_change_commitment, codes=frozenset({"FT701", "FT705"})),
    "header": Kind(tamper=_change_header, codes=frozenset({"FT704"})),
    "receipt": Kind(tamper=_change_receipt, codes=frozenset({"FT703"})),
    "counter": Kind(tamper=_change_counter, codes=frozenset({"FT705"})),
    "event": Kind(tamper=_drop_event, codes=frozenset({"FT705"})),
    "block": Kind(tamper=_drop_block, codes=frozenset({"FT705"})),
    "aggregate": Kind(tamper=_change_root(0), codes=frozenset({"FT702"})),
    "matrix": Kind(tamper=_change_root(1), codes=frozenset({"FT702"})),
    "members": Kind(tamper=_change_root(3), codes=frozenset({"FT702"})),
    "proposal": Kind(tamper=_change_proposal_hash, codes=frozenset({"FT702"})),
    "exclusion": Kind(tamper=_change_exclusion, codes=frozenset({"FT706"})),
    "model": Kind(tamper=_swap_model, codes=frozenset({"FT702"})),
    "rule": Kind(tamper=_change_rule, codes=frozenset({"FT702"})),
    "leaves": Kind(tamper=_change_leaves, codes=frozenset({"FT702"})),
    "signature": Kind(tamper=_forge_signature, codes=frozenset({"FT717"})),
    "publication": Kind(tamper=_forge_publication, codes=frozenset({"FT706"})),
    "contract": Kind(tamper=_name_other_court, codes=frozenset({"FT404"})),
    "checkpoint": Kind(tamper=_outrun_checkpoint, codes=frozenset({"FT802"}), verdict="CONSISTENT"),
}
"""By name. The deepest code that each must lead to; the hash of a relinked block is FT704 besides, if it is known."""
