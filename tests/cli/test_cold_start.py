"""The command line starts at once: nothing heavy is imported before it is needed."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest
from command_line import COMMAND

HEAVY = (
    *("torch", "llvmlite", "numpy", "web3", "eth_account", "eth_utils", "pydantic", "ipfshttpclient", "cryptography"),
    *("rich", "yaml"),
)
CPU_SECONDS = 0.4

PROBE = """
import sys
from ledger.cli import main
status = main({arguments!r})
print(status, [name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["explain", "FT402"], ["run", "--help"], ["completion", "bash"]]
)
def test_simple_commands_import_nothing_heavy(arguments: list[str]) -> None:
    code = PROBE.format(arguments=arguments, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1] == "0 []", done.stderr


def test_asking_an_index_imports_nothing_heavy() -> None:
    asking = "import ledger.cli.audit, ledger.cli.indexed, ledger.project, ledger.reports.running, ledger.index.reading"
    heavy = [name for name in HEAVY if name != "rich"]  # which draws the answer
    code = f"{asking}, sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_help_needs_little_time() -> None:
    assert min(_measure() for _ in range(3)) <= CPU_SECONDS


def _measure() -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*COMMAND, "--help"], check=True, capture_output=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_commands_that_train_are_found_without_loading_torch() -> None:
    done = subprocess.run([*COMMAND, "run", "--help"], capture_output=True, text=True, timeout=60)
    assert {"start", "resume", "list", "show"} <= {line.split()[0] for line in done.stdout.splitlines() if line.strip()}
