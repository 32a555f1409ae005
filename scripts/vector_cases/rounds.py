"""Vectors of §6.2 to §6.8: rounds driven to, at and past every deadline.

The clock starts at 1000. Windows of TASK: commit 600, data 300, propose 500, challenge 1800, so that a round opened at
1000 takes commitments until 1600, has its data phase until 1900, takes a proposal from 1901 to 2400 and, proposed at T,
challenges until T + 1800.
"""

from __future__ import annotations

from typing import Any

from vector_cases.case import COMPUTED, Case, digest_of
from vector_cases.chain_hashes import PROPOSAL
from vector_cases.member_lists import make_entry
from vector_cases.tasks import MAX_PAUSE_SECONDS, TASK, UNBOND_SECONDS, ZERO

Step = dict[str, Any]

BOARD = "0x" + "b0" * 20


def get_cases() -> list[Case]:
    """Return the cases of §6."""
    return [*_opening(), *_commits(), *_modes(), *_proposals(), *_ends(), *_pauses(), *_histories()]


def _open(at: int = 1000, round_id: int = 1) -> Step:
    return {"do": "open", "at": at, "round_id": round_id}


def _commit(at: int, *clients: int) -> Step:
    return {"do": "commit", "at": at, "members": [[client, digest_of(f"client {client}")] for client in clients]}


def _commit_list(at: int, *clients: int) -> Step:
    return {"do": "commit-list", "at": at, "list": [make_entry(client) for client in clients]}


def _propose(at: int, exclusions: Any = (), aux: str = "0x", **changes: Any) -> Step:
    proposal = {**PROPOSAL, "committed": 6, **changes}
    return {"do": "propose", "at": at, "proposal": proposal, "exclusions": list(exclusions), "aux": aux}


def _finalise(at: int, exclusions: Any = (), aux: str = "0x", **changes: Any) -> Step:
    return {**_propose(at, exclusions, aux, **changes), "do": "finalise"}


def _abandon(at: int, exclusions: Any = ()) -> Step:
    return {"do": "abandon", "at": at, "exclusions": list(exclusions)}


def _expire(at: int) -> Step:
    return {"do": "expire", "at": at}


def _pause(at: int, until: int | None = None) -> list[Step]:
    """Return a pause, and its end if `until` says when."""
    return [{"do": "pause", "at": at}, *([] if until is None else [{"do": "resume", "at": until}])]


BY_HAND = {
    "open": (1600, 1900, 2400),
    "pause-while-committing": (1700, 2000, 2500),
    "pause-last-commit-second": (1700, 2000, 2500),
    "pause-first-data-second": (1600, 2000, 2500),
    "pause-last-data-second": (1600, 2000, 2500),
    "pause-while-proposing": (1600, 2000, 2500),
    "pause-overdue": (1600, 2000, 2500),
    "pause-for-long": (5200, 5500, 6000),
}
"""Last seconds of the commit phase, of the data phase and for a proposal."""

FULL = [_open(), _commit(1200, 1, 2, 3, 4, 5, 6)]
PROPOSED = [*FULL, _propose(2000)]


def _case(name: str, clause: str, why: str, steps: list[Step], error: str | None = None, **task: Any) -> Case:
    return Case(
        name=f"rounds/{name}",
        clause=clause,
        why=why,
        operation="transition",
        input={
            "task": {**TASK, **task},
            "unbond_seconds": UNBOND_SECONDS,
            "max_pause_seconds": MAX_PAUSE_SECONDS,
            "steps": steps,
        },
        want=_by_hand(name),
        want_error=error,
    )


def _by_hand(name: str) -> Any:
    """Return the state of a round without commitments, worked out by hand; every other is the specification's."""
    if name not in BY_HAND:
        return COMPUTED
    commit_end, data_end, propose_end = BY_HAND[name]
    clock = {"opened_at": 1000, "commit_end": commit_end, "data_end": data_end, "propose_end": propose_end}
    clock["challenge_end"] = 0
    zeros = {"segments_hash": ZERO, "proposal_hash": ZERO}
    state = {"rounds": 1, "model": TASK["genesis_model"], "head": ZERO, "paused_at": 0, "phase": "open", "round_id": 1}
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


def _modes() -> list[Case]:
    alone = [_open(), *(_commit(1200 + client, client) for client in range(1, 6))]
    again = {"do": "commit", "at": 1300, "members": [[3, digest_of("another update")]]}
    accumulated: dict[str, Any] = {"mode": "accumulated"}
    root_only: dict[str, Any] = {"mode": "root-only"}
    listed = [_open(), _commit_list(1200, *range(1, 7))]
    why_list = "the root of the list is the only segment"
    return [
        _case("accumulated-uncounted", "§6.3", "5 committed, the ledger counts none", alone, **accumulated),
        _case(
            "accumulated-twice", "§6.3", "client 3 again: taken, and its first counts", [*alone, again], **accumulated
        ),
        _case(
            "accumulated-batch",
            "§6.3",
            "clients commit by themselves",
            [_open(), _commit(1200, 1, 2)],
            "FT600",
            **accumulated,
        ),
        _case(
            "accumulated-proposal",
            "§6.4",
            "6 entries of 5 clients",
            [*alone, again, _propose(2000, committed=5)],
            **accumulated,
        ),
        _case(
            "accumulated-entries-counted",
            "§6.4",
            "6 entries are 5 clients",
            [*alone, again, _propose(2000, committed=6)],
            "FT600",
            **accumulated,
        ),
        _case(
            "accumulated-over-full",
            "§6.4",
            "5 of 4",
            [*alone, _propose(2000, committed=5)],
            "FT600",
            **{**accumulated, "max_clients": 4, "rule": "mean", "rule_param": 0, "quorum": 1},
        ),
        _case(
            "accumulated-abandoned",
            "§6.5",
            "nobody counted: only expiry",
            [_open(), _abandon(2000)],
            "FT600",
            **accumulated,
        ),
        _case("accumulated-expired", "§6.7", "2401", [*alone, _expire(2401)], **accumulated),
        _case("list", "§6.3", why_list, listed, **root_only),
        _case("list-proposed", "§6.4", "6 listed", [*listed, _propose(2000)], **root_only),
        _case("list-full", "§6.3", "10 of 10", [_open(), _commit_list(1200, *range(1, 11))], **root_only),
        _case("list-over-full", "§6.3", "11 of 10", [_open(), _commit_list(1200, *range(1, 12))], "FT600", **root_only),
        _case("list-twice", "§6.3", "one list a round", [*listed, _commit_list(1201, 7)], "FT600", **root_only),
        _case("list-late", "§6.3", "1601 is past 1600", [_open(), _commit_list(1601, 1)], "FT602", **root_only),
        _case("list-falling", "§6.3", "1 follows 2", [_open(), _commit_list(1200, 2, 1)], "FT722", **root_only),
        _case("list-verified", "§6.3", "the mode is another", [_open(), _commit_list(1200, 1, 2)], "FT600"),
        _case("list-commit", "§6.3", "the list is the only way", [_open(), _commit(1200, 1)], "FT600", **root_only),
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
        _case("propose-below-quorum", "§6.4", "4 committed", [*four, _propose(2000, committed=4)], "FT604"),
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
        _case("propose-one-more", "§6.4", "7 counted, 6 committed", [*FULL, _propose(2000, committed=7)], "FT600"),
        _case("propose-one-less", "§6.4", "5 counted, 6 committed", [*FULL, _propose(2000, committed=5)], "FT600"),
        _case("propose-auxiliary-data", "§6.4", "what the rule asks for", [*FULL, _propose(2000, aux="0x07")]),
        _case("propose-twice", "§6.4", "a proposal is there", [*PROPOSED, _propose(2001)], "FT602"),
        _case("propose-nobody", "§6.4", "nobody committed", [_open(), _propose(2000, committed=0)], "FT604"),
        _case("propose-unopened", "§6.4", "no round", [_propose(2000)], "FT602"),
    ]


def _ends() -> list[Case]:
    four = [_open(), _commit(1200, 1, 2, 3, 4)]
    gone = [[3, 801]]
    excluded = [*FULL, _propose(2000, gone)]
    aided = [*FULL, _propose(2000, aux="0x07")]
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
        _case("finalise-other-auxiliary-data", "§6.6", "aux left out", [*aided, _finalise(3801)], "FT600"),
        _case("finalise-auxiliary-data", "§6.6", "with the aux of the proposal", [*aided, _finalise(3801, aux="0x07")]),
        _case("finalise-other-count", "§6.6", "7 counted", [*PROPOSED, _finalise(3801, committed=7)], "FT600"),
        _case("finalise-unproposed", "§6.6", "no proposal", [*FULL, _finalise(3801)], "FT602"),
        _case("finalise-twice", "§6.6", "already final", [*PROPOSED, _finalise(3801), _finalise(3802)], "FT602"),
        _case("expire-last-second", "§6.7", "2400 still takes a proposal", [*FULL, _expire(2400)], "FT602"),
        _case("expire-first-second", "§6.7", "2401: the model stays", [*FULL, _expire(2401)]),
        _case("expire-nobody", "§6.7", "nobody committed", [_open(), _expire(2401)]),
        _case("expire-proposed", "§6.7", "a proposal is there", [*PROPOSED, _expire(9000)], "FT602"),
        _case("expire-twice", "§6.7", "already expired", [*FULL, _expire(2401), _expire(2402)], "FT602"),
    ]


def _pauses() -> list[Case]:
    stopped = [*FULL, *_pause(1500)]
    overdue = [*FULL, *_pause(2000)]
    later = [*FULL, *_pause(1550, 1650)]
    why_shift = "100 s: what is ahead moves by 100"
    return [
        _case("pause-while-committing", "§6.8", why_shift, [_open(), *_pause(1200, 1300)]),
        _case("pause-last-commit-second", "§6.8", why_shift, [_open(), *_pause(1600, 1700)]),
        _case("pause-first-data-second", "§6.8", "1600 is past and stays", [_open(), *_pause(1601, 1701)]),
        _case("pause-last-data-second", "§6.8", "1600 is past and stays", [_open(), *_pause(1900, 2000)]),
        _case("pause-while-proposing", "§6.8", "one shift for all after 1600", [_open(), *_pause(1950, 2050)]),
        _case("pause-overdue", "§6.8", "2500 < 2501: overdue before and after", [_open(), *_pause(2401, 2501)]),
        _case("pause-for-long", "§6.8", "nobody resumed in time: 3600 s of 10000 s", [_open(), *_pause(1200, 11200)]),
        _case("pause-shifted-last-second", "§6.8", "1700 takes commitments", [*later, _commit(1700, 7)]),
        _case("pause-shifted-late", "§6.8", "1701 does not", [*later, _commit(1701, 7)], "FT602"),
        _case("pause-shifted-proposal-early", "§6.8", "2000: clients publish", [*later, _propose(2000)], "FT602"),
        _case("pause-shifted-proposal", "§6.8", "2001 + 1800 = 3801 ends challenges", [*later, _propose(2001)]),
        _case("pause-shifted-proposal-last", "§6.8", "2500", [*later, _propose(2500)]),
        _case("pause-shifted-proposal-late", "§6.8", "2501", [*later, _propose(2501)], "FT602"),
        _case("pause-commit", "§6.8", "stopped", [*stopped, _commit(1501, 7)], "FT602"),
        _case("pause-propose", "§6.8", "stopped", [*overdue, _propose(2001)], "FT602"),
        _case("pause-abandon", "§6.8", "stopped", [*overdue, _abandon(2001)], "FT602"),
        _case("pause-expire", "§6.8", "stopped, whatever the clock says", [*overdue, _expire(9000)], "FT602"),
        _case("pause-open-after", "§6.8", "no round of the task is opened", [*_pause(1000), _open(1001)], "FT602"),
        _case("pause-idle", "§6.8", "nothing to move", [*_pause(900, 950), _open()]),
        _case("pause-proposed", "§6.8", "the round goes on", [*PROPOSED, *_pause(2100), _finalise(3801)]),
        _case(
            "pause-proposed-open",
            "§6.8",
            "but no next one",
            [*PROPOSED, *_pause(2100), _finalise(3801), _open(3802, 2)],
            "FT602",
        ),
        _case("pause-proposed-resumed", "§6.8", "3800 stays", [*PROPOSED, *_pause(2100, 2200), _finalise(3801)]),
        _case("pause-twice", "§6.8", "paused already", [_open(), *_pause(1200), *_pause(1201)], "FT602"),
        _case("pause-resume-unpaused", "§6.8", "nothing to resume", [_open(), {"do": "resume", "at": 1200}], "FT602"),
        _case("pause-too-soon", "§6.8", "1300 + 3600 = 4900", [_open(), *_pause(1200, 1300), *_pause(4900)], "FT602"),
        _case("pause-again", "§6.8", "4901: overdue, but not ended", [_open(), *_pause(1200, 1300), *_pause(4901)]),
        _case(
            "pause-two",
            "§6.8",
            "6000 + 100 + 100",
            [_open(), *_pause(1200, 1300), *_pause(4901, 5001)],
            commit_seconds=5000,
        ),
    ]


def _histories() -> list[Case]:
    first = [*PROPOSED, _finalise(3801)]
    second = [_open(4000, 2), _commit(4100, 1, 2, 3, 4, 5)]
    finalised = [*first, *second, _propose(4901, model_root=digest_of("model 2"), committed=5)]
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
            [*finalised, _finalise(6702, model_root=digest_of("model 2"), committed=5)],
        ),
        _case("history-commit-again", "§6.3", "a new round takes the same clients", [*first, *second]),
    ]
