"""Smooth twins of the project's models, for attacks that differentiate a gradient once more."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from fl.models import build_cnn


def build_smooth_cnn(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """Return the project's cnn with tanh for ReLU and means for maxima: the same layers and parameters.

    DLG and iDLG ask for a model that can be differentiated twice, and their authors changed LeNet in this way: of ReLU
    and maxima, the derivative of the gradient is 0 or jumps, and L-BFGS stops early (it found 30 % of the images). With
    the authors' sigmoids the gradient hardly depends on the image, so that a thousandth of noise hides it: tanh is the
    harder test for a protection. All other attacks are run on the models as they are.

    Zhu et al. 2019, arXiv:1906.08935, section 4.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for name, layer in build_cnn(input_shape=input_shape, num_classes=num_classes).named_children():
        layers[name] = _soften(layer)
    return nn.Sequential(layers)


def _soften(layer: nn.Module) -> nn.Module:
    if isinstance(layer, nn.MaxPool2d):
        return nn.AvgPool2d(layer.kernel_size)
    return nn.Tanh() if isinstance(layer, nn.ReLU) else layer
