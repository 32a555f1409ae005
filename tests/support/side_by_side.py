"""One history, two ledgers: the specification's round transition and RoundLedger on a real node, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from eth_account.signers.local import LocalAccount
from raw_node import Contract

from ledger import devnet, signing, spec

AGGREGATOR = 1
STAKE_WEI = 10**18
UNBOND_SECONDS = 30 * 86400
MAX_PAUSE_SECONDS = 3600
REASONS = {
    "FT600": {
        *("EmptyBatch", "NotRising", "RoundFull", "ZeroRoot", "WrongMode"),
        *("WrongExclusions", "WrongCount", "QuorumMet", "ProposalMismatch"),
    },
    "FT602": {
        *("WrongPhase", "TooEarly", "TooLate", "RoundInProgress", "UnknownRound"),
        *("TaskPaused", "NotPaused", "PausedTooOften"),
    },
    "FT603": {"AlreadyCommitted"},
    "FT604": {"QuorumNotMet"},
}
"""How the contract words what the specification's errors say."""

Exclusions = Sequence[tuple[int, int]]


class SideBySide:
    """A task on both sides. Every step is taken at the same second; both take it, or both refuse it alike."""

    def __init__(self, ledger: Contract, domain: bytes, task_id: int, task: spec.Task) -> None:
        self.ledger, self.domain, self.task_id = ledger, domain, task_id
        self.state = spec.start_task(task, unbond_seconds=UNBOND_SECONDS, max_pause_seconds=MAX_PAUSE_SECONDS)
        self.now = int(ledger.node.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        self.round_id = 0
        self.error: str | None = None
        """FT code with which both refused the last step."""

    def open(self, wait: int = 1) -> None:
        opened = self.round_id + 1
        apply = lambda state, now: spec.apply_open(state, opened, now)  # noqa: E731
        if self._step(apply, wait, "openRound", self.task_id, AGGREGATOR) is None:
            self.round_id = opened

    def commit(self, members: Sequence[spec.Member], wait: int = 1) -> None:
        batch = b"".join(spec.encode_members([member]) + self._sign(member) for member in members)
        self._step(lambda s, now: spec.apply_commits(s, members, now), wait, "commitBatch", self.round_id, batch)

    def commit_alone(self, member: spec.Member, wait: int = 1) -> None:
        arguments = (self.round_id, member.client, member.commitment)
        self._step(lambda s, now: spec.apply_commits(s, [member], now), wait, "commit", *arguments)

    def commit_list(self, batch: bytes, wait: int = 1) -> None:
        members = spec.decode_signed_list(batch)
        arguments = (self.round_id, spec.compute_list_root(batch), len(members), spec.compute_list_id(batch))
        self._step(lambda s, now: spec.apply_list(s, batch, now), wait, "commitRoot", *arguments)

    def propose(self, proposal: spec.Proposal, exclusions: Exclusions, wait: int = 1, aux: bytes = b"") -> bool:
        arguments = (self.round_id, proposal.fields(), _pack(exclusions), aux)
        apply = lambda state, now: spec.apply_proposal(state, proposal, exclusions, now, aux)  # noqa: E731
        return self._step(apply, wait, "propose", *arguments) is None

    def abandon(self, exclusions: Exclusions, wait: int = 1) -> None:
        arguments = (self.round_id, bytes(32), _pack(exclusions))
        self._step(lambda s, now: spec.apply_abandon(s, exclusions, now), wait, "abandon", *arguments)

    def finalise(self, outcome: spec.Outcome, wait: int = 1) -> None:
        apply = lambda state, now: spec.apply_finalise(state, outcome, now)  # noqa: E731
        self._step(apply, wait, "finalise", self.round_id, outcome.fields())

    def expire(self, wait: int = 1) -> None:
        self._step(spec.apply_expire, wait, "expire", self.round_id)

    def pause(self, wait: int = 1) -> None:
        self._step(spec.apply_pause, wait, "pause", self.task_id)

    def resume(self, wait: int = 1) -> None:
        self._step(spec.apply_resume, wait, "resume", self.task_id)

    def _sign(self, member: spec.Member) -> bytes:
        digest = spec.compute_commitment_digest(
            domain_separator=self.domain, round_id=self.round_id, client=member.client, commitment=member.commitment
        )
        return signing.sign_digest(get_account(member.client), digest)

    def _step(
        self, apply: Callable[[spec.TaskState, int], spec.TaskState], wait: int, function: str, *arguments: object
    ) -> str | None:
        self.now += wait
        error = None
        try:
            self.state = apply(self.state, self.now)
        except spec.RuleError as caught:
            error = caught.code
        answer = self.ledger.send(function, *arguments, at=self.now)
        if error is None:
            assert answer.error is None, (function, answer)
        else:
            assert answer.error in REASONS[error], (function, error, answer)
        self._compare()
        self.error = error
        return error

    def _compare(self) -> None:
        current = self.state.current
        (paused,) = self.ledger.ask([("pausedAt", [self.task_id])])
        assert paused.outputs == (self.state.paused_at,)
        if current is None:
            return
        task, found = self.ledger.ask([("taskState", [self.task_id]), ("round", [current.round_id])])
        model, rounds, latest, head, _ = task.outputs
        assert (model, rounds, head) == (self.state.model, self.state.rounds, self.state.head)
        assert latest == current.round_id
        (phase, mode, _, _, *clock, _, committed, _, segments, proposal) = found.outputs[0]
        assert (phase, mode) == (current.phase, current.task.mode)
        assert clock == [current.opened_at, *_get_ends(current), current.challenge_end]
        # The hash of a proposal covers the segments.
        is_proposed = current.proposal_hash != spec.ZERO_DIGEST
        is_counted = current.task.mode is not spec.CommitMode.ACCUMULATED or is_proposed
        assert committed == (current.committed if is_counted else min(len(current.members), 1))
        assert segments == (spec.ZERO_DIGEST if is_proposed else current.segments_hash)
        assert proposal == current.proposal_hash
        if current.phase not in spec.TERMINAL:
            (base,) = self.ledger.ask([("baseModelOf", [current.round_id])])
            assert base.outputs == (current.base_model,)


def _get_ends(current: spec.Round) -> tuple[int, int, int]:
    """Return the deadlines that the ledger tells: none once there is an outcome."""
    if current.phase not in (spec.Phase.OPEN, spec.Phase.PAUSED):
        return (0, 0, 0)
    return (current.commit_end, current.data_end, current.propose_end)


def _pack(exclusions: Exclusions) -> bytes:
    # In the order given: the contract must refuse what does not rise.
    return b"".join(spec.encode_exclusions([pair]) for pair in exclusions)


@cache
def get_account(participant: int) -> LocalAccount:
    """Return the signer of a participant; test account 0 owns them all."""
    return devnet.funded_account(participant)


def register(registry: Contract, participant: int) -> None:
    """Register the next participant: number 1 is the aggregator, all others are clients."""
    domain = spec.compute_domain_separator(spec.REGISTRY_NAME, devnet.CHAIN_ID, bytes.fromhex(registry.address[2:]))
    owner, signer, role, deadline = get_account(0), get_account(participant), 2 if participant == 1 else 1, 1 << 39
    digest = spec.compute_register_digest(
        domain_separator=domain,
        owner=bytes.fromhex(owner.address[2:]),
        signer=bytes.fromhex(signer.address[2:]),
        role=role,
        deadline=deadline,
    )
    signature = signing.sign_digest(signer, digest)
    arguments = (owner.address, signer.address, role, deadline, signature[:32], signature[32:])
    assert registry.send("register", *arguments, value=STAKE_WEI).error is None


def create_task(ledger: Contract, task: spec.Task) -> None:
    """Create a task from the specification's object, field by field."""
    fields = [getattr(task, name) for name in spec.Task.__slots__]
    words = ["0x" + v.hex() if isinstance(v, bytes) and len(v) == 20 else v for v in fields]
    assert ledger.send("createTask", tuple(words)).error is None


def get_domain(ledger: Contract) -> bytes:
    """Return the ledger's domain separator, which contract and specification must compute alike."""
    domain = spec.compute_domain_separator(spec.LEDGER_NAME, devnet.CHAIN_ID, bytes.fromhex(ledger.address[2:]))
    assert ledger.ask([("domainSeparator", [])])[0].outputs == (domain,)
    return domain
