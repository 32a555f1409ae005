"""Whether the code on a chain is that of an artifact, but for the values that deployment filled in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.artifacts import Artifact

WORD_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Code on the chain beside code from sources."""

    difference: str | None
    """What differs, in words; None where nothing but immutables does, and each has one value in all its places."""
    immutables: Mapping[str, bytes]
    """What the deployment filled in, 32 bytes a name, in order of names; empty where the code is another."""


def compare(artifact: Artifact, on_chain: bytes) -> Comparison:
    """Return how code from sources and code on the chain differ."""
    want, got = artifact.runtime_code, bytearray(on_chain)
    if len(want) != len(got):
        return Comparison(difference=f"{len(got)} bytes of code instead of {len(want)}", immutables={})
    values: dict[str, set[bytes]] = {}
    for name, places in sorted(artifact.immutables.items()):
        values[name] = {bytes(got[start : start + WORD_BYTES]) for start in places}
        for start in places:
            got[start : start + WORD_BYTES] = bytes(WORD_BYTES)
    if want != got:
        at = next(at for at, (a, b) in enumerate(zip(want, got, strict=True)) if a != b)
        return Comparison(difference=f"code from byte {at}", immutables={})
    torn = [name for name, found in values.items() if len(found) != 1]
    return Comparison(
        difference=f"{torn[0]} has several values" if torn else None,
        immutables={name: min(found) for name, found in values.items()},
    )
