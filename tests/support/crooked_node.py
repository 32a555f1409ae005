"""A node that answers some requests in its own way and passes all others on: pruned nodes, and nodes that lie."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Bend = Callable[[str, list[Any], dict[str, Any]], dict[str, Any]]
"""Given method, parameters and the honest answer, returns the answer: a dictionary with `result` or `error`."""


@contextmanager
def crooked(rpc: str, bend: Bend) -> Iterator[str]:
    """Yield the address of a node in front of another one."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def answer(request: dict[str, Any], honest: dict[str, Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": request["id"], **bend(request["method"], request["params"], honest)}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            passed_on = urllib.request.Request(rpc, body, {"content-type": "application/json"})
            with opener.open(passed_on, timeout=60) as reply:
                honest = json.load(reply)
            asked = json.loads(body)
            if isinstance(asked, list):
                by_id = {each["id"]: each for each in honest}
                told: Any = [answer(each, by_id[each["id"]]) for each in asked]
            else:
                told = answer(asked, honest)
            data = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

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


def refuse(message: str) -> dict[str, Any]:
    return {"error": {"code": -32000, "message": message}}
