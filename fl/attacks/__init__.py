"""What dishonest clients do, as strategies: change the data, the update, or both."""

from __future__ import annotations

import difflib

from fl.attacks import collusion, data_poisoning, free_riding, update_poisoning
from fl.attacks.attack import Attack, Cohort, Deltas
from fl.attacks.data_poisoning import LabelFlip
from fl.attacks.update_poisoning import NonFiniteAttack, SignFlip
from ledger.errors import NotFoundError, UsageError

_CLASSES: tuple[type[Attack], ...] = (
    collusion.Adaptive,
    collusion.Clones,
    collusion.HiddenBackdoor,
    collusion.InnerProduct,
    collusion.LittleIsEnough,
    collusion.Mimic,
    collusion.MinMax,
    collusion.MinSum,
    data_poisoning.Backdoor,
    data_poisoning.LabelFlip,
    data_poisoning.RandomLabels,
    data_poisoning.SemanticBackdoor,
    data_poisoning.TargetedFlip,
    free_riding.ReplayGlobal,
    free_riding.SendNoise,
    free_riding.SendZero,
    update_poisoning.Gaussian,
    update_poisoning.NonFiniteAttack,
    update_poisoning.Scaling,
    update_poisoning.SignFlip,
)
_ATTACKS: dict[str, type[Attack]] = {cls.name: cls for cls in _CLASSES}

ATTACKS = tuple(sorted(_ATTACKS))
"""Every name that `get_attack` knows."""


def get_attack(name: str, **parameters: float | str) -> Attack:
    """Return the attack of that name.

    Args:
        name: one of ATTACKS, such as `sign-flip`.
        parameters: fields of the attack's class, such as `factor=10.0` for `sign-flip`.

    Raises:
        NotFoundError: there is no such attack.
        UsageError: the attack has no such parameter, or the value is out of its range.
    """
    if name not in _ATTACKS:
        near = difflib.get_close_matches(name, ATTACKS, n=1)
        suggestion = f"; did you mean {near[0]}?" if near else ""
        raise NotFoundError(
            kind="attack", name=name, suggestion=suggestion, hint=f"known attacks: {', '.join(ATTACKS)}"
        )
    try:
        return _ATTACKS[name](**parameters)
    except TypeError as error:
        raise UsageError(f"attack {name} has no such parameter: {', '.join(parameters)}") from error


__all__ = ["ATTACKS", "Attack", "Cohort", "Deltas", "LabelFlip", "NonFiniteAttack", "SignFlip", "get_attack"]
