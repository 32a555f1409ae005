"""Minimise many functions at once, one a row: L-BFGS for smooth ones, signed Adam for models with kinks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

Objective = Callable[[Tensor], Tensor]
"""From points float64 [b, n] to values float64 [b]; a row's value depends on that row alone."""

_MEMORY = 10
"""Steps that L-BFGS remembers."""
_HALVINGS = 8
"""Step widths that a line search tries."""
_SHRINK, _ARMIJO = 0.4, 1e-4


def minimise_lbfgs(objective: Objective, start: Tensor, *, steps: int) -> tuple[Tensor, Tensor]:
    """Return the points and values after steps of L-BFGS with backtracking, every row with its own memory.

    Args: start: float64 [b, n]. steps: at least 1; a row that finds no better point stays where it is.
    Nocedal and Wright 2006, algorithm 7.4.
    """
    point = start
    value, slope = _evaluate(objective, point)
    memory: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=_MEMORY)
    for _ in range(steps):
        direction = -_apply_inverse(memory, slope)
        descent = (slope * direction).sum(1)
        is_up = ~(descent < 0)
        direction = torch.where(is_up[:, None], -slope, direction)
        descent = torch.where(is_up, -slope.square().sum(1), descent)
        if not bool((descent < 0).any()):
            break  # all rows are flat
        moved = _search(objective, point, value, slope, direction, descent)
        step, change = moved[0] - point, moved[2] - slope
        curvature = (step * change).sum(1)
        memory.append((step, change, torch.where(curvature > 1e-300, 1 / curvature.clamp(min=1e-300), 0.0)))
        point, value, slope = moved
    return point, value


def _evaluate(objective: Objective, point: Tensor) -> tuple[Tensor, Tensor]:
    point = point.detach().requires_grad_(True)
    with torch.enable_grad():
        value = objective(point)
        (slope,) = torch.autograd.grad(value.sum(), point)
    return value.detach(), slope


def _apply_inverse(memory: deque[tuple[Tensor, Tensor, Tensor]], slope: Tensor) -> Tensor:
    """Return the inverse Hessian that the memory knows, times the slope (two-loop recursion)."""
    if not memory:
        return slope / slope.abs().sum(1, keepdim=True).clamp(min=1e-300)
    weights = []
    for step, change, inverse in reversed(memory):
        weight = inverse * (step * slope).sum(1)
        slope = slope - weight[:, None] * change
        weights.append(weight)
    step, change, inverse = memory[-1]
    scale = (step * change).sum(1) / change.square().sum(1).clamp(min=1e-300)
    result = slope * torch.where(inverse > 0, scale, 1.0)[:, None]
    for (step, change, inverse), weight in zip(memory, reversed(weights), strict=True):
        result = result + step * (weight - inverse * (change * result).sum(1))[:, None]
    return result


def _search(
    objective: Objective, point: Tensor, value: Tensor, slope: Tensor, direction: Tensor, descent: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the first points on the line that are better by enough (Armijo), with value and slope."""
    best, width = (point, value, slope), torch.ones_like(value)
    waiting = torch.ones_like(value, dtype=torch.bool)
    for _ in range(_HALVINGS):
        tried = torch.where(waiting[:, None], point + width[:, None] * direction, best[0])
        new_value, new_slope = _evaluate(objective, tried)
        is_better = waiting & (new_value <= value + _ARMIJO * width * descent)
        best = (
            torch.where(is_better[:, None], tried, best[0]),
            torch.where(is_better, new_value, best[1]),
            torch.where(is_better[:, None], new_slope, best[2]),
        )
        waiting = waiting & ~is_better
        if float(waiting.double().mean()) <= 0.03:
            break  # the last few would make all others wait
        width = width * _SHRINK
    return best


def minimise_signed(objective: Objective, start: Tensor, *, steps: int, rate: float) -> tuple[Tensor, Tensor]:
    """Return the points in [0, 1] and values after steps of Adam on the signs of the slope.

    Args: start: float64 [b, n]. rate: first step width; a tenth of it after 3/8, 5/8 and 7/8 of the steps.
    Geiping et al. 2020, arXiv:2003.14053, section 5; their published code has the signs and this schedule.
    """
    point, mean, square = start, torch.zeros_like(start), torch.zeros_like(start)
    for done in range(steps):
        sign = _evaluate(objective, point)[1].sign()
        mean, square = 0.9 * mean + 0.1 * sign, 0.999 * square + 0.001 * sign.square()
        change = mean / (1 - 0.9 ** (done + 1)) / ((square / (1 - 0.999 ** (done + 1))).sqrt() + 1e-8)
        decay = sum(done >= steps * eighths / 8 for eighths in (3, 5, 7))
        point = (point - rate * 0.1**decay * change).clamp(0, 1)
    return point, _evaluate(objective, point)[0]
