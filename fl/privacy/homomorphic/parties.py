"""Who does what in a homomorphic round, and what a client refuses.

1. Each client draws a secret and commits to the digest of its share of the public key; then all shares are shown.
2. Each encrypts its update under their sum, and commits to the digest of the ciphertext; then all are shown.
3. Anybody adds the ciphertexts; auditors do it again.
4. Each client adds them itself, and decrypts that sum, once.

Commitments come first for two reasons. A last client that sees the other key shares could choose its own so that the
joint key is one that it knows (a rogue key); and one that sees ciphertexts could send a multiple of somebody's.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fl.privacy.homomorphic import scheme
from fl.privacy.homomorphic.ring import RandomBytes, Residues
from fl.privacy.homomorphic.scheme import Parameters
from ledger.errors import MaskingRefused
from ledger.spec.errors import WrongRoot


def verify_digests(what: str, shown: Mapping[int, Residues], committed: Mapping[int, bytes]) -> None:
    """Return if everybody showed what it had committed to.

    Args: shown, committed: by client. Raises: WrongRoot: somebody did not; shown is nothing or something else.
    """
    for client, digest in sorted(committed.items()):
        got = scheme.compute_digest(shown[client]).hex() if client in shown else "nothing"
        if got != digest.hex():
            raise WrongRoot(what=f"{what} of client {client}", got=got, want=digest.hex())
    if extra := sorted(set(shown) - set(committed)):
        raise WrongRoot(what=f"{what} of client {extra[0]}", got="shown", want="nothing")


class KeyHolder:
    """A client of one homomorphic round: holds one n-th of the secret key, and uses it once."""

    def __init__(
        self, client: int, params: Parameters, seed: bytes, *, random: RandomBytes = secrets.token_bytes
    ) -> None:
        self.client, self.params, self.seed = client, params, seed
        self._random = random
        self._secret: Residues | None
        self._secret, self.share = scheme.make_share(seed, random)
        self._public: Residues | None = None
        self._sent: bytes | None = None

    def accept_key(self, shares: Mapping[int, Residues], committed: Mapping[int, bytes]) -> None:
        """Take the joint key. Args: shares: of the public key. committed: their digests, from before any was shown.

        Raises: WrongRoot: a share is not the committed one. MaskingRefused: clients are missing, or this one is.
        """
        verify_digests("the key share", shares, committed)
        own = committed.get(self.client) == scheme.compute_digest(self.share)
        if len(committed) != self.params.clients or not own:
            raise MaskingRefused(client=self.client, what=f"take a key of {len(committed)} that is not everybody's")
        self._public = scheme.add_ciphertexts([shares[client] for client in sorted(shares)])

    def encrypt(self, values: NDArray[np.int32]) -> Residues:
        """Return this client's update under the joint key.

        Raises: WrongLength, UsageError: as `scheme.encrypt`. MaskingRefused: there is no key yet, or it was used.
        """
        if self._public is None or self._sent is not None:
            raise MaskingRefused(client=self.client, what="encrypt without a joint key, or a second time")
        ciphertext = scheme.encrypt(self.params, self._public, self.seed, values, self._random)
        self._sent = scheme.compute_digest(ciphertext)
        return ciphertext

    def decrypt(self, ciphertexts: Mapping[int, Residues], committed: Mapping[int, bytes]) -> Residues:
        """Return this client's decryption share of the sum of all ciphertexts, and forget the secret.

        The client adds them itself: whoever could name another sum could have single updates decrypted.

        Raises: WrongRoot: a ciphertext is not the committed one. MaskingRefused: one is missing, this client's is
        another, or it has decrypted before.
        """
        verify_digests("the ciphertext", ciphertexts, committed)
        if len(committed) != self.params.clients or committed.get(self.client) != self._sent or self._sent is None:
            raise MaskingRefused(client=self.client, what=f"decrypt a sum of {len(committed)} that is not everybody's")
        if self._secret is None:
            raise MaskingRefused(client=self.client, what="decrypt a second time")
        total = scheme.add_ciphertexts([ciphertexts[client] for client in sorted(ciphertexts)])
        share = scheme.decrypt_share(self.params, total, self._secret, self._random)
        self._secret = None
        return share
