"""A wire in front of a node: every request goes on to it, and every answer passes through the hands of a test."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def forwarding(rpc: str, handle: Callable[[bytes, bytes], bytes], *, timeout: float = 60) -> Iterator[str]:
    """Yield the address of the wire.

    Args: handle: given the body of a request and the node's reply, returns the reply that is passed on.
    timeout: seconds that the node has for an answer.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["content-length"]))
            passed_on = urllib.request.Request(rpc, asked, {"content-type": "application/json"})
            with opener.open(passed_on, timeout=timeout) as reply:
                honest = reply.read()
            told = handle(asked, honest)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *arguments: object) -> None:
            del arguments

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
