"""A client of a homomorphic round, and what it refuses.

1. Each client draws a secret and commits to the digest of its share of the public key; then all shares are shown.
2. Each encrypts its update under their sum, and commits to that on the chain; then all are shown.
3. Anybody adds the ciphertexts; auditors do it again.
4. Each client adds them itself, decrypts that sum, and proves that it did.

Commitments come first for two reasons. A last client that sees the other key shares could choose its own so that the
joint key is one that it knows (a rogue key); and one that sees ciphertexts could send a multiple of somebody's.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fl.privacy.homomorphic import scheme
from fl.privacy.homomorphic.drawing import make_stream
from ledger import spec
from ledger.aggregation import lattice
from ledger.aggregation.ciphertexts import add_ciphertexts
from ledger.errors import MaskingRefused
from ledger.spec import homomorphic as he
from ledger.spec.decryption import compute_statement
from ledger.spec.errors import WrongRoot
from ledger.spec.shares import DecryptionShare, encode_decryption_share

ROOT_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the clients of a homomorphic round know of it before they say anything."""

    domain_separator: bytes
    """Of the RoundLedger, 32 bytes."""
    round_id: int
    """The round: its keys are for no other."""
    holders: tuple[int, ...]
    """Participants that share the key, rising: everybody who takes part."""
    size: int
    """The task's coordinates."""
    bound: int
    """The task's bound."""

    @property
    def params(self) -> he.Parameters:
        """What the sum of all holders' updates is encrypted with."""
        return he.choose_parameters(clients=len(self.holders), size=self.size, bound=self.bound)

    @property
    def key_seed(self) -> bytes:
        """Seed of the round's public polynomial."""
        return he.compute_key_seed(self.domain_separator, self.round_id)

    def commit(self, client: int, update: bytes) -> bytes:
        """Return a client's commitment to an encrypted update. All weigh the same: it names one example."""
        return spec.compute_commitment(
            domain_separator=self.domain_separator,
            round_id=self.round_id,
            client=client,
            num_examples=1,
            root=he.compute_encrypted_root(update),
        )


def verify_shares(shown: Mapping[int, bytes], committed: Mapping[int, bytes]) -> None:
    """Return if everybody showed the key share that it had committed to.

    Args: shown, committed: by client. Raises: WrongRoot: somebody did not; shown is nothing or something else.
    """
    for client in sorted(set(shown) | set(committed)):
        got = he.compute_key_digest(shown[client]).hex() if client in shown else "nothing"
        want = committed[client].hex() if client in committed else "nothing"
        if got != want:
            raise WrongRoot(what=f"the key share of client {client}", got=got, want=want)


class KeyHolder:
    """A client of one homomorphic round: holds one n-th of the secret key, and uses it once.

    Key, smudging and proof follow from a secret root and from what they are for: a client that starts again says the
    same again. Encryptions do not: under one key, two updates must never meet the same randomness.
    """

    def __init__(self, client: int, setting: Setting, root: bytes) -> None:
        self.client, self.setting, self.params, self._root = client, setting, setting.params, root
        self._public = lattice.expand(setting.key_seed)
        context = setting.key_seed + repr(setting.holders).encode()
        self._secret, share = scheme.make_share(self._public, make_stream(root, b"key" + context))
        self.share = lattice.encode_polynomials(share[None])
        self._committed: Mapping[int, bytes] | None = None
        self._key: lattice.Residues | None = None
        self.sum_root = b""
        """Of the sum that it decrypted; empty before."""

    @staticmethod
    def make_root() -> bytes:
        """Return a fresh root, to be kept secret and deleted when the round is over."""
        return secrets.token_bytes(ROOT_BYTES)

    @property
    def digest(self) -> bytes:
        """What the client says before it shows its key share."""
        return he.compute_key_digest(self.share)

    def accept_key(self, shares: Mapping[int, bytes], committed: Mapping[int, bytes]) -> None:
        """Take the joint key. Args: shares: of the public key. committed: their digests, from before any was shown.

        Raises: WrongRoot: a share is not the committed one. NotCanonical: it is no polynomial. MaskingRefused: the
        clients are not the holders, or this one's digest is another.
        """
        verify_shares(shares, committed)
        if sorted(committed) != list(self.setting.holders) or committed.get(self.client) != self.digest:
            raise MaskingRefused(client=self.client, what=f"take a key of {sorted(committed)} that is not everybody's")
        decoded = [lattice.decode_polynomials(shares[client])[0] for client in sorted(shares)]
        self._key, self._committed = add_ciphertexts(decoded), dict(committed)

    def encrypt(self, values: NDArray[np.int32]) -> bytes:
        """Return this client's update under the joint key, as it is committed to and published.

        Raises: WrongLength, UsageError: as `scheme.encrypt`. MaskingRefused: there is no key yet.
        """
        if self._key is None or self._committed is None:
            raise MaskingRefused(client=self.client, what="encrypt without a joint key")
        ciphertexts = scheme.encrypt(self.params, self._key, self._public, values, secrets.token_bytes)
        return he.encode_encrypted_update(
            he.EncryptedUpdate(
                domain_separator=self.setting.domain_separator,
                round_id=self.setting.round_id,
                client=self.client,
                holders=tuple(sorted(self._committed.items())),
                key_share=self.share,
                ciphertexts=lattice.encode_polynomials(ciphertexts),
            )
        )

    def decrypt(self, updates: Mapping[int, bytes], committed: Mapping[int, bytes]) -> bytes:
        """Return this client's decryption share of the sum of all updates, with its proof.

        The client adds them itself: whoever could name another sum could have single updates decrypted.

        Args: updates: encrypted, by client. committed: commitments by client, from the chain.
        Raises: WrongRoot: an update is not the committed one. SpecError: it is none. MaskingRefused: it is not the sum
        of all holders, they encrypted under another key, or this client has decrypted another sum before.
        """
        if self._committed is None or sorted(updates) != list(self.setting.holders):
            raise MaskingRefused(client=self.client, what=f"decrypt a sum of {sorted(updates)} that is not everybody's")
        parts = [self._open(client, updates[client], committed.get(client, b"")) for client in sorted(updates)]
        total = add_ciphertexts([lattice.decode_polynomials(part.ciphertexts) for part in parts])
        root = he.compute_sum_root(lattice.encode_polynomials(total))
        if self.sum_root not in (b"", root):
            raise MaskingRefused(client=self.client, what="decrypt a second sum")
        self.sum_root = root
        return self._decrypt(total, root)

    def _open(self, client: int, data: bytes, commitment: bytes) -> he.EncryptedUpdate:
        got = self.setting.commit(client, data)
        if got != commitment:
            raise WrongRoot(what=f"the update of client {client}", got=got.hex(), want=commitment.hex())
        update = he.decode_encrypted_update(
            data,
            domain_separator=self.setting.domain_separator,
            round_id=self.setting.round_id,
            client=client,
            roster=self.setting.holders,
            size=self.setting.size,
            bound=self.setting.bound,
        )
        if dict(update.holders) != self._committed:
            raise MaskingRefused(client=self.client, what=f"decrypt what client {client} encrypted under another key")
        return update

    def _decrypt(self, total: lattice.Residues, root: bytes) -> bytes:
        random = make_stream(self._root, b"decryption" + root)
        share, smudges = scheme.decrypt_share(self.params, total, self._secret, random)
        unproven = DecryptionShare(
            domain_separator=self.setting.domain_separator,
            round_id=self.setting.round_id,
            client=self.client,
            sum_root=root,
            share=lattice.encode_polynomials(share),
            proof=b"",
        )
        statement = compute_statement(unproven, self.share)
        proof = scheme.prove(
            self.params, statement, self._secret, smudges, public=self._public, total=total, random=random
        )
        return encode_decryption_share(replace(unproven, proof=proof))
