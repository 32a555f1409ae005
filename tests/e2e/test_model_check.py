"""A server that hands out another model gets no updates: neither in the first round nor in a later one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fl.attacks.inversion.imprint import make_imprint
from fl.federation import Federation, clients
from fl.federation.context import Roster, RoundPlan
from fl.layout import flatten
from fl.workload import Vector
from ledger.errors import ForeignModel
from ledger.project import Project

pytestmark = [pytest.mark.chain]
ScriptWriter = Callable[..., Path]


def offer(federation: Federation, roster: Roster, plan: RoundPlan, model_q: Vector) -> None:
    """Let a server hand out a model; fail if clients take it, or if one of them does anything before it looks."""
    with pytest.raises(ForeignModel):
        clients.prepare_all(federation.ctx, roster, replace(plan, base=model_q))
    notes = federation.journal.notes(federation.ctx.key(*plan.key("client")))
    assert not notes, "a client trained on a model that is not the ledger's"


def test_clients_train_on_the_model_of_the_ledger_alone(project: Project, write_script: ScriptWriter) -> None:
    federation = Federation.start(project, write_script(model={"entry": "mlp"}, run={"rounds": 2}))
    roster, task_id, genesis, cid = federation._set_up()
    workload, model, model_cid = federation.ctx.workload, genesis, cid
    for number in (1, 2):
        plan = federation._open(roster, task_id, number, 1, model, model_cid)
        for coordinate in (0, workload.layout.size - 1):
            for unit in (-1, 1):
                changed = model.copy()
                changed[coordinate] += unit
                offer(federation, roster, plan, changed)
        crooked = make_imprint(workload.model, torch.tensor(workload.dataset.x_test)).state_dict()
        scale = 1 << federation.script.format.scale_bits
        offer(federation, roster, plan, np.rint(flatten(crooked, workload.layout) * scale).astype(np.int32))
        if number == 2:
            offer(federation, roster, plan, genesis)  # the right model of another round
        found, model, model_cid = federation._run_round(roster, task_id, number, model, model_cid)
        assert len(found[0].refused) == 0
        assert not np.array_equal(model, genesis)
