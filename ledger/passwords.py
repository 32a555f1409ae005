"""Where the password of key files comes from: the environment, a file, a program, or the person at the terminal.

    FEDTRAIL_KEY_PASSWORD=...                           the password itself
    FEDTRAIL_KEY_PASSWORD_FILE=/run/secrets/fedtrail    a file that holds it, such as a mounted secret
    FEDTRAIL_KEY_PASSWORD_COMMAND="pass show fedtrail"  a program that prints it: a password manager or an agent

The first of them that is set counts. No option takes a password: other users of a machine see how programs are started.
"""

from __future__ import annotations

import getpass
import os
import shlex
import subprocess
import sys
from pathlib import Path

from ledger.errors import KeyLocked, UsageError

PASSWORD_VARIABLE = "FEDTRAIL_KEY_PASSWORD"
FILE_VARIABLE = f"{PASSWORD_VARIABLE}_FILE"
COMMAND_VARIABLE = f"{PASSWORD_VARIABLE}_COMMAND"
COMMAND_SECONDS = 120
"""How long a program may take: it may ask somebody, too."""


def get_password(name: str, *, confirm: bool = False) -> str:
    """Return the password of a key file, from wherever it comes.

    Args: name: key to name in the question. confirm: ask twice, for a new key.
    Raises: KeyLocked: nothing is set and there is no terminal, or file or program give none; UsageError: the two
    answers differ.
    """
    if (found := find_password(name)) is not None:
        return found
    if not sys.stdin.isatty():
        raise KeyLocked(name=name)
    password = getpass.getpass(f"password for {name}: ")
    if confirm and getpass.getpass("again: ") != password:
        raise UsageError("the passwords differ; nothing was written")
    return password


def find_password(name: str) -> str | None:
    """Return the password that the environment leads to, without the line's end; None if it names none.

    Raises: KeyLocked: it names a file or a program that gives none.
    """
    if from_environment := os.environ.get(PASSWORD_VARIABLE):
        return from_environment
    try:
        if file := os.environ.get(FILE_VARIABLE):
            return _take(name, Path(file).read_text("utf-8"))
        if command := os.environ.get(COMMAND_VARIABLE):
            return _take(name, _run(command))
    except (OSError, ValueError, subprocess.SubprocessError) as problem:
        # What a program printed is not told: it may be the password.
        raise KeyLocked(f"key '{name}' is locked, and where its password should be is none: {_tell(problem)}") from None
    return None


def _run(command: str) -> str:
    done = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, timeout=COMMAND_SECONDS, check=True)
    return done.stdout.decode("utf-8")


def _take(name: str, text: str) -> str:
    password = text.removesuffix("\n").removesuffix("\r")
    if not password:
        raise KeyLocked(f"key '{name}' is locked, and where its password should be is nothing")
    return password


def _tell(problem: Exception) -> str:
    if isinstance(problem, subprocess.CalledProcessError):
        return f"the program ended with status {problem.returncode}"
    if isinstance(problem, subprocess.TimeoutExpired):
        return f"the program took more than {COMMAND_SECONDS} s"
    return str(problem.strerror) if isinstance(problem, OSError) else "it is no text"
