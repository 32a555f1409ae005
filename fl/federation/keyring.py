"""Keys of a run's parties: which ones serve a round, and when they are replaced.

A round takes the keys that were in force when it opened, whoever has rotated them since: a run that goes on signs with
these again, and says the same as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fl.federation import encryption
from fl.federation.context import Context, Party, Roster
from fl.federation.setup import give_gas_money
from ledger.chain import Role
from ledger.encryption_keys import EncryptionKeys
from ledger.keys import Keystore
from ledger.rotation import announce_next_key, finish_rotation, rotate_signing_key

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

_OWNER_GAS_WEI = 10**17


@dataclass(frozen=True, kw_only=True)
class Keyring:
    """The keystore of a run, and what the chain says of it."""

    ctx: Context
    """The run."""
    keys: Keystore
    """Signing keys; encryption keys lie beside them."""
    password: str
    """Of all of them."""

    def in_force(self, roster: Roster, at: int) -> Roster:
        """Return the roster with the keys of rounds that open at a second.

        Raises: KeyMissing: a key was replaced from another machine, which holds the new one.
        """
        served = {party.name: self._serve(party, role, at) for party, role in _list_parties(roster)}
        return replace(
            roster,
            aggregators=tuple(served[party.name] for party in roster.aggregators),
            clients=tuple(served[party.name] for party in roster.clients),
            attestors=tuple(served[party.name] for party in roster.attestors),
            auditors=tuple(served[party.name] for party in roster.auditors),
            encryption_keys=encryption.load_keys(self.ctx, self.keys, self.password, roster, at),
        )

    def _serve(self, party: Party, role: Role, at: int) -> Party:
        if not self.keys.count_versions(party.name) and self.keys.waiting_address(party.name) is None:
            return party  # it was never rotated
        signer = self.ctx.chain.get_signer_at(party.participant, at, role)
        if signer is None or signer == party.address:
            return party
        return replace(party, account=self.keys.load_by_address(party.name, signer, self.password))

    def rotate_due(self, roster: Roster, number: int) -> Roster:
        """Replace the keys that are due before a round, each once; return the roster with today's keys."""
        is_open = self.ctx.chain.gas_used(self.ctx.key("round", number, 1, "open"))
        if self.ctx.script.keys is not None and not is_open:
            for party, _ in _list_parties(roster):
                self._rotate_due(roster, party, number)
        today = self.in_force(roster, self.ctx.chain.now() + 1)
        before = {party.name: party.address for party, _ in _list_parties(roster)}
        changed = {party.name: party for party, _ in _list_parties(today) if party.address != before[party.name]}
        give_gas_money(self.ctx, roster.operator, changed)
        return today

    def _rotate_due(self, roster: Roster, party: Party, number: int) -> None:
        """Decide once whether and to which keys; that is on disk before the chain hears of it."""
        finish_rotation(self.ctx.chain, self.keys, party.name, party.participant)
        key, held = self.ctx.key("round", number, "keys", party.name), EncryptionKeys(self.keys.path, party.name)
        chosen = self.ctx.journal.get_note(key)
        if chosen is None:
            chosen = self._choose(party, number, held)
            self.ctx.journal.note(key, chosen)
        if not chosen:
            return
        owner = self._load_owner(roster, party)
        if not self._is_used(party, chosen["signer"]):
            rotate_signing_key(
                self.ctx.chain, self.keys, party.name, party.participant, password=self.password, owner=owner
            )
            self.ctx.tell("keys", number, 1, 1, f"replace the keys of {party.name}")
        announced = [each.key.hex() for each in self.ctx.chain.list_encryption_keys(party.participant)]
        if chosen["encryption"] and chosen["encryption"] not in announced:
            announce_next_key(self.ctx.chain, held, party.participant, password=self.password, sender=owner)

    def _choose(self, party: Party, number: int, held: EncryptionKeys) -> dict[str, str]:
        """Return the keys to come, which wait on disk; nothing where none is due."""
        since = self.ctx.chain.get_participant(party.participant).key_since
        section = self.ctx.script.keys
        if section is None or not section.is_due(number, self.ctx.chain.now() - since):
            return {}
        signer = self.keys.prepare(party.name, self.password).address.lower()
        announced = [each.key for each in self.ctx.chain.list_encryption_keys(party.participant)]
        return {"signer": signer, "encryption": held.next(announced, self.password)[1].hex() if announced else ""}

    def _is_used(self, party: Party, signer: str) -> bool:
        return signer in self.keys.list_addresses(party.name) and signer != self.keys.waiting_address(party.name)

    def _load_owner(self, roster: Roster, party: Party) -> LocalAccount:
        owner = self.keys.load(f"{party.name}-owner", self.password)
        key = f"{self.ctx.chain.fingerprint}/gas-money/{owner.address}"
        self.ctx.chain.transfer(owner.address, _OWNER_GAS_WEI, key=key, sender=roster.operator)
        return owner


def _list_parties(roster: Roster) -> Iterator[tuple[Party, Role]]:
    yield from ((party, Role.AGGREGATOR) for party in roster.aggregators)
    yield from ((party, Role.CLIENT) for party in roster.clients)
    yield from ((party, Role.ATTESTOR) for party in (*roster.attestors, *roster.auditors))
