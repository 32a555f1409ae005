"""Write the tables of docs/performance.md from benchmarks/results; with --check, only compare.

Usage: python scripts/make_performance_report.py [--check]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from devtools import pages

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
TARGET = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- made by scripts/make_performance_report.py: {} -->\n", "<!-- end -->\n"
Document = Mapping[str, Any]


def render() -> str:
    """Return the page as it should be."""
    page = TARGET.read_text(encoding="utf-8")
    speed = json.loads((RESULTS / "speed.json").read_text(encoding="utf-8"))
    floats = json.loads((RESULTS / "float_reference.json").read_text(encoding="utf-8"))
    memory = json.loads((RESULTS / "memory.json").read_text(encoding="utf-8"))
    scale = json.loads((RESULTS / "scale.json").read_text(encoding="utf-8"))
    parts = {
        "machine": render_machine(speed),
        "rules": render_rules(speed),
        "growth": render_growth(speed),
        "trees": render_trees(speed),
        "encoding": render_encoding(speed),
        "memory": render_memory(memory),
        "small": render_small(speed),
        "floats": render_floats(floats),
        "large": render_large(scale["large"], scale["large"]["runs"][0]),
        "scale": render_scale(scale),
    }
    for name, lines in parts.items():
        head, begin, rest = page.partition(BEGIN.format(name))
        if not begin:
            raise SystemExit(f"docs/performance.md has no place for {name}")
        page = f"{head}{begin}\n{''.join(lines)}\n{END}{rest.partition(END)[2]}"
    return page


def render_machine(speed: Document) -> Iterator[str]:
    """Yield where and how it was measured."""
    peers = ", ".join(f"{name} {version}" for name, version in speed["peers"].items())
    commits = f"{speed['rules_commit']} (rules, trees) and {speed['commit']} (the rest)"
    yield f"`{speed['command']}` at commits {commits}, {speed['machine']}, Python {speed['python']}, "
    yield f"numpy {speed['numpy']}, {peers}; seed {speed['seed']}, {speed['threads']} thread.\n"


def render_rules(speed: Document) -> Iterator[str]:
    """Yield the largest size that all sides were measured at."""
    measured = [rule for rule in speed["rules"] if rule["n"] == 32 and rule.get("peers")]
    largest = max(rule["d"] for rule in measured)
    yield f"n = 32, d = {largest:,}, f = 6:\n\n"
    yield "| rule | CPU seconds, best to worst | of read bandwidth | × ByzFL | × Flower | extra memory; ByzFL, Flower "
    yield "|\n"
    yield "|---|---:|---:|---:|---:|---:|\n"
    for rule in (rule for rule in speed["rules"] if (rule["n"], rule["d"]) == (32, largest)):
        theirs = [rule.get("peers", {}).get(name) for name in ("byzfl", "flower")]
        timing = f"{rule['timing']['seconds']:.3f} to {rule['timing']['worst_seconds']:.3f}"
        memory = f"{_megabytes(rule)}; {', '.join(map(_megabytes, theirs))}"
        cells = (f"`{rule['rule']}`", timing, f"{rule['share']:.0%}", *map(_ratio, theirs), memory)
        yield f"| {' | '.join(cells)} |\n"


def render_growth(speed: Document) -> Iterator[str]:
    """Yield every size: share of the read bandwidth, and how many times faster than ByzFL and Flower."""
    rules = list(dict.fromkeys(rule["rule"] for rule in speed["rules"]))
    yield f"| n | d | {' | '.join(f'`{rule}`' for rule in rules)} |\n|---:|---:|{'---:|' * len(rules)}\n"
    for n, d in sorted({(rule["n"], rule["d"]) for rule in speed["rules"]}):
        found = {rule["rule"]: rule for rule in speed["rules"] if (rule["n"], rule["d"]) == (n, d)}
        yield f"| {n} | {d:,} | {' | '.join(_cell(found[rule]) for rule in rules)} |\n"


def render_trees(speed: Document) -> Iterator[str]:
    """Yield the trees of the largest sizes."""
    yield "| tree | bytes | CPU seconds, best to worst | plain SHA-256 of the same bytes | speed of plain SHA-256 |\n"
    yield "|---|---:|---:|---:|---:|\n"
    for tree in (tree for tree in speed["trees"] if tree["d"] >= 10**6):
        timing = f"{tree['timing']['seconds']:.3f} to {tree['timing']['worst_seconds']:.3f}"
        plain = f"{tree['plain']['seconds']:.3f}"
        yield f"| {tree['tree']} | {tree['size_bytes']:.1e} | {timing} | {plain} | {tree['share']:.0%} |\n"


def render_encoding(speed: Document) -> Iterator[str]:
    """Yield the steps of a client after training, as multiples of hashing the bytes once."""
    once = speed["encoding"]["hash"]["seconds"]
    yield f"d = {speed['encoding']['d']:,}; hashing the bytes once takes {once:.3f} s of CPU.\n\n"
    yield "| step | CPU seconds, best to worst | times hashing once |\n|---|---:|---:|\n"
    total = 0.0
    for name, step in speed["encoding"]["steps"].items():
        total += step["seconds"]
        seconds = f"{step['seconds']:.3f} to {step['worst_seconds']:.3f}"
        yield f"| {name} | {seconds} | {step['seconds'] / once:.1f} |\n"
    yield f"| all | {total:.3f} | {total / once:.1f} |\n"


def render_memory(sizes: Sequence[Document]) -> Iterator[str]:
    """Yield the most memory of every step of a round, at each size that was measured."""
    yield "| n | d | updates | step | most memory | wall seconds |\n|---:|---:|---:|---|---:|---:|\n"
    for size in sizes:
        for name, step in size["steps"].items():
            updates = f"{size['updates_bytes'] / 1e9:.1f} GB"
            most = f"{step['memory_mib']:,} MiB"
            cells = (str(size["clients"]), f"{size['size']:,}", updates, _STEPS[name], most, f"{step['seconds']:.0f}")
            yield f"| {' | '.join(cells)} |\n"
    commands = " and ".join(f"`{size['command']}` at commit {size['commit']}" for size in sizes)
    yield f"\n{commands}; seed {sizes[0]['seed']}.\n"


def render_small(speed: Document) -> Iterator[str]:
    """Yield exact Krum at a rival's size, and cold starts."""
    krum = speed["krum"]
    yield f"Exact Krum, n = {krum['n']}, d = {krum['d']:,}: {1000 * krum['seconds']:.1f} ms of CPU "
    yield f"(worst of {krum['calls']}: {1000 * krum['worst_seconds']:.1f}).\n\n"
    yield "| kernel, compiled once a process | CPU seconds, best to worst |\n|---|---:|\n"
    for kernel in speed["compile"]:
        seconds = f"{kernel['seconds']:.3f} to {kernel['worst_seconds']:.3f}"
        yield f"| {kernel['kernel']} of {kernel['n']} clients | {seconds} |\n"
    yield "\n"
    yield "| cold start | CPU seconds, best to worst |\n|---|---:|\n"
    for start in speed["start"]:
        yield f"| `{start['command']}` | {start['seconds']:.2f} to {start['worst_seconds']:.2f} |\n"


def render_floats(floats: Document) -> Iterator[str]:
    """Yield how far the integer rules are from float rules."""
    count = len(floats["seeds"]) * floats["coordinates"]
    yield f"Largest error over {count:,} coordinates, n = 11 and 20, in units of the last place; "
    yield f"ByzFL {floats['byzfl']}:\n\n"
    yield "| rule | the paper's formula | ByzFL | coordinates within 1.02 |\n|---|---:|---:|---:|\n"
    for rule in dict.fromkeys(row["rule"] for row in floats["rows"]):
        rows = [row for row in floats["rows"] if row["rule"] == rule]
        worst = [
            max((row["worst_error_lsb"] for row in rows if row["against"] == side), default=None)
            for side in ("papers", "byzfl")
        ]
        within = min(row["share_within"] for row in rows)
        cells = ("–" if error is None else f"{error:.2f}" if error < 2 else f"{error:,.0f}" for error in worst)
        yield f"| `{rule}` | {' | '.join(cells)} | {100 * within:.3f} % |\n"


_STEPS = {
    "run": "run: commit, publish, aggregate, propose, replay, finalise",
    "replay": "replay by a stranger",
    "bundle": "bundle",
    "verify": "check of the bundle",
}


def render_large(about: Document, large: Document) -> Iterator[str]:
    """Yield the run of a thousand clients."""
    seconds, cpu = large["ledger_seconds"], large["ledger_cpu_seconds"]
    yield f"`{about['command']}` at commit {about['commit']}, {about['processor']}, {about['cores']} cores, Python "
    yield f"{about['python']}; load of the machine {_load(large)}:\n\n"
    yield f"| {large['clients']:,} clients, {large['rounds']} rounds, d = {large['size']:,} | |\n|---|---:|\n"
    yield f"| ledger, wall time a round, best | {min(seconds):.2f} s |\n"
    yield f"| median; worst | {large['ledger_median_seconds']:.2f} s; {max(seconds):.2f} s |\n"
    yield f"| CPU of run and node, a round | {cpu:.2f} s |\n"
    yield f"| set-up: keys and registrations | {large['setup_seconds']:.0f} s |\n"
    yield f"| the run, set-up included | {large['run_seconds']:.0f} s |\n"
    yield f"| replay of the whole run | {large['replay_seconds']:.1f} s, {large['replay_cpu_seconds']:.1f} s of CPU |\n"
    yield f"| the run takes, in replays | {large['replay_times_faster']:.0f} |\n"


def render_scale(scale: Document) -> Iterator[str]:
    """Yield how a round grows with clients, coordinates and rounds."""
    commits = ", ".join(dict.fromkeys(scale[part]["commit"] for part in ("clients", "size", "rounds")))
    yield f"`benchmarks/scale.py` at {commits}; load of the machine {_load(scale['clients']['runs'][0])}:\n\n"
    yield "| clients | d | rounds | CPU of a round | a client | CPU of its replay | gas of the batch |\n"
    yield "|---:|---:|---:|---:|---:|---:|---:|\n"
    for run in (run for part in ("clients", "size", "rounds") for run in scale[part]["runs"]):
        cpu, replay = run["ledger_cpu_seconds"], run["replay_cpu_seconds"] / run["rounds"]
        batch = next(gas for name, gas in run["gas"].items() if name.startswith("commitBatch"))
        each = f"{1000 * cpu / run['clients']:.1f} ms"
        sizes = f"{run['clients']:,} | {run['size']:,} | {run['rounds']}"
        yield f"| {sizes} | {cpu:.3f} s | {each} | {replay:.3f} s | {batch:,} |\n"


def _load(result: Document) -> str:
    before, after = result["load_before_and_after"]
    return f"{before} to {after}"


def _cell(rule: Document) -> str:
    theirs = [rule.get("peers", {}).get(name) for name in ("byzfl", "flower")]
    return f"{rule['share']:.0%}; {', '.join(map(_ratio, theirs))}"


def _ratio(peer: Document | None) -> str:
    return "–" if peer is None else f"{peer['ratio']:.1f}" if peer["ratio"] < 10 else f"{peer['ratio']:.0f}"


def _megabytes(result: Document | None) -> str:
    return "–" if result is None else f"{result['extra_bytes'] / 1e6:,.0f} MB"


if __name__ == "__main__":
    sys.exit(pages.run(__file__, __doc__, TARGET, render))
