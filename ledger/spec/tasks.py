"""Immutable parameters of a task, and their ranges (docs/protocol.md §6.1)."""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields

from ledger.spec.errors import InvalidTask
from ledger.spec.keccak import keccak256
from ledger.spec.numbers import MAX_BOUND, MAX_EXAMPLES_CAP, MAX_SCALE_BITS
from ledger.spec.rules import Rule, RuleParams, compute_min_updates

ZERO_DIGEST = bytes(32)
NO_BOARD = bytes(20)
MAX_CLIENTS = 10_000
"""Most clients of a round: its manifest, 147 bytes and 103 a client, is one block of at most 1 MiB (§3.3)."""
MAX_PEERS = 1000
"""Most peers that a client masks its update with: its seed table travels with a proof, 36 bytes a peer."""
MAX_KRUM_CLIENTS = 50
"""Distances of all pairs travel with a proposal, 12 bytes each (§5.8)."""


class CommitMode(enum.IntEnum):
    """How a task's clients commit: the mode's number on chain."""

    VERIFIED = 0
    """Batches whose every signature the ledger checks, and clients that commit by themselves."""
    ACCUMULATED = 1
    """Clients that commit by themselves; the ledger keeps a hash and does not count them."""
    ROOT_ONLY = 2
    """One root over a list of signed commitments that lies off chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Immutable parameters of a task, in the contract's order and units."""

    rule: Rule
    """Aggregation rule."""
    rule_param: int
    """Trim per side, f, or the fewest updates of a composed rule; 0 for other rules. uint16."""
    rule_select: int
    """Updates that Multi-Krum averages; 0 for other rules. uint16."""
    size: int
    """Coordinates (d)."""
    scale_bits: int
    """Fractional bits, 0 to 30."""
    leaf_log2: int
    """Coordinates per leaf of an update, log2, 3 to 12."""
    matrix_log2: int
    """Coordinates per matrix leaf, log2, 0 to 8."""
    model_log2: int
    """Coordinates per leaf of an aggregate or a model, log2, 3 to 12."""
    bound: int
    """Largest |coordinate|, 1 to 2**23 - 1."""
    examples_cap: int
    """Largest weight, 1 to 2**20 - 1."""
    mode: CommitMode
    """How clients commit."""
    wei_per_weight: int
    """Stake that a unit of weight needs, 0 to 2**80 - 1; 0: the stake does not limit the weight."""
    commit_seconds: int
    """Length of the commit phase."""
    data_seconds: int
    """Length of the data phase."""
    propose_seconds: int
    """Time for a proposal after the data phase."""
    challenge_seconds: int
    """Time for challenges after a proposal."""
    max_clients: int
    """Most commitments in a round, 1 to MAX_CLIENTS."""
    quorum: int
    """Fewest included updates that make a round."""
    bond_wei: int
    """Bond that the aggregator's stake holds while it runs rounds of the task."""
    board: bytes
    """Address of the availability board; zeros for none."""
    genesis_model: bytes
    """Root of the model that the first round starts from."""
    layout_digest: bytes
    """SHA-256 of the document with the names of the coordinates and the stages of a composed rule."""
    script_digest: bytes
    """SHA-256 of the round script."""

    @property
    def degree(self) -> int:
        """Most peers of a client of a masked task (§11); 0 where updates are not masked."""
        return self.rule_param if self.rule is Rule.SUM32 else 0

    def rule_params(self) -> RuleParams:
        """Return what `aggregate` needs."""
        return RuleParams(
            rule=self.rule,
            parameter=self.rule_param,
            select=self.rule_select,
            bound=self.bound,
            examples_cap=self.examples_cap,
            wei_per_weight=self.wei_per_weight,
        )


_RANGES = {
    "size": (1, (1 << 32) - 1),
    "scale_bits": (0, MAX_SCALE_BITS),
    "leaf_log2": (3, 12),
    "matrix_log2": (0, 8),
    "model_log2": (3, 12),
    "bound": (1, MAX_BOUND),
    "examples_cap": (1, MAX_EXAMPLES_CAP),
    "wei_per_weight": (0, (1 << 80) - 1),
    "max_clients": (1, MAX_CLIENTS),
    "quorum": (1, MAX_CLIENTS),
    "commit_seconds": (1, (1 << 32) - 1),
    "data_seconds": (0, (1 << 32) - 1),
    "propose_seconds": (1, (1 << 32) - 1),
    "challenge_seconds": (1, (1 << 32) - 1),
    "bond_wei": (0, (1 << 96) - 1),
    "rule_param": (0, (1 << 16) - 1),
    "rule_select": (0, (1 << 16) - 1),
}


def verify_task(task: Task, *, unbond_seconds: int, max_pause_seconds: int = 0) -> None:
    """Return if every parameter is in its range (§6.1): what RoundLedger.createTask checks.

    Args: unbond_seconds: of the registry. max_pause_seconds: of the ledger.
    Raises: InvalidTask: names the field.
    """
    for field, (low, high) in _RANGES.items():
        if not low <= getattr(task, field) <= high:
            raise InvalidTask(field=field, got=getattr(task, field), want=f"{low} to {high}")
    if task.quorum > task.max_clients:
        raise InvalidTask(field="quorum", got=task.quorum, want=f"1 to {task.max_clients}")
    _verify_rule(task)
    for field in ("genesis_model", "layout_digest"):
        if getattr(task, field) == ZERO_DIGEST:
            raise InvalidTask(field=field, got="zero", want="a digest")
    # A stake that leaves must outlast every round that it could have taken part in, however it was delayed.
    windows = task.commit_seconds + task.data_seconds + task.propose_seconds + task.challenge_seconds
    if windows + max_pause_seconds > unbond_seconds:
        want = f"all windows within {unbond_seconds - max_pause_seconds} s"
        raise InvalidTask(field="challenge_seconds", got=windows, want=want)


def _verify_rule(task: Task) -> None:
    highest = _find_highest_param(task)
    if task.rule_param > highest:
        raise InvalidTask(field="rule_param", got=task.rule_param, want=f"0 to {highest} for this rule")
    if (task.rule_select != 0) != (task.rule is Rule.MULTI_KRUM):
        raise InvalidTask(field="rule_select", got=task.rule_select, want="1 and up for Multi-Krum, else 0")
    if task.wei_per_weight and task.rule is not Rule.WEIGHTED_MEAN:
        raise InvalidTask(field="wei_per_weight", got=task.wei_per_weight, want="0 for this rule")
    want = compute_min_updates(task.rule, task.rule_param, task.rule_select)
    if task.rule is Rule.COMPOSED and not want:
        raise InvalidTask(field="quorum", got=task.quorum, want="a composed rule with its fewest updates in rule_param")
    if task.quorum < want:
        raise InvalidTask(field="quorum", got=task.quorum, want=f"{want} and up for this rule")
    if task.rule in (Rule.KRUM, Rule.MULTI_KRUM) and task.max_clients > MAX_KRUM_CLIENTS:
        raise InvalidTask(field="max_clients", got=task.max_clients, want=f"1 to {MAX_KRUM_CLIENTS} for this rule")


def _find_highest_param(task: Task) -> int:
    """Return the largest parameter that the rule may have, as far as the quorum does not say."""
    if task.rule in (Rule.TRIMMED_MEAN, Rule.KRUM, Rule.MULTI_KRUM, Rule.COMPOSED):
        return (1 << 16) - 1
    return min(task.max_clients - 1, MAX_PEERS) if task.rule is Rule.SUM32 else 0


def encode_task(task: Task) -> bytes:
    """Return abi.encode of the task: one 32-byte word a field."""
    words = []
    for field in fields(Task):
        value = getattr(task, field.name)
        words.append(value.rjust(32, b"\x00") if isinstance(value, bytes) else int(value).to_bytes(32, "big"))
    return b"".join(words)


def compute_task_hash(task: Task) -> bytes:
    """Return keccak256 of the encoded task: paramsHash of the event TaskCreated."""
    return keccak256(encode_task(task))
