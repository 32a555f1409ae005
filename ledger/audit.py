"""Replay of a round: recompute everything from what the clients signed (docs/protocol.md §7).

Pure: a record goes in, a report comes out, nothing is fetched. The checks are numbered; a finding names its number.
A fast path may compute; when it disagrees with the chain, `spec` computes again and only that accuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ledger import commitments, errors, spec
from ledger.errors import FedtrailError
from ledger.layout import locate
from ledger.records import AuditReport, Fetched, Finding, Grade, RoundRecord, Verdict
from ledger.signing import recover

Matrix = NDArray[np.int32]
Aggregate = Callable[[spec.RuleParams, Matrix, Sequence[int]], NDArray[np.int32]]
MakeAux = Callable[[spec.RuleParams, Matrix, Sequence[int]], bytes]

_UNAVAILABLE = 801
_TAMPERED = 701


def aggregate_by_spec(params: spec.RuleParams, updates: Matrix, weights: Sequence[int]) -> NDArray[np.int32]:
    """Return spec.aggregate of a matrix int32[n, d] as int32[d]: the default, and the one that accuses."""
    return np.array(spec.aggregate(params, updates.tolist(), weights), dtype=np.int32)


def make_aux_by_spec(params: spec.RuleParams, updates: Matrix, weights: Sequence[int]) -> bytes:
    """Return spec.compute_aux of a matrix int32[n, d]: the default, and the one that accuses."""
    is_of_pairs = params.rule in (spec.Rule.KRUM, spec.Rule.MULTI_KRUM)
    return spec.compute_aux(params, updates.tolist() if is_of_pairs else [], weights)


@dataclass(frozen=True, slots=True)
class _Included:
    """The updates that the aggregate must be made of, in rising client id."""

    members: list[spec.Member] = field(default_factory=list)
    values: list[NDArray[np.int32]] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Notes:
    """What the checks have found so far."""

    record: RoundRecord
    findings: list[Finding] = field(default_factory=list)
    attested: list[str] = field(default_factory=list)

    def add(self, clause: str, error: FedtrailError, participant: int | None = None) -> None:
        self.findings.append(Finding(clause=clause, error=error, participant=participant))

    def attest(self, text: str) -> None:
        self.attested.append(text)


def replay(
    record: RoundRecord, aggregate: Aggregate = aggregate_by_spec, make_aux: MakeAux = make_aux_by_spec
) -> AuditReport:
    """Return what can be established about a round.

    (1) The commitments in the events are all that the contract counted, and hash to its rolling hash. In root-only
        mode: the list is the one that the root is of, and its clients signed it.
    (2) The manifest is the one that the proposal names, and lists every committed client once.
    (3) The exclusions on the chain are those of the manifest.
    (4) Every included update decodes, belongs to this client and round, and is what the client committed.
    (5) Every excluded update was published, signed, and is broken for the stated reason.
    (6) The included clients are the members that the proposal names, and the contract stored that proposal.
    (7) The rule over the included updates yields the proposed aggregate.
    (8) The included updates, transposed, yield the proposed matrix root.
    (9) Base model plus aggregate yields the proposed model.
    (10) The base model is the one that the last finalised round ended with, and a finalised round's proposal is the
        next link of the task's hash chain.
    (11) What the proposal carries for its rule (weights, distances) is what the included updates yield.

    Args: record: from `history.load_round`. aggregate, make_aux: fast paths equal to spec, or spec itself.
    """
    notes = _Notes(record)
    is_listed = _check_completeness(notes)
    if not is_listed or (not any(record.data_id) and not record.exclusions):
        return _report(notes, _Included(), None)
    manifest = _check_manifest(notes)
    included = _check_updates(notes, manifest) if manifest else _Included()
    result = None
    if record.proposal is not None and manifest and _is_whole(notes, included):
        result = _check_aggregate(notes, record.proposal, included, aggregate, make_aux)
    _check_lineage(notes)
    return _report(notes, included, result)


def _report(notes: _Notes, included: _Included, result: NDArray[np.int32] | None) -> AuditReport:
    record, findings = notes.record, sorted(notes.findings, key=lambda f: not f.accuses)
    root = spec.ZERO_DIGEST if result is None else commitments.compute_vector_root(result, record.task.model_log2)
    return AuditReport(
        round_id=record.round_id,
        number=record.number,
        verdict=(verdict := _verdict(findings, record)),
        grade=_grade(verdict, notes.attested),
        included=len(included.members),
        committed=record.committed,
        attested=tuple(notes.attested),
        findings=tuple(findings),
        aggregate_root=root,
    )


def _verdict(findings: Sequence[Finding], record: RoundRecord) -> Verdict:
    if any(finding.accuses for finding in findings):
        return Verdict.FAIL
    if findings:
        return Verdict.INCOMPLETE
    return Verdict.PASS if record.proposal is not None else Verdict.NOTHING


def _grade(verdict: Verdict, attested: Sequence[str]) -> Grade:
    if verdict is Verdict.INCOMPLETE:
        return Grade.MISSING
    return Grade.ATTESTED if attested else Grade.PROVEN


def _check_completeness(notes: _Notes) -> bool:
    """(1): whether it is known who committed what."""
    record = notes.record
    if record.signed_list is not None:
        return _check_list(notes, record.signed_list)
    rolling = spec.ZERO_DIGEST
    for segment in record.segments:
        root = commitments.compute_segment_root([member for member in segment if isinstance(member, spec.Member)])
        rolling = commitments.compute_segments_hash(rolling, root, len(segment))
    is_counted = record.task.mode is not spec.CommitMode.ACCUMULATED
    is_wrong = any(record.segments_hash) and rolling != record.segments_hash
    if is_wrong or (is_counted and len(record.members) != record.committed):
        want, got = f"{record.committed}", f"{len(record.members)}"
        if want == got:
            want, got = record.segments_hash.hex(), rolling.hex()
        notes.add("1", errors.Incomplete(want=want, got=got, what="commitments", round_id=record.number))
    return True


def _check_list(notes: _Notes, fetched: Fetched) -> bool:
    """(1) in root-only mode, where the aggregator answers for the list and every entry of it."""
    record = notes.record
    if fetched.data is None:
        notes.add("1", _gap(fetched, "list of commitments", record))
        return False
    try:
        listed = spec.decode_signed_list(fetched.data)
        root = spec.compute_list_root(fetched.data)
        rolling = commitments.compute_segments_hash(spec.ZERO_DIGEST, root, len(listed))
        if any(record.segments_hash) and rolling != record.segments_hash:
            what = f"round {record.number}, list of commitments"
            raise errors.WrongRoot(what=what, got=rolling.hex(), want=record.segments_hash.hex())
    except FedtrailError as error:
        notes.add("1", error, record.aggregator)
        return False
    for entry in listed:
        if wrong := find_wrong_signature(record, entry):
            notes.add("1", wrong, record.aggregator)
    return True


def find_wrong_signature(record: RoundRecord, entry: spec.SignedMember) -> errors.WrongSigner | None:
    """Return what is wrong with the signature of an entry of a round's list; None when the ledger would take it."""
    digest = commitments.compute_commitment_digest(
        domain_separator=record.domain_separator,
        round_id=record.round_id,
        client=entry.client,
        commitment=entry.commitment,
    )
    got, want = recover(digest, entry.signature), record.signers.get(entry.client)
    if got == want and any(entry.commitment):
        return None
    signer = "0x" + want.hex() if want else "no key: it was no active client"
    return errors.WrongSigner(got="0x" + got.hex(), client=entry.client, want=signer)


def _check_manifest(notes: _Notes) -> spec.Manifest | None:
    """(2) and (3)"""
    record = notes.record
    if record.manifest.data is None:
        # A block that is corrupt here is this store's fault: nobody is named.
        notes.add("2", _gap(record.manifest, "manifest", record))
        return None
    try:
        manifest = spec.decode_manifest(record.manifest.data)
        _verify_manifest(manifest, record)
    except FedtrailError as error:
        notes.add("2", error, record.aggregator)
        return None
    stated = tuple((e.client, e.reason) for e in manifest.entries if e.reason)
    if stated != record.exclusions:
        got, want = _reasons(record.exclusions), _reasons(stated)
        notes.add("3", errors.WrongExclusion(round_id=record.number, client="any", got=got, want=want))
    return manifest


def _verify_manifest(manifest: spec.Manifest, record: RoundRecord) -> None:
    if manifest.domain_separator != record.domain_separator:
        raise errors.WrongDomain(got=manifest.domain_separator.hex(), want=record.domain_separator.hex())
    if manifest.round_id != record.round_id:
        raise errors.WrongRound(got=manifest.round_id, want=record.round_id)
    listed, committed = {e.client for e in manifest.entries}, {m.client for m in record.members}
    if listed != committed:
        client = min(listed ^ committed)
        got, want = ("not listed", "committed") if client in committed else ("listed", "never committed")
        raise errors.WrongExclusion(round_id=record.number, client=client, got=got, want=want)


def _reasons(exclusions: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"{client}: FT{reason}" for client, reason in exclusions) or "none excluded"


def _gap(fetched: Fetched, what: str, record: RoundRecord) -> FedtrailError:
    """Say why bytes are not there: missing is no accusation, bytes that do not hash to their CID are wrong."""
    if fetched.problem is not None and not fetched.missing:
        return fetched.problem
    why = f" ({fetched.problem.message})" if isinstance(fetched.problem, errors.ChainError) else ""
    consequence = f"; {what} of round {record.number}: the round cannot be replayed{why}"
    cid = fetched.cid or "(never published)"
    return errors.Unavailable(cid=cid, found=0, stores=1, seconds=0.0, consequence=consequence)


def _expectation(record: RoundRecord, client: int) -> spec.Expectation:
    return spec.Expectation(
        kind=spec.Kind.UPDATE,
        domain_separator=record.domain_separator,
        round_id=record.round_id,
        client=client,
        size=record.task.size,
        scale_bits=record.task.scale_bits,
        leaf_log2=record.task.leaf_log2,
    )


def judge_update(
    record: RoundRecord, member: spec.Member, fetched: Fetched
) -> tuple[spec.VectorBlob, NDArray[np.int32]]:
    """Return a client's update if it is what the client committed to and the task allows: check (4).

    Aggregators call this to decide whom to exclude, auditors to check that decision.

    Raises: Unavailable; WrongRoot: other bytes than committed; every SpecError of `spec.decode_update`.
    """
    if fetched.data is None:
        if isinstance(fetched.problem, errors.BlobCorrupt):
            raise _tampered(record, member, fetched.problem)
        raise _gap(fetched, f"update of client {member.client}", record)
    want = _expectation(record, member.client)
    blob, values = commitments.decode_update(fetched.data, want=want, bound=record.task.bound)
    got = spec.compute_commitment(
        domain_separator=record.domain_separator,
        round_id=record.round_id,
        client=member.client,
        num_examples=blob.header.num_examples,
        root=commitments.compute_vector_root(values, record.task.leaf_log2),
    )
    if got != member.commitment:
        what = f"round {record.number}, client {member.client}"
        raise errors.WrongRoot(what=what, got=got.hex(), want=member.commitment.hex())
    return blob, values


def _tampered(record: RoundRecord, member: spec.Member, problem: errors.BlobCorrupt) -> errors.WrongRoot:
    return errors.WrongRoot(
        what=f"round {record.number}, client {member.client}, block {problem.detail['cid']}",
        got=str(problem.detail["got"]),
        want=member.commitment.hex(),
    )


def _check_updates(notes: _Notes, manifest: spec.Manifest) -> _Included:
    """(4) and (5), client by client in rising id."""
    record, included = notes.record, _Included()
    entries = {entry.client: entry for entry in manifest.entries}
    for member in record.members:
        entry, fetched = entries[member.client], record.updates[member.client]
        try:
            blob, values = judge_update(record, member, fetched)
        except FedtrailError as error:
            _check_broken(notes, entry, error)
            continue
        if entry.reason:
            _check_wrongly_excluded(notes, entry)
            continue
        included.members.append(member)
        included.values.append(values)
        included.weights.append(record.compute_weight(member.client, blob.header.num_examples))
    return included


def reason_of(error: FedtrailError) -> int:
    """Return the number of an error's FT code: the reason of an exclusion."""
    return int(error.code.removeprefix("FT"))


def _check_broken(notes: _Notes, entry: spec.ManifestEntry, error: FedtrailError) -> None:
    """(4) when the update is included, (5) when it is excluded."""
    record, found = notes.record, reason_of(error)
    if not entry.reason and found in (_UNAVAILABLE, _TAMPERED):
        # A blob that is not there, or not what was committed: it is the client's update, whoever changed it.
        notes.add("4", error, entry.client)
    elif not entry.reason:
        notes.add("4", _wrong_exclusion(record, entry, "included", error.code), record.aggregator)
    elif entry.reason == _UNAVAILABLE:
        notes.attest(f"client {entry.client} was excluded because its update was unavailable (the aggregator's word)")
    elif isinstance(
        record.updates[entry.client].problem, errors.BlobCorrupt | errors.EvidenceError | errors.ChainError
    ):
        notes.add("5", error, entry.client)
    elif not is_published(record, entry.client, entry.content, entry.signature):
        wrong = _wrong_exclusion(record, entry, f"FT{entry.reason}", "never signed as published")
        notes.add("5", wrong, record.aggregator)
    elif found != entry.reason:
        notes.add("5", _wrong_exclusion(record, entry, f"FT{entry.reason}", error.code), record.aggregator)


def _check_wrongly_excluded(notes: _Notes, entry: spec.ManifestEntry) -> None:
    """(5) when the excluded update is fine."""
    if entry.reason == _UNAVAILABLE:
        notes.attest(f"client {entry.client} was excluded as unavailable; its update is available now")
    else:
        notes.add("5", _wrong_exclusion(notes.record, entry, f"FT{entry.reason}", "valid"), notes.record.aggregator)


def _wrong_exclusion(record: RoundRecord, entry: spec.ManifestEntry, got: str, want: str) -> FedtrailError:
    return errors.WrongExclusion(round_id=record.number, client=entry.client, got=got, want=want)


def is_published(record: RoundRecord, client: int, content: spec.ContentId | None, signature: bytes) -> bool:
    """Whether a client signed that its update is at a CID: without that, anybody could blame it for any bytes."""
    if content is None:
        return False
    digest = commitments.compute_publication_digest(
        domain_separator=record.domain_separator, round_id=record.round_id, client=client, content=content
    )
    return bool(recover(digest, signature) == record.signers.get(client))


def _is_whole(notes: _Notes, included: _Included) -> bool:
    expected = len(notes.record.members) - len(notes.record.exclusions)
    return len(included.members) == expected and expected > 0


def _check_aggregate(
    notes: _Notes, proposal: spec.Proposal, included: _Included, aggregate: Aggregate, make_aux: MakeAux
) -> NDArray[np.int32]:
    """(6) to (9) and (11)"""
    record, matrix = notes.record, np.stack(included.values)
    _check_members(notes, proposal, included)
    _check_aux(notes, matrix, included.weights, make_aux)
    result = aggregate(record.task.rule_params(), matrix, included.weights)
    if _root_of(notes, result) != proposal.aggregate_root:
        result = aggregate_by_spec(record.task.rule_params(), matrix, included.weights)
        _check_root(notes, "7", result, proposal.aggregate_root, record.aggregate, "aggregate")
    _check_matrix(notes, proposal, matrix)
    # The step is checked from the proposed aggregate, so that one lie is one finding.
    honest = _root_of(notes, result) == proposal.aggregate_root
    proposed = result if honest else decode_published(record, record.aggregate, proposal.aggregate_root)
    if proposed is not None:
        _check_model(notes, proposal, proposed)
    return result


def _root_of(notes: _Notes, values: NDArray[np.int32]) -> bytes:
    return commitments.compute_vector_root(values, notes.record.task.model_log2)


def _check_members(notes: _Notes, proposal: spec.Proposal, included: _Included) -> None:
    """(6)"""
    record = notes.record
    stored = spec.compute_proposal_hash(
        record.round_id,
        proposal,
        segments_hash=record.segments_hash,
        excluded=spec.encode_exclusions(record.exclusions),
        aux=record.aux,
        included=record.included,
    )
    is_counted = record.task.mode is not spec.CommitMode.ACCUMULATED
    if not is_counted and len(record.members) != record.committed:  # the proposal says what the ledger does not
        counted = _mismatch_of(record, str(len(record.members)), str(record.committed), "count: clients")
        notes.add("6", counted, record.aggregator)
    pairs = (
        ("members", spec.compute_members_root(included.members), proposal.members_root),
        ("proposal", stored, record.proposal_hash),
    )
    for what, got, want in pairs:
        if got != want:
            notes.add("6", _mismatch(record, got, want, f"root: {what}"), record.aggregator)


def _check_aux(notes: _Notes, matrix: Matrix, weights: Sequence[int], make_aux: MakeAux) -> None:
    """(11)"""
    record, params = notes.record, notes.record.task.rule_params()
    if make_aux(params, matrix, weights) != record.aux:
        got = make_aux_by_spec(params, matrix, weights)
        if got != record.aux:
            digests = spec.keccak256(got), spec.keccak256(record.aux)
            notes.add("11", _mismatch(record, *digests, _locate_in_aux(params, got, record.aux)), record.aggregator)


def _locate_in_aux(params: spec.RuleParams, got: bytes, want: bytes) -> str:
    if len(got) != len(want):
        return f"length of the auxiliary data: {len(got)} bytes, proposed {len(want)}"
    what, width = ("weight", 4) if params.rule is spec.Rule.WEIGHTED_MEAN else ("distance", 12)
    at = next(at for at in range(0, len(got), width) if got[at : at + width] != want[at : at + width])
    ours, theirs = (int.from_bytes(data[at : at + width], "big") for data in (got, want))
    return f"{what} {at // width}: {ours}, proposed {theirs}"


def _mismatch(record: RoundRecord, got: bytes, want: bytes, where: str) -> FedtrailError:
    return _mismatch_of(record, got.hex(), want.hex(), where)


def _mismatch_of(record: RoundRecord, got: str, want: str, where: str) -> FedtrailError:
    return errors.ReplayMismatch(round_id=record.number, got=got, want=want, where=where)


def _check_root(
    notes: _Notes, clause: str, values: NDArray[np.int32], want: bytes, published: Fetched, what: str
) -> None:
    """Compare a recomputed vector with a root on the chain; name the first coordinate that differs."""
    record = notes.record
    got = spec.compute_vector_root(values.tolist(), record.task.model_log2)
    if got != want:
        where = _first_difference(record, values, want, published, what)
        notes.add(clause, _mismatch(record, got, want, where), record.aggregator)


def _first_difference(
    record: RoundRecord, values: NDArray[np.int32], want: bytes, published: Fetched, what: str
) -> str:
    theirs = decode_published(record, published, want)
    if theirs is None:
        return f"coordinate unknown: the {what} behind the root on the chain is not available"
    coordinate = int(np.flatnonzero(theirs != values)[0])
    name = f"tensor {locate(record.layout, coordinate)}, " if record.layout else ""
    return f"{name}coordinate {coordinate}: recomputed {values[coordinate]}, published {theirs[coordinate]} ({what})"


def decode_published(record: RoundRecord, published: Fetched, root: bytes) -> NDArray[np.int32] | None:
    """Return the values of a published vector if they are what the root on the chain commits to."""
    if published.data is None:
        return None
    try:
        blob = spec.decode_vector(published.data, max_bytes=len(published.data))
    except FedtrailError:
        return None
    values = np.frombuffer(blob.payload, dtype="<i4")
    return values if blob.header.size == record.task.size and blob.root() == root else None


def _check_matrix(notes: _Notes, proposal: spec.Proposal, matrix: Matrix) -> None:
    """(8)"""
    log2 = notes.record.task.matrix_log2
    if commitments.compute_matrix_root(matrix, log2) != proposal.matrix_root:
        got = spec.compute_matrix_root(matrix.tolist(), log2)
        if got != proposal.matrix_root:
            error = _mismatch(notes.record, got, proposal.matrix_root, "root: matrix")
            notes.add("8", error, notes.record.aggregator)


def _check_model(notes: _Notes, proposal: spec.Proposal, result: NDArray[np.int32]) -> None:
    """(9)"""
    record = notes.record
    base = decode_published(record, record.base, record.base_model)
    if base is None:
        gone = record.base if record.base.data is None else Fetched(cid=record.base.cid, data=None)
        notes.add("9", _gap(gone, "base model", record))
        return
    model = np.array(spec.apply_model_step(base.tolist(), result.tolist()), dtype=np.int32)
    _check_root(notes, "9", model, proposal.model_root, record.model, "model")


def _check_lineage(notes: _Notes) -> None:
    """(10)"""
    record = notes.record
    if record.base_model != record.previous_model:
        got, want = record.base_model.hex(), record.previous_model.hex()
        notes.add("10", errors.BrokenLineage(round_id=record.number, got=got, want=want))
    link = spec.compute_head(record.previous_head, record.round_id, record.proposal_hash)
    if any(record.head) and link != record.head:
        what = f"head of the task's hash chain after round {record.number}"
        notes.add("10", errors.WrongRoot(what=what, got=link.hex(), want=record.head.hex()))


def iter_messages(report: AuditReport) -> Iterator[str]:
    """Yield a report's findings and attested facts, one line each, for people."""
    for finding in report.findings:
        yield f"({finding.clause}) {finding.error}"
    yield from report.attested
