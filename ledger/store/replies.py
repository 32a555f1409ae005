"""Reading a daemon's replies within bounds: ipfshttpclient itself reads a body whole, however long, however slow."""

from __future__ import annotations

import io
import time

import requests
import urllib3
from requests.auth import AuthBase

_PIECE_BYTES = 65_536


class ReplyTooLong(requests.RequestException):
    """A body exceeds what any answer needs."""


class BoundedReplies(AuthBase):
    """Signs each request and reads its reply within a number of bytes and seconds.

    It is given to the client as its `auth`, the one public place from which a request can be given a response hook.
    That also keeps requests from sending credentials out of ~/.netrc.

    Args: authorization: value of the Authorization header, if any. max_bytes: longest body. timeout_seconds: longest
    time from the reply's first byte to its last.
    """

    def __init__(self, authorization: str | None, *, max_bytes: int, timeout_seconds: float) -> None:
        self._authorization = authorization
        self._max_bytes = max_bytes
        self._timeout_seconds = timeout_seconds

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Prepare a request: requests calls this for each."""
        if self._authorization is not None:
            request.headers["Authorization"] = self._authorization
        request.register_hook("response", self._read)  # type: ignore[no-untyped-call]
        return request

    def _read(self, response: requests.Response, **_: object) -> requests.Response:
        """Replace a reply's stream by its bytes.

        Raises: ReplyTooLong, requests.ReadTimeout: it is out of bounds. requests.ConnectionError: it broke off.
        """
        try:
            body = self._read_body(response.raw)
        except urllib3.exceptions.ReadTimeoutError as error:
            raise requests.ReadTimeout(error) from None
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(error) from None
        finally:
            if not response.raw.closed and response.raw.length_remaining != 0:
                response.raw.close()  # the rest is not wanted, so the connection cannot be used again
        response.raw = io.BytesIO(body)
        return response

    def _read_body(self, stream: urllib3.HTTPResponse) -> bytes:
        body = bytearray()
        deadline = time.monotonic() + self._timeout_seconds
        while piece := stream.read1(_PIECE_BYTES, decode_content=True):
            body += piece
            if len(body) > self._max_bytes:
                raise ReplyTooLong(f"more than {self._max_bytes} bytes")
            if time.monotonic() > deadline:
                raise requests.ReadTimeout(f"not complete after {self._timeout_seconds:.1f} s")
        return bytes(body)
