"""Vectors of §6.1: the range of every task parameter, and the hash of a task with each parameter changed."""

from __future__ import annotations

from typing import Any

from vector_cases.case import COMPUTED, Case, digest_of

UNBOND_SECONDS = 86400
MAX_PAUSE_SECONDS = 3600
ZERO = "0x" + "00" * 32

TASK: dict[str, Any] = {
    "rule": "trimmed-mean",
    "rule_param": 2,
    "rule_select": 0,
    "size": 4810,
    "scale_bits": 20,
    "leaf_log2": 8,
    "matrix_log2": 3,
    "model_log2": 5,
    "bound": 8388607,
    "examples_cap": 100000,
    "mode": "verified",
    "wei_per_weight": 0,
    "commit_seconds": 600,
    "data_seconds": 300,
    "propose_seconds": 500,
    "challenge_seconds": 1800,
    "max_clients": 10,
    "quorum": 5,
    "bond_wei": "1000000000000000000",
    "board": "0x" + "00" * 20,
    "genesis_model": digest_of("genesis"),
    "layout_digest": digest_of("layout"),
    "script_digest": digest_of("script"),
}
TASK_CHANGES: dict[str, Any] = {
    "rule": "krum",
    "rule_param": 1,
    "rule_select": 1,
    "size": 4811,
    "scale_bits": 21,
    "leaf_log2": 9,
    "matrix_log2": 4,
    "model_log2": 6,
    "bound": 8388606,
    "examples_cap": 100001,
    "mode": "accumulated",
    "wei_per_weight": 1,
    "commit_seconds": 601,
    "data_seconds": 301,
    "propose_seconds": 501,
    "challenge_seconds": 1801,
    "max_clients": 11,
    "quorum": 6,
    "bond_wei": "1000000000000000001",
    "board": "0x" + "00" * 19 + "01",
    "genesis_model": digest_of("other genesis"),
    "layout_digest": digest_of("other layout"),
    "script_digest": digest_of("other script"),
}

TASK_RANGES = [
    ("size", 0, "FT610"),
    ("size", (1 << 32) - 1, None),
    ("scale_bits", 0, None),
    ("scale_bits", 30, None),
    ("scale_bits", 31, "FT610"),
    ("leaf_log2", 2, "FT610"),
    ("leaf_log2", 3, None),
    ("leaf_log2", 12, None),
    ("leaf_log2", 13, "FT610"),
    ("matrix_log2", 8, None),
    ("matrix_log2", 9, "FT610"),
    ("model_log2", 2, "FT610"),
    ("model_log2", 3, None),
    ("model_log2", 12, None),
    ("model_log2", 13, "FT610"),
    ("bound", 0, "FT610"),
    ("bound", 1, None),
    ("bound", 1 << 23, "FT610"),
    ("examples_cap", 0, "FT610"),
    ("examples_cap", (1 << 20) - 1, None),
    ("examples_cap", 1 << 20, "FT610"),
    ("mode", "accumulated", None),
    ("mode", "root-only", None),
    ("wei_per_weight", 1, "FT610"),
    ("max_clients", 0, "FT610"),
    ("max_clients", 4, "FT610"),
    ("max_clients", 5, None),
    ("max_clients", 10000, None),
    ("max_clients", 10001, "FT610"),
    ("quorum", 0, "FT610"),
    ("quorum", 4, "FT610"),
    ("quorum", 10, None),
    ("quorum", 11, "FT610"),
    ("commit_seconds", 0, "FT610"),
    ("data_seconds", 0, None),
    ("propose_seconds", 0, "FT610"),
    ("challenge_seconds", 0, "FT610"),
    ("challenge_seconds", 81400, None),
    ("challenge_seconds", 81401, "FT610"),
    ("rule_param", 3, "FT610"),
    ("rule_select", 1, "FT610"),
    ("genesis_model", ZERO, "FT610"),
    ("layout_digest", ZERO, "FT610"),
    ("script_digest", ZERO, None),
]
TASK_WHY = {
    "max_clients": "at least the quorum, 5; at most 10000, of which a manifest has 147 + 1030000 bytes",
    "quorum": "2 * 2 + 1 = 5 for a trim of 2, and max_clients is 10",
    "challenge_seconds": "600 + 300 + 500 + challenge + a pause of 3600 must stay within 86400: at most 81400",
    "wei_per_weight": "only the weighted mean weighs",
    "mode": "any way to commit goes with any rule",
    "rule_param": "a trim of 3 needs a quorum of 7",
    "rule_select": "only Multi-Krum selects",
}
TASK_RULES: list[tuple[str, dict[str, Any], str | None, str]] = [
    ("mean-with-parameter", {"rule": "mean"}, "FT610", "the mean takes no parameter, and 2 is given"),
    ("mean", {"rule": "mean", "rule_param": 0}, None, "the mean without a parameter"),
    ("krum-at-minimum", {"rule": "krum", "rule_param": 1}, None, "2 * 1 + 3 = 5, the quorum"),
    ("krum-above-minimum", {"rule": "krum", "rule_param": 2}, "FT610", "2 * 2 + 3 = 7, the quorum is 5"),
    ("multi-krum-without-select", {"rule": "multi-krum", "rule_param": 1}, "FT610", "Multi-Krum selects at least one"),
    ("multi-krum-at-maximum", {"rule": "multi-krum", "rule_param": 1, "rule_select": 4}, None, "1 + 4 = 5, the quorum"),
    ("multi-krum-above-maximum", {"rule": "multi-krum", "rule_param": 1, "rule_select": 5}, "FT610", "1 + 5 = 6 > 5"),
    ("krum-most-clients", {"rule": "krum", "rule_param": 1, "max_clients": 50}, None, "distances of 50 * 49 / 2 pairs"),
    ("krum-too-many-clients", {"rule": "krum", "rule_param": 1, "max_clients": 51}, "FT610", "at most 50 for Krum"),
    (
        "multi-krum-too-many-clients",
        {"rule": "multi-krum", "rule_param": 1, "rule_select": 2, "max_clients": 51},
        "FT610",
        "at most 50 for Multi-Krum",
    ),
    (
        "weighted-mean-by-stake",
        {"rule": "weighted-mean", "rule_param": 0, "wei_per_weight": str((1 << 80) - 1)},
        None,
        "the largest uint80",
    ),
    (
        "weighted-mean-by-too-much-stake",
        {"rule": "weighted-mean", "rule_param": 0, "wei_per_weight": str(1 << 80)},
        "FT610",
        "one above the largest uint80",
    ),
]


def get_cases() -> list[Case]:
    """Return the cases of §6.1."""
    return [*_hashes(), *_ranges()]


def _hashes() -> list[Case]:
    changed = [
        _hash(f"task-hash-other-{field.replace('_', '-')}", f"task-hash with another {field}", {**TASK, field: value})
        for field, value in TASK_CHANGES.items()
    ]
    return [_hash("task-hash", "keccak of twenty-three words, as abi.encode gives them", TASK), *changed]


def _hash(name: str, why: str, task: dict[str, Any]) -> Case:
    return Case(name=f"rounds/{name}", clause="§6.1", why=why, operation="task_hash", input={"task": task})


def _ranges() -> list[Case]:
    ranges = [
        _task(
            f"{field.replace('_', '-')}-{str(value)[:12]}",
            {field: value},
            error,
            TASK_WHY.get(field, f"{field} is {value}"),
        )
        for field, value, error in TASK_RANGES
    ]
    return [*ranges, *(_task(name, change, error, why) for name, change, error, why in TASK_RULES)]


def _task(name: str, change: dict[str, Any], error: str | None, why: str) -> Case:
    return Case(
        name=f"rounds/task-{name}",
        clause="§6.1",
        why=why,
        operation="verify_task",
        input={"task": {**TASK, **change}, "unbond_seconds": UNBOND_SECONDS, "max_pause_seconds": MAX_PAUSE_SECONDS},
        want=COMPUTED if error else True,
        want_error=error,
    )
