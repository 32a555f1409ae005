"""The content store: blobs under real IPFS identifiers, every read checked against its digest."""

from __future__ import annotations

from pathlib import Path

from ledger.store.cid import Cid, Codec
from ledger.store.content import BlobStat, Content, ContentStore
from ledger.store.embedded import EmbeddedStore
from ledger.store.unixfs import PROFILE

DEFAULT_TIMEOUT_SECONDS = 20.0


def open_store(
    path: Path | str,
    *,
    ipfs: str | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    authorization: str | None = None,
    ca_file: str | None = None,
) -> ContentStore:
    """Open the project's content store.

    Args: path: folder of the embedded store. ipfs: address of an IPFS daemon's RPC API, such as
    `/ip4/127.0.0.1/tcp/5001`; if given, blobs go there instead. timeout_seconds: longest wait for one answer of it.
    authorization: what its `API.Authorizations` ask for, such as `Bearer TOKEN`.
    ca_file: certificates of the authorities that are trusted to name the daemon, PEM; None for those that all trust.
    Raises: BadConfiguration: path or address cannot be used. InsecureEndpoint: the daemon is on another machine and its
    address is not https. A daemon is asked nothing before it is used.
    """
    if ipfs is None:
        return EmbeddedStore(path)
    from ledger.store.kubo import KuboStore  # only who uses a daemon pays for importing its client

    return KuboStore(ipfs, timeout_seconds=timeout_seconds, authorization=authorization, ca_file=ca_file)


__all__ = ["PROFILE", "BlobStat", "Cid", "Codec", "Content", "ContentStore", "EmbeddedStore", "open_store"]
