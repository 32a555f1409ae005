"""Vectors of §6.2 to §6.7: rounds driven to, at and past every deadline.

The clock starts at 1000. Windows of TASK: commit 600, data 300, propose 500, challenge 1800, so that a round opened at
1000 takes commitments until 1600, has its data phase until 1900, takes a proposal from 1901 to 2400 and, proposed at T,
challenges until T + 1800.
"""

from __future__ import annotations

from typing import Any

from vector_cases.case import COMPUTED, Case, digest_of
from vector_cases.chain_hashes import PROPOSAL
from vector_cases.tasks import TASK, UNBOND_SECONDS, ZERO

Step = dict[str, Any]

BOARD = "0x" + "b0" * 20


def get_cases() -> list[Case]:
    """Return the cases of §6."""
    return [*_opening(), *_commits(), *_proposals(), *_ends(), *_histories()]


def _open(at: int = 1000, round_id: int = 1) -> Step:
    return {"do": "open", "at": at, "round_id": round_id}


def _commit(at: int, *clients: int) -> Step:
    return {"do": "commit", "at": at, "members": [[client, digest_of(f"client {client}")] for client in clients]}


def _propose(at: int, exclusions: Any = (), **changes: str) -> Step:
    return {"do": "propose", "at": at, "proposal": {**PROPOSAL, **changes}, "exclusions": list(exclusions)}


def _finalise(at: int, exclusions: Any = (), **changes: str) -> Step:
    return {**_propose(at, exclusions, **changes), "do": "finalise"}


def _abandon(at: int, exclusions: Any = ()) -> Step:
    return {"do": "abandon", "at": at, "exclusions": list(exclusions)}


def _expire(at: int) -> Step:
    return {"do": "expire", "at": at}


FULL = [_open(), _commit(1200, 1, 2, 3, 4, 5, 6)]
PROPOSED = [*FULL, _propose(2000)]


def _case(name: str, clause: str, why: str, steps: list[Step], error: str | None = None, **task: Any) -> Case:
    return Case(
        name=f"rounds/{name}",
        clause=clause,
        why=why,
        operation="transition",
        input={"task": {**TASK, **task}, "unbond_seconds": UNBOND_SECONDS, "steps": steps},
        want=_by_hand(name),
        want_error=error,
    )


def _by_hand(name: str) -> Any:
    """Return the state after `open`, worked out by hand; every other state is the specification's."""
    if name != "open":
        return COMPUTED
    clock = {"opened_at": 1000, "commit_end": 1600, "data_end": 1900, "propose_end": 2400, "challenge_end": 0}
    zeros = {"segments_hash": ZERO, "proposal_hash": ZERO}
    state = {"rounds": 1, "model": TASK["genesis_model"], "head": ZERO, "phase": "open", "round_id": 1}
    return {**state, **clock, "base_model": TASK["genesis_model"], "committed": 0, **zeros}


def _opening() -> list[Case]:
    return [
        _case("open", "§6.2", "1000 + 600 = 1600, + 300 = 1900, + 500 = 2400", [_open()]),
        _case("open-while-open", "§6.2", "a round is open", [_open(), _open(1001, 2)], "FT602"),
        _case("open-while-proposed", "§6.2", "a round waits for challenges", [*PROPOSED, _open(2001, 2)], "FT602"),
        _case("open-overdue", "§6.2", "overdue, but nobody expired it", [_open(), _open(9000, 2)], "FT602"),
    ]


def _commits() -> list[Case]:
    one = [_open(), _commit(1200, 3)]
    zero = {"do": "commit", "at": 1200, "members": [[3, ZERO]]}
    unknown = [_commit(1200, 1)]
    return [
        _case("commit-at-opening", "§6.3", "the second of opening", [_open(), _commit(1000, 1)]),
        _case("commit-last-second", "§6.3", "1600 is the last second", [_open(), _commit(1600, 1)]),
        _case("commit-late", "§6.3", "1601 is past 1600", [_open(), _commit(1601, 1)], "FT602"),
        _case(
            "commit-two-segments",
            "§6.3",
            "a batch, then a single one",
            [_open(), _commit(1200, 2, 4), _commit(1300, 3)],
        ),
        _case("commit-twice", "§6.3", "client 3 again", [*one, _commit(1300, 3)], "FT603"),
        _case(
            "commit-twice-in-batch",
            "§6.3",
            "one of three already committed: all refused",
            [*one, _commit(1300, 2, 3, 4)],
            "FT603",
        ),
        _case("commit-empty", "§6.3", "no entry", [_open(), _commit(1200)], "FT600"),
        _case("commit-falling", "§6.3", "2 follows 4", [_open(), _commit(1200, 4, 2)], "FT600"),
        _case("commit-repeated-in-batch", "§6.3", "4 follows 4", [_open(), _commit(1200, 4, 4)], "FT600"),
        _case("commit-zero", "§6.3", "a digest of zeros", [_open(), zero], "FT600"),
        _case("commit-full", "§6.3", "10 of 10", [_open(), _commit(1200, *range(1, 11))]),
        _case("commit-over-full", "§6.3", "11 of 10", [_open(), _commit(1200, *range(1, 12))], "FT600"),
        _case(
            "commit-one-over-full",
            "§6.3",
            "10, then 1",
            [_open(), _commit(1200, *range(1, 11)), _commit(1201, 11)],
            "FT600",
        ),
        _case("commit-unopened", "§6.3", "no round", unknown, "FT602"),
        _case("commit-proposed", "§6.3", "a proposal is there", [*PROPOSED, _commit(2001, 9)], "FT602"),
    ]


def _proposals() -> list[Case]:
    four = [_open(), _commit(1200, 1, 2, 3, 4)]
    gone = [[3, 801]]
    return [
        _case("propose-last-commit-second", "§6.4", "1600 still takes commitments", [*FULL, _propose(1600)], "FT602"),
        _case("propose-first-data-second", "§6.4", "1601: clients publish", [*FULL, _propose(1601)], "FT602"),
        _case("propose-last-data-second", "§6.4", "1900: clients still publish", [*FULL, _propose(1900)], "FT602"),
        _case("propose-first-second", "§6.4", "1901: 1901 + 1800 = 3701 ends challenges", [*FULL, _propose(1901)]),
        _case("propose-no-data-phase-early", "§6.4", "1600 + 0", [*FULL, _propose(1600)], "FT602", data_seconds=0),
        _case("propose-no-data-phase", "§6.4", "1600 + 0 + 1 = 1601", [*FULL, _propose(1601)], data_seconds=0),
        _case("propose-last-second", "§6.4", "2400 is the last second", [*FULL, _propose(2400)]),
        _case("propose-late", "§6.4", "2401 is past 2400", [*FULL, _propose(2401)], "FT602"),
        _case(
            "propose-board-too-early",
            "§6.4",
            "with a board as without: 1900 is too early",
            [*FULL, _propose(1900)],
            "FT602",
            board=BOARD,
        ),
        _case("propose-board-first-second", "§6.4", "1901", [*FULL, _propose(1901)], board=BOARD),
        _case("propose-excluded", "§6.4", "5 of 6 included meet the quorum of 5", [*FULL, _propose(2000, gone)]),
        _case("propose-below-quorum", "§6.4", "4 committed", [*four, _propose(2000)], "FT604"),
        _case(
            "propose-excluded-below-quorum",
            "§6.4",
            "4 of 6 included",
            [*FULL, _propose(2000, [[3, 801], [4, 715]])],
            "FT604",
        ),
        _case(
            "propose-excluded-stranger",
            "§6.4",
            "client 9 never committed",
            [*FULL, _propose(2000, [[9, 801]])],
            "FT600",
        ),
        _case(
            "propose-excluded-twice", "§6.4", "client 3 twice", [*FULL, _propose(2000, [[3, 801], [3, 715]])], "FT600"
        ),
        _case(
            "propose-excluded-falling", "§6.4", "3 follows 5", [*FULL, _propose(2000, [[5, 801], [3, 715]])], "FT600"
        ),
        _case("propose-zero-root", "§6.4", "a root of zeros", [*FULL, _propose(2000, aggregate_root=ZERO)], "FT600"),
        _case("propose-twice", "§6.4", "a proposal is there", [*PROPOSED, _propose(2001)], "FT602"),
        _case("propose-nobody", "§6.4", "nobody committed", [_open(), _propose(2000)], "FT604"),
        _case("propose-unopened", "§6.4", "no round", [_propose(2000)], "FT602"),
    ]


def _ends() -> list[Case]:
    four = [_open(), _commit(1200, 1, 2, 3, 4)]
    gone = [[3, 801]]
    excluded = [*FULL, _propose(2000, gone)]
    return [
        _case("abandon-below-quorum", "§6.5", "4 committed", [*four, _abandon(2000)]),
        _case("abandon-excluded", "§6.5", "4 of 6 included", [*FULL, _abandon(2000, [[3, 801], [4, 715]])]),
        _case("abandon-quorum-met", "§6.5", "5 of 6 included", [*FULL, _abandon(2000, gone)], "FT600"),
        _case("abandon-last-data-second", "§6.5", "1900: clients still publish", [*four, _abandon(1900)], "FT602"),
        _case("abandon-first-second", "§6.5", "1901", [*four, _abandon(1901)]),
        _case("abandon-no-data-phase", "§6.5", "1600 + 0 + 1 = 1601", [*four, _abandon(1601)], data_seconds=0),
        _case("abandon-last-second", "§6.5", "2400", [*four, _abandon(2400)]),
        _case("abandon-late", "§6.5", "2401: only expiry is left", [*four, _abandon(2401)], "FT602"),
        _case(
            "finalise-last-challenge-second",
            "§6.6",
            "2000 + 1800 = 3800 still takes challenges",
            [*PROPOSED, _finalise(3800)],
            "FT602",
        ),
        _case("finalise-first-second", "§6.6", "3801: the model is the proposal's", [*PROPOSED, _finalise(3801)]),
        _case("finalise-much-later", "§6.6", "there is no last second", [*PROPOSED, _finalise(999999)]),
        _case("finalise-excluded", "§6.6", "with the exclusions of the proposal", [*excluded, _finalise(3801, gone)]),
        _case(
            "finalise-other-model",
            "§6.6",
            "another model root",
            [*PROPOSED, _finalise(3801, model_root=digest_of("x"))],
            "FT600",
        ),
        _case("finalise-other-exclusions", "§6.6", "exclusions left out", [*excluded, _finalise(3801)], "FT600"),
        _case("finalise-other-reason", "§6.6", "another reason", [*excluded, _finalise(3801, [[3, 715]])], "FT600"),
        _case("finalise-unproposed", "§6.6", "no proposal", [*FULL, _finalise(3801)], "FT602"),
        _case("finalise-twice", "§6.6", "already final", [*PROPOSED, _finalise(3801), _finalise(3802)], "FT602"),
        _case("expire-last-second", "§6.7", "2400 still takes a proposal", [*FULL, _expire(2400)], "FT602"),
        _case("expire-first-second", "§6.7", "2401: the model stays", [*FULL, _expire(2401)]),
        _case("expire-nobody", "§6.7", "nobody committed", [_open(), _expire(2401)]),
        _case("expire-proposed", "§6.7", "a proposal is there", [*PROPOSED, _expire(9000)], "FT602"),
        _case("expire-twice", "§6.7", "already expired", [*FULL, _expire(2401), _expire(2402)], "FT602"),
    ]


def _histories() -> list[Case]:
    first = [*PROPOSED, _finalise(3801)]
    second = [_open(4000, 2), _commit(4100, 1, 2, 3, 4, 5)]
    finalised = [*first, *second, _propose(4901, model_root=digest_of("model 2"))]
    return [
        _case("history-open-after-final", "§6.2", "the base model is the first round's", [*first, _open(4000, 2)]),
        _case(
            "history-open-after-expiry", "§6.2", "the base model is the genesis", [*FULL, _expire(2401), _open(2500, 2)]
        ),
        _case(
            "history-open-after-abandonment",
            "§6.2",
            "the base model is the genesis",
            [_open(), _abandon(2000), _open(2001, 5)],
        ),
        _case(
            "history-two-final",
            "§6.6",
            "4901 + 1800 = 6701 ends challenges; the head chains both",
            [*finalised, _finalise(6702, model_root=digest_of("model 2"))],
        ),
        _case("history-commit-again", "§6.3", "a new round takes the same clients", [*first, *second]),
    ]
