"""The section `validation:` of a round script: which updates are rejected when they are compared with each other."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from ledger import spec
from ledger.script.sections import Section

_WHOLE = 100


def _verify_hundredths(value: float) -> float:
    if abs(value * _WHOLE - round(value * _WHOLE)) > 1e-9:
        raise ValueError(f"{value} has more than two digits after the point")
    return value


Cosine = Annotated[float, Field(ge=0.01, le=1), AfterValidator(_verify_hundredths)]
Share = Annotated[float, Field(ge=0.01, le=0.99), AfterValidator(_verify_hundredths)]
Multiple = Annotated[float, Field(ge=1.01, le=100), AfterValidator(_verify_hundredths)]


class ValidationSection(Section):
    """Limits of the tests (docs/protocol.md §12); null leaves a test out. Updates of zeros are always rejected."""

    stale: Cosine | None = 0.95
    """|cosine| with the last aggregate from which an update counts as that aggregate sent again."""
    duplicate: Cosine | None = 0.99
    """Cosine from which the update of the client with the higher number counts as a duplicate."""
    norm: Multiple | None = 3
    """Largest norm, in medians."""
    faint: Share | None = 0.2
    """Smallest norm, in medians."""
    distance: Multiple | None = 3
    """Largest median distance to the others, in medians of these distances."""

    @property
    def validation(self) -> spec.Validation:
        """The limits as the task's layout states them, in hundredths."""
        limits = {name: value for name, value in self.model_dump().items() if value is not None}
        return spec.Validation(**{name: round(value * _WHOLE) for name, value in limits.items()})

    @property
    def term(self) -> tuple[str, str]:
        """Name and text of the layout's term."""
        return "validation", str(self.validation)

    @property
    def label(self) -> str:
        """What is rejected, for people."""
        told = {
            "stale": f"|cosine| with the last aggregate of {self.stale} or more",
            "duplicate": f"cosine of {self.duplicate} or more with a client of lower number",
            "norm": f"norm above {self.norm} medians",
            "faint": f"norm below {self.faint} medians",
            "distance": f"median distance to the others above {self.distance} times the usual",
        }
        return "; ".join(["rejected: zeros", *(told[name] for name in self.validation.limits)])
