"""A node that answers some requests in its own way and passes all others on: pruned nodes, and nodes that lie."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from forwarding import forwarding

Bend = Callable[[str, list[Any], dict[str, Any]], dict[str, Any]]
"""Given method, parameters and the honest answer, returns the answer: a dictionary with `result` or `error`."""


@contextmanager
def crooked(rpc: str, bend: Bend) -> Iterator[str]:
    """Yield the address of a node in front of another one."""

    def answer(request: dict[str, Any], honest: dict[str, Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": request["id"], **bend(request["method"], request["params"], honest)}

    def handle(body: bytes, reply: bytes) -> bytes:
        asked, honest = json.loads(body), json.loads(reply)
        if not isinstance(asked, list):
            return json.dumps(answer(asked, honest)).encode()
        by_id = {each["id"]: each for each in honest}
        return json.dumps([answer(each, by_id[each["id"]]) for each in asked]).encode()

    with forwarding(rpc, handle) as address:
        yield address


def refuse(message: str) -> dict[str, Any]:
    return {"error": {"code": -32000, "message": message}}
