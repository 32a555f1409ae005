import os
from dataclasses import dataclass, field

import pytest
from eth_account import Account

from ledger import devnet as devnets
from ledger import signing, spec
from ledger.chain import ETHER, Chain, Order, Role
from ledger.journal import Journal

PROPOSAL = spec.Proposal(
    aggregate_root=b"\x11" * 32,
    matrix_root=b"\x12" * 32,
    model_root=b"\x13" * 32,
    members_root=b"\x14" * 32,
    data_id=b"\x15" * 32,
    committed=4,
)


def make_task(**changes):
    values = {
        "rule": spec.Rule.TRIMMED_MEAN,
        "rule_param": 1,
        "rule_select": 0,
        "size": 1000,
        "scale_bits": 20,
        "leaf_log2": 8,
        "matrix_log2": 3,
        "model_log2": 5,
        "bound": 8388607,
        "examples_cap": 100000,
        "mode": spec.CommitMode.VERIFIED,
        "wei_per_weight": 0,
        "max_clients": 64,
        "quorum": 3,
        "commit_seconds": 600,
        "data_seconds": 600,
        "propose_seconds": 600,
        "challenge_seconds": 1800,
        "bond_wei": ETHER,
        "board": spec.NO_BOARD,
        "genesis_model": b"\x01" * 32,
        "layout_digest": b"\x02" * 32,
        "script_digest": b"\x03" * 32,
    }
    return spec.Task(**{**values, **changes})


@dataclass
class Federation:
    """Registered participants of one deployment and their keys."""

    proposal = PROPOSAL
    make_task = staticmethod(make_task)

    chain: Chain
    operator: object = field(default_factory=lambda: devnets.funded_account(0))
    aggregator: int = 0
    aggregator_key: object = None
    clients: dict = field(default_factory=dict)

    def make_commitment(self, round_id, client):
        return spec.compute_commitment(
            domain_separator=self.chain.domain_separator,
            round_id=round_id,
            client=client,
            num_examples=10,
            root=os.urandom(32),
        )

    def enrol(self, count):
        keys = [Account.create() for _ in range(count + 1)]
        orders = [
            Order(
                call=self.chain.contracts.register(
                    role=Role.CLIENT if number < count else Role.AGGREGATOR,
                    owner=bytes.fromhex(self.operator.address[2:]),
                    signer=key,
                    stake_wei=ETHER if number < count else 3 * ETHER,
                ),
                key=f"register/{number}",
                sender=self.operator,
            )
            for number, key in enumerate(keys)
        ]
        ids = [receipt.find("Registered").args["id"] for receipt in self.chain.send_many(orders)]
        self.clients = dict(zip(ids[:-1], keys[:-1], strict=True))
        self.aggregator, self.aggregator_key = ids[-1], keys[-1]
        return self

    def aggregator_key_with_money(self):
        """The aggregator's signing key, which can pay for gas."""
        self.chain.transfer(self.aggregator_key.address, ETHER, key="gas-money", sender=self.operator)
        return self.aggregator_key

    def open(self, *, key="1", task=None):
        receipt = self.chain.create_task(task or make_task(), key=f"task/{key}", sender=self.operator)
        task_id = receipt.find("TaskCreated").args["task_id"]
        receipt = self.chain.open_round(task_id, self.aggregator, key=f"open/{key}", sender=self.operator)
        return receipt.find("RoundOpened").args["round_id"]

    def sign(self, round_id, client, commitment=None, signer=None):
        commitment = commitment or self.make_commitment(round_id, client)
        digest = spec.compute_commitment_digest(
            domain_separator=self.chain.domain_separator, round_id=round_id, client=client, commitment=commitment
        )
        signature = signing.sign_digest(signer or self.clients[client], digest)
        return spec.SignedMember(client=client, commitment=commitment, signature=signature)

    def commit(self, round_id, clients=None):
        entries = [self.sign(round_id, client) for client in clients or self.clients]
        self.chain.commit_batch(round_id, entries, key=f"commit/{round_id}", sender=self.operator)
        return entries


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal.sqlite")
    yield journal
    journal.close()


@pytest.fixture
def chain(deployment, journal):
    return Chain.connect(deployment, journal)


@pytest.fixture
def newcomers(chain):
    """Nobody is registered yet."""
    return Federation(chain)


@pytest.fixture
def federation(newcomers):
    """Four clients, 1 to 4, and an aggregator."""
    return newcomers.enrol(4)
