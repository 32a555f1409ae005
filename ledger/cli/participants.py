"""Identities as commands know them: by the name of a key of this project, or by their number."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.cli.session import Session
from ledger.errors import NotEligible, NotFoundError
from ledger.suggestions import suggest

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from ledger.chain.views import ParticipantView

GAS_MONEY_WEI = 10**17
"""What an owner's key gets on a devnet before it must send something itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A registered participant."""

    name: str | None
    """Name of its signing key, when this project holds it."""
    view: ParticipantView
    """What the registry has."""


def owner_name(name: str) -> str:
    """Return the name of the cold key that belongs to a participant's key."""
    return f"{name}-owner"


def to_address(text: str) -> bytes:
    """Return the 20 bytes of an address."""
    return bytes.fromhex(text.removeprefix("0x"))


def to_text(address: bytes) -> str:
    """Return an address with its checksum (EIP-55), as keys are listed."""
    from eth_utils.address import to_checksum_address

    return to_checksum_address(address)


def find_participant(session: Session, who: str) -> Known:
    """Return a participant by key name or number.

    Raises: NotFoundError: no such key, or it is not registered; KeyMissing: there is no key of that name.
    """
    if who.isdigit():
        return _find_by_number(session, int(who))
    names = session.keys.names()
    if who not in names:
        raise NotFoundError(kind="client", name=who, suggestion=suggest(who, names), hint="fedtrail client list")
    number = session.chain.find_participant(to_address(session.keys.address(who)))
    if number is None:
        hint = f"fedtrail client register {who}"
        raise NotFoundError(kind="client", name=who, suggestion=" in the registry", hint=hint)
    return Known(name=who, view=session.chain.get_participant(number))


def _find_by_number(session: Session, number: int) -> Known:
    count = len(session.chain.participants())
    if not 1 <= number <= count:
        there = f"; the registry has {count}"
        raise NotFoundError(kind="client", name=number, suggestion=there, hint="fedtrail client list")
    view = session.chain.get_participant(number)
    return Known(name=name_signers(session).get(view.signer), view=view)


def name_signers(session: Session) -> dict[bytes, str]:
    """Return the key names of this project by address."""
    return {to_address(session.keys.address(name)): name for name in session.keys.names()}


def load_owner(session: Session, known: Known) -> LocalAccount:
    """Return the cold key of a participant; on a devnet it gets money for gas.

    Raises: NotEligible: this project does not hold it.
    """
    name = name_signers(session).get(known.view.owner)
    if name is None:
        reason = f"its owner 0x{known.view.owner.hex()} must, and this project does not hold that key"
        raise NotEligible(who=known.name or known.view.id, what="be changed from here", reason=reason)
    owner = session.keys.load(name, session.password())
    _give_gas_money(session, owner.address)
    return owner


def load_signer(session: Session, known: Known) -> LocalAccount:
    """Return the signing key of a participant. Raises: NotEligible: this project does not hold it."""
    name = name_signers(session).get(known.view.signer)
    if name is None:
        reason = f"its key 0x{known.view.signer.hex()} must sign, and this project does not hold it"
        raise NotEligible(who=known.name or known.view.id, what="act from here", reason=reason)
    return session.keys.load(name, session.password())


def load_sender(session: Session, known: Known) -> LocalAccount:
    """Return the signing key of a participant, for transactions of its own; on a devnet it gets money for gas.

    Raises: NotEligible: this project does not hold it.
    """
    signer = load_signer(session, known)
    _give_gas_money(session, signer.address)
    return signer


def _give_gas_money(session: Session, address: str) -> None:
    if session.network.devnet:
        key = f"{session.network.ledger}/gas-money/{address}"
        session.chain.transfer(address, GAS_MONEY_WEI, key=key, sender=session.operator())


def unique_key(session: Session, what: str, number: int) -> str:
    """Return a journal key for something that a person may do again, such as a second deposit."""
    return f"{session.network.ledger}/{what}/{number}/{time.time_ns()}"


def rotate_key(session: Session, name: str, *, local: bool) -> tuple[str, int | None]:
    """Replace a key in the keystore, and in the registry when its participant is registered there.

    Returns: the new address, and the participant's number if the registry was told.
    """
    from ledger.rotation import rotate_signing_key

    known = None if local else _find_registered(session, name)
    if known is None:
        return session.keys.rotate(name, session.password()), None
    owner, password, number = load_owner(session, known), session.password(), known.view.id
    account = rotate_signing_key(session.chain, session.keys, name, number, password=password, owner=owner)
    return account.address, number


def _find_registered(session: Session, name: str) -> Known | None:
    if session.network.ledger is None:
        return None
    number = session.chain.find_participant(to_address(session.keys.address(name)))
    return None if number is None else Known(name=name, view=session.chain.get_participant(number))
