"""A malicious server's model whose gradient is a list of its clients' images, through secure aggregation too."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from fl.attacks.inversion.analytic import divide
from ledger.errors import UsageError


def make_imprint(model: nn.Module, known: Tensor) -> nn.Module:
    """Return a two-layer perceptron of the same shape whose units are bins of the images' brightness.

    All m units measure h(x) = mean(x) and fire where h(x) exceeds c_i, the (i - 1/2)/m quantile of h over images that
    the server has itself: z_i = h(x) - c_i. The next layer sends the same derivative to each, so that units i and i + 1
    differ in their gradients by the images with c_i < h(x) <= c_(i+1) alone.

    Args: model: two linear layers around a ReLU, such as `fl.models.build_mlp`. known: float64 [n, ...].
    Raises: UsageError: the model is another.
    Fowl et al. 2022, arXiv:2110.13057 (Robbing the Fed), section 4.
    """
    made = copy.deepcopy(model)
    layers = [each for each in made.modules() if isinstance(each, nn.Linear)]
    if len(layers) != 2 or any(isinstance(each, nn.Conv2d) for each in made.modules()):
        raise UsageError("an imprint is made of a perceptron with one hidden layer")
    first, second = layers
    units, pixels = first.weight.shape
    levels = (torch.arange(units, dtype=torch.float64) + 0.5) / units
    cuts = known.flatten(1).double().mean(1).quantile(levels)
    with torch.no_grad():
        first.weight.fill_(1 / pixels)
        first.bias.copy_(-cuts)
        # Small and equal in all units: classes differ, so that there is a derivative; the logits hardly move.
        second.weight.copy_(torch.linspace(-0.1, 0.1, second.weight.shape[0])[:, None].expand_as(second.weight))
        second.bias.zero_()
    return made


def read_imprint(weight: Tensor, bias: Tensor, *, clients: int) -> Tensor:
    """Return what the bins of an imprint hold: candidates float64 [b, m or m + 1, in].

    x = (dL/dW_i - dL/dW_(i+1)) / (dL/db_i - dL/db_(i+1)); the last bin has no neighbour above. Of a single client,
    every unit below its brightness holds the image: their least-squares quotient comes first and averages noise.

    Args: weight: float64 [b, m, in], gradient of the first layer. bias: float64 [b, m]. clients: images in the sum.
    """
    above = [torch.cat([each[:, 1:], torch.zeros_like(each[:, :1])], dim=1) for each in (weight, bias)]
    bins = divide(weight - above[0], bias - above[1])[:, 1:]
    return torch.cat([divide(weight, bias)[:, :1], bins], dim=1) if clients == 1 else bins
