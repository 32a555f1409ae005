"""The round transition against RoundLedger on a real node: every transition vector, then random histories."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from raw_node import Contract
from side_by_side import SideBySide, create_task, get_domain, register
from vector_cases import transition
from vector_cases.case import from_hex
from vector_cases.files import Vector, load_vectors

from ledger import spec

pytestmark = pytest.mark.chain

CLIENTS = range(2, 14)
"""Participants that are clients; number 1 is the aggregator, so client c of a vector is participant c + 1."""
NOT_APPLICABLE = {
    # A board that certifies is a contract of its own.
    "rounds/propose-board-first-second",
    # The number 5 follows number 1 only where other tasks have rounds in between.
    "rounds/history-open-after-abandonment",
    # Two transactions never share a second here: each is a block.
    "rounds/commit-at-opening",
    # Without a round there is no number to send.
    "rounds/commit-unopened",
    "rounds/propose-unopened",
    # The ledger does not see that two commitments are one client's: a court does.
    "rounds/accumulated-entries-counted",
    # The ledger does not see the entries of a list: a court does.
    "rounds/list-falling",
}
VECTORS = [vector for vector in load_vectors({"transition"}) if vector.name not in NOT_APPLICABLE]


@pytest.fixture(scope="module")
def ledger(contracts: tuple[Contract, Contract]) -> Contract:
    """Return a ledger with an aggregator and twelve clients."""
    registry, ledger = contracts
    for participant in (1, *CLIENTS):
        register(registry, participant)
    return ledger


@pytest.fixture
def fresh(ledger: Contract) -> Iterator[Contract]:
    """Return the ledger, as it was before the last test."""
    snapshot = ledger.node.call("evm_snapshot")
    yield ledger
    ledger.node.call("evm_revert", snapshot)


def _members(step: dict[str, Any]) -> list[spec.Member]:
    return [spec.Member(client=client + 1, commitment=from_hex(digest)) for client, digest in step["members"]]


def _take(pair: SideBySide, step: dict[str, Any], wait: int) -> None:
    exclusions = [(client + 1, reason) for client, reason in step.get("exclusions", [])]
    do = step["do"]
    if do == "commit" and pair.state.task.mode is spec.CommitMode.ACCUMULATED and len(step["members"]) == 1:
        pair.commit_alone(*_members(step), wait)
    elif do == "commit":
        pair.commit(_members(step), wait)
    elif do == "commit-list":
        pair.commit_list(transition.signed_list(step["list"]), wait)
    elif do == "propose":
        pair.propose(transition.proposal(step["proposal"]), exclusions, wait, from_hex(step["aux"]))
    elif do == "abandon":
        pair.abandon(exclusions, wait)
    elif do == "finalise":
        shifted = [[client, reason] for client, reason in exclusions]
        pair.finalise(transition.outcome(pair.state, {**step, "exclusions": shifted}), wait)
    else:
        {"open": pair.open, "expire": pair.expire, "pause": pair.pause, "resume": pair.resume}[do](wait)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_contract_takes_the_steps_of_the_vector(vector: Vector, fresh: Contract) -> None:
    task = dataclasses.replace(transition.task(vector.input["task"]), bond_wei=1000)
    create_task(fresh, task)
    pair = SideBySide(fresh, get_domain(fresh), 1, task)
    before = vector.input["steps"][0]["at"] - 1
    for step in vector.input["steps"]:
        _take(pair, step, step["at"] - before)
        before = step["at"]
    assert pair.error == vector.want_error
    if vector.want is not None:
        assert pair.state.current.phase.name.lower() == vector.want["phase"]


def test_most_transition_vectors_reach_the_contract() -> None:
    assert len(VECTORS) >= 95


TASK = spec.Task(
    rule=spec.Rule.TRIMMED_MEAN,
    rule_param=1,
    rule_select=0,
    size=10,
    scale_bits=20,
    leaf_log2=8,
    matrix_log2=3,
    model_log2=5,
    bound=spec.MAX_BOUND,
    examples_cap=1000,
    mode=spec.CommitMode.VERIFIED,
    wei_per_weight=0,
    commit_seconds=20,
    data_seconds=10,
    propose_seconds=20,
    challenge_seconds=30,
    max_clients=5,
    quorum=3,
    bond_wei=1000,
    board=spec.NO_BOARD,
    genesis_model=spec.keccak256(b"genesis"),
    layout_digest=spec.keccak256(b"layout"),
    script_digest=bytes(32),
)
CLIENT = st.integers(2, 7)
CROWDS = st.sets(CLIENT, min_size=2, max_size=5).map(sorted)
BATCHES = CROWDS | st.lists(CLIENT, max_size=6)
EXCLUSIONS = st.lists(st.tuples(CLIENT | st.just(99), st.sampled_from([715, 801])), max_size=3)


def _proposal(number: int, committed: int, *, zero: bool = False) -> spec.Proposal:
    names = [field.name for field in dataclasses.fields(spec.Proposal) if field.name != "committed"]
    digests = {name: spec.keccak256(f"{name} {number}".encode()) for name in names}
    return spec.Proposal(committed=committed, **digests | ({"model_root": bytes(32)} if zero else {}))


class RoundMachine(RuleBasedStateMachine):
    """Random histories; `play` walks the ordinary path, which random steps seldom find."""

    ledger: ClassVar[Contract]

    @initialize()
    def start(self) -> None:
        self.snapshot = self.ledger.node.call("evm_snapshot")
        self.pair = SideBySide(self.ledger, get_domain(self.ledger), 1, TASK)
        self.pair.open()
        self.outcome = spec.Outcome(**{f.name: bytes(32) for f in dataclasses.fields(spec.Outcome)})

    def teardown(self) -> None:
        if hasattr(self, "snapshot"):
            self.ledger.node.call("evm_revert", self.snapshot)

    def _wait(self, data: st.DataObject) -> int:
        """Return how long to wait: a second, a while, or to the edge of one of the round's deadlines."""
        current, now = self.pair.state.current, self.pair.now
        ends = (current.commit_end, current.data_end, current.propose_end, current.challenge_end)
        edges = [end + offset - now for end in ends for offset in (0, 1)]
        return data.draw(st.sampled_from([1, 1, 1, 7, *(edge for edge in edges if edge > 0)]), label="wait")

    def _members(self, clients: list[int], *, zero: bool = False) -> list[spec.Member]:
        digests = [spec.keccak256(b"%d %d" % (self.pair.round_id, client)) for client in clients]
        if zero and digests:
            digests[-1] = bytes(32)
        return [spec.Member(client=c, commitment=digest) for c, digest in zip(clients, digests, strict=True)]

    @rule(clients=CROWDS, excluded=st.integers(0, 2), late=st.integers(0, 3), gives_up=st.booleans())
    def play(self, clients: list[int], excluded: int, late: int, gives_up: bool) -> None:
        self.pair.commit(self._members(clients))
        exclusions = [(client, 801) for client in clients[:excluded]]
        wait = max(1, self.pair.state.current.data_end + 1 + late - self.pair.now)
        if gives_up:
            self.pair.abandon(exclusions, wait)
        else:
            self._propose(exclusions, wait)

    @rule(late=st.integers(-1, 1), data=st.data())
    def end_in_time(self, late: int, data: st.DataObject) -> None:
        current = self.pair.state.current
        wait = max(1, (current.challenge_end or current.propose_end) + 1 + late - self.pair.now)
        if current.phase is spec.Phase.PROPOSED:
            self.pair.finalise(self.outcome, wait)
        else:
            self.pair.expire(wait)

    @rule(data=st.data())
    def open(self, data: st.DataObject) -> None:
        self.pair.open(self._wait(data))

    @rule(clients=BATCHES, zero=st.sampled_from([False] * 5 + [True]), data=st.data())
    def commit(self, clients: list[int], zero: bool, data: st.DataObject) -> None:
        self.pair.commit(self._members(clients, zero=zero), self._wait(data))

    @rule(client=CLIENT)
    def commit_alone(self, client: int) -> None:
        self.pair.commit_alone(*self._members([client]))

    @rule(exclusions=EXCLUSIONS, zero=st.sampled_from([False] * 5 + [True]), data=st.data())
    def propose(self, exclusions: list[tuple[int, int]], zero: bool, data: st.DataObject) -> None:
        self._propose(exclusions, self._wait(data), zero=zero)

    def _propose(self, exclusions: list[tuple[int, int]], wait: int, *, zero: bool = False) -> None:
        current = self.pair.state.current
        proposal = _proposal(self.pair.round_id, current.committed, zero=zero)
        aux = bytes(self.pair.round_id)
        if self.pair.propose(proposal, exclusions, wait, aux):
            self.outcome = spec.make_outcome(
                proposal,
                segments_hash=current.segments_hash,
                excluded=spec.encode_exclusions(exclusions),
                aux=aux,
                included=current.committed - len(exclusions),
            )

    @rule(exclusions=EXCLUSIONS, data=st.data())
    def abandon(self, exclusions: list[tuple[int, int]], data: st.DataObject) -> None:
        self.pair.abandon(exclusions, self._wait(data))

    @rule(change=st.sampled_from([None, "model_root", "details_hash"]), data=st.data())
    def finalise(self, change: str | None, data: st.DataObject) -> None:
        changes = {change: spec.keccak256(b"other")} if change else {}
        self.pair.finalise(dataclasses.replace(self.outcome, **changes), self._wait(data))

    @rule(data=st.data())
    def pause(self, data: st.DataObject) -> None:
        self.pair.pause(self._wait(data))

    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        self.pair.resume(self._wait(data))

    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        self.pair.expire(self._wait(data))


def test_contract_and_specification_walk_the_same_random_paths(fresh: Contract) -> None:
    create_task(fresh, TASK)
    RoundMachine.ledger = fresh
    run_state_machine_as_test(
        RoundMachine,
        settings=settings(
            max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
