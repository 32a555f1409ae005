"""Flip every single bit of every message of a full round, and write who refused how many.

    python benchmarks/every_bit.py [--write]

A devnet of its own; some 66,000 flips, a minute. With --write the counts go to benchmarks/results/bit_flips.json.
Exit status 1 if a flip was taken for another message.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT), str(ROOT / "tests" / "support"), str(ROOT / "benchmarks")]

from ledger_world import World, make_setup  # noqa: E402  # found by the line above
from machine import describe_machine  # noqa: E402
from round_messages import list_messages  # noqa: E402

from ledger import devnet  # noqa: E402
from ledger.journal import Journal  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "bit_flips.json"


def flip_every_bit(folder: Path) -> list[dict[str, object]]:
    """Return bits, refusals and flips without effect of each kind of message."""
    rows: list[dict[str, object]] = []
    with devnet.running(folder) as node:
        journal = Journal(folder / "setup.sqlite")
        world = World(make_setup(node.rpc, journal), folder / "world")
        for message in list_messages(world):
            outcome, bits = message.flip_all(), len(message.bits)
            taken, ignored = len(outcome.accepted), len(outcome.ignored)
            counts = {"bits": bits, "refused": bits - taken - ignored, "without effect": ignored, "accepted": taken}
            rows.append({"message": message.kind, **counts})
            print(f"{message.kind:32}{bits:7}{ignored:7}{taken:7}", flush=True)
        world.close()
        journal.close()
    return rows


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/bit_flips.json")
    write = parser.parse_args().write
    with tempfile.TemporaryDirectory() as folder:
        rows = flip_every_bit(Path(folder))
    total = {key: sum(int(str(row[key])) for row in rows) for key in rows[0] if key != "message"}
    print(total)
    if write:
        command = "python benchmarks/every_bit.py --write"
        found = {"command": command, "machine": describe_machine(), "total": total, "messages": rows}
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    return 1 if total["accepted"] else 0


if __name__ == "__main__":
    sys.exit(main())
