"""Blobs in an IPFS daemon, over the RPC API that Kubo serves and js-ipfs served.

Blocks are cut, hashed and packed here and go in as one CAR; they come back one by one and are hashed again. So the
daemon's defaults cannot change an identifier, and what it answers is believed about itself only, never about bytes.
Only `version`, `dag/import`, `block/get` and `pin/add|rm|ls` are called: they mean the same to every daemon.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ipfshttpclient
import requests
from ipfshttpclient import exceptions

from ledger import spool
from ledger.endpoints import describe_distrust, is_distrust, verify_ipfs
from ledger.errors import (
    BadConfiguration,
    BlobCorrupt,
    NotAContentId,
    Oversized,
    StoreUnreachable,
    Unavailable,
    UntrustedServer,
)
from ledger.spec import Bytes
from ledger.store import unixfs
from ledger.store.car import CarFile, pack_file, write_car
from ledger.store.cid import Cid, Codec
from ledger.store.content import BlobStat, Content, chunks_of, describe_blob
from ledger.store.replies import BoundedReplies, ReplyTooLong

# The client passes urllib3 an argument that urllib3 2 no longer needs and 3 will refuse; urllib3 is held below 3.
warnings.filterwarnings("ignore", message="The 'strict' parameter", category=FutureWarning)

_ABSENT = ("not found", "could not find", "deadline exceeded", "timeout", "timed out")  # Kubo's and js-ipfs's words
_SHOWN_CHARACTERS = 300  # how much of a daemon's words an error quotes
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class KuboStore:
    """A content store behind an IPFS daemon's RPC API. Nothing is asked of it before the first call.

    Args: address: multiaddr of the API, such as `/ip4/127.0.0.1/tcp/5001`. timeout_seconds: longest wait for each
    answer, > 0. authorization: value of the HTTP header of that name, for daemons with `API.Authorizations`. ca_file:
    certificates of the authorities that are trusted to name the daemon, PEM; None for those that all trust.
    Raises: BadConfiguration: the address is no multiaddr of an HTTP API. InsecureEndpoint: it is on another machine and
    not https.
    Every method raises StoreUnreachable when the daemon does not answer, or answers nonsense; UntrustedServer when its
    certificate does not show that it is that daemon.
    """

    def __init__(
        self, address: str, *, timeout_seconds: float, authorization: str | None = None, ca_file: str | None = None
    ) -> None:
        self._address = address
        self._ca_file = ca_file
        self._timeout_seconds = timeout_seconds
        self._auth = BoundedReplies(authorization, max_bytes=unixfs.MAX_BLOCK_BYTES, timeout_seconds=timeout_seconds)
        try:
            self._client()
        except exceptions.AddressError:
            what = f"ipfs address '{address}' is no multiaddr; write it like /ip4/127.0.0.1/tcp/5001"
            raise BadConfiguration(file="[store]", what=what) from None
        verify_ipfs(address)

    def get_version(self) -> str:
        """Return the version that the daemon states."""
        with self._conversation() as client:
            return str(client.version()["Version"])

    def put(self, data: Content) -> Cid:
        """Send and pin a blob; return its identifier, which is computed here.

        Args: data: the bytes, or the file that holds them (read in pieces, never whole).
        Raises: NotFoundError: no such file.
        """
        with tempfile.TemporaryDirectory(prefix="fedtrail-") as folder:
            car = Path(folder, "blob.car")
            root = pack_file(car, chunks_of(data)).cid
            self._send(car, root)
        return root

    def put_all(self, blobs: Iterable[Content]) -> list[Cid]:
        """Send and pin blobs, one after the other; return their identifiers. Errors as for `put`."""
        return [self.put(blob) for blob in blobs]

    def get(self, cid: Cid, *, max_bytes: int) -> Bytes:
        """Return a blob after hashing each of its blocks; a large one is a view of a file without a name.

        Args: max_bytes: largest blob to read; checked before anything but the root is fetched.
        Raises: Unavailable: the daemon does not find a block in time. BlobCorrupt: it sent other bytes. Oversized:
        the blob or a block is larger. NotCanonical: the blocks are intact and no file of the profile.
        """
        with self._client() as client:
            return spool.join(unixfs.read_file(cid, lambda part: self._fetch(client, part), max_bytes))

    def stat(self, cid: Cid) -> BlobStat:
        """Return what the root states about a blob; its other blocks are not fetched."""
        return describe_blob(cid, self.get_block(cid))

    def pin(self, cid: Cid) -> None:
        """Ask the daemon to fetch and keep a blob.

        Raises: Unavailable: it does not find a block in time.
        """
        with self._conversation(cid) as client:
            _only(client.pin.add(str(cid), stream=True, opts=self._give_up_in_time()))

    def unpin(self, cid: Cid) -> None:
        """Ask the daemon to leave a blob to its garbage collection; nothing happens if it was not pinned."""
        if self.is_pinned(cid):
            with self._conversation() as client:
                _only(client.pin.rm(str(cid), stream=True))

    def is_pinned(self, cid: Cid) -> bool:
        """Tell whether the daemon says that it pins a blob by its root."""
        with self._conversation() as client:
            try:
                pins = _only(client.pin.ls(str(cid), type="recursive", stream=True))["Keys"]
            except exceptions.ErrorResponse as error:
                if "not pinned" in str(error):
                    return False
                raise
            return any(_is_spelling_of(text, cid) for text in pins)

    def put_block(self, block: bytes, codec: Codec = Codec.RAW) -> Cid:
        """Send one block, unpinned; return its identifier."""
        cid = Cid.of(block, codec)
        with tempfile.TemporaryDirectory(prefix="fedtrail-") as folder:
            car = Path(folder, "block.car")
            write_car(car, cid, [(cid, block)])
            with self._conversation() as client:
                list(client.dag.imprt(car, stream=True, opts={"pin-roots": "false"}))
        return cid

    def get_block(self, cid: Cid) -> bytes:
        """Return one block after hashing it.

        Raises: Unavailable: the daemon does not find it in time. BlobCorrupt: it sent other bytes.
        """
        with self._client() as client:
            return self._fetch(client, cid)

    def export_car(self, cid: Cid, path: Path) -> None:
        """Write a blob as a CAR v1 archive, its blocks hashed here: complete, or not at all."""
        with self._client() as client:
            blocks = unixfs.walk_distinct(cid, lambda part: self._fetch(client, part), unixfs.NO_LIMIT)
            write_car(path, cid, blocks)

    def import_car(self, path: Path, *, max_bytes: int = unixfs.NO_LIMIT) -> Cid:
        """Send and pin the blob of a CAR v1 archive, which is checked here first.

        Raises: as for `EmbeddedStore.import_car`; nothing was sent then.
        """
        with CarFile(path, max_bytes=max_bytes) as archive:
            archive.verify_complete()
            root = archive.root
        self._send(path, root)
        return root

    def _send(self, car: Path, root: Cid) -> None:
        """Import an archive and pin its root, which import alone does not show everywhere."""
        with self._conversation() as client:
            answer = _only(client.dag.imprt(car, stream=True))
            if not _is_spelling_of(answer["Root"]["Cid"]["/"], root):
                raise self._unusable(f"sent {root}, it says that it stored {answer['Root']['Cid']['/']}")
        self.pin(root)

    def _fetch(self, client: Any, cid: Cid) -> bytes:
        with self._errors_translated(cid):
            try:
                block: bytes = client.block.get(str(cid), opts=self._give_up_in_time())
            except ReplyTooLong:
                raise Oversized(got=f"over {unixfs.MAX_BLOCK_BYTES}", want=unixfs.MAX_BLOCK_BYTES) from None
        got = Cid.of(block, cid.codec)
        if got != cid:
            raise BlobCorrupt(cid=cid, got=got.digest.hex())
        return block

    def _client(self) -> Any:
        client = ipfshttpclient.Client(self._address, timeout=self._timeout_seconds, auth=self._auth)
        # The client has no argument for these; it is held at one version.
        properties = {"verify": self._ca_file or True, "trust_env": False, "max_redirects": 0}
        client._client._session_props.update(properties)
        return client

    def _give_up_in_time(self) -> Mapping[str, str]:
        """Let the daemon end its search a little before we stop listening, so that it can say so."""
        return {"timeout": f"{int(self._timeout_seconds * 900)}ms"}

    @contextmanager
    def _conversation(self, wanted: Cid | None = None) -> Iterator[Any]:
        with self._client() as client, self._errors_translated(wanted):
            yield client

    @contextmanager
    def _errors_translated(self, wanted: Cid | None) -> Iterator[None]:
        """Raise this project's errors for the client's; `wanted` is what the daemon may fail to find."""
        started = time.monotonic()
        try:
            yield
        except exceptions.TimeoutError:
            if wanted is not None and self._answers():
                raise _unavailable(wanted, started) from None
            raise self._unusable(f"no answer within {self._timeout_seconds:.0f} s") from None
        except exceptions.ErrorResponse as error:
            if wanted is not None and any(word in str(error).lower() for word in _ABSENT):
                raise _unavailable(wanted, started) from None
            raise self._unusable(str(error)) from None
        except (exceptions.Error, requests.RequestException) as error:
            if is_distrust(error):
                raise UntrustedServer(rpc=self._address, reason=describe_distrust(error)) from None
            raise self._unusable(f"{type(error).__name__}: {error}") from None
        except (LookupError, TypeError, ValueError) as error:
            raise self._unusable(f"it answers unlike an IPFS daemon ({type(error).__name__}: {error})") from None

    def _unusable(self, reason: str) -> StoreUnreachable:
        return StoreUnreachable(address=self._address, reason=reason[:_SHOWN_CHARACTERS])

    def _answers(self) -> bool:
        """Tell whether the daemon is alive, so that silence about one block is about that block."""
        try:
            with self._client() as client:
                client.version(timeout=min(2.0, self._timeout_seconds))
        except (exceptions.Error, requests.RequestException):
            return False
        return True


def _unavailable(cid: Cid, started: float) -> Unavailable:
    return Unavailable(cid=cid, found=0, stores=1, seconds=time.monotonic() - started, consequence="")


def _only(answers: Iterator[Any]) -> Any:
    """Return the single item of an answer."""
    items = list(answers)
    if len(items) != 1:
        raise ValueError(f"{len(items)} items instead of one")
    return items[0]


def _is_spelling_of(text: str, cid: Cid) -> bool:
    """Tell whether text names cid in base32 or base58: js-ipfs answers in the latter."""
    if text.startswith("z"):
        number = 0
        for character in text[1:100]:
            number = number * 58 + _BASE58.index(character)
        return number == int.from_bytes(cid.to_bytes())
    try:
        return Cid.from_text(text) == cid
    except NotAContentId:
        return False
