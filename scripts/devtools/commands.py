"""The sub-commands of scripts/dev.py."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence

from devtools import analysis, checks, environment, processes, soundness
from devtools.places import DAEMON, NODE_MODULES, PYTHON, ROOT, VENV, Refusal, get_node, get_tool

CACHES = (
    ".hardhat",
    ".dev",
    "build",
    "dist",
    "coverage",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    ".import_linter_cache",
)
IPFS_SWITCH = "FEDTRAIL_TEST_IPFS"


def run(arguments: Sequence[str]) -> int:
    """Run one sub-command. Returns its exit status: 1 after a refusal, 130 after Ctrl-C."""
    name, rest = (arguments[0], list(arguments[1:])) if arguments else ("", [])
    if name in WITH_REST:
        options = argparse.Namespace(action=WITH_REST[name], rest=rest[1:] if rest[:1] == ["--"] else rest)
    else:
        options = make_parser().parse_args(arguments)
    processes.obey_signals()
    try:
        return int(options.action(options))
    except Refusal as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    except processes.Interrupted as interrupted:
        print("\nstopped", file=sys.stderr)
        return 128 + int(interrupted.args[0])


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all sub-commands."""
    parser = argparse.ArgumentParser(prog="dev.py", description="Set up, demonstrate, test and measure fedtrail.")
    subs = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    made = {}
    for name, (action, text) in COMMANDS.items():
        made[name] = subs.add_parser(name, help=text, description=text, allow_abbrev=False)
        made[name].set_defaults(action=action)
    for name in checks.GENERATORS:
        made[name].add_argument("--check", action="store_true", help="compare instead of writing")
    made["bench"].add_argument("names", nargs="*")
    soundness.add_options(made["soundness"])
    made["clean"].add_argument("--all", action="store_true", help="also .venv and node_modules")
    return parser


def set_up(options: argparse.Namespace) -> int:
    """Install everything, also what only tests need."""
    started = time.monotonic()
    environment.set_up()
    environment.set_up_oracles()
    print(f"set up in {time.monotonic() - started:.1f} s: .venv, node_modules")
    return 0


def demonstrate(options: argparse.Namespace) -> int:
    """Set up and become `fedtrail demo`."""
    environment.set_up()
    return processes.replace([get_tool("fedtrail"), "demo", *options.rest])


def test(options: argparse.Namespace) -> int:
    """Run every check; the daemon's tests only where FEDTRAIL_TEST_IPFS or CI asks for them."""
    environment.set_up()
    environment.set_up_oracles()
    analysis.set_up_tool("slither")
    if is_set(IPFS_SWITCH) or is_set("CI"):
        prepare_daemon()
    else:
        print(f"note: the tests against a real IPFS daemon are in `make test-ipfs` (or set {IPFS_SWITCH}=1)")
    return checks.run_stages(
        [
            *checks.get_lint_stages(),
            *analysis.get_slither_stages(),
            *checks.get_contract_stages(),
            *checks.get_generator_stages(),
            *checks.get_pytest_stages(options.rest),
        ]
    )


def test_ipfs(options: argparse.Namespace) -> int:
    """Run the tests that need the daemon."""
    environment.set_up()
    environment.set_up_oracles()
    prepare_daemon()
    return checks.run_stages(checks.get_pytest_stages(["-m", "ipfs", *options.rest]))


def prepare_daemon() -> None:
    """Install the daemon and tell the tests, which otherwise leave theirs out, that it is there."""
    environment.set_up_daemon()
    os.environ[IPFS_SWITCH] = "1"


def is_set(name: str) -> bool:
    """Return whether an environment variable says yes."""
    return os.environ.get(name, "").lower() not in ("", "0", "false", "no")


def lint(options: argparse.Namespace) -> int:
    """Run the checks that run no product code."""
    environment.set_up()
    return checks.run_stages(checks.get_lint_stages())


def reformat(options: argparse.Namespace) -> int:
    """Rewrite the sources."""
    environment.set_up()
    return checks.run_stages(checks.get_format_stages())


def execute_symbolically(options: argparse.Namespace) -> int:
    """Run what holds for all inputs."""
    prepare_analysis("halmos")
    return checks.run_stages(analysis.get_symbolic_stages())


def run_slither(options: argparse.Namespace) -> int:
    """Run the static analysis of the contracts."""
    prepare_analysis("slither")
    return checks.run_stages(analysis.get_slither_stages())


def measure_coverage(options: argparse.Namespace) -> int:
    """Measure which lines and branches of the contracts their tests reach."""
    prepare_analysis("forge")
    return checks.run_stages(analysis.get_coverage_stages())


def play_random_rounds(options: argparse.Namespace) -> int:
    """Run a campaign of random rounds against the courts."""
    environment.set_up()
    return soundness.run(options.runs, options.seed, keep=options.write)


def analyse(options: argparse.Namespace) -> int:
    """Run all three, also where one has failed."""
    return max(action(options) for action in (run_slither, execute_symbolically, measure_coverage))


def prepare_analysis(tool: str) -> None:
    """Install what one analysis needs; halmos compiles with forge."""
    environment.set_up()
    if tool != "forge":
        analysis.set_up_tool(tool)
    if tool != "slither":
        analysis.set_up_forge()


def generate(options: argparse.Namespace) -> int:
    """Write or compare the committed files that a script makes from sources."""
    environment.set_up()
    return checks.run_stages(checks.get_generator_stages([options.command], update=not options.check))


def bench(options: argparse.Namespace) -> int:
    """Run benchmarks one after the other, on a machine that does nothing else."""
    environment.set_up()
    scripts = {script.stem: script for script in sorted((ROOT / "benchmarks").glob("[!_]*.py"))}
    unknown = [name for name in options.names if name not in scripts]
    if unknown or not scripts:
        raise Refusal(f"no benchmark {', '.join(unknown) or 'yet'}; there are: {', '.join(scripts) or 'none'}")
    chosen = options.names or list(scripts)
    return checks.run_stages([checks.Stage(name, [PYTHON, scripts[name]], is_live=True) for name in chosen])


def node(options: argparse.Namespace) -> int:
    """Become Node."""
    environment.set_up()
    return processes.replace([get_node(), *options.rest])


def pin(options: argparse.Namespace) -> int:
    """Write constraints.txt anew."""
    environment.pin()
    return 0


def clean(options: argparse.Namespace) -> int:
    """Remove caches, and with --all what set-up installed."""
    folders = (ROOT, DAEMON, analysis.FOUNDRY)
    installed = [VENV, analysis.TOOLS, *(folder / NODE_MODULES.name for folder in folders)] if options.all else []
    for folder in [*(ROOT / name for name in CACHES), *installed]:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


WITH_REST: dict[str, Callable[[argparse.Namespace], int]] = {
    "demo": demonstrate,
    "test": test,
    "test-ipfs": test_ipfs,
    "node": node,
}
"""Commands whose arguments belong to the program that they start."""

COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], str]] = {
    "setup": (set_up, "make .venv and node_modules complete; does nothing when they are"),
    "demo": (demonstrate, "set up, then run: fedtrail demo ARGS"),
    "test": (test, "all checks and tests; ARGS go to pytest"),
    "test-ipfs": (test_ipfs, "the tests against a real IPFS daemon (installs 245 MB once); ARGS go to pytest"),
    "lint": (lint, "ruff, mypy, import directions, solhint, prettier"),
    "format": (reformat, "rewrite the sources as the linters want them"),
    "symbolic": (execute_symbolically, "prove properties of the contracts for all inputs (halmos; installs it once)"),
    "slither": (run_slither, "static analysis of the contracts (installs slither once)"),
    "coverage": (measure_coverage, "which lines and branches of the contracts their tests reach (installs forge once)"),
    "analyse": (analyse, "these three, one after the other"),
    "soundness": (play_random_rounds, "random rounds: nothing honest is provable, everything wrong is"),
    "vectors": (generate, "write tests/vectors anew from ledger.spec"),
    "artifacts": (generate, "compile contracts/ into ledger/artifacts_data"),
    "gas": (generate, "measure what each step of a round costs, into benchmarks/gas.json"),
    "digits": (generate, "make the bundled data set anew from scikit-learn's"),
    "bench": (bench, "run benchmarks/*.py, or those whose names are given"),
    "node": (node, "run the Node that set-up brought, with ARGS"),
    "pin": (pin, "write constraints.txt anew from what .venv holds"),
    "clean": (clean, "remove what builds and tests leave"),
}
