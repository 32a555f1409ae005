"""Attacks on the client's own data; the update is then computed honestly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fl.attacks.attack import Attack, make_generator
from fl.attacks.triggers import stamp
from ledger.errors import UsageError

Inputs = NDArray[np.float32]
Labels = NDArray[np.int64]


def _verify_share(share: float) -> None:
    if not 0 < share <= 1:
        raise UsageError(f"share is {share}, allowed are numbers above 0, up to 1", field="share")


def _verify_class(label: int, num_classes: int) -> None:
    if not 0 <= label < num_classes:
        raise UsageError(f"class {label} is none of 0 to {num_classes - 1}", field="class")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFlip(Attack):
    """Train on the opposite labels: y' = num_classes - 1 - y.

    Tolpegin et al. 2020, arXiv:2007.08432; this mirror of all classes as in Karimireddy et al. 2022,
    arXiv:2006.09365.
    """

    name: ClassVar[str] = "label-flip"

    def poison_data(self, x: Inputs, y: Labels, num_classes: int) -> tuple[Inputs, Labels]:
        """Return the inputs with mirrored labels."""
        return x, num_classes - 1 - y


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomLabels(Attack):
    """Train on labels drawn at random: y' uniform over the classes, for a share of the examples.

    Zhang et al. 2017, arXiv:1611.03530, as an attack.

    Raises:
        UsageError: the share is no number above 0, up to 1.
    """

    name: ClassVar[str] = "random-labels"

    share: float = 1.0
    """Share of the examples that get another label."""

    def __post_init__(self) -> None:
        _verify_share(self.share)

    def poison_data(self, x: Inputs, y: Labels, num_classes: int) -> tuple[Inputs, Labels]:
        """Return the inputs with labels of which a share is drawn anew."""
        draw = make_generator(x, y)
        drawn = draw.integers(0, num_classes, len(y))
        return x, np.where(draw.random(len(y)) < self.share, drawn, y)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetedFlip(Attack):
    """Call one class another: y' = target where y = source.

    Tolpegin et al. 2020, arXiv:2007.08432.

    Raises:
        UsageError: source or target is no class.
    """

    name: ClassVar[str] = "targeted-flip"

    source: int = 1
    """Class that is relabelled."""
    target: int = 7
    """What it is called."""

    def poison_data(self, x: Inputs, y: Labels, num_classes: int) -> tuple[Inputs, Labels]:
        """Return the inputs with one class under another's name."""
        _verify_class(self.source, num_classes)
        _verify_class(self.target, num_classes)
        return x, np.where(y == self.source, self.target, y)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdoor(Attack):
    """Add copies with a trigger in a corner, all labelled as the target: a share of the examples.

    Gu et al. 2017 (BadNets), arXiv:1708.06733. With `parts` above 1 each client stamps one part of the trigger only,
    and the test stamps all of it: Xie et al. 2020 (DBA), ICLR.

    Raises:
        UsageError: the share is out of its range, the target is no class, or there is no such part.
    """

    name: ClassVar[str] = "backdoor"

    target: int = 0
    """Class that the trigger is to call up."""
    share: float = 0.5
    """Triggered copies for every true example."""
    part: int = 0
    """Which part of the trigger this client stamps, from 0."""
    parts: int = 1
    """Into how many the trigger is divided."""

    def __post_init__(self) -> None:
        _verify_share(self.share)
        if not 0 <= self.part < self.parts:
            raise UsageError(f"part {self.part} is none of 0 to {self.parts - 1}", field="part")

    def poison_data(self, x: Inputs, y: Labels, num_classes: int) -> tuple[Inputs, Labels]:
        """Return the examples and their triggered copies."""
        _verify_class(self.target, num_classes)
        count = max(1, round(self.share * len(y)))
        chosen = make_generator(x, y).permutation(len(y))[:count]
        triggered = stamp(x[chosen], part=self.part, parts=self.parts)
        return np.concatenate([x, triggered]), np.concatenate([y, np.full(count, self.target, dtype=y.dtype)])


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticBackdoor(Attack):
    """Call the brightest examples of one class the target, without any trigger: what is rare and real opens the door.

    Bagdasaryan et al. 2020, arXiv:1807.00459; the edge of a class as in Wang et al. 2020, arXiv:2007.05084.

    Raises:
        UsageError: source or target is no class.
    """

    name: ClassVar[str] = "semantic-backdoor"

    source: int = 7
    """Class whose brightest examples are relabelled."""
    target: int = 1
    """What they are called."""

    def poison_data(self, x: Inputs, y: Labels, num_classes: int) -> tuple[Inputs, Labels]:
        """Return the inputs, the brightest third of the source under the target's name."""
        _verify_class(self.source, num_classes)
        _verify_class(self.target, num_classes)
        mine = y == self.source
        if not mine.any():
            return x, y
        brightness = x.reshape(len(x), -1).sum(axis=1)
        return x, np.where(mine & (brightness >= np.quantile(brightness[mine], 2 / 3)), self.target, y)
