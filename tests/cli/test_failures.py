"""How commands fail: one line with a code, a hint, an exit status, and never a traceback unless asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command_line import COMMAND, Cli, run_process

from ledger import project
from ledger.errors import WrongChain, iter_errors


def test_an_error_is_code_message_and_hint_on_stderr(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = cli("key", "list")
    assert (answer.status, answer.out) == (3, "")
    assert answer.err == f"FT201: no fedtrail.toml here or above ({tmp_path})\n  hint: run: fedtrail init\n"


def test_json_gets_the_failure_envelope_too(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = cli("key", "list", "--format", "json")
    assert answer.status == 3 and answer.err.startswith("FT201: ")
    assert answer.json == {
        "ok": False,
        "error": {
            "code": "FT201",
            "exit": 3,
            "message": f"no fedtrail.toml here or above ({tmp_path})",
            "hint": "run: fedtrail init",
            "detail": {"path": str(tmp_path)},
        },
    }


def test_the_format_can_come_from_the_environment(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDTRAIL_FORMAT", "json")
    assert cli("explain", "FT402").json["data"]["exit_status"] == 3
    assert cli("explain", "FT999").json["error"]["code"] == "FT501"
    assert "FT402" in cli("explain", "FT402", "--format=csv").out.splitlines()[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rond"], "no command 'rond'; did you mean 'round'?"),
        (["round", "replya"], "no command 'replya'; did you mean 'replay'?"),
        (["round", "replay"], "Missing argument 'N'"),
        (["round", "replay", "zero"], "'zero' is not a valid integer"),
        (["key", "list", "--fromat", "json"], "No such option"),
        (["key", "list", "--format", "xml"], "'xml' is not one of"),
        (["stake", "deposit", "c1"], "Missing argument 'AMOUNT'"),
        (["completion", "tcsh"], "'tcsh' is not one of"),
    ],
)
def test_a_wrong_command_line_is_ft101_and_exit_2(cli: Cli, arguments: list[str], words: str) -> None:
    answer = cli(*arguments)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("FT101: ") and words in answer.err
    assert "--help" in answer.err


def test_usage_errors_are_json_when_json_was_asked_for(cli: Cli) -> None:
    answer = cli("round", "replay", "x", "--format=json")
    assert (answer.status, answer.json["error"]["code"]) == (2, "FT101")


def test_an_unexpected_exception_is_one_line_and_exit_1(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(project.Project, "find", explode)
    answer = cli("key", "list")
    assert answer.status == 1
    assert answer.err.startswith("FT001: unexpected failure: ZeroDivisionError: oh\n  hint: ")
    assert "Traceback" not in answer.err
    debugged = cli("--debug", "key", "list")
    assert debugged.status == 1 and "Traceback" in debugged.err and "in explode" in debugged.err


def test_a_file_that_cannot_be_written_is_no_bug(cli: Cli, in_project: project.Project) -> None:
    cid = cli("store", "add", "fedtrail.toml", "--format", "json").json["data"][0]["cid"]
    answer = cli("store", "get", cid, "-o", "absent/file")
    assert answer.status == 3 and answer.err.startswith("FT200: absent/file: No such file")


def test_control_c_ends_with_130(in_project: project.Project) -> None:
    pipe = in_project.root / "pipe"
    os.mkfifo(pipe)
    process = subprocess.Popen(
        [*COMMAND, "store", "add", "pipe"], cwd=in_project.root, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    writer = _open_when_read(pipe)  # from here on the command waits for bytes, or is just about to
    err = _interrupt(process)
    os.close(writer)
    assert process.returncode == 130
    assert err.decode().strip() == "FT130: interrupted"


def _interrupt(process: subprocess.Popen[bytes]) -> bytes:
    """Send Ctrl-C until the process ends; return what it wrote to stderr.

    Python notes a signal and acts on it between two instructions. One that comes after the last instruction before a
    read that blocks waits as long as the read: people press the keys again then, and so do we.
    """
    for _ in range(6):
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=10)[1]
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("the command goes on after six times Ctrl-C")


def _open_when_read(pipe: Path) -> int:
    """Open a pipe for writing as soon as somebody reads it: before that, opening without blocking fails."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_closed_pipe_is_no_failure_worth_a_message(tmp_path: Path) -> None:
    command = f"{COMMAND[0]} -m ledger.cli script schema | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_help_is_on_stdout_and_a_bare_group_shows_it_on_stderr(tmp_path: Path) -> None:
    helped, bare = run_process("round", "--help", cwd=tmp_path), run_process("round", cwd=tmp_path)
    assert helped.status == 0 and "replay" in helped.out and helped.err == ""
    assert bare.status == 2 and "replay" in bare.err and bare.out == ""


def test_every_exit_status_is_one_of_the_documented() -> None:
    assert {error.exit_status for error in iter_errors()} <= {1, 2, 3, 4, 5, 6, 7, 8, 9, 130}
    assert WrongChain.exit_status == 3
