"""A round that a test drives step by step: with an availability board, or with distances that are not true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ledger import commitments, signing, spec
from ledger.chain import ETHER, Chain, Role
from ledger.commitments import Int32Array
from ledger.devnet import funded_account
from ledger.history import to_content
from ledger.keys import Keystore, password_for
from ledger.layout import Layout, encode_layout
from ledger.project import Project
from ledger.statements import write_publications
from ledger.store import Codec, ContentStore, open_store

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

CLIENTS = ("b1", "b2", "b3")
ATTESTORS = ("att1", "att2", "att3")
AGGREGATOR = "boarded"


class SteppedRound:
    """Three clients, three attestors of whom two must sign, one aggregator; keys and journal are the project's."""

    def __init__(
        self,
        project: Project,
        chain: Chain,
        name: str,
        *,
        rule: spec.Rule = spec.Rule.MEAN,
        size: int = 600,
        has_board: bool = True,
    ) -> None:
        self.project, self.chain, self.name = project, chain, name
        self.store = open_store(project.store_path, ipfs=None)
        self.blobs: dict[str, bytes] = {}
        self.blocks: list[bytes] = []
        self.operator = funded_account(0)
        self.keys = Keystore(project.keys_dir)
        self.password = password_for(project.network())
        self.ids = {who: self._enrol(who) for who in (*CLIENTS, *ATTESTORS, AGGREGATOR)}
        self._name_committee()
        self.size, self.base_values = size, np.arange(size, dtype=np.int32)
        self.task = self._make_task(rule, chain.contracts.addresses["board"] if has_board else spec.NO_BOARD)
        receipt = chain.create_task(self.task, key=f"{name}/task", sender=self.operator)
        task_id = receipt.find("TaskCreated").args["task_id"]
        self.round_id = self._open(task_id)
        source = np.random.default_rng(7)
        self.values = {who: source.integers(-1000, 1000, size, dtype=np.int32) for who in CLIENTS}

    def _put(self, name: str, blob: bytes) -> spec.ContentId:
        self.blobs[name] = blob
        return to_content(self.store.put(blob))

    def _put_block(self, block: bytes) -> bytes:
        self.blocks.append(block)
        return self.store.put_block(block, Codec.RAW).digest

    def give(self, store: ContentStore, *, without: str) -> None:
        """Copy everything that this round has stored into another store, but for one blob."""
        for name, blob in self.blobs.items():
            if name != without:
                store.put(blob)
        for block in self.blocks:
            store.put_block(block, Codec.RAW)

    # ------------------------------------------------------------------------------------------------------- set-up

    def load(self, who: str) -> LocalAccount:
        """Return a key."""
        return self.keys.load(who, self.password)

    def _enrol(self, who: str) -> int:
        for name in (who, f"{who}-owner"):
            if name not in self.keys.names():
                self.keys.new(name, self.password)
        signer = self.load(who)
        role = Role.CLIENT if who in CLIENTS else Role.ATTESTOR if who in ATTESTORS else Role.AGGREGATOR
        self.chain.register(
            role=role,
            owner=bytes.fromhex(self.keys.address(f"{who}-owner")[2:]),
            signer=signer,
            stake_wei=20 * ETHER,
            key=f"register/{who}",
            sender=self.operator,
        )
        self.chain.transfer(signer.address, ETHER, key=f"gas/{who}", sender=self.operator)
        found = self.chain.find_participant(signer.address)
        assert found is not None
        return found

    def _name_committee(self) -> None:
        ids = sorted(self.ids[who] for who in ATTESTORS)
        call = self.chain.contracts.to("board", "setCommittee", ids, 2)
        self.chain.send(call, key="committee", sender=self.operator)

    def _make_task(self, rule: spec.Rule, board: bytes) -> spec.Task:
        layout = Layout(names=("w",), shapes=((self.size,),))
        header = self._header(spec.Kind.MODEL, 0, 0, round_id=0)
        genesis = spec.encode_vector(header, self.base_values.astype("<i4").tobytes())
        self.base = self._put("base", genesis)
        return spec.Task(
            rule=rule,
            rule_param=0,
            rule_select=0,
            size=self.size,
            scale_bits=20,
            leaf_log2=5,
            matrix_log2=3,
            model_log2=5,
            bound=8388607,
            examples_cap=100_000,
            mode=spec.CommitMode.VERIFIED,
            wei_per_weight=0,
            max_clients=8,
            quorum=3 if rule is spec.Rule.KRUM else 2,
            commit_seconds=600,
            data_seconds=600,
            propose_seconds=600,
            challenge_seconds=1800,
            bond_wei=ETHER,
            board=board,
            genesis_model=commitments.compute_vector_root(self.base_values, 5),
            layout_digest=self._put_block(encode_layout(layout)),
            script_digest=self.name.encode().ljust(32, b"\x00"),
        )

    def _open(self, task_id: int) -> int:
        aggregator = self.ids[AGGREGATOR]
        receipt = self.chain.open_round(task_id, aggregator, key=f"{self.name}/open", sender=self.load(AGGREGATOR))
        return int(receipt.find("RoundOpened").args["round_id"])

    def _header(self, kind: spec.Kind, client: int, examples: int, *, round_id: int | None = None) -> spec.VectorHeader:
        return spec.VectorHeader(
            kind=kind,
            domain_separator=self.chain.domain_separator,
            round_id=self.round_id if round_id is None else round_id,
            client=client,
            num_examples=examples,
            size=self.size,
            scale_bits=20,
            leaf_log2=5,
        )

    # -------------------------------------------------------------------------------------------------------- steps

    def member(self, who: str) -> spec.Member:
        """Return a client's commitment."""
        commitment = spec.compute_commitment(
            domain_separator=self.chain.domain_separator,
            round_id=self.round_id,
            client=self.ids[who],
            num_examples=10,
            root=commitments.compute_vector_root(self.values[who], 5),
        )
        return spec.Member(client=self.ids[who], commitment=commitment)

    def commit(self) -> None:
        """Let every client commit, and end the commit phase."""
        entries = []
        for who in CLIENTS:
            member = self.member(who)
            digest = spec.compute_commitment_digest(
                domain_separator=self.chain.domain_separator,
                round_id=self.round_id,
                client=member.client,
                commitment=member.commitment,
            )
            signature = signing.sign_digest(self.load(who), digest)
            entries.append(spec.SignedMember(client=member.client, commitment=member.commitment, signature=signature))
        self.chain.commit_batch(self.round_id, entries, key=f"{self.name}/commit", sender=self.operator)
        self.chain.wait_until(self.chain.get_round(self.round_id).commit_end + 1)

    def blob(self, who: str) -> bytes:
        """Return a client's update as it is published."""
        header = self._header(spec.Kind.UPDATE, self.ids[who], 10)
        return spec.encode_vector(header, self.values[who].astype("<i4").tobytes())

    def entry(self, who: str, reason: int = 0) -> spec.ManifestEntry:
        """Store a client's update and return what the client signs about it."""
        content = self._put(who, self.blob(who))
        digest = spec.compute_publication_digest(
            domain_separator=self.chain.domain_separator,
            round_id=self.round_id,
            client=self.ids[who],
            content=content,
        )
        signature = signing.sign_digest(self.load(who), digest)
        return spec.ManifestEntry(client=self.ids[who], reason=reason, content=content, signature=signature)

    def manifest(self, entries: tuple[spec.ManifestEntry, ...], **named: Any) -> spec.Manifest:
        """Return a manifest of this round."""
        nothing = {"base": None, "aggregate": None, "model": None}
        return spec.Manifest(
            domain_separator=self.chain.domain_separator,
            round_id=self.round_id,
            entries=tuple(sorted(entries, key=lambda entry: entry.client)),
            **{**nothing, **named},
        )

    def publish(self, *who: str) -> None:
        """Let clients publish: their bytes into the store, their signed statements into the list."""
        folder = self.project.state_dir / "publications" / self.chain.fingerprint
        write_publications(folder, self.manifest(tuple(self.entry(each) for each in who)))

    def end_data_phase(self) -> None:
        """Move the clock past the time for publishing."""
        self.chain.wait_until(self.chain.get_round(self.round_id).data_end + 1)

    @property
    def matrix(self) -> Int32Array:
        """All updates, int32[3, d], in rising id."""
        return np.stack([self.values[who] for who in self._order])

    @property
    def _order(self) -> list[str]:
        return sorted(CLIENTS, key=lambda who: self.ids[who])

    def propose(self, *, distance_lie: int = 0, aggregate_lie: int = 0, matrix_lie: int = 0) -> None:
        """Put the honest aggregate of all three updates forward.

        Args: distance_lie: what is added to Krum's distance of the first two. aggregate_lie: what is added to
        coordinate 77 of the aggregate; such an aggregator posts a matrix that nobody can open, too. matrix_lie: what is
        added to every value of the posted matrix.
        """
        order, matrix, params = self._order, self.matrix, self.task.rule_params()
        result = np.array(spec.aggregate(params, matrix.tolist(), [1, 1, 1]), dtype=np.int32)
        result[77] += aggregate_lie
        model = self.base_values + result
        aux = spec.compute_aux(params, matrix.tolist(), [1, 1, 1])
        if distance_lie:
            first, *rest = spec.decode_distances(aux, count=3)
            aux = spec.encode_distances([first + distance_lie, *rest])
        author = self.ids[AGGREGATOR]
        blobs = {
            "aggregate": (self._header(spec.Kind.AGGREGATE, author, 3), result),
            "model": (self._header(spec.Kind.MODEL, author, 0), model),
        }
        named = {
            name: self._put(name, spec.encode_vector(header, values.astype("<i4").tobytes()))
            for name, (header, values) in blobs.items()
        }
        entries = tuple(self.entry(who) for who in order)
        manifest = spec.encode_manifest(self.manifest(entries, base=self.base, **named))
        proposal = spec.Proposal(
            aggregate_root=commitments.compute_vector_root(result, 5),
            matrix_root=commitments.compute_matrix_root(matrix + matrix_lie, 3) if not aggregate_lie else b"\x09" * 32,
            model_root=commitments.compute_vector_root(model, 5),
            members_root=spec.compute_members_root([self.member(who) for who in order]),
            data_id=self._put_block(manifest),
            committed=3,
        )
        key = f"{self.name}/propose"
        self.chain.propose(self.round_id, proposal, (), aux, key=key, sender=self.load(AGGREGATOR))
