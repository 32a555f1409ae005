"""`rule: auto` of a round script: what a newcomer gets without choosing (docs/robustness.md).

It becomes a composition with its f before anything else looks at the script, so that the task, its layout and every
replay see that composition and nothing automatic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AUTO = "auto"
AUTO_STAGES = "distinct(99)+cosine-filter(3)+drop(3)+fenced-mean(2)"
"""The default: in the matrix of docs/robustness.md."""


def choose_f(count: int) -> int:
    """Return the dishonest clients that are reckoned with among `count`: 30 %, and one where one can be outvoted."""
    return max(3 * count // 10, int(count >= 3))


def resolve_rules(data: Any) -> Any:
    """Return a script's data, each automatic rule replaced by its composition and f; whatever is no script as it is.

    `rule: auto` is short for `rule: {name: auto}`; with `f` the choice of f is the script's own.
    """
    if not isinstance(data, Mapping):
        return data
    clients, run, compare = data.get("clients"), data.get("run"), data.get("compare")
    count = clients.get("count") if isinstance(clients, Mapping) else None
    f = choose_f(count) if type(count) is int else 0  # a count that is none is another's complaint
    resolved = dict(data)
    if isinstance(run, Mapping) and "rule" in run:
        resolved["run"] = {**run, "rule": _resolve(run["rule"], f)}
    if isinstance(compare, list | tuple):
        resolved["compare"] = [_resolve(rule, f) for rule in compare]
    return resolved


def _resolve(rule: Any, f: int) -> Any:
    if rule == AUTO:
        return {"name": AUTO_STAGES, "f": f}
    if isinstance(rule, Mapping) and rule.get("name") == AUTO:
        return {"f": f, **rule, "name": AUTO_STAGES}
    return rule
