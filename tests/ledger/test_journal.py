import signal
import subprocess
import sys
import threading

import pytest

from ledger.errors import ConfigurationError
from ledger.journal import MINED, WRITTEN, Draft, Journal

SCOPE = "31337:0xaa"
ALICE, BOB = b"\x01" * 20, b"\x02" * 20


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal.sqlite")
    yield journal
    journal.close()


def draft(key, sender=ALICE, first_nonce=0):
    return Draft(
        key=key,
        fingerprint=b"f",
        sender=sender,
        first_nonce=first_nonce,
        not_before=7,
        sign=lambda nonce: (f"{key}:{nonce}".encode(), sender[:1] + nonce.to_bytes(31, "big")),
    )


def test_a_note_is_written_once(journal):
    journal.note("run/demo/seed", {"seed": 7, "a": [1, 2]})
    journal.note("run/demo/seed", {"a": [1, 2], "seed": 7})
    assert journal.get_note("run/demo/seed") == {"seed": 7, "a": [1, 2]}
    with pytest.raises(ConfigurationError, match="run/demo/seed"):
        journal.note("run/demo/seed", {"seed": 8})
    assert journal.get_note("run/demo/seed") == {"seed": 7, "a": [1, 2]}
    assert journal.get_note("run/demo") is None


def test_of_notes_written_together_none_is_there_when_one_contradicts(journal):
    journal.note_all({"a": {"x": 1}, "b": {"x": 2}})
    with pytest.raises(ConfigurationError, match="for b"):
        journal.note_all({"c": {"x": 3}, "b": {"x": 4}})
    assert journal.notes("") == {"a": {"x": 1}, "b": {"x": 2}}


def test_notes_are_found_by_the_beginning_of_their_keys(journal):
    for key in ("run/b/1", "run/a_/2", "run/a%/3", "run/a/1"):
        journal.note(key, {"key": key})
    assert list(journal.notes("run/a")) == ["run/a%/3", "run/a/1", "run/a_/2"]
    assert list(journal.notes("run/a_")) == ["run/a_/2"]
    assert len(journal.notes("")) == 4


def test_each_sender_has_its_own_numbers(journal):
    journal.write(SCOPE, [draft("a"), draft("b"), draft("c", BOB, first_nonce=4)])
    journal.write(SCOPE, [draft("d"), draft("e", BOB, first_nonce=4)])
    found = {entry.key: (entry.sender, entry.nonce) for entry in journal.entries(SCOPE)}
    assert found == {"a": (ALICE, 0), "b": (ALICE, 1), "c": (BOB, 4), "d": (ALICE, 2), "e": (BOB, 5)}


def test_a_key_keeps_its_first_bytes(journal):
    (first,) = journal.write(SCOPE, [draft("a")])
    (again,) = journal.write(SCOPE, [draft("a", first_nonce=9)])
    assert again == first
    assert first.status == WRITTEN


def test_another_chain_has_other_transactions(journal):
    journal.write(SCOPE, [draft("a")])
    assert journal.find("31337:0xbb", "a") is None
    (other,) = journal.write("31337:0xbb", [draft("a")])
    assert other.nonce == 0


def test_a_number_that_was_given_up_is_used_next(journal):
    entries = journal.write(SCOPE, [draft("a"), draft("b"), draft("c")])
    journal.forget(entries[1])
    assert journal.write(SCOPE, [draft("d")])[0].nonce == 1
    assert journal.write(SCOPE, [draft("e")])[0].nonce == 3


def test_what_reverted_frees_its_key_and_keeps_its_gas(journal):
    entries = journal.write(SCOPE, [draft("run/a"), draft("run/b")])
    journal.settle([(entries[0], 5, 1000, True), (entries[1], 6, 300, False)])
    assert journal.find(SCOPE, "run/a").status == MINED
    assert journal.find(SCOPE, "run/b") is None
    assert journal.gas_used("run/") == 1300
    assert journal.gas_used("run/a") == 1000
    (again,) = journal.write(SCOPE, [draft("run/b")])
    assert again.nonce == 2


def test_everything_survives_a_restart(tmp_path):
    journal = Journal(tmp_path / "j.sqlite")
    journal.note("n", {"x": 1})
    (entry,) = journal.write(SCOPE, [draft("a")])
    journal.close()
    reopened = Journal(tmp_path / "j.sqlite")
    assert reopened.get_note("n") == {"x": 1}
    assert reopened.find(SCOPE, "a") == entry
    assert reopened.write(SCOPE, [draft("b")])[0].nonce == 1
    reopened.close()


def test_what_was_written_survives_kill_9(tmp_path):
    program = (
        "import os, signal, sys; from pathlib import Path; from ledger.journal import *\n"
        "journal = Journal(Path(sys.argv[1])); journal.note('n', {'x': 1})\n"
        "journal.write('s', [Draft(key='a', fingerprint=b'', sender=b'1' * 20, first_nonce=3, not_before=0,\n"
        "    sign=lambda nonce: (b'raw', b'hash'))])\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "j.sqlite")])
    assert done.returncode == -signal.SIGKILL
    journal = Journal(tmp_path / "j.sqlite")
    assert journal.get_note("n") == {"x": 1}
    assert journal.find("s", "a").nonce == 3
    journal.close()


def test_a_signature_that_fails_leaves_nothing_behind(journal):
    def fail(nonce):
        raise RuntimeError("no key")

    broken = Draft(key="b", fingerprint=b"", sender=ALICE, first_nonce=0, not_before=0, sign=fail)
    with pytest.raises(RuntimeError):
        journal.write(SCOPE, [draft("a"), broken])
    assert journal.entries(SCOPE) == []


def test_threads_and_connections_never_share_a_number(tmp_path):
    journals = [Journal(tmp_path / "j.sqlite") for _ in range(2)]
    workers = [
        threading.Thread(target=lambda j, n: [j.write(SCOPE, [draft(f"{n}/{i}")]) for i in range(20)], args=(j, n))
        for n, j in enumerate(journals * 2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(entry.nonce for entry in journals[0].entries(SCOPE)) == list(range(80))
    for journal in journals:
        journal.close()


def test_a_write_waits_for_the_disk(journal):
    # kill -9 cannot tell, only a power cut can: FULL is 2.
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)
