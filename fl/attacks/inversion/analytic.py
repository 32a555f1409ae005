"""The image in the gradient of a linear layer, by division."""

from __future__ import annotations

import torch
from torch import Tensor


def divide(weight: Tensor, bias: Tensor) -> Tensor:
    """Return candidates for the input of a first linear layer from its gradient: float64 [b, 1 + out, in].

    With z = W x + b, the chain rule gives dL/dW_i = dL/db_i · x for every unit i, so that x = (dL/dW_i) / (dL/db_i).
    The first candidate is the least-squares solution over all units, sum_i dL/db_i dL/dW_i / sum_i (dL/db_i)², which
    averages noise; then one for each unit, since in a sum over clients a unit that fired for one client alone gives
    that client's image. Clipping scales both sides: the quotient does not see it.

    Args: weight: float64 [b, out, in], dL/dW. bias: float64 [b, out], dL/db. A unit that did not fire gives zeros.
    Phong et al. 2018, doi:10.1109/TIFS.2017.2787987; Geiping et al. 2020, arXiv:2003.14053, proposition 3.1.
    """
    squares = bias.square().sum(1, keepdim=True)
    best = torch.einsum("bo,boi->bi", bias, weight) / squares.clamp(min=1e-300)
    fired = bias.abs() > 1e-12
    units = torch.where(fired[..., None], weight / torch.where(fired, bias, 1.0)[..., None], 0.0)
    return torch.cat([best[:, None], units], dim=1).clamp(0, 1)
