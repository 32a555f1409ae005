"""Every error code is explained, is unique, and is provoked by a test somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import Cli

from ledger.cli.explain import catalogue, describe
from ledger.errors import FedtrailError, iter_errors

TESTS = Path(__file__).parents[1]
ROOTS = {"FT001", "FT200", "FT400", "FT600", "FT700", "FT799", "FT800"}
"""Parents of families: raised only where no child says it better."""

NOT_PROVOKED_YET: frozenset[str] = frozenset()
"""Codes without a test. This list may only become shorter."""


def _texts() -> str:
    files = [p for p in TESTS.rglob("*.py") if p != Path(__file__) and "node_modules" not in p.parts]
    files += list(TESTS.rglob("vectors/**/*.json"))
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


@pytest.fixture(scope="module")
def tested() -> set[str]:
    """Codes that a test or vector names, by number or by the name of the class that alone has it."""
    text = _texts()
    words = set(re.findall(r"\w+", text))
    return {code for code, error in catalogue().items() if code in words or error.__name__ in words}


@pytest.mark.parametrize("code", sorted(catalogue()))
def test_every_code_can_be_explained(cli: Cli, code: str) -> None:
    answer = cli("explain", code, "--format", "json")
    data = answer.json["data"]
    assert answer.status == 0
    assert data["code"] == code and data["title"].endswith(".") and "\n" not in data["title"]
    assert data["cause"] and data["fix"]
    assert data["exit_status"] == catalogue()[code].exit_status


@pytest.mark.parametrize("error", [e for e in iter_errors() if "code" in vars(e)], ids=lambda e: e.__name__)
def test_every_error_says_cause_and_fix_itself(error: type[FedtrailError]) -> None:
    if error.code not in ROOTS:
        described = describe(error)
        assert described["cause"] != "the message names it" and described["fix"] != "the message names it"


def test_no_code_is_used_twice() -> None:
    owners = [error for error in iter_errors() if "code" in vars(error)]
    assert len({error.code for error in owners}) == len(owners)


def test_every_code_is_provoked_by_a_test(tested: set[str]) -> None:
    missing = set(catalogue()) - tested - ROOTS
    assert missing == NOT_PROVOKED_YET, "shorten the list or add the test"


def test_every_fix_names_a_command_that_exists(cli: Cli) -> None:
    from ledger.cli.app import build_cli

    root = build_cli()
    for error in catalogue().values():
        described = describe(error)
        for words in re.findall(r"fedtrail ([a-z]+)(?: ([a-z]+))?", f"{described['fix']} {described['hint']}"):
            command = root.get_command(root.make_context("fedtrail", [], resilient_parsing=True), words[0])
            assert command is not None, (error, words)
            if words[1] and hasattr(command, "commands"):
                assert words[1] in command.list_commands(command.make_context(words[0], [], resilient_parsing=True)), (
                    error,
                    words,
                )
