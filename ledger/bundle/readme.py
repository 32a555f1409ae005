"""What a bundle says to somebody who unpacks it."""

from __future__ import annotations

from ledger.bundle.format import Level, Manifest

_TEXT = """\
A fedtrail bundle: evidence about a federated learning ledger
=============================================================

Chain {chain_id}, RoundLedger {ledger}
Blocks {first} to {last}, tasks {tasks}
Level {level}: {discloses}
{gaps}
Check it without installing anything (Python 3.11 or later, no network):

    python3 verify.py NAME.ftb.zip --trust trust.toml

or with fedtrail, which also shows what is in it:

    fedtrail verify NAME.ftb.zip --trust trust.toml
    fedtrail bundle show NAME.ftb.zip

Get verify.py and its parts verify_*.py, which lie beside it, from a source that you trust rather than from here, where
they could have been changed with the rest. What is checked, and in which order to read them, is at its top.
trust.toml is yours: a block hash from your own node, or the keys of witnesses. Without it a bundle can only be
CONSISTENT: it agrees with itself, and with whatever chain it was made of.

    [ledger]
    chain_id = {chain_id}
    contract = "{ledger}"

    [anchor]
    block_hash = {{{last} = "0x..."}}    # ask your own node for the hash of block {last}

A verdict is about what was recorded and recomputed. It says nothing about the quality of data, about how clients
trained, or whether the numbers of examples that they state are true.
"""

_DISCLOSES = {
    Level.PUBLIC: "hashes, proofs, manifests and scripts; no update and no model",
    Level.PARTNER: "also the aggregates and models, and the updates of client {partner}",
    Level.AUDITOR: "everything that was published{sealed}",
}


def make_readme(manifest: Manifest) -> str:
    """Return the text of README.txt."""
    sealed = f", encrypted to the key {manifest.recipient}" if manifest.recipient else ""
    discloses = _DISCLOSES[manifest.level].format(partner=manifest.partner, sealed=sealed)
    gaps = f'{len(manifest.gaps)} blobs could not be had: see "gaps" in manifest.json\n' if manifest.gaps else ""
    return _TEXT.format(
        chain_id=manifest.chain_id,
        ledger="0x" + manifest.contracts["ledger"].hex(),
        first=manifest.first_block.number,
        last=manifest.last_block.number,
        tasks=", ".join(map(str, manifest.tasks)) or "none",
        level=manifest.level,
        discloses=discloses,
        gaps=gaps,
    )
