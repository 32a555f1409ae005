"""The drill of a stolen key, line by line as docs/keys.md shows it, and what revoking does not stop."""

import re
from pathlib import Path

import pytest
from drill_stolen_key import VICTIM, Drill
from ledger_world import make_key

from ledger.errors import WrongSigner

pytestmark = pytest.mark.chain

PAGE = Path(__file__).parents[2] / "docs" / "keys.md"
LINE = re.compile(r"^ +\d+  (\w+) +(\S.*?)  +(\S.*)$", re.MULTILINE)


def test_defended_a_stolen_key_is_noticed_and_refused_in_every_round_that_opens_after_it_was_revoked(world):
    acts = list(Drill(world).play())
    assert [(act.who, act.what, act.outcome) for act in acts] == LINE.findall(PAGE.read_text("utf-8"))
    revoked = next(act.block for act in acts if act.what == "revokes the signing key")
    later = [act for act in acts if act.who == "thief" and act.block > revoked]
    assert {act.what for act in later if act.outcome == "taken"} == {
        "commits in a round that was open before",  # the two gaps below, and what was readable stays so
        "opens what was sealed before",
        "shows two commitments by the old key",
    }


def test_known_gap_a_stolen_key_commits_in_rounds_that_were_open_when_it_was_revoked(world):
    """Rounds keep the keys of their opening. It flips once an owner can take a key out of an open round."""
    round_ = world.open()
    world.send("rotate_key", VICTIM, make_key("next"), by=world.people.owner)
    with pytest.raises(WrongSigner):
        world.send("commit_batch", round_.round_id, [round_.entry(VICTIM, signer=make_key("next"))])
    world.send("commit_batch", round_.round_id, [round_.entry(VICTIM)], by=world.people.stranger)
    assert world.chain.has_committed(round_.round_id, VICTIM)


def test_known_gap_who_holds_an_old_key_can_cost_its_client_its_stake_at_any_time(world):
    """Two signatures for any round of the key's time are a proof, for ever. It flips once that proof has an end."""
    round_ = world.open().commit().propose()
    round_.finalise()
    world.send("rotate_key", VICTIM, make_key("next"), by=world.people.owner)
    world.wait_until(world.chain.now() + 365 * 86_400)
    round_.prove(round_.equivocation(VICTIM, b"\x66" * 32, b"\x67" * 32))
    assert world.bill()[f"client {VICTIM}"] == -10_000
