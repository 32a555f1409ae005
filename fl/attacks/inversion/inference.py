"""Less than an image: was an example there, and what does a group's data look like?"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fl.attacks.inversion.gradients import GradientModel


def score_by_loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return how much each example looks like one that a model was trained on: minus its loss, float64 [b].

    A member is who exceeds a threshold. Args: images: float64 [b, ...]. labels: int64 [b].
    Yeom et al. 2018, arXiv:1709.01604, adversary 2.
    """
    with torch.no_grad():
        return -functional.cross_entropy(model.double()(images), labels, reduction="none")


def score_by_update(model: GradientModel, images: Tensor, targets: Tensor, observed: Tensor) -> Tensor:
    """Return how much each example looks like one behind an observed gradient: their cosine, float64 [b].

    The gradient of a member points along the sum that it is part of; in d dimensions those of others hardly do. No
    shadow models, and one observation is enough.

    Args: model: clips as the victim does. images: float64 [b, ...], candidates. targets: float64 [b, classes].
        observed: float64 [1, d].
    Li, Li and Ribeiro 2023 (effective passive membership inference attacks, ICLR).
    """
    own = model.compute(images, targets)
    return functional.cosine_similarity(own, observed, dim=1)


def score_class(model: GradientModel, observed: Tensor, label: int) -> Tensor:
    """Return how much a sum of gradients looks as if somebody had examples of a class: float64 [b].

    The gradient of the last bias is sum_j (p_c(x_j) - [y_j = c]): each example of the class takes almost 1 away, all
    others add a little. The observation is a property of the group, and secure aggregation is meant to give it away.

    Args: observed: float64 [b, d]. label: the class, from 0.
    Melis et al. 2019, arXiv:1805.04049 (property inference); the bias: Wainakh et al. 2022, arXiv:2105.09369.
    """
    return -model.split(observed)[-1][:, label]


def compute_auc(positive: Tensor, negative: Tensor) -> float:
    """Return the chance that a member scores above a non-member, ties half: 0.5 is blind, 1 is certain.

    Args: positive, negative: float64 [a] and [b], at least one each.
    """
    difference = positive[:, None] - negative[None]
    return float((difference > 0).double().mean() + 0.5 * (difference == 0).double().mean())
