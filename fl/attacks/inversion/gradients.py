"""Gradients of single examples, for many examples at once, and their derivatives by the example.

The gradient of a layer's weight is a product of what went into the layer and of the loss' derivative by what came out
(Goodfellow 2015, arXiv:1510.01799). Both come from one pass for all examples, and products with another gradient need
no gradient written out: that makes the attacks fast. Float64 throughout, so that what an attack cannot recover is the
protection's doing.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ledger.errors import UsageError


@dataclass(frozen=True, slots=True)
class _Factors:
    """Weight gradient = outer @ inner.T, bias gradient = outer.sum(-1)."""

    outer: Tensor
    """float64 [b, out, positions]: derivative of the loss by the layer's output."""
    inner: Tensor
    """float64 [b, in, positions]: input of the layer, patches of a convolution."""


class GradientModel:
    """A model of linear layers and convolutions, seen through the gradient of its cross-entropy.

    Raises: UsageError: the model has parameters in layers of another kind.
    """

    def __init__(self, model: nn.Module, *, clip_norm: float | None = None) -> None:
        """Copy a model in float64.

        Args: clip_norm: L2 norm that every example's gradient is clipped to, as an attacker who knows of it does too.
        """
        self.model = copy.deepcopy(model).double().eval().requires_grad_(False)
        self.clip_norm = clip_norm
        self.layers = [m for m in self.model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        known = sum(p.numel() for layer in self.layers for p in layer.parameters())
        if known != sum(p.numel() for p in self.model.parameters()):
            raise UsageError("gradients are worked out for linear layers and convolutions alone")

    def compute(self, images: Tensor, targets: Tensor, *, group: int = 1) -> Tensor:
        """Return the gradient of each image, or its sum over groups of `group` images in a row: float64 [b/group, d].

        Args: images: float64 [b, ...]. targets: float64 [b, classes], shares of 1.
        Order of the d coordinates: weight, then bias, layer by layer, as in the model's state_dict.
        """
        images = images.detach().requires_grad_(True)
        with torch.enable_grad():
            factors = self._factorise(images, targets, create_graph=False)
        return torch.cat([piece.flatten(1) for pair in _multiply(factors, group) for piece in pair], dim=1).detach()

    def match(
        self, images: Tensor, targets: Tensor, observed: Sequence[Tensor], *, group: int = 1
    ) -> tuple[Tensor, ...]:
        """Return <g, o> and <g, g> for the gradients g of images and what was observed: float64 [b/group] each.

        They can be differentiated by images and targets. Args: observed: as `split` gives it.
        """
        factors = self._factorise(images, targets, create_graph=True)
        product, square = images.new_zeros(()), images.new_zeros(())
        for each, (weight, bias) in zip(factors, zip(observed[::2], observed[1::2], strict=True), strict=True):
            if group == 1 and each.outer.shape[2] == 1:
                product = (
                    product + ((weight @ each.inner) * each.outer).sum((1, 2)) + (each.outer[..., 0] * bias).sum(1)
                )
                square = square + each.outer.square().sum((1, 2)) * (1 + each.inner.square().sum((1, 2)))
                continue
            ((own, own_bias),) = _multiply([each], group)
            product = product + (own * weight).sum((1, 2)) + (own_bias * bias).sum(1)
            square = square + own.square().sum((1, 2)) + own_bias.square().sum(1)
        return product, square

    def split(self, flat: Tensor) -> list[Tensor]:
        """Return a gradient [b, d] as weight [b, out, in] and bias [b, out] of every layer in turn."""
        pieces, start = [], 0
        for layer in self.layers:
            out, size = layer.weight.shape[0], layer.weight.numel()
            pieces += [
                flat[:, start : start + size].reshape(len(flat), out, -1),
                flat[:, start + size : start + size + out],
            ]
            start += size + out
        return pieces

    def _factorise(self, images: Tensor, targets: Tensor, *, create_graph: bool) -> list[_Factors]:
        """Return the factors of every layer; clipping scales the outer ones."""
        inputs: list[Tensor] = []
        outputs: list[Tensor] = []

        def keep(_: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            inputs.append(args[0])
            outputs.append(output)

        hooks = [layer.register_forward_hook(keep) for layer in self.layers]
        try:
            logits = self.model(images)
        finally:
            for hook in hooks:
                hook.remove()
        loss = -(torch.log_softmax(logits, dim=1) * targets).sum()
        slopes = torch.autograd.grad(loss, outputs, create_graph=create_graph)
        factors = [_make_factors(*each) for each in zip(self.layers, inputs, slopes, strict=True)]
        if self.clip_norm is None:
            return factors
        norms = sum(_square(each) for each in factors).sqrt()  # type: ignore[union-attr]  # there is a layer
        scale = (self.clip_norm / norms).clamp(max=1)[:, None, None]
        return [_Factors(each.outer * scale, each.inner) for each in factors]


def _make_factors(layer: nn.Module, given: Tensor, slope: Tensor) -> _Factors:
    if isinstance(layer, nn.Conv2d):
        patches = functional.unfold(given, layer.kernel_size, padding=layer.padding, stride=layer.stride)  # type: ignore[arg-type]  # paddings given as text are not used
        return _Factors(slope.flatten(2), patches)
    return _Factors(slope[..., None], given[..., None])


def _square(each: _Factors) -> Tensor:
    if each.outer.shape[2] == 1:
        return each.outer.square().sum((1, 2)) * (1 + each.inner.square().sum((1, 2)))
    weight, bias = each.outer @ each.inner.transpose(1, 2), each.outer.sum(2)
    return weight.square().sum((1, 2)) + bias.square().sum(1)


def _multiply(factors: Sequence[_Factors], group: int) -> list[tuple[Tensor, Tensor]]:
    """Return weight and bias gradients, summed over groups: a group's images are more positions of one product."""
    pairs = []
    for each in factors:
        outer, inner = _merge(each.outer, group), _merge(each.inner, group)
        pairs.append((outer @ inner.transpose(1, 2), outer.sum(2)))
    return pairs


def _merge(factor: Tensor, group: int) -> Tensor:
    """Return factors [b, n, positions] as [b/group, n, group * positions]."""
    return factor.reshape(-1, group, *factor.shape[1:]).transpose(1, 2).flatten(2)
