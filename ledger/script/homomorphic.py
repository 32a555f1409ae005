"""The section `homomorphic:` of a round script: updates are added under encryption, and decrypted by all clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from ledger import spec
from ledger.script.masking import MIN_CLIENTS
from ledger.script.sections import Section
from ledger.spec.homomorphic import MAX_CLIENTS

if TYPE_CHECKING:
    from ledger.script import Place, Script


class HomomorphicSection(Section):
    """Clients encrypt their updates under a key that nobody holds; the ledger holds ciphertexts, and their sum."""

    scheme: Literal["bfv", "ckks"] = "bfv"
    """bfv adds integers exactly; ckks is refused, because its sums are approximate and no replay compares them."""

    def label(self, clients: int) -> str:
        """Return what the task does and does not do, for people."""
        told = f"added under encryption, decrypted by all {clients} clients together: one that is gone costs the round"
        return f"{told}; equal weights; clipping is the client's word: no norm is enforced, no update judged"


def check_homomorphic(script: Script) -> Iterator[tuple[Place, str]]:
    """Yield what the section `homomorphic:` of a script contradicts."""
    section, count, place = script.homomorphic, script.clients.count, ("homomorphic",)
    if section is None:
        return
    if script.run.rule.name in ("mean", "weighted-mean"):
        yield place, f"encrypted updates can only be summed: 'run.rule.name' is {script.run.rule.name}, expected sum32"
    if script.run.dispute:
        yield ("run", "dispute"), "no court can open an encrypted update: 'run.dispute' and 'homomorphic' exclude it"
    if script.run.commit_mode is spec.CommitMode.ACCUMULATED:
        what = "an attempt that fails could not be abandoned, and would cost the aggregator its bond"
        yield ("run", "mode"), f"'run.mode' is accumulated: {what}"
    if not MIN_CLIENTS <= count <= MAX_CLIENTS:
        allowed = f"{MIN_CLIENTS} to {MAX_CLIENTS} clients"
        yield place, f"'clients.count' is {count}: {allowed} hide in a sum, and fit a key"
        return
    if script.format.bound * count > spec.INT32_MAX:
        most = spec.INT32_MAX // count
        yield ("format", "bound"), f"a sum of {count} updates may leave 32 bits: 'format.bound' must be at most {most}"
