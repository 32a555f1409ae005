"""Games over Krum's distances: whose are open, and a player that makes each move that is due (docs/protocol.md §8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger import krum_disputes, spec
from ledger.audit import judge_update
from ledger.chain import Chain, Receipt
from ledger.disputes import Update
from ledger.docket import Event
from ledger.history import load_round
from ledger.krum_disputes import Evidence, Game, Move
from ledger.readers import BlobReader
from ledger.records import RoundRecord
from ledger.watching.happening import Happening, guard

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

KRUM = (spec.Rule.KRUM, spec.Rule.MULTI_KRUM)
COURT = "krum_court"
"""Key of KrumCourt among the contracts."""
EVENTS = ("GameOpened", "Dissected", "Picked", "GameClosed")
"""Events that tell of games."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenGame:
    """A game as its last event left it."""

    game_id: bytes
    """What the court calls it, 32 bytes."""
    game: Game
    """Its state."""
    parts: bytes
    """Packed parts that the aggregator posted last; empty on its turn."""

    @property
    def challenger(self) -> bytes:
        """Account that opened it, 20 bytes."""
        return bytes.fromhex(self.game.challenger.removeprefix("0x"))


def list_open_games(events: Iterable[Event]) -> list[OpenGame]:
    """Return the games that are open, in the order in which they were opened. Args: events: all those of EVENTS."""
    games: dict[bytes, OpenGame] = {}
    for event in events:
        game_id = event.args["game_id"]
        if event.name == "GameClosed":
            games.pop(game_id, None)
        else:
            game = _read_game(event.args["game"])
            games[game_id] = OpenGame(game_id=game_id, game=game, parts=event.args.get("parts", b""))
    return list(games.values())


def fetch_open_games(chain: Chain, round_id: int | None = None) -> list[OpenGame]:
    """Return the games that are open in a ledger; none where it has no court for them."""
    has_court = COURT in chain.contracts.addresses
    return list_open_games(chain.events(names=EVENTS, round_id=round_id)) if has_court else []


def _read_game(values: Mapping[str, Any]) -> Game:
    return Game(**{**values, "challenger": "0x" + values["challenger"].hex()})


def make_evidence(record: RoundRecord) -> Evidence:
    """Return what both players of a round's games hold.

    Raises: Unavailable and its like: an included update is not there.
    """
    excluded = dict(record.exclusions)
    members = [member for member in record.members if member.client not in excluded]
    updates = []
    for member in members:
        blob, values = judge_update(record, member, record.updates[member.client])
        updates.append(Update(client=member.client, num_examples=blob.header.num_examples, values=values))
    return Evidence(task=record.task, updates=updates, members=members, aux=record.aux)


def compute_closing(game: Game, *, phase: spec.Phase, now: int) -> Move | None:
    """Return how anybody ends a game that is over: its round is void, or a clock has run out; None while it is not."""
    if phase is spec.Phase.VOIDED:
        return Move(function="reclaim", arguments=(game.fields(),))
    return Move(function="timeout", arguments=(game.fields(),)) if now > game.move_by else None


class GamePlayer:
    """Plays the open games of one account: as challenger, or as the honest side of an aggregator."""

    def __init__(
        self, chain: Chain, store: BlobReader, account: LocalAccount, *, aggregator: int | None = None
    ) -> None:
        self.chain = chain
        self.store = store
        self.account = account
        self._address = bytes.fromhex(account.address[2:])
        self._aggregator = aggregator
        self._evidence: dict[int, Evidence] = {}

    def look(self, round_id: int | None = None) -> Iterator[Happening]:
        """Make every move that is due, and tell it. Args: round_id: only in games about this round."""
        for open_game in fetch_open_games(self.chain, round_id):
            if self._is_mine(open_game):
                yield from guard(open_game.game.round_id, self._play(open_game))

    def close_overdue(self, round_id: int) -> Iterator[Happening]:
        """End every game about a round whose clock has run out or whose round is void, whoever plays it."""
        for open_game in fetch_open_games(self.chain, round_id):
            phase, now = self.chain.get_round(round_id).phase, self.chain.now()
            move = compute_closing(open_game.game, phase=phase, now=now)
            if move is not None:
                yield self._tell(open_game, move)

    def _tell(self, open_game: OpenGame, move: Move) -> Happening:
        game, receipt = open_game.game, self.make_move(open_game, move)
        blocks = f"{min(1 << game.height, game.blocks)} blocks from {game.index << game.height} on"
        message = f"slots {game.low} and {game.high}, {blocks}"
        return Happening(what=move.function, round_id=game.round_id, message=message, tx=receipt.tx)

    def _is_mine(self, open_game: OpenGame) -> bool:
        if self._aggregator is None:
            return open_game.challenger == self._address
        return open_game.game.aggregator == self._aggregator

    def _play(self, open_game: OpenGame) -> Iterator[Happening]:
        move = self._choose(open_game)
        if move is not None:
            yield self._tell(open_game, move)

    def _choose(self, open_game: OpenGame) -> Move | None:
        game, now = open_game.game, self.chain.now() + 1
        closing = compute_closing(game, phase=self.chain.get_round(game.round_id).phase, now=now - 1)
        if closing is not None:
            return closing
        evidence = self._get_evidence(game.round_id)
        if self._aggregator is None:
            return krum_disputes.compute_challengers_move(game, open_game.parts, evidence, now=now)
        return krum_disputes.compute_aggregators_move(game, evidence, now=now)

    def make_move(self, open_game: OpenGame, move: Move) -> Receipt:
        """Send a move; the same move of the same state is sent once."""
        game = open_game.game
        state = f"{move.function}/{game.height}/{game.index}/{game.move_by}"
        call = self.chain.contracts.to(COURT, move.function, *move.arguments)
        key = f"{self.chain.fingerprint}/game/{open_game.game_id.hex()}/{state}"
        return self.chain.send(call, key=key, sender=self.account)

    def _get_evidence(self, round_id: int) -> Evidence:
        if round_id not in self._evidence:
            self._evidence[round_id] = make_evidence(load_round(self.chain, self.store, round_id))
        return self._evidence[round_id]


def open_game(chain: Chain, opening: Move, *, account: LocalAccount) -> Receipt:
    """Open a game and pay its bond, once for each pair of a round."""
    round_id, low, high = opening.arguments[0], *opening.arguments[2:4]
    call = chain.contracts.to(COURT, opening.function, *opening.arguments, value_wei=chain.get_game_bond())
    key = f"{chain.fingerprint}/dispute/{round_id}/game/{low}-{high}"
    return chain.send(call, key=key, sender=account)
