"""JSON-RPC over HTTP through web3.py's provider: explicit timeouts, bounded tries, errors in our own words."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ledger.endpoints import describe_distrust, verify_rpc
from ledger.errors import CannotReach, ChainError, UntrustedServer, UsageError

if TYPE_CHECKING:
    from web3 import HTTPProvider, Web3

TIMEOUT_SECONDS = 10.0
PAUSES_SECONDS = (0.5, 1.5)
BATCH_SIZE = 100

Request = tuple[str, Sequence[Any]]


class NodeRefused(ChainError):
    """The node answered a request with an error.

    Cause: the message is the node's own.
    Fix: fedtrail doctor; another node.
    """

    template = "the node refused {method}: {reason}"
    data: bytes = b""
    """What a contract reverted with; empty for other refusals."""


def to_quantity(value: int) -> str:
    """Return a number as JSON-RPC writes it."""
    return hex(value)


def to_hex(data: bytes) -> str:
    """Return bytes as JSON-RPC writes them."""
    return "0x" + data.hex()


def to_bytes(text: str) -> bytes:
    """Return the bytes of JSON-RPC's hex."""
    return bytes.fromhex(text.removeprefix("0x"))


def to_address(account: bytes | str) -> bytes:
    """Return an address as 20 bytes.

    Raises: UsageError: it has another length or is no hex.
    """
    try:
        address = account if isinstance(account, bytes) else to_bytes(account)
    except ValueError:
        address = b""
    if len(address) != 20:
        raise UsageError(f"{account!r} is no address")
    return address


class Connection:
    """One endpoint. Threads may share it.

    Args: rpc: its URL. ca_file: certificates of the authorities that are trusted to name it, in PEM; None for those
    that everybody trusts.
    Raises: InsecureEndpoint: it is on another machine and not https.
    """

    def __init__(self, rpc: str, *, ca_file: str | None = None) -> None:
        verify_rpc(rpc)
        self.rpc = rpc
        self._ca_file = ca_file

    @cached_property
    def _provider(self) -> HTTPProvider:
        import requests
        from web3 import HTTPProvider

        session = requests.Session()
        session.trust_env = False  # proxies and .netrc of the environment are not for a node
        session.max_redirects = 0  # a node that sends us elsewhere could send us to where nothing is encrypted
        session.verify = self._ca_file or True
        return HTTPProvider(
            self.rpc,
            request_kwargs={"timeout": TIMEOUT_SECONDS},
            session=session,
            exception_retry_configuration=None,
        )

    @cached_property
    def w3(self) -> Web3:
        """The web3.py object of this endpoint, for those who know web3.py."""
        from web3 import Web3

        return Web3(self._provider)

    def request(self, method: str, *params: Any) -> Any:
        """Return the result of one request.

        Raises: CannotReach: no answer; NodeRefused: an error as the answer.
        """
        from web3.types import RPCEndpoint

        answer = self._try(lambda: self._provider.make_request(RPCEndpoint(method), list(params)))
        return _get_result(method, answer)

    def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Return the results of many requests; a refusal takes the place of its result instead of being raised.

        Raises: CannotReach.
        """
        results: list[Any] = []
        for first in range(0, len(requests), BATCH_SIZE):
            part = requests[first : first + BATCH_SIZE]
            answers = self._try(lambda part=part: self._provider.make_batch_request(list(part)))  # type: ignore[misc]
            if not isinstance(answers, list) or len(answers) != len(part):
                raise NodeRefused(method="a batch", reason=str(answers)[:200])
            ordered = sorted(answers, key=lambda answer: int(answer["id"]))
            results += [_take_result(method, answer) for (method, _), answer in zip(part, ordered, strict=True)]
        return results

    def _try(self, send: Callable[[], Any]) -> Any:
        """Send, and send again after a refused or broken connection: no request of ours does harm twice."""
        from requests.exceptions import ConnectionError, HTTPError, RequestException, SSLError, Timeout

        began = time.monotonic()
        for number, pause in enumerate((*PAUSES_SECONDS, None), start=1):
            try:
                return send()
            except SSLError as problem:
                raise UntrustedServer(rpc=self.rpc, reason=describe_distrust(problem)) from None
            except Timeout:
                raise self._describe(f"no answer in {TIMEOUT_SECONDS:.0f} s", number, began) from None
            except ConnectionError as problem:
                if pause is None:
                    raise self._describe(_get_reason(problem), number, began) from None
                time.sleep(pause)
            except HTTPError as problem:
                raise self._describe(f"HTTP status {problem.response.status_code}", number, began) from None
            except (RequestException, ValueError) as problem:
                raise self._describe(f"not JSON-RPC: {problem}"[:200], number, began) from None
        raise AssertionError("the last try returns or raises")

    def _describe(self, reason: str, tries: int, began: float) -> CannotReach:
        return CannotReach(rpc=self.rpc, reason=reason, tries=tries, seconds=time.monotonic() - began)


def move_clock(connection: Connection, seconds: int) -> None:
    """Mine a block at a time of our choosing; devnets only."""
    connection.request("evm_setNextBlockTimestamp", seconds)
    connection.request("evm_mine")


def get_scope(connection: Connection, chain_id: int) -> str:
    """Return a name for this very chain in the journal: its id and the hash of its first block."""
    genesis = connection.request("eth_getBlockByNumber", "0x0", False)
    if not isinstance(genesis, dict):
        raise ChainError("the node does not serve the chain's first block")
    return f"{chain_id}:{genesis['hash']}"


def _get_reason(problem: Exception) -> str:
    text = str(problem)
    known = ("Connection refused", "Connection reset", "Name or service not known", "Network is unreachable")
    return next((reason.lower() for reason in known if reason in text), type(problem).__name__)


def _get_result(method: str, answer: Any) -> Any:
    result = _take_result(method, answer)
    if isinstance(result, NodeRefused):
        raise result
    return result


def _take_result(method: str, answer: Any) -> Any:
    error = answer.get("error")
    if error is None:
        return answer.get("result")
    error = error if isinstance(error, dict) else {"message": str(error)}
    refusal = NodeRefused(method=method, reason=str(error.get("message", error))[:300])
    refusal.data = _find_revert_data(error.get("data"))
    return refusal


def _find_revert_data(found: Any) -> bytes:
    """Return the revert data: a hex string, or nested in an object, as nodes see fit."""
    if isinstance(found, dict):
        return next((data for part in ("data", "result") if (data := _find_revert_data(found.get(part)))), b"")
    if isinstance(found, str) and found.startswith("0x"):
        try:
            return to_bytes(found)
        except ValueError:
            return b""
    return b""
