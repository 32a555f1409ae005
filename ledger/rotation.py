"""Keys of registered participants, replaced by new ones: on disk first, then on the chain, then in use.

A rotation that is interrupted is finished by the next one. Rounds that opened before keep the key that was in force
then (docs/protocol.md §8.1, §13.2), so that what was signed with it stays its owner's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger import spec
from ledger.encryption_keys import EncryptionKeys

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from ledger.chain import Chain
    from ledger.keys import Keystore

_TAKES_COMMITMENTS = (spec.Phase.OPEN, spec.Phase.PAUSED)
"""A pause moves the end of commitments (§6.8)."""


def finish_rotation(chain: Chain, keys: Keystore, name: str, participant: int) -> bool:
    """Take the waiting key of a participant into use if the registry has it already; return whether it did."""
    waiting = keys.waiting_address(name)
    if waiting is None or chain.get_participant(participant).signer.hex() != waiting[2:]:
        return False
    keys.adopt(name)
    return True


def rotate_signing_key(
    chain: Chain, keys: Keystore, name: str, participant: int, *, password: str, owner: LocalAccount
) -> LocalAccount:
    """Replace a participant's signing key in rounds that open later; return the new one.

    Args: name: of the key in the keystore. owner: the participant's cold key, with ETH for gas.
    Raises: NotEligible: the account is not its owner; WrongPassword.
    """
    if finish_rotation(chain, keys, name, participant):
        return keys.load(name, password)
    account = keys.prepare(name, password)
    chain.rotate_key(participant, account, key=f"{chain.fingerprint}/rotate/{account.address}", sender=owner)
    keys.adopt(name)
    return account


def announce_next_key(
    chain: Chain, held: EncryptionKeys, participant: int, *, password: str, sender: LocalAccount
) -> bytes:
    """Announce a participant's next encryption key, X25519; return its public half, 32 bytes.

    Args: held: its private halves. sender: its signer or owner, with ETH for gas.
    """
    announced = [each.key for each in chain.list_encryption_keys(participant)]
    _, public = held.next(announced, password)
    key = f"{chain.fingerprint}/encryption-key/{participant}/{public.hex()}"
    chain.journal.note(key, {"public_key": public.hex()})  # by which a monitor knows it
    chain.announce_key(participant, public, key=key, sender=sender)
    return public


def revoke_keys(
    chain: Chain, keys: Keystore, name: str, participant: int, *, password: str, owner: LocalAccount
) -> tuple[LocalAccount, bytes | None]:
    """Replace a participant's keys by ones that were made just now: whoever copied the disk may have those that waited.

    The signing key comes first, since who holds it can announce encryption keys.
    Returns: the signing key, and the public half of the encryption key; None for a participant that has announced none.
    """
    if keys.waiting_address(name) is not None:
        rotate_signing_key(chain, keys, name, participant, password=password, owner=owner)
    account = rotate_signing_key(chain, keys, name, participant, password=password, owner=owner)
    if not chain.list_encryption_keys(participant):
        return account, None
    held = EncryptionKeys(keys.path, name)
    before = held.list_public(password)
    public = announce_next_key(chain, held, participant, password=password, sender=owner)
    if public.hex() in before:
        public = announce_next_key(chain, held, participant, password=password, sender=owner)
    return account, public


def find_exposed_rounds(chain: Chain, since: int) -> list[dict[str, Any]]:
    """Return the rounds that opened before a second and still take commitments: earlier keys sign in them."""
    states = [chain.get_task_state(task_id) for task_id in range(1, chain.count_tasks() + 1)]
    views = {state.current_round: chain.get_round(state.current_round) for state in states if state.current_round}
    return [
        {"round_id": round_id, "commit_end": view.commit_end}
        for round_id, view in views.items()
        if view.opened_at < since and view.phase in _TAKES_COMMITMENTS and chain.now() <= view.commit_end
    ]
