"""One cell of the bench: an attack on a model, a protection, and what came out."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ledger.errors import UsageError

CLIP_NORM = 1.0
"""C: what clients clip to where a protection says so; about half the median norm of one example's gradient."""
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_PROTECTION = re.compile(rf"(none|clip|sum\(([0-9]+)(?:x([0-9]+))?\))(?:\+noise\(({_NUMBER})\))?")

RECONSTRUCTIONS = ("analytic", "units", "imprint", "dlg", "idlg", "cosine", "joint", "blind")
"""Attacks that return images."""
INFERENCES = ("membership-loss", "membership-update", "class")
"""Attacks that return a guess; measured by AUC."""
MODELS = ("mlp", "cnn", "smooth-cnn")
"""Two models of `fl.models`, and the smooth twin of the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What stands between one example's gradient and the attacker."""

    clip_norm: float | None
    """L2 norm that each gradient is clipped to; None for no clipping."""
    noise: float
    """Standard deviation of Gaussian noise in shares of C, on what the attacker sees: an update or a sum."""
    clients: int
    """Updates in the sum that the attacker sees (secure aggregation); 1 is an update alone."""
    examples: int
    """Examples of each client."""

    @property
    def group(self) -> int:
        """Examples behind one observation."""
        return self.clients * self.examples


def parse_protection(text: str) -> Protection:
    """Return a protection: none, clip, sum(CLIENTS) or sum(CLIENTSxEXAMPLES), each but none with +noise(SHARE OF C).

    Raises: UsageError: it is none of these.
    """
    found = _PROTECTION.fullmatch(text)
    clients, examples, noise = (float(part or default) for part, default in zip(_parts(found), (1, 1, 0), strict=True))
    is_wrong = found is None or (found[1] == "none" and found[4]) or not clients * examples or not math.isfinite(noise)
    if is_wrong:
        raise UsageError(
            f"{text!r} is no protection: none, clip, clip+noise(0.03), sum(8), sum(8x4), sum(8)+noise(0.1)", got=text
        )
    # Noise hides what has a bound: whoever adds it clips first.
    clip_norm = CLIP_NORM if noise or text == "clip" else None
    return Protection(clip_norm=clip_norm, noise=noise, clients=int(clients), examples=int(examples))


def _parts(found: re.Match[str] | None) -> tuple[str | None, ...]:
    return (found[2], found[3], found[4]) if found else (None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all cells have in common."""

    dataset: str = "digits"
    """Whose training part the victims come from; the attacker has the test part."""
    images: int = 100
    """Victims at least: filled up to whole groups."""
    seed: int = 1
    """Of the models, the choice of victims, the noise and the attacks' starts."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cell:
    """One measurement.

    Raises: UsageError: there is no such attack, model or protection.
    """

    attack: str
    """One of RECONSTRUCTIONS or INFERENCES."""
    model: str
    """One of MODELS."""
    protection: str
    """As `parse_protection` takes it."""

    def __post_init__(self) -> None:
        if self.attack not in RECONSTRUCTIONS + INFERENCES or self.model not in MODELS:
            known = f"attacks: {', '.join(RECONSTRUCTIONS + INFERENCES)}; models: {', '.join(MODELS)}"
            raise UsageError(f"{self.attack}/{self.model} is no attack on a model here", hint=known)
        parse_protection(self.protection)

    def __str__(self) -> str:
        return f"{self.attack} on {self.model} against {self.protection}"

    @property
    def is_defined(self) -> bool:
        """Whether the attack says something here: searching jointly needs a sum, the loss of a model sees no update."""
        if self.attack == "membership-loss":
            return self.protection == "none"
        return self.attack != "joint" or parse_protection(self.protection).group > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came out of a cell; None where the attack has no such figure."""

    images: int
    """Victims."""
    recovered: float | None
    """Share of victims that came out below the threshold, 0 to 1."""
    mse: float | None
    """Of the nearest pair of victim and candidate in a group: median over groups."""
    psnr: float | None
    """The same in dB."""
    auc: float | None
    """Chance that a member scores above a non-member, 0.5 is blind."""
    seconds: float
    """CPU time of this process."""
    samples: tuple[str, ...]
    """Nearest candidates of the first victims: a byte a pixel, hexadecimal."""
