"""Campaigns of random rounds against the courts: soundness.py [--runs N] [--seed HEX] [--write].

Each property of the suites below gets N random rounds: no honest round can be struck, every wrong coordinate, distance
and seed can, no changed proof holds. `--write` keeps the result in benchmarks/results/soundness.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

from devtools.checks import hardhat
from devtools.places import ROOT
from devtools.processes import read_tail, run_logged

SUITES = ("Soundness", "KrumSoundness", "UnmaskCourt")
KINDS = ("sum32", "mean", "weighted mean", "median", "trimmed mean", "krum", "multi-krum", "masked sum")
"""By the numbers of Rule in IRoundLedger.sol, then by RoundTally.sol."""
TALLY = ROOT / ".dev" / "soundness.txt"
RESULT = ROOT / "benchmarks" / "results" / "soundness.json"
DEFAULT_RUNS = 1000
DEFAULT_SEED = "0x6665647472616941"


@dataclass(frozen=True)
class Tally:
    """What the rounds of one rule were."""

    rounds: int
    clients: str
    """Fewest to most, and how many numbers of them occurred."""
    coordinates: int
    at_an_end: int
    """Coordinates of updates that were the least or the greatest int32."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what a campaign can be told."""
    parser.add_argument("--runs", type=int, default=DEFAULT_RUNS, help="random rounds for each property")
    parser.add_argument("--seed", default=DEFAULT_SEED, help="of the random rounds, hexadecimal")
    parser.add_argument("--write", action="store_true", help=f"keep the result in {RESULT.relative_to(ROOT)}")


def run(runs: int, seed: str, *, keep: bool) -> int:
    """Run a campaign and print its rounds. Returns 0, or 1 when a property failed."""
    TALLY.parent.mkdir(exist_ok=True)
    TALLY.unlink(missing_ok=True)
    os.environ.update(FEDTRAIL_FUZZ_RUNS=str(runs), FEDTRAIL_FUZZ_SEED=seed, FEDTRAIL_TALLY=str(TALLY))
    files = [f"contracts/test/{suite}.t.sol" for suite in SUITES]
    started = time.monotonic()
    outcome = run_logged("random rounds", hardhat("test", "solidity", *files, "--grep", "testFuzz"))
    seconds = round(time.monotonic() - started, 1)
    log = outcome.log.read_text("utf-8", errors="replace") if outcome.log else ""
    properties, kinds = read_properties(log), read_tally(TALLY.read_text("utf-8") if TALLY.exists() else "")
    print(describe(kinds))
    if outcome.status != 0 or not properties or set(KINDS) - set(kinds):
        print(read_tail(outcome.log, 100) if outcome.log else "no log")
        return 1
    print(f"{len(properties)} properties, {sum(properties.values())} runs, none failed")
    if keep:
        command = f"python3 scripts/dev.py soundness --runs {runs} --seed {seed}"
        result = {"command": command, "seed": seed, **describe_machine(), "seconds": seconds, "failed": 0}
        rounds = {kind: asdict(tally) for kind, tally in kinds.items()}
        RESULT.write_text(json.dumps({**result, "rounds": rounds, "runs": properties}, indent=2) + "\n", "utf-8")
    return 0


def read_properties(log: str) -> dict[str, int]:
    """Return the runs of each property that held, as the test runner tells them: {"Suite.property": runs}."""
    runs, suite = {}, ""
    for line in log.splitlines():
        if heading := re.search(r"\.t\.sol:(\w+)Test\s*$", line):
            suite = heading[1]
        elif held := re.search(r"✔ testFuzz(\w+)\(.*\(runs: (\d+)\)", line):
            runs[f"{suite}.{held[1]}"] = int(held[2])
    return dict(sorted(runs.items()))


def read_tally(text: str) -> dict[str, Tally]:
    """Return what the rounds of each kind were, from entries "kind clients coordinates at-an-end;"."""
    rounds: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for entry in text.split(";")[:-1]:
        kind, clients, coordinates, ends = (int(word) for word in entry.split())
        rounds[KINDS[kind]].append((clients, coordinates, ends))
    return {kind: summarise(rounds[kind]) for kind in KINDS if kind in rounds}


def summarise(rounds: list[tuple[int, int, int]]) -> Tally:
    """Return the sums of rounds of one kind."""
    clients, coordinates, ends = zip(*rounds, strict=True)
    return Tally(
        rounds=len(rounds),
        clients=f"{min(clients)} to {max(clients)}, {len(set(clients))} numbers",
        coordinates=sum(coordinates),
        at_an_end=sum(ends),
    )


def describe(kinds: dict[str, Tally]) -> str:
    """Return a table with one line a kind of round."""
    lines = [f"{'':<16}{'rounds':>8}  {'clients':<24}{'coordinates at an end of int32':>30}"]
    for kind, tally in kinds.items():
        lines.append(f"{kind:<16}{tally.rounds:>8}  {tally.clients:<24}{tally.at_an_end / tally.coordinates:>30.0%}")
    return "\n".join([*lines, f"{'all':<16}{sum(tally.rounds for tally in kinds.values()):>8}"])


def describe_machine() -> dict[str, str]:
    """Return what a figure depends on beside its command."""
    cpuinfo = Path("/proc/cpuinfo")
    rows = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [row for row in rows if row.startswith("model name")]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    processor = names[0].partition(": ")[2] if names else platform.processor()
    return {"commit": commit.stdout.strip(), "processor": f"{processor}, {os.cpu_count()} cores"}


def main() -> int:
    """Run a campaign from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    return run(options.runs, options.seed, keep=options.write)


if __name__ == "__main__":
    sys.exit(main())
