"""A client trains on the model that the ledger ended the last round with, and on no other.

Whoever hands out the model sees the updates too: a model with chosen weights makes an update a list of the client's
examples, through secure aggregation as well (Fowl et al. 2022, arXiv:2110.13057). The ledger names one model for every
round, and anybody can replay how it came about.
"""

from __future__ import annotations

from fl.federation.context import Context, RoundPlan
from fl.workload import Vector
from ledger import commitments
from ledger.errors import ForeignModel, NotFoundError


def verify_base(ctx: Context, plan: RoundPlan) -> None:
    """Return if the model that clients of a round were handed is the one that the chain opened the round with.

    That is the genesis model of the task, or the model of its last finalised round. All clients of this machine are
    handed the same bytes, so that one look is everybody's.

    Raises: ForeignModel: it is another, if only in one unit of one coordinate. NotFoundError: the chain has not opened
    such a round.
    """
    opened = ctx.chain.events(names=("RoundOpened",), round_id=plan.round_id)
    if not opened:
        raise NotFoundError(kind="round", name=plan.round_id, suggestion="")
    root, model_log2 = opened[0].args["base_model"], ctx.script.format.model_log2
    verify_model(plan.base, root=root, model_log2=model_log2, round_id=plan.round_id)


def verify_model(model_q: Vector, *, root: bytes, model_log2: int, round_id: int) -> None:
    """Return if a model has this root.

    Args: model_q: int32[d]. root: SHA-256 root on the chain. model_log2: coordinates of a leaf, as a power of two.
    Raises: ForeignModel: it has another.
    """
    if (got := commitments.compute_vector_root(model_q, model_log2)) != root:
        raise ForeignModel(round_id=round_id, got=got.hex(), want=root.hex())
