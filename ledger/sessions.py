"""Fraud proofs of several transactions, for rounds whose updates do not fit one (docs/protocol.md §8.7).

The matrix makes these rare: a column proof of a thousand clients is one small transaction. A session is for a round
whose aggregator withholds its matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ledger import spec
from ledger.commitments import Int32Array, compute_vector_root
from ledger.disputes import Claim, Proof, Update, compute_hints, encode_opening, encode_update_opening

Item = TypeVar("Item")

COURT = "session_court"
"""Key of SessionCourt among the contracts."""
BLOCK = 64
"""Clients of a block: one transaction shows one block."""
MAX_DIRECT_BYTES = 400_000
"""Longest direct proof that one transaction carries: at 40 gas a byte (EIP-7623) below the cap of 2^24 (EIP-7825)."""


def prove_in_session(
    claim: Claim, task: spec.Task, coordinate: int, *, updates: Sequence[Update], aggregate: Int32Array, domain: bytes
) -> tuple[Proof, ...]:
    """Return the transactions, in order, that prove a wrong coordinate from every included client's own update.

    The last one's hash is what a ticket names.

    Args: updates: of all included clients, in rising id. aggregate: int32[d]. domain: the ledger's domain separator.
    """
    about = claim.arguments()
    hints = compute_hints(task.rule_params(), [int(update.values[coordinate]) for update in updates])
    roots = compute_block_roots(claim.round_id, task, updates, domain)
    opened = Proof(function="open", arguments=(*about, coordinate, *hints), court=COURT)
    shown = [
        Proof(function="show", arguments=(*about, number, packed), court=COURT)
        for number, packed in enumerate(encode_blocks(task, coordinate, updates, roots))
    ]
    closing = encode_opening(aggregate, task.model_log2, coordinate)
    return opened, *shown, Proof(function="close", arguments=(*about, closing), court=COURT)


def encode_blocks(task: spec.Task, coordinate: int, updates: Sequence[Update], roots: Sequence[bytes]) -> list[bytes]:
    """Return what shows each block: its clients' update openings, and the block's path in the member list.

    Args: roots: `compute_block_roots`.
    """
    return [
        b"".join(encode_update_opening(update, task.leaf_log2, coordinate) for update in take_block(updates, number))
        + b"".join(spec.compute_inclusion_proof(roots, number))
        for number in range(len(roots))
    ]


def compute_block_roots(round_id: int, task: spec.Task, updates: Sequence[Update], domain: bytes) -> list[bytes]:
    """Return the roots of the member list's parts of 64 clients: together they are one of its levels."""
    leaves = [spec.hash_leaf(spec.encode_members([_to_member(round_id, task, update, domain)])) for update in updates]
    return [spec.compute_root(take_block(leaves, number)) for number in range((len(leaves) + BLOCK - 1) // BLOCK)]


def _to_member(round_id: int, task: spec.Task, update: Update, domain: bytes) -> spec.Member:
    root = compute_vector_root(update.values, task.leaf_log2)
    commitment = spec.compute_commitment(
        domain_separator=domain,
        round_id=round_id,
        client=update.client,
        num_examples=update.num_examples,
        root=root,
    )
    return spec.Member(client=update.client, commitment=commitment)


def take_block(items: Sequence[Item], number: int) -> Sequence[Item]:
    """Return the items of a block's clients, out of one for each included client."""
    return items[BLOCK * number : BLOCK * (number + 1)]
