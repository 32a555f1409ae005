"""An attestor: judges which updates of a round could be had, signs and certifies that, and answers for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ledger import signing, spec
from ledger.availability import BOARD, Certificate, Demand, Publication, Subject, judge_availability
from ledger.chain import Chain, CommitteeView, Receipt, Role, RoundView
from ledger.history import fetch_update, load_round, to_cid
from ledger.readers import BlobReader
from ledger.records import RoundRecord
from ledger.statements import (
    MAX_STATEMENT_BYTES,
    Signed,
    Statement,
    certify,
    decode_signed,
    encode_signed,
    read_file,
    read_publications,
    select_agreeing,
    write_file,
)
from ledger.watching.demands import Answerer
from ledger.watching.happening import Happening, guard
from ledger.watching.leaves import make_answer

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount


def make_committee_key(chain: Chain, ids: Sequence[int], threshold: int) -> str | None:
    """Return the journal's key for naming these attestors as the next committee; None where they are it already."""
    named = chain.list_committees()
    if named and (named[-1].ids, named[-1].threshold) == (tuple(ids), threshold):
        return None
    return f"{chain.fingerprint}/committee/{len(named) + 1}/{'-'.join(map(str, ids))}/{threshold}"


class Attestor:
    """One attestor of a committee. Never signs two statements about a round: that would cost its stake."""

    def __init__(
        self,
        chain: Chain,
        store: BlobReader,
        *,
        participant: int,
        load_key: Callable[[bytes], LocalAccount],
        relayer: LocalAccount,
        publications: Path,
        statements: Path,
    ) -> None:
        """Args: load_key: returns the attestor's key of an address; a round takes the one of its opening."""
        self.chain = chain
        self.store = store
        self._participant = participant
        self._load_key = load_key
        self._relayer = relayer
        self._publications = publications
        self._statements = statements
        self._domain = chain.board_domain_separator
        self._told: set[tuple[int, str, str]] = set()

    def look(self) -> Iterator[Happening]:
        """Look once: sign, certify and answer what is due, and tell each thing once."""
        for one in self._look():
            key = (one.round_id, one.what, one.error.message if one.error else one.message)
            if key not in self._told:
                self._told.add(key)
                yield one

    def _look(self) -> Iterator[Happening]:
        for view in self._list_rounds():
            yield from guard(view.round_id, self.attest(view))
        yield from _Answering(self, self.chain, self.store, self._relayer).look()

    def _list_rounds(self) -> Iterator[RoundView]:
        """Yield the open rounds of tasks with this board: only the latest round of a task can be open."""
        board = self.chain.contracts.addresses[BOARD]
        for task_id in range(1, self.chain.count_tasks() + 1):
            round_id = self.chain.get_task_state(task_id).current_round
            if round_id and self.chain.get_task(task_id).board == board:
                view = self.chain.get_round(round_id)
                if view.phase is spec.Phase.OPEN:
                    yield view

    def attest(self, view: RoundView) -> Iterator[Happening]:
        """Sign and certify an open round of this board, where this attestor's committee serves it and it is time."""
        committees = self.chain.list_committees()
        committee = next((one for one in committees if one.serves(view.opened_at)), None)
        if committee is None or self._participant not in committee.ids or self.chain.now() > view.propose_end:
            return
        # Commitments of unconfirmed blocks could still be lost, or be missed here.
        if self.chain.get_confirmed_time() <= view.commit_end or self.chain.get_certificate(view.round_id) is not None:
            return
        yield from self._sign(view)
        yield from self._certify(view, committee)

    # ---------------------------------------------------------------------------------------------------------- sign

    def _sign(self, view: RoundView) -> Iterator[Happening]:
        statement, is_new = self._read_statement(view.round_id), False
        if statement is None:
            statement, is_new = self._judge(view), True
        if statement is None:
            return
        signer = self.chain.get_signer_at(self._participant, view.opened_at, Role.ATTESTOR)
        if signer is None:
            return  # its stake was below the minimum then
        digest = statement.compute_digest(self._domain, view.round_id)
        signature = signing.sign_digest(self._load_key(signer), digest)
        signed = Signed(attestor=self._participant, statement=statement, signature=signature)
        write_file(self._folder(view.round_id) / f"{self._participant}.json", encode_signed(signed))
        if is_new:
            count = len(spec.decode_exclusions(statement.excluded))
            yield Happening(what="signed", round_id=view.round_id, message=f"{count} excluded")

    def _judge(self, view: RoundView) -> Statement | None:
        """Return what is to be said, on disk before it is said; None while a missing update may still be published."""
        record = load_round(self.chain, self.store, view.round_id)
        exclusions = judge_availability(record, self.fetch_publications(record))
        # The end of the data phase is a client's deadline: until then somebody missing may only be late.
        if exclusions and self.chain.get_confirmed_time() <= view.data_end:
            return None
        said = {"segments_hash": record.segments_hash.hex(), "excluded": spec.encode_exclusions(exclusions).hex()}
        self.chain.journal.note(self._note(view.round_id), said)
        return self._read_statement(view.round_id)

    def fetch_publications(self, record: RoundRecord) -> dict[int, Publication]:
        """Return what the clients of a round published, with the bytes."""
        listed = read_publications(self._publications, record)
        return {
            client: Publication(
                content=entry.content,
                signature=entry.signature,
                fetched=fetch_update(self.store, to_cid(entry.content), client, record.task, record.readership),
            )
            for client, entry in listed.items()
            if entry.content is not None
        }

    def _read_statement(self, round_id: int) -> Statement | None:
        note = self.chain.journal.get_note(self._note(round_id))
        if note is None:
            return None
        return Statement(segments_hash=bytes.fromhex(note["segments_hash"]), excluded=bytes.fromhex(note["excluded"]))

    def has_signed(self, round_id: int) -> bool:
        """Whether this attestor has said anything about a round."""
        return self._read_statement(round_id) is not None

    # ------------------------------------------------------------------------------------------------------- certify

    def _certify(self, view: RoundView, committee: CommitteeView) -> Iterator[Happening]:
        keys = self._get_keys(committee, view.opened_at)
        agreeing = select_agreeing(
            self._read_signed(view.round_id),
            keys,
            committee.threshold,
            domain_separator=self._domain,
            round_id=view.round_id,
        )
        if agreeing:
            receipt = self._send(view.round_id, committee, certify(agreeing, committee.ids))
            signers = ", ".join(str(one.attestor) for one in agreeing)
            yield Happening(what="certified", round_id=view.round_id, message=f"by {signers}", tx=receipt.tx)

    def _get_keys(self, committee: CommitteeView, opened_at: int) -> dict[int, bytes]:
        keys = {each: self.chain.get_signer_at(each, opened_at, Role.ATTESTOR) for each in committee.ids}
        return {each: key for each, key in keys.items() if key is not None}

    def _read_signed(self, round_id: int) -> list[Signed]:
        """Return what lies in the round's folder; a file that cannot be read is nobody's statement."""
        found = []
        for path in sorted(self._folder(round_id).glob("*.json")):
            try:
                found.append(decode_signed(read_file(path, MAX_STATEMENT_BYTES)))
            except spec.SpecError:
                continue
        return found

    def _send(self, round_id: int, committee: CommitteeView, certificate: Certificate) -> Receipt:
        arguments = (round_id, committee.epoch, certificate.excluded, certificate.signers, certificate.signatures)
        call = self.chain.contracts.to(BOARD, "certify", *arguments)
        key = f"{self.chain.fingerprint}/certify/{round_id}/{certificate.signers}"
        return self.chain.send(call, key=key, sender=self._relayer)

    def _folder(self, round_id: int) -> Path:
        return self._statements / str(round_id)

    def _note(self, round_id: int) -> str:
        return f"{self.chain.fingerprint}/attest/{self._participant}/{round_id}"


class _Answering(Answerer):
    """Answers demands for what this attestor has signed for: an update that nobody shows costs half of its stake."""

    def __init__(self, attestor: Attestor, chain: Chain, store: BlobReader, account: LocalAccount) -> None:
        super().__init__(chain, store, account)
        self._attestor = attestor

    def _is_mine(self, demand: Demand) -> bool:
        return demand.is_update and self._attestor.has_signed(demand.round_id)

    def make_answer(self, demand: Demand) -> bytes:
        record = load_round(self.chain, self.store, demand.round_id)
        published = self._attestor.fetch_publications(record).get(demand.client)
        is_open = demand.subject is Subject.COMMITMENT or record.updates[demand.client].missing
        return make_answer(record, demand, published.fetched if published and is_open else None)
