"""A drill: somebody has a client's signing key and its encryption key. What can it do, until when, and who notices?

    python scripts/drill_stolen_key.py

Plays it on a devnet of its own and prints every act with the block in which it was tried, and what became of it.
docs/keys.md tells the story; tests/scenarios/test_stolen_keys.py holds every line of it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    ROOT = Path(__file__).resolve().parents[1]
    sys.path += [str(ROOT), str(ROOT / "tests" / "support")]

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from ledger_world import ETHER, UNAVAILABLE, StagedRound, World, address_of, make_key, make_setup

from ledger import devnet, list_disputes, spec
from ledger.bundle.sealing import get_public, seal, unseal
from ledger.errors import FedtrailError, Reverted
from ledger.history import raw_cid
from ledger.journal import Journal
from ledger.monitoring import OwnActs, find_misuse

VICTIM = 2
"""The client whose keys were copied."""
FORGED = b"\x66" * 32
"""What the thief commits to: nobody holds an update behind it."""


@dataclass(frozen=True, kw_only=True)
class Act:
    """One act of the drill."""

    block: int
    """Last block when it was tried."""
    who: str
    """thief, client, owner, monitor, aggregator or auditor."""
    what: str
    """What it tries."""
    outcome: str
    """`taken`, or the code of the refusal or of the alarm."""


class Drill:
    """The thief's and the client's side of one ledger."""

    def __init__(self, world: World) -> None:
        self.world, self.stolen, self.new = world, world.clients[VICTIM], make_key("the client's next key")
        self.old_secret, self.new_secret = X25519PrivateKey.generate(), X25519PrivateKey.generate()

    def play(self) -> Iterator[Act]:
        """Play the drill; yield every act."""
        world = self.world
        yield self.announce("client", self.old_secret, by=self.stolen)
        first, second = self.open(), self.open()
        yield from self.steal(first)
        yield self.act("monitor", "looks for acts in the client's name", self.look)
        yield self.act("owner", "revokes the signing key", self.revoke)
        yield self.announce("owner", self.new_secret, by=world.people.owner)
        yield self.act("thief", "commits in a round that was open before", lambda: self.forge(second))
        third = self.open()
        yield from self.try_on(third)
        yield from self.go_on(first, third)
        yield from self.list_forged()
        yield from self.read_mail()
        yield self.act("thief", "shows two commitments by the old key", lambda: self.equivocate(first))

    def act(self, who: str, what: str, attempt: Any) -> Act:
        """Return what becomes of an attempt; whoever finds something returns its code."""
        block = int(self.world.node.call("eth_blockNumber"), 16)
        try:
            found = attempt()
        except FedtrailError as error:
            reason = str(error.detail["reason"]).partition("(")[0] if isinstance(error, Reverted) else ""
            return Act(block=block, who=who, what=what, outcome=f"{error.code} {reason}".strip())
        return Act(block=block, who=who, what=what, outcome=found if isinstance(found, str) else "taken")

    def open(self, **changes: Any) -> StagedRound:
        """Open the first round of a new task."""
        return self.world.open(bond_wei=ETHER, **changes)

    # ------------------------------------------------------------------------------------------------- what is tried

    def announce(self, who: str, secret: X25519PrivateKey, *, by: Any) -> Act:
        """Announce an encryption key of the victim."""
        send, public = self.world.send, get_public(secret)
        return self.act(who, "announces an encryption key", lambda: send("announce_key", VICTIM, public, by=by))

    def forge(self, round_: StagedRound) -> Any:
        """Commit in the victim's name with the stolen key; anybody may send it."""
        signature = self.world.sign(round_.round_id, VICTIM, FORGED, signer=self.stolen)
        entry = spec.SignedMember(client=VICTIM, commitment=FORGED, signature=signature)
        self.world.send("commit_batch", round_.round_id, [entry], by=self.world.people.stranger)
        round_.segments.append([spec.Member(client=VICTIM, commitment=FORGED)])  # type: ignore[arg-type]

    def steal(self, round_: StagedRound) -> Iterator[Act]:
        """Take the victim's place in an open round."""
        yield self.act("thief", "commits in the client's name", lambda: self.forge(round_))
        yield self.act("client", "commits in the same round", lambda: round_.relay([VICTIM]))

    def look(self) -> str:
        """Return the first alarm of a monitor that knows what the client did."""
        acts = OwnActs(
            commitments=frozenset(),
            cids=frozenset(),
            signers=frozenset({address_of(self.stolen)}),
            encryption_keys=frozenset({get_public(self.old_secret)}),
        )
        misuse = find_misuse(self.world.chain, self.world.store, VICTIM, acts, name="c2")
        return next((error.code for error in misuse), "nothing")

    def revoke(self) -> None:
        """Replace the signing key by the owner's."""
        self.world.send("rotate_key", VICTIM, self.new, by=self.world.people.owner)

    def try_on(self, round_: StagedRound) -> Iterator[Act]:
        """Try everything with the revoked key."""
        world, stolen = self.world, self.stolen
        yield self.act("thief", "commits in a round that opened later", lambda: self.forge(round_))
        alone = lambda: round_.commit_alone(VICTIM, by=stolen, commitment=FORGED)  # noqa: E731
        yield self.act("thief", "sends a commitment by itself", alone)
        yield self.announce("thief", X25519PrivateKey.generate(), by=stolen)
        key = make_key("the thief's own")
        yield self.act("thief", "replaces the key", lambda: world.send("rotate_key", VICTIM, key, by=stolen))
        contest = ("contest_round", round_.round_id, VICTIM, b"\x01" * 32)
        yield self.act("thief", "contests the round", lambda: world.send(*contest, by=stolen))

    def go_on(self, first: StagedRound, third: StagedRound) -> Iterator[Act]:
        """Let both rounds end: that in which the thief committed, and the one after."""
        first.relay([client for client in first.clients if client != VICTIM])
        first.silent.add(VICTIM)
        first.leave_out(**{f"client_{VICTIM}": UNAVAILABLE})
        third.relay([client for client in third.clients if client != VICTIM])
        yield self.act("client", "commits with its new key", lambda: self.commit_anew(third))
        third.compute()
        for round_ in (first, third):
            round_.propose(data_id=round_.publish())
        for name, round_ in (("the thief's", first), ("the next", third)):
            yield self.act("aggregator", f"finalises {name} round", round_.finalise)
            yield self.act("auditor", f"replays {name} round", lambda round_=round_: round_.replay().verdict.value)
            yield self.act(
                "auditor", f"asks whose key signed in {name} round", lambda round_=round_: self.attribute(round_)
            )

    def attribute(self, round_: StagedRound) -> str:
        """Return which key the victim's commitment in a round is judged by."""
        signer = self.world.chain.get_signer_at(VICTIM, self.world.chain.get_round(round_.round_id).opened_at)
        return {address_of(self.stolen): "the old one", address_of(self.new): "the new one"}[signer]

    def commit_anew(self, round_: StagedRound) -> None:
        """Commit with the key that took the stolen one's place."""
        self.world.send("commit_batch", round_.round_id, [round_.entry(VICTIM, signer=self.new)])
        round_.segments.append([round_.member(VICTIM)])  # type: ignore[arg-type]

    def list_forged(self) -> Iterator[Act]:
        """Let an aggregator list, in root-only mode, what the revoked key signed; replay excludes it."""
        round_ = self.open(mode=spec.CommitMode.ROOT_ONLY)
        listed = [round_.entry(client) for client in round_.clients]  # the victim's by the stolen key
        yield self.act("aggregator", "lists a commitment by the old key", lambda: round_.post_list(listed))
        round_.compute().propose(data_id=round_.publish())
        yield self.act("auditor", "replays that round", lambda: round_.replay().findings[0].error.code)

    def read_mail(self) -> Iterator[Act]:
        """Open, with the stolen encryption key, what was sealed to the key of its time."""
        cid, at = raw_cid(bytes(32)), self.world.chain.now()
        keys = [each.key for each in self.world.chain.list_encryption_keys(VICTIM)]
        in_force = self.world.chain.get_encryption_key(VICTIM, at)
        assert in_force is not None and in_force.key == keys[-1]
        for name, key in (("before", keys[0]), ("after", in_force.key)):
            sealed = seal(b"an update", cid, key)
            yield self.act(
                "thief",
                f"opens what was sealed {name}",
                lambda sealed=sealed: bytes(unseal(sealed, cid, self.old_secret)),
            )

    def equivocate(self, round_: StagedRound) -> None:
        """Show a court two commitments of an old round: the old key still stands for that round."""
        signed = sorted([FORGED, b"\x67" * 32])
        pairs = [(each, self.world.sign(round_.round_id, VICTIM, each, signer=self.stolen)) for each in signed]
        round_.prove(list_disputes.prove_equivocation(round_.round_id, VICTIM, pairs), by=self.world.people.stranger)


def main() -> int:
    """Play the drill on a devnet of its own."""
    with tempfile.TemporaryDirectory() as name, devnet.running(Path(name)) as node:
        journal = Journal(Path(name) / "setup.sqlite")
        world = World(make_setup(node.rpc, journal), Path(name) / "world")
        for act in Drill(world).play():
            print(f"{act.block:6}  {act.who:11}{act.what:46}{act.outcome}", flush=True)
        world.close()
        journal.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
