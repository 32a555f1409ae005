"""Rules and trees against the limits of the machine, and against ByzFL and Flower, as ratios in one run.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/speed.py --peers PEERS [--write]
    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/speed.py --check

PEERS is a folder with ByzFL and Flower (benchmarks/peers.py says how to get it); without it only our own side is
measured. Everything runs in one thread, and CPU seconds are compared, so that other work on the machine is not counted.
`--write` keeps each size in benchmarks/results/speed.json as soon as it is measured, beside those of other sizes, and
draws speed.svg; `--check` measures one size again, and
fails where a share of the machine's limit is less than half of what is kept there: ratios, never times.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
import peers
from machine import describe_machine
from plot import Line, Panel, draw

from fl.kernels.coordinates import compile_kernel
from fl.quantization import quantize
from fl.speed.cases import RULES, count_dishonest, make_params, make_updates, measure_rules, measure_trees
from fl.speed.timing import measure, measure_memory
from ledger import spec
from ledger.aggregation import aggregate
from ledger.commitments import compute_vector_root, encode_values
from ledger.store import EmbeddedStore

RESULTS = Path(__file__).parent / "results"
FORMAT = "fedtrail-speed-1"
SEED = 1
SIZES = [(n, d) for d in (10**5, 10**6, 10**7) for n in (10, 32, 100)]
CHECKED = (32, 10**6)
MAX_PEER_ENTRIES = 400_000_000
"""Beyond it a peer needs more memory than the machine has."""
MAX_NNM_ENTRIES = 1_100_000_000
"""n² d: ByzFL's NNM holds all differences."""
COLOURS = dict(zip(RULES, ("#4477aa", "#ee6677", "#228833", "#aa3377", "#ccbb44", "#66ccee"), strict=True))


def main() -> int:
    """Measure; print, keep or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="site-packages with byzfl and flwr")
    parser.add_argument("--sizes", help="only these, such as 32x1000000,10x100000; none for what has no size")
    parser.add_argument("--write", action="store_true", help="keep the result in speed.json, draw speed.svg")
    parser.add_argument("--check", action="store_true", help="measure one size, compare shares with speed.json")
    arguments = parser.parse_args()
    if arguments.check:
        return check()
    if arguments.peers:
        peers.add_path(arguments.peers)
    sizes = SIZES
    if arguments.sizes:
        sizes = [tuple(map(int, size.split("x"))) for size in arguments.sizes.split(",") if size != "none"]
    path = RESULTS / "speed.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if arguments.write and path.exists() else {}
    document = {
        "format": FORMAT,
        "command": "benchmarks/speed.py --peers PEERS --write",
        **describe(),
        "peers": peers.describe() if arguments.peers else kept.get("peers", {}),
        "seed": SEED,
        "threads": 1,
        "krum": measure_krum(),
        "encoding": measure_encoding(),
        "compile": list(measure_compiling()),
        "start": list(measure_start()),
        "rules": kept.get("rules", []),
        "trees": kept.get("trees", []),
    }
    # Sizes that are measured one by one may belong to an earlier commit than what has no size.
    document["rules_commit"] = document["commit"] if sizes else kept.get("rules_commit", kept.get("commit"))
    if arguments.write:
        keep(document)
    for n, d in sizes:
        for name, results in zip(("rules", "trees"), measure_size(n, d, bool(arguments.peers)), strict=True):
            others = [result for result in document[name] if (result["n"], result["d"]) != (n, d)]
            document[name] = sorted([*others, *results], key=lambda result: (result["d"], result["n"]))
        if arguments.write:
            keep(document)
    if not arguments.write:
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    return 0


def keep(document: dict[str, Any]) -> None:
    """Write the results, and their picture."""
    (RESULTS / "speed.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if document["rules"]:
        (RESULTS / "speed.svg").write_text(draw_costs(document["rules"]), encoding="utf-8")


def measure_size(n: int, d: int, with_peers: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the results of every rule, ours and the peers', and of every tree at one size."""
    updates = make_updates(n, d, SEED)
    rules = [{**asdict(result), "share": round(result.share, 4)} for result in measure_rules(updates)]
    trees = [{**asdict(tree), "share": round(tree.share, 4), "n": n, "d": d} for tree in measure_trees(updates)]
    if with_peers and n * d <= MAX_PEER_ENTRIES:
        floats = updates.astype(np.float32)
        del updates
        for result in rules:
            result["peers"] = dict(measure_peers(result, floats))
    for result in rules:
        ratios = {name: round(peer["ratio"], 1) for name, peer in result.get("peers", {}).items()}
        share = f"{result['share']:.0%} of reading"
        print(n, d, result["rule"], f"{result['timing']['seconds']:.4f} s", share, ratios, file=sys.stderr)
    return rules, trees


def measure_peers(ours: dict[str, Any], floats: peers.Floats) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each peer's result for the rule of one of ours."""
    rule, n, d, f = (ours[key] for key in ("rule", "n", "d", "f"))
    calls = 2 if floats.size <= 40_000_000 else 1
    for name, load in (("byzfl", peers.load_byzfl), ("flower", peers.load_flower)):
        theirs = load().get(rule)
        if theirs is None or ("nnm" in rule and n * n * d > MAX_NNM_ENTRIES):
            continue
        extra = measure_memory(lambda theirs=theirs: theirs(floats, f))
        timing = measure(lambda theirs=theirs: theirs(floats, f), calls=calls, warm=False)  # the one before was traced
        ratio = timing.seconds / ours["timing"]["seconds"]
        yield name, {"timing": asdict(timing), "extra_bytes": extra, "ratio": round(ratio, 2)}


def measure_krum() -> dict[str, Any]:
    """Return exact Krum at the size that a rival states, n = 32 and d = 65,536."""
    n, d = 32, 65_536
    updates, params = make_updates(n, d, SEED), make_params("krum", n, count_dishonest(n))
    return {"n": n, "d": d, **asdict(measure(lambda: aggregate(params, updates, [1] * n), calls=20))}


def measure_encoding() -> dict[str, Any]:
    """Return what a client does with 10⁷ parameters after training, step by step, beside hashing its bytes once."""
    d = 10**7
    delta = np.random.default_rng(SEED).normal(0, 0.01, d).astype(np.float32)
    values = quantize(delta, scale_bits=20, bound=spec.MAX_BOUND, clip_norm=1.0).values
    payload = encode_values(values)
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(Path(folder) / "store")
        fresh = itertools.count()

        def put() -> None:
            # Other bytes each time, since what is there is not written; 60 of them, as a header has.
            store.put((next(fresh).to_bytes(60, "little"), payload))

        steps = {
            "clip to a norm and quantise": lambda: quantize(delta, scale_bits=20, bound=spec.MAX_BOUND, clip_norm=1.0),
            "commit: root over leaves of 1 KiB": lambda: compute_vector_root(values, 8),
            "store: identify, write, flush to disk": put,
        }
        timings = {name: asdict(measure(work, calls=15)) for name, work in steps.items()}
    return {"d": d, "hash": asdict(measure(lambda: hashlib.sha256(payload).digest(), calls=5)), "steps": timings}


def measure_compiling() -> Iterator[dict[str, Any]]:
    """Yield the CPU seconds that the kernels of medians take to compile, each anew."""
    for n in (10, 32, 100):
        timing = measure(lambda n=n: compile_kernel.__wrapped__("middle", n, (n - 1) // 2), calls=5)
        yield {"kernel": "median", "n": n, **asdict(timing)}


def measure_start() -> Iterator[dict[str, Any]]:
    """Yield the CPU seconds of short commands, each started anew."""
    for words in (["--help"], ["audit", "run", "--help"], ["replay", "--help"]):
        command = [str(Path(sys.executable).parent / "fedtrail"), *words]
        seconds = []
        for _ in range(7):
            before = os.times()
            subprocess.run(command, capture_output=True, check=False)
            after = os.times()
            spent = after.children_user + after.children_system - before.children_user - before.children_system
            seconds.append(round(spent, 3))
        yield {"command": " ".join(["fedtrail", *words]), "seconds": min(seconds), "worst_seconds": max(seconds)}


def draw_costs(rules: list[dict[str, Any]]) -> str:
    """Return CPU seconds of each side against d at n = 32 and against n at d = 10⁶."""
    panels = []
    for side in ("ours", "byzfl", "flower"):
        for fixed, varied, value in (("n", "d", 32), ("d", "n", 10**6)):
            chosen = [result for result in rules if result[fixed] == value]
            lines = [
                Line(name=rule, colour=COLOURS[rule], points=points)
                for rule in RULES
                if (points := [(r[varied], s) for r in chosen if r["rule"] == rule and (s := _seconds(r, side))])
            ]
            name = {"ours": "fedtrail", "byzfl": "ByzFL", "flower": "Flower"}[side]
            if lines:
                panels.append(Panel(title=f"{name}, {fixed} = {value:,}", x_label=varied, lines=lines))
    return draw("CPU seconds of rules against n and d", panels, y_label="CPU seconds, one thread", columns=2)


def _seconds(result: dict[str, Any], side: str) -> float | None:
    holder = result if side == "ours" else result.get("peers", {}).get(side)
    return None if holder is None else float(holder["timing"]["seconds"])


def check() -> int:
    """Measure one size again; return 1 if a share is less than half of the one that is kept."""
    kept = json.loads((RESULTS / "speed.json").read_text(encoding="utf-8"))
    rules, trees = measure_size(*CHECKED, False)
    slow = []
    for name, results in (("rule", rules), ("tree", trees)):
        for result in results:
            key = {"n": result["n"], "d": result["d"], name: result[name]}
            before = next(each for each in kept[f"{name}s"] if key.items() <= each.items())
            if result["share"] < before["share"] / 2:
                slow.append(f"{result[name]}: {result['share']:.2f} of the limit, was {before['share']:.2f}")
    sys.stderr.write("\n".join(slow) + "\n" if slow else "no share is less than half of what it was\n")
    return 1 if slow else 0


def describe() -> dict[str, object]:
    """Return the commit, the machine and what the figures depend on of it."""
    found = describe_machine()
    machine = f"{found['processor']}, {os.cpu_count()} cores, {platform.system()}"
    return {"commit": found["commit"], "machine": machine, "python": found["python"], "numpy": np.__version__}


if __name__ == "__main__":
    sys.exit(main())
