"""Reconstruction by optimisation: find images whose gradient is the one observed.

All start from noise. Images that were not found get another start, and the start of least loss is kept. Every attacker
knows that pixels are from 0 to 1: the signed optimiser stays inside, for L-BFGS on one image the squared distance from
there is added to the loss. Without that, noise drives it far out, to where a model is nearly flat.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from fl.attacks.inversion.gradients import GradientModel
from fl.attacks.inversion.minimising import Objective, minimise_lbfgs, minimise_signed

_SOLVED = 1e-6
"""Loss below which an image is found."""
_RATE = 0.1
"""First step of the signed optimiser, in pixel values."""


def reconstruct_dlg(
    model: GradientModel, observed: Tensor, shape: torch.Size, *, steps: int, starts: int, seed: int
) -> Tensor:
    """Return images [b, 1, pixels] by Deep Leakage from Gradients: image and label together.

    min over x, y of ||g(x, softmax(y)) - g*||² / ||g*||², by L-BFGS. The model clips as the victim does.

    Args: observed: float64 [b, d]. shape: of one image. steps: of the optimiser. starts: from 1. seed: of the starts.
    Zhu et al. 2019, arXiv:1906.08935, algorithm 1.
    """
    classes, pixels = model.layers[-1].weight.shape[0], shape.numel()

    def objective(rows: Tensor, point: Tensor) -> Tensor:
        images, targets = point[:, :pixels].reshape(-1, *shape), point[:, pixels:].softmax(1)
        return _distance(model, images, targets, observed[rows])

    def draw(generator: torch.Generator) -> Tensor:
        logits = 0.1 * torch.randn(len(observed), classes, generator=generator, dtype=torch.float64)
        return torch.cat([_draw(len(observed), pixels, generator), logits], dim=1)

    point = _try_starts(draw, objective, partial(minimise_lbfgs, steps=steps), starts=starts, seed=seed)
    return point[:, None, :pixels].clamp(0, 1)


def reconstruct_idlg(
    model: GradientModel, observed: Tensor, shape: torch.Size, *, steps: int, starts: int, seed: int
) -> Tensor:
    """Return images [b, 1, pixels] by iDLG: the label is read off first.

    For one example, the cross-entropy's derivative by a logit is negative for the true class alone, and so is the
    gradient of the last bias: y = argmin_c dL/db_c. Then min over x of ||g(x, y) - g*||² / ||g*||², by L-BFGS.

    Args: as `reconstruct_dlg`.
    Zhao et al. 2020, arXiv:2001.02610, equations 3 and 5.
    """
    targets = guess_labels(model, observed)

    def objective(rows: Tensor, point: Tensor) -> Tensor:
        return _distance(model, point.reshape(-1, *shape), targets[rows], observed[rows])

    draw = partial(_draw, len(observed), shape.numel())
    point = _try_starts(draw, objective, partial(minimise_lbfgs, steps=steps), starts=starts, seed=seed)
    return point[:, None].clamp(0, 1)


def reconstruct_cosine(
    model: GradientModel, observed: Tensor, shape: torch.Size, *, steps: int, starts: int, seed: int
) -> Tensor:
    """Return images [b, 1, pixels] by Inverting Gradients: the direction of the gradient alone.

    min over x in [0, 1] of 1 - <g(x, y), g*> / (||g(x, y)|| ||g*||), by Adam on signs; clipping does not turn a
    gradient. Without the total variation of the paper: 8 x 8 pixels are no smooth pictures.

    Args: as `reconstruct_dlg`.
    Geiping et al. 2020, arXiv:2003.14053, equation 4.
    """
    targets = guess_labels(model, observed)

    def objective(rows: Tensor, point: Tensor) -> Tensor:
        return _angle(model, point.reshape(-1, *shape), targets[rows], observed[rows])

    draw = partial(_draw, len(observed), shape.numel())
    solve = partial(minimise_signed, steps=steps, rate=_RATE)
    return _try_starts(draw, objective, solve, starts=starts, seed=seed)[:, None]


def reconstruct_jointly(
    model: GradientModel,
    observed: Tensor,
    shape: torch.Size,
    *,
    targets: Tensor,
    group: int,
    steps: int,
    starts: int,
    seed: int,
) -> Tensor:
    """Return all images [b, group, pixels] behind sums of `group` gradients, searched for together.

    min over x_1..x_k of ||sum_j g(x_j, y_j) - g*||² / ||g*||², by L-BFGS: DLG's attack on batches. A sum hides who sent
    what, yet d equations may still determine k images: this is what secure aggregation alone does not stop.

    Args: as `reconstruct_dlg`. targets: float64 [b * group, classes]: this attacker is told the labels; the bias
    gradient of the last layer gives away how often each occurs.
    Zhu et al. 2019, arXiv:1906.08935, section 3.3; labels: Yin et al. 2021, arXiv:2104.07586.
    """
    grouped = targets.reshape(len(observed), group, -1)

    def objective(rows: Tensor, point: Tensor) -> Tensor:
        images = point.reshape(-1, *shape)
        return _distance(model, images, grouped[rows].flatten(0, 1), observed[rows], group=group)

    draw = partial(_draw, len(observed), group * shape.numel())
    point = _try_starts(draw, objective, partial(minimise_lbfgs, steps=steps), starts=starts, seed=seed)
    return point.reshape(len(observed), group, -1).clamp(0, 1)


def guess_labels(model: GradientModel, observed: Tensor) -> Tensor:
    """Return the label of each single example by the sign of the last bias' gradient: float64 [b, classes]."""
    bias = model.split(observed)[-1]
    return functional.one_hot(bias.argmin(1), bias.shape[1]).double()


def _draw(count: int, size: int, generator: torch.Generator) -> Tensor:
    return torch.rand(count, size, generator=generator, dtype=torch.float64)


def _try_starts(
    draw: Callable[[torch.Generator], Tensor],
    objective: Callable[[Tensor, Tensor], Tensor],
    solve: Callable[[Objective, Tensor], tuple[Tensor, Tensor]],
    *,
    starts: int,
    seed: int,
) -> Tensor:
    """Return the best point of every row; rows that are solved take no further start.

    Args: objective: of row numbers and their points.
    """
    generator = torch.Generator().manual_seed(seed)
    best = draw(generator)
    least = torch.full((len(best),), torch.inf, dtype=torch.float64)
    for attempt in range(starts):
        rows = (least > _SOLVED).nonzero()[:, 0]
        if not len(rows):
            break
        start = best if attempt == 0 else draw(generator)
        found, loss = solve(partial(objective, rows), start[rows])
        is_better = loss < least[rows]
        best[rows[is_better]], least[rows[is_better]] = found[is_better], loss[is_better]
    return best


def _distance(model: GradientModel, images: Tensor, targets: Tensor, observed: Tensor, *, group: int = 1) -> Tensor:
    product, square = model.match(images, targets, model.split(observed), group=group)
    length = observed.square().sum(1).clamp(min=1e-300)
    distance = (square - 2 * product + length) / length
    if group > 1:
        return distance  # of many images, the way leads through values outside: kept in, fewer are found
    return distance + (images - images.clamp(0, 1)).square().reshape(len(observed), -1).sum(1)


def _angle(model: GradientModel, images: Tensor, targets: Tensor, observed: Tensor) -> Tensor:
    product, square = model.match(images, targets, model.split(observed))
    lengths = (square.clamp(min=1e-300) * observed.square().sum(1).clamp(min=1e-300)).sqrt()
    return 1 - product / lengths
