"""The aggregator of a masked round: which seeds it needs, and how it gets them from what clients hand out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from fl.privacy.secagg.client import Answer, Request
from fl.privacy.secagg.graph import Setting
from fl.privacy.secagg.keys import agree, compute_public_key, derive_pair_seed
from fl.privacy.secagg.shares import join
from ledger import spec
from ledger.errors import UnmaskingFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmasker:
    """What the aggregator knows of a masked round when its data phase is over."""

    setting: Setting
    """What the chain says."""
    hellos: Mapping[int, bytes]
    """Public keys of the round, by client."""
    tables: Mapping[int, tuple[spec.SeedLine, ...]]
    """Seed table of every client that is in the sum."""

    @property
    def survivors(self) -> frozenset[int]:
        """Who is in the sum."""
        return frozenset(self.tables)

    def make_request(self) -> Request:
        """Return what is asked of every survivor; the same of all.

        Raises: UnmaskingFailed: fewer clients than the quorum are in the sum: nobody is asked for anything.
        """
        if len(self.tables) < self.setting.quorum:
            what = f"{len(self.tables)} updates are in the sum, {self.setting.quorum} are needed"
            raise UnmaskingFailed(round_id=self.setting.round_id, what=what)
        pairs = {peer for _, peer in spec.compute_needed(self.tables) if peer != spec.SELF}
        return Request(own_of=self.survivors, keys_of=frozenset(pairs - self.survivors))

    def recover_groups(self, answers: Iterable[Answer]) -> tuple[list[spec.Reveal], dict[int, UnmaskingFailed]]:
        """Return the seeds of every group whose masks can be removed, and for each client of another why not."""
        answers, reveals = list(answers), list[spec.Reveal]()
        failed: dict[int, UnmaskingFailed] = {}
        for group in self.setting.groups:
            tables = {client: self.tables[client] for client in group if client in self.tables}
            try:
                reveals += replace(self, tables=tables).recover(answers)
            except UnmaskingFailed as error:
                failed |= dict.fromkeys(tables, error)
        return reveals, failed

    def recover(self, answers: Iterable[Answer]) -> list[spec.Reveal]:
        """Return the seeds that must be revealed (§11.5), each the one that its owner committed to.

        Raises: UnmaskingFailed: a seed cannot be had from these answers; nothing of any update is known then.
        """
        answers = list(answers)
        given = {answer.client: answer.own_seed for answer in answers}
        keys: dict[int, bytes] = {}
        reveals = []
        for (owner, peer), commitment in spec.compute_needed(self.tables).items():
            if peer == spec.SELF:
                seed = self._find_own(owner, commitment, given, answers)
            else:
                if peer not in keys:
                    keys[peer] = self._recover_key(peer, answers)
                seed = self._derive(keys[peer], owner, peer)
            self._verify(owner, peer, seed, commitment)
            reveals.append(spec.Reveal(owner=owner, peer=peer, seed=seed))
        return reveals

    def _find_own(self, owner: int, commitment: bytes, given: Mapping[int, bytes], answers: list[Answer]) -> bytes:
        own = given.get(owner, b"")
        if len(own) == spec.SEED_BYTES and spec.compute_seed_commitment(own) == commitment:
            return own
        shares = {a.client: a.own_shares[owner] for a in answers if owner in a.own_shares}
        return self._join(owner, shares, lambda seed: spec.compute_seed_commitment(seed) == commitment)

    def _recover_key(self, peer: int, answers: list[Answer]) -> bytes:
        if peer in self.survivors or peer not in self.hellos:
            # Two survivors that state different seeds: neither's secrets may be asked for.
            raise UnmaskingFailed(round_id=self.setting.round_id, what=f"a seed with client {peer} is nobody's to give")
        shares = {a.client: a.key_shares[peer] for a in answers if peer in a.key_shares}
        return self._join(peer, shares, lambda key: compute_public_key(key) == self.hellos[peer])

    def _join(self, client: int, shares: Mapping[int, bytes], is_right: Callable[[bytes], bool]) -> bytes:
        """Return a secret from as many shares as it takes: others are tried, should some of them be wrong."""
        want, holders = self.setting.threshold, sorted(shares)
        if len(holders) < want:
            what = f"{len(holders)} shares of client {client}, {want} are needed"
            raise UnmaskingFailed(round_id=self.setting.round_id, what=what)
        for first in range(len(holders)):
            secret = join({holder: shares[holder] for holder in (holders * 2)[first : first + want]})
            if is_right(secret):
                return secret
        raise UnmaskingFailed(round_id=self.setting.round_id, what=f"wrong shares of client {client}")

    def _derive(self, key: bytes, owner: int, peer: int) -> bytes:
        secret = agree(key, self.hellos[owner], peer=owner)
        pair = {client: self.hellos[client] for client in (owner, peer)}
        return derive_pair_seed(secret, context=self.setting.context, keys=pair)

    def _verify(self, owner: int, peer: int, seed: bytes, commitment: bytes) -> None:
        if spec.compute_seed_commitment(seed) != commitment:
            what = f"the seed of ({owner}, {peer}) is not the one that client {owner} committed to"
            raise UnmaskingFailed(round_id=self.setting.round_id, what=what)
