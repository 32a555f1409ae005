"""Secure aggregation: exact sums under dropouts at every stage, CPU time and bytes, beside Flower's SecAgg+.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/secagg.py --flower-python /path/to/venv-with-flwr/bin/python [--write]

Clients run one after the other in this process, each from a float32 update to masked bytes, and on to its answer. CPU
time is that of the process, so that a busy machine changes it less than wall time. Flower runs in an interpreter of its
own (`pip install 'flwr>=1.22'`), its own functions, as many neighbours, the same number of coordinates; the two
alternate. `--write` keeps the result in benchmarks/results/secagg.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from machine import describe_machine

import fl.kernels
from fl.privacy.secagg import Masker, Setting, Unmasker, decode_answer
from fl.privacy.secagg.keys import compute_public_key
from fl.quantization import quantize
from ledger import spec
from ledger.aggregation.masks import add_masks, apply_masks
from ledger.script.masking import choose_degree, choose_threshold

HERE = Path(__file__).parent
RESULT = HERE / "results" / "secagg.json"
STAGES = ("nobody", "hello", "shares", "commit", "publish", "unmask")
"""At which of them a tenth of the clients falls silent; what comes before it they have done."""
SEED, SCALE_BITS, AGGREGATOR = 1, 20, 1 << 20


def main() -> int:
    """Measure every stage, and Flower; print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--size", type=int, default=1_000_000)
    parser.add_argument("--dropped", type=float, default=0.1, help="share of the clients that falls silent")
    parser.add_argument("--flower-python", type=Path, help="interpreter that has flwr; without it Flower is left out")
    parser.add_argument("--write", action="store_true", help=f"keep the result in {RESULT.name}")
    arguments = parser.parse_args()
    fl.kernels.install()
    n, d = arguments.clients, arguments.size
    degree = choose_degree(n)
    stages = {}
    aes: list[dict[str, object]] = []
    flower: list[dict[str, object]] = []
    for stage in STAGES:
        stages[stage] = run(n, d, degree, stage, arguments.dropped)
        sys.stderr.write(f"{stage}: {json.dumps(stages[stage])}\n")
        if len(aes) < 3:
            aes.append(run(n, d, degree, "publish", arguments.dropped, spec.Expansion.AES))
            sys.stderr.write(f"aes: {json.dumps(aes[-1])}\n")
        if arguments.flower_python and len(flower) < 3:  # between ours, so that both meet the same machine
            flower.append(run_flower(arguments.flower_python, n, d, degree, arguments.dropped))
            sys.stderr.write(f"flower: {json.dumps(flower[-1])}\n")
    result: dict[str, object] = {
        "command": f"OMP_NUM_THREADS=1 benchmarks/secagg.py --clients {n} --size {d} --dropped {arguments.dropped}"
        + (" --flower-python PYTHON" if flower else ""),
        **describe_machine(),
        "seed": SEED,
        "clients": n,
        "coordinates": d,
        "degree": degree,
        "threshold": choose_threshold(degree),
        "mask": "SHA-256 in counter mode, 256-bit seeds",
        "dropouts_at": stages,
        "with_aes_256_in_counter_mode": summarise(aes),
    }
    if flower:
        result["flower"] = summarise(flower)
        # Flower's server removes the pair masks of the clients that are gone: so does ours at this stage.
        result["client_cpu_ratio"] = ratio(flower, stages["publish"], "client_cpu_seconds")
        result["server_cpu_ratio"] = ratio(flower, stages["publish"], "server_cpu_seconds")
        result["client_cpu_ratio_with_aes"] = ratio(flower, summarise(aes), "client_cpu_seconds")
        result["server_cpu_ratio_with_aes"] = ratio(flower, summarise(aes), "server_cpu_seconds")
    text = json.dumps(result, indent=2) + "\n"
    if arguments.write:
        RESULT.write_text(text)
    sys.stdout.write(text)
    return 0


def ratio(flower: list[dict[str, object]], ours: dict[str, object], figure: str) -> float:
    """Return the median of Flower's figure over ours."""
    theirs = median(float(str(each[figure])) for each in flower)
    return round(theirs / float(str(ours[figure])), 2)


def summarise(runs: list[dict[str, object]]) -> dict[str, object]:
    """Return the middle run by the client's time, and all times."""
    ordered = sorted(runs, key=lambda each: float(str(each["client_cpu_seconds"])))
    return {**ordered[len(ordered) // 2], "client_cpu_seconds_of_each_run": [r["client_cpu_seconds"] for r in runs]}


def run_flower(python: Path, n: int, d: int, degree: int, dropped: float) -> dict[str, object]:
    """Return what benchmarks/secagg_flower.py measures in the other interpreter."""
    command = [str(python), str(HERE / "secagg_flower.py"), str(n), str(d), str(degree), str(dropped)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"})
    return dict(json.loads(done.stdout.splitlines()[-1]))


class Clock:
    """CPU seconds of this process, by what it was doing."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, what: str) -> Iterator[None]:
        started = time.process_time()
        yield
        self.seconds[what] = self.seconds.get(what, 0.0) + time.process_time() - started


def private_key(client: int) -> bytes:
    return hashlib.sha256(b"key %d" % client).digest()


def make_update(client: int, d: int) -> np.ndarray:
    return np.random.default_rng([SEED, client]).normal(0, 0.01, d).astype(np.float32)


def run(
    n: int, d: int, degree: int, stage: str, dropped: float, expansion: spec.Expansion = spec.Expansion.SHA256
) -> dict[str, object]:
    """Run one round in which some clients fall silent at a stage; return what it cost and whether its sum is exact."""
    clients = list(range(1, n + 1))
    keys = {c: compute_public_key(private_key(c)) for c in clients}
    setting = Setting(
        domain_separator=bytes(32),
        round_id=1,
        beacon=hashlib.sha256(b"beacon %d" % SEED).digest(),
        roster=tuple(clients),
        keys=keys,
        degree=degree,
        threshold=choose_threshold(degree),
        quorum=n // 2 + 1,
    )
    setting.peers, setting.context  # noqa: B018  both come from the chain, once for everybody
    silent = set(clients[:: round(1 / dropped)]) if stage != "nobody" else set()

    def present(at: str) -> list[int]:
        return [c for c in clients if c not in silent or STAGES.index(stage) > STAGES.index(at)]

    clock, watches = Clock(), {c: Clock() for c in clients}
    maskers, hellos, sent, up, down = {}, {}, {}, dict.fromkeys(clients, 0), dict.fromkeys(clients, 0)
    for c in present("hello"):
        with watches[c].measure("agree and share"):
            maskers[c] = Masker(setting=setting, client=c, private_key=private_key(c), root=Masker.make_root())
            hellos[c] = maskers[c].make_hello()
        up[c] += len(hellos[c])
    for c in present("shares"):
        with watches[c].measure("agree and share"):
            sent[c] = maskers[c].share(hellos)
        up[c] += sum(map(len, sent[c].values()))
        down[c] += sum(len(hellos[p]) for p in maskers[c].peers if p in hellos)
    held, tables, total, plain = {}, {}, np.zeros(d, dtype=np.uint32), np.zeros(d, dtype=np.uint32)
    survivors = present("publish")
    for c in present("commit"):
        inbox, update = [out[c] for out in sent.values() if c in out], make_update(c, d)
        down[c] += sum(map(len, inbox))
        with watches[c].measure("agree and share"):
            held[c], rejected = maskers[c].receive(hellos, inbox)
            seeds = maskers[c].make_seeds(hellos, held[c])
            table = tuple(spec.make_seed_table(seeds))
        with watches[c].measure("quantise"):
            values = quantize(update, scale_bits=SCALE_BITS, bound=spec.MAX_BOUND).values
        with watches[c].measure("mask"):
            masked = apply_masks(values, c, seeds, expansion)
            published = spec.encode_seed_table(table) + masked.astype("<i4").tobytes()
        if rejected:
            raise RuntimeError("a message was rejected")
        up[c] += spec.HEADER_BYTES + len(published)
        if c in survivors:
            tables[c] = table
            plain += values.view(np.uint32)
            with clock.measure("add"):
                total += masked.view(np.uint32)
    with clock.measure("recover seeds"):
        unmasker = Unmasker(setting=setting, hellos=hellos, tables=tables)
        request = unmasker.make_request()
    answers, aggregator_key = [], compute_public_key(private_key(AGGREGATOR))
    for c in [c for c in present("unmask") if c in tables]:
        with watches[c].measure("agree and share"):
            answer = maskers[c].answer(request, held[c], held[c], survivors)
            message = maskers[c].seal_answer(answer, aggregator=AGGREGATOR, aggregator_key=aggregator_key)
        up[c] += len(message)
        down[c] += 4 * len(request.own_of | request.keys_of)
        with clock.measure("recover seeds"):
            answers.append(decode_answer(setting, message, aggregator=AGGREGATOR, private_key=private_key(AGGREGATOR)))
    with clock.measure("recover seeds"):
        reveals = unmasker.recover(answers)
    with clock.measure("remove masks"):
        add_masks(total, [(r.seed, -spec.compute_sign(r.owner, r.peer)) for r in reveals], expansion)
    whole = [c for c in clients if c not in silent]
    return {
        "survivors": len(survivors),
        "answers": len(answers),
        "sum_is_exact": bool((total == plain).all()),
        "revealed_seeds": len(reveals),
        "client_cpu_seconds": round(median(sum(watches[c].seconds.values()) for c in whole), 5),
        "client_cpu_seconds_by_part": {
            part: round(median(watches[c].seconds[part] for c in whole), 5) for part in watches[whole[0]].seconds
        },
        "server_cpu_seconds": round(sum(clock.seconds.values()), 4),
        "server_cpu_seconds_by_part": {part: round(value, 4) for part, value in clock.seconds.items()},
        "client_sends_bytes": int(median(up[c] for c in whole)),
        "client_sends_beside_the_update_bytes": int(median(up[c] for c in whole)) - 4 * d,
        "client_receives_bytes": int(median(down[c] for c in whole)),
    }


if __name__ == "__main__":
    sys.exit(main())
