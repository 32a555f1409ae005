"""Fuzz both verifiers of bundles with mutants of a sound bundle, and hold them against each other.

    python scripts/fuzz_verifiers.py BUNDLE --trust FILE --inputs 100000 --seed 1 [--processes 2] [--out RESULTS.json]

Every input follows from seed and number. An input is a finding if a verifier breaks, exceeds its time or memory, says
VERIFIED of anything but the original (README, verify.py and what a bundle only claims aside), or if the two disagree.
Both hash with a library's Keccak here, and remember what they have hashed; tests hold it against their own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MEMORY_BYTES = 3 << 30
CLAIMS = ("files", "gaps", "level", "min_stake_wei", "partner", "recipient", "tasks")
"""Keys of a manifest that a verdict does not rest on: `files` is judged file by file, what follows from the smallest
stakes is in the registry's records, and fewer tasks are fewer rounds in the result.
"""


@dataclass
class Tally:
    """What came of some inputs."""

    inputs: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    depths: Counter[str] = field(default_factory=Counter)
    unchanged: int = 0
    claims: int = 0
    slowest_s: dict[str, float] = field(default_factory=lambda: {"package": 0.0, "standalone": 0.0})
    peak_bytes: int = 0
    findings: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take another tally's counts into this one."""
        self.inputs, self.claims = self.inputs + other.inputs, self.claims + other.claims
        self.unchanged += other.unchanged
        for name in ("kinds", "verdicts", "codes", "depths"):
            getattr(self, name).update(getattr(other, name))
        for who, seconds in other.slowest_s.items():
            self.slowest_s[who] = max(self.slowest_s[who], seconds)
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)
        self.findings += other.findings


class Hang(BaseException):
    """A verifier took longer than an input may take."""


def _on_alarm(*_: object) -> None:
    raise Hang


@cache
def load_standalone() -> Any:
    """Return the lone verifier as a module.

    Both get a library's Keccak, and remember what they have hashed and decoded: most of a mutant is as it was.
    """
    import importlib

    from eth_hash.auto import keccak
    from eth_utils import crypto

    from ledger.bundle import chain_evidence, check
    from ledger.chain.abi import Item
    from ledger.evidence import headers, receipts, rlp, state, trie
    from ledger.spec.keccak import keccak256

    hash_once = lru_cache(maxsize=1 << 15)(keccak)
    for name, loaded in list(sys.modules.items()):
        for attribute, slow in (("keccak256", keccak256), ("keccak", crypto.keccak)):
            if name.startswith("ledger.") and getattr(loaded, attribute, None) is slow:
                setattr(loaded, attribute, hash_once)
    # Not the module rlp itself: forgeries change what it decodes.
    remembering = SimpleNamespace(**vars(rlp) | {"decode": _remember(rlp.decode)})
    for reading in (headers, receipts, state, trie):
        reading.rlp = remembering  # type: ignore[attr-defined]
    owned = [(headers, "_make_mask"), (trie, "verify"), (check, "decode_state"), (Item, "decode_log")]
    owned += [(chain_evidence, name) for name in ("decode_header", "decode_logs", "compute_receipts_root")]
    for owner, name in owned:
        setattr(owner, name, _remember(getattr(owner, name)))
    sys.path.append(str(ROOT / "ledger" / "bundle"))
    lone = importlib.import_module("verify")
    parts = [part for name, part in sys.modules.items() if name == "verify" or name.startswith("verify_")]
    named = ("bloom_mask", "is_signed25519", "parse_rlp", "decode_header", "decode_logs", "decode_event", "list_root")
    for name in ("keccak", *named, "read_state", "walk_proof", "recover"):
        own = getattr(next(part for part in parts if hasattr(part, name)), name)
        quick: Any = hash_once if name == "keccak" else _remember(own)
        if name == "decode_logs":  # a generator
            quick = _remember(lambda receipt, own=own: list(own(receipt)))
        for part in (part for part in parts if hasattr(part, name)):
            setattr(part, name, quick)
    return lone


def _remember(function: Any) -> Any:
    """Return a function that remembers up to 2,000 of its answers; lists among its arguments are taken as tuples."""
    answers: dict[Any, Any] = {}

    def ask(*arguments: Any) -> Any:
        key = tuple(tuple(each) if isinstance(each, list) else getattr(each, "name", each) for each in arguments)
        if key not in answers:
            if len(answers) == 2000:
                answers.clear()
            answers[key] = function(*arguments)
        return answers[key]

    return ask


class Fuzzer:
    """Runs both verifiers on one mutant after the other.

    Args: limit_s: longest that one verifier may take.
    """

    def __init__(self, bundle: Path, trust: Path, seed: int, folder: Path, limit_s: float) -> None:
        from tamper.forgery import read_files
        from tamper.mutations import Mutator, pack

        from ledger.trust import Trust

        self._files, self._trust = read_files(bundle), Trust.load(trust)
        self._original = pack(self._files)
        self._mutator, self._lone = Mutator(self._files, seed), load_standalone()
        self._lone_trust = self._lone.read_trust(trust.read_bytes())
        self._path, self._limit_s, self.tally = folder / f"{seed}-{id(self)}.zip", limit_s, Tally()

    def run(self, number: int) -> None:
        """Make an input and judge what both verifiers make of it."""
        try:
            kind, data = self._mutator.make(number)
        except Exception:
            self._note("not made", number, "", traceback.format_exc(limit=-3))
            return
        self.tally.inputs += 1
        self.tally.kinds[kind] += 1
        self.tally.unchanged += data == self._original
        self._path.write_bytes(data)
        package = self._guard("package", number, kind, self._check_by_package)
        alone = self._guard("standalone", number, kind, lambda: self._lone.Bundle(data, self._lone_trust).run())
        if package is None or alone is None:
            return
        self._count(alone)
        results = [_summarise(result) for result in (package, alone)]
        if results[0] != results[1]:
            self._note("disagreement", number, kind, results)
        if "VERIFIED" in (package["verdict"], alone["verdict"]) and data != self._original:
            if _is_same_evidence(self._path, self._files):
                self.tally.claims += 1
            else:
                self._note("accepted", number, kind, results)

    def close(self) -> None:
        """Remove the last input."""
        self._path.unlink(missing_ok=True)
        self.tally.peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    def _check_by_package(self) -> dict[str, Any]:
        from ledger.bundle.check import check_bundle

        return check_bundle(self._path, self._trust).to_json()

    def _guard(self, who: str, number: int, kind: str, check: Any) -> dict[str, Any] | None:
        began = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, self._limit_s)
        try:
            return dict(check())
        except Hang:
            self._note("hang", number, kind, who)
        except Exception:
            self._note("crash", number, kind, f"{who}: {traceback.format_exc(limit=-3)}")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.tally.slowest_s[who] = max(self.tally.slowest_s[who], time.monotonic() - began)
        return None

    def _count(self, result: dict[str, Any]) -> None:
        accused = [check["name"] for check in result["checks"] if check["ok"] is False]
        container = accused == ["manifest"] and result["level"] is None
        self.tally.verdicts[result["verdict"]] += 1
        self.tally.codes.update({each["code"] for each in result["findings"]})
        self.tally.depths["container" if container else accused[-1] if accused else "none accuses"] += 1

    def _note(self, what: str, number: int, kind: str, detail: Any) -> None:
        self.tally.findings.append({"what": what, "input": number, "kind": kind, "detail": detail})


def _summarise(result: dict[str, Any]) -> list[Any]:
    return [result["verdict"], result["exit"], sorted({each["code"] for each in result["findings"]})]


def _is_same_evidence(path: Path, files: dict[str, bytes]) -> bool:
    """Whether a mutant differs from the original only in what no verdict is taken from."""
    from tamper.forgery import MANIFEST, read_files

    found = read_files(path)
    changed = {name for name in found.keys() | files.keys() if found.get(name) != files.get(name)}
    if MANIFEST in changed:
        before, after = (json.loads(each[MANIFEST]) for each in (files, found))
        if {key for key in before if before[key] != after[key]} - set(CLAIMS):
            return False
    needed = {name for name in changed if name.startswith("chain/") or (name.startswith("blobs/") and name in found)}
    return not needed & files.keys() and not any(name.startswith("chain/") for name in needed)


def _work(arguments: tuple[Any, ...]) -> Tally:
    bundle, trust, seed, folder, limit_s, numbers = arguments
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGALRM, _on_alarm)
    fuzzer = Fuzzer(bundle, trust, seed, folder, limit_s)
    for number in numbers:
        fuzzer.run(number)
    fuzzer.close()
    return fuzzer.tally


def main(arguments: list[str]) -> int:
    """Fuzz, print the tally, and return 1 if there were findings."""
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--trust", type=Path, required=True, help="names the last block of the bundle")
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input: runs one again")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--limit-seconds", type=float, default=20.0, help="longest that one verifier may take")
    parser.add_argument("--max-seconds", type=float, default=float("inf"), help="stop after so long, and say how far")
    parser.add_argument("--out", type=Path, help="where the results go, as JSON")
    options = parser.parse_args(arguments)
    began, total = time.monotonic(), Tally()
    numbers = range(options.first, options.first + options.inputs)
    with tempfile.TemporaryDirectory() as folder:
        fixed = (options.bundle, options.trust, options.seed, Path(folder), options.limit_seconds)
        jobs = [(*fixed, numbers[at : at + 250]) for at in range(0, len(numbers), 250)]
        with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
            for done in pool.imap_unordered(_work, jobs):
                total.add(done)
                for finding in done.findings:
                    print(json.dumps(finding), file=sys.stderr, flush=True)
                if total.inputs % 5000 < 250:
                    print(f"{total.inputs} inputs, {len(total.findings)} findings", file=sys.stderr, flush=True)
                if time.monotonic() - began > options.max_seconds:
                    break
    result = {
        "command": f"scripts/fuzz_verifiers.py --inputs {options.inputs} --seed {options.seed}",
        "seconds": round(time.monotonic() - began),
        "bundle_bytes": options.bundle.stat().st_size,
        "inputs": total.inputs,
        "findings_by_kind": dict(Counter(each["what"] for each in total.findings)),
        "unchanged": total.unchanged,
        "verified_with_the_same_evidence": total.claims,
        "verdicts": dict(total.verdicts.most_common()),
        "deepest_check_that_accuses": dict(total.depths.most_common()),
        "codes": dict(total.codes.most_common()),
        "mutations": dict(total.kinds.most_common()),
        "slowest_seconds": {who: round(seconds, 2) for who, seconds in total.slowest_s.items()},
        "peak_memory_bytes": total.peak_bytes,
        "findings": sorted(total.findings, key=lambda each: each["input"])[:200],
    }
    text = json.dumps(result, indent=1) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    return 1 if total.findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
