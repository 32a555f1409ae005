"""kill -9 of a writer: every blob that it acknowledged is readable and pinned."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ledger.errors import Unavailable
from ledger.store import Cid, EmbeddedStore

WRITER = """
import sys
from ledger.store import EmbeddedStore
store = EmbeddedStore(sys.argv[1])
for number in range(10**6):
    print(store.put(number.to_bytes(4) * (100_000 if number % 2 else 100)), flush=True)
"""


def blob(number: int) -> bytes:
    return number.to_bytes(4) * (100_000 if number % 2 else 100)


@pytest.mark.parametrize("round_", range(6))
def test_every_acknowledged_blob_survives_kill_9(round_: int, tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "store")], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip()]
    time.sleep(random.Random(round_).uniform(0.0, 0.15))  # strike at any point of a put
    writer.send_signal(signal.SIGKILL)
    acknowledged += writer.stdout.read().split("\n")[:-1]  # the last line may be cut
    writer.wait()

    store = EmbeddedStore(tmp_path / "store")
    for number, text in enumerate(acknowledged):
        cid = Cid.from_text(text)
        assert store.get(cid, max_bytes=400_000) == blob(number)
        assert store.is_pinned(cid)
    assert list((tmp_path / "store" / "tmp").iterdir()) == []
    for cid in store.list_pins():  # at most one more: pinned, and killed before it was said
        store.pin(cid)
    assert 0 <= len(store.list_pins()) - len(acknowledged) <= 1


def test_a_writer_killed_within_a_put_leaves_nothing_that_reads_as_the_blob(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from ledger.store import EmbeddedStore\n"
        "from ledger.store.pins import Pins\n"
        "Pins.add = lambda self, cid: os.kill(os.getpid(), signal.SIGKILL)\n"
        "EmbeddedStore(sys.argv[1]).put(bytes(300_000))\n"
    )
    writer = subprocess.run([sys.executable, "-c", script, str(tmp_path / "store")], check=False)
    assert writer.returncode == -signal.SIGKILL
    store = EmbeddedStore(tmp_path / "store")
    assert store.list_pins() == []
    assert store.gc() > 0  # the lock died with its holder, and the blocks go
    with pytest.raises(Unavailable):
        store.get(Cid.of(bytes(262_144)), max_bytes=1 << 20)
