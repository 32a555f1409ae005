"""Runs whose parties replace their keys: on schedule, in mid-round, and killed in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fl.federation import Federation, Progress
from ledger.audit import replay
from ledger.chain import Chain
from ledger.cli import main
from ledger.encryption_keys import EncryptionKeys, HeldKeys
from ledger.history import load_round
from ledger.journal import Journal
from ledger.keys import DEVNET_PASSWORD, Keystore
from ledger.project import Project
from ledger.readers import KeyedStore
from ledger.records import Verdict
from ledger.store import open_store

pytestmark = pytest.mark.chain
ScriptWriter = Callable[..., Path]
PARTIES = ("aggregator", "c1", "c2", "c3")
FEW: dict[str, Any] = {"clients": {"count": 3}}
TWO_ROUNDS: dict[str, Any] = {**FEW, "run": {"rounds": 2}, "keys": {"rotate_every": "1 round"}}
MASKED: dict[str, Any] = {
    "run": {"rounds": 2, "seed": 3, "rule": {"name": "sum32", "trim": None}},
    "masking": {"degree": 2, "threshold": 1},
    **FEW,
}
ENCRYPTED: dict[str, Any] = {"run": {"rounds": 2}, "audience": {"auditors": 1}, **FEW}


def connect(project: Project) -> Chain:
    return Chain.connect(project.network(), Journal(project.journal_path))


def count_epochs(project: Project) -> dict[str, int]:
    """Return how many signing keys each party has had in the registry; that the last one is in use."""
    chain, keys, epochs = connect(project), Keystore(project.keys_dir), {}
    for name in sorted({*PARTIES} & {*keys.names()}):
        number = chain.find_participant(keys.address(name))
        if number is not None:
            view = chain.get_participant(number)
            assert (f"0x{view.signer.hex()}", keys.waiting_address(name)) == (keys.plain_address(name), None)
            epochs[name] = view.key_epoch
    return epochs


def find_increase(project: Project, before: dict[str, int]) -> set[int]:
    return {epoch - before.get(name, 0) for name, epoch in count_epochs(project).items()}


def replay_again(project: Project, round_id: int) -> Verdict:
    store = KeyedStore(open_store(project.store_path), HeldKeys(project.keys_dir, lambda: DEVNET_PASSWORD))
    return replay(load_round(connect(project), store, round_id)).verdict


@pytest.mark.parametrize("sections", [MASKED, ENCRYPTED], ids=["masked", "encrypted"])
def test_parties_replace_their_keys_between_rounds_and_every_round_replays_with_the_keys_of_its_time(
    project: Project, write_script: ScriptWriter, sections: dict[str, Any]
) -> None:
    before = count_epochs(project)
    script = write_script(f"rotated-{min(sections)}", **{**sections, "keys": {"rotate_every": "1 round"}})
    result = Federation.start(project, script).run()
    assert [each.verdict for each in result.rounds] == [Verdict.PASS, Verdict.PASS]
    assert find_increase(project, before) == {1}
    chain, keys = connect(project), Keystore(project.keys_dir)
    number = chain.find_participant(keys.address("c1")) or 0
    opened = [chain.get_round(each.round_id).opened_at for each in result.rounds]
    announced = [chain.get_encryption_key(number, at) for at in opened]
    held = [EncryptionKeys(project.keys_dir, "c1").load(each.key, DEVNET_PASSWORD) for each in announced if each]
    assert len({key.private_bytes_raw() for key in held}) == 2
    assert len({chain.get_signer_at(number, at) for at in opened}) == 2
    # The first round was signed with keys that have been replaced since, and is judged by them.
    assert [replay_again(project, each.round_id) for each in result.rounds] == [Verdict.PASS, Verdict.PASS]


def test_a_run_that_is_resumed_says_what_it_said_before_and_replaces_no_key_twice(
    project: Project, write_script: ScriptWriter
) -> None:
    first = Federation.start(project, write_script("resumed", **TWO_ROUNDS)).run()
    before, sent = count_epochs(project), connect(project).gas_used("")
    again = Federation.resume(project, "resumed").run()
    assert again.model == first.model
    assert find_increase(project, before) == {0}
    assert connect(project).gas_used("") == sent


class Killed(Exception):
    pass


@pytest.mark.parametrize("step", ["prepare", "note", "rotate_key", "adopt"])
def test_a_run_that_dies_while_keys_are_replaced_goes_on_and_replaces_each_once(
    project: Project, write_script: ScriptWriter, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    owner = {"note": Journal, "prepare": Keystore, "rotate_key": Chain, "adopt": Keystore}[step]
    original, left = getattr(owner, step), [2]  # the first party's rotation goes through

    def dying(self: object, *args: Any, **named: Any) -> Any:
        result = original(self, *args, **named)
        left[0] -= step != "note" or "/keys/" in args[0]
        if not left[0]:
            raise Killed
        return result

    name = f"killed-after-{step}"
    script = write_script(name, **TWO_ROUNDS)
    before = count_epochs(project)
    with monkeypatch.context() as patched:
        patched.setattr(owner, step, dying)
        with pytest.raises(Killed):
            Federation.start(project, script).run()
    result = Federation.resume(project, name).run()
    assert [each.verdict for each in result.rounds] == [Verdict.PASS, Verdict.PASS]
    assert find_increase(project, before) == {1}


def test_a_key_that_is_replaced_in_mid_round_signs_on_in_that_round_and_the_new_one_in_the_next(
    project: Project, write_script: ScriptWriter
) -> None:
    rotated: list[int] = []

    def rotate(progress: Progress) -> None:
        if (progress.stage, progress.round, progress.done) == ("train", 1, 1):
            rotated.append(main(["key", "rotate", "c2", "--project", str(project.root), "--format", "ndjson"]))

    script = write_script("mid-round", **FEW, run={"rounds": 2})
    result = Federation.start(project, script, observer=rotate).run()
    assert rotated == [0]
    assert [(each.verdict, each.included, each.refused) for each in result.rounds] == [(Verdict.PASS, 3, ())] * 2
    chain = connect(project)
    number = chain.find_participant(Keystore(project.keys_dir).address("c2")) or 0
    opened = [chain.get_round(each.round_id).opened_at for each in result.rounds]
    assert len({chain.get_signer_at(number, at) for at in opened}) == 2
    before = count_epochs(project)
    assert Federation.resume(project, "mid-round").run().model == result.model
    assert count_epochs(project) == before
