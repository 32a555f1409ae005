"""Secure aggregation in groups: the sum of each comes out exactly, and nothing else does."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from masked_rounds import STAGES, MaskedRound, make_round

from fl.privacy.secagg import Request
from ledger import spec
from ledger.aggregation.masks import compute_group_means
from ledger.errors import MaskingRefused, UnmaskingFailed

TERM = spec.Masking(threshold=2, roster=tuple(range(1, 21)), degree=4, groups=4, least=3)


def make_grouped(silent: dict[int, str] | None = None, **changes: object) -> MaskedRound:
    options = {"group_count": 4, "least": 3, "threshold": 2, "degree": 4, "quorum": 3} | changes
    return make_round(20, silent=silent, **options).exchange().mask()


def remove_masks(round_: MaskedRound) -> tuple[dict[int, list[int]], dict[int, UnmaskingFailed]]:
    """Return the means of the groups whose masks come off, and who is in another."""
    unmasker = round_.unmasker
    request = unmasker.make_request()
    answers = [round_.open(round_.ask(c, request)) for c in round_._present("unmask")]
    reveals, failed = unmasker.recover_groups(answers)  # type: ignore[arg-type]
    clients = [c for c in round_.survivors if c not in failed]
    masked = np.stack([round_.masked[c] for c in clients])
    means = compute_group_means(masked, clients, reveals, round_.setting.groups, TERM)
    return {number: mean.tolist() for number, mean in means.items()}, failed


def average(round_: MaskedRound, number: int) -> list[int]:
    """Return the mean of a group's survivors by their plain updates."""
    members = [c for c in round_.setting.groups[number - 1] if c in round_.survivors]
    columns = zip(*(round_.updates[c].tolist() for c in members), strict=True)
    return [spec.rdiv(sum(column), len(members)) for column in columns]


@pytest.mark.parametrize("expansion", list(spec.Expansion))
@pytest.mark.parametrize("stage", STAGES)
def test_the_mean_of_every_group_is_that_of_its_survivors_whenever_clients_drop_out(
    stage: str, expansion: spec.Expansion
) -> None:
    round_ = make_round(20, silent={4: stage, 17: stage}, group_count=4, least=3, threshold=2, expansion=expansion)
    round_.exchange().mask()
    unmasker = round_.unmasker
    answers = [round_.open(round_.ask(c, unmasker.make_request())) for c in round_._present("unmask")]
    reveals, failed = unmasker.recover_groups(answers)  # type: ignore[arg-type]
    term = spec.Masking(threshold=2, roster=TERM.roster, degree=4, groups=4, least=3, expansion=expansion)
    masked = np.stack([round_.masked[c] for c in round_.survivors])
    means = compute_group_means(masked, round_.survivors, reveals, round_.setting.groups, term)
    assert not failed and {n: m.tolist() for n, m in means.items()} == {n: average(round_, n) for n in (1, 2, 3, 4)}
    spec.verify_reveals(reveals, {c: round_.tables[c] for c in round_.survivors})


def test_peers_are_in_the_client_s_own_group_and_a_smaller_group_is_complete() -> None:
    setting = make_grouped().setting
    for client, peers in setting.peers.items():
        (group,) = (group for group in setting.groups if client in group)
        assert peers == [other for other in group if other != client]


def test_a_group_whose_masks_cannot_be_removed_costs_the_other_groups_nothing() -> None:
    setting = make_grouped().setting
    lost = setting.groups[1]
    silent = {lost[0]: "publish", **dict.fromkeys(lost[1:4], "unmask")}
    round_ = make_grouped(silent)
    means, failed = remove_masks(round_)
    assert set(failed) == set(lost) - {lost[0]} and "2 are needed" in failed[lost[1]].message
    assert means == {number: average(round_, number) for number in (1, 3, 4)}


def test_a_client_hands_out_nothing_where_its_group_is_too_small_however_many_others_survive() -> None:
    round_ = make_grouped()
    few, nothing = round_.setting.groups[0][:2], Request(own_of=frozenset(), keys_of=frozenset())
    others = [client for group in round_.setting.groups[1:] for client in group]
    with pytest.raises(MaskingRefused, match="2 updates are in the sum of its group, at least 3 must be"):
        round_.ask(few[0], nothing, survivors=[*few, *others])
    assert round_.ask(others[0], nothing, survivors=[*few, *others])


def _views(updates: tuple[int, ...], modulus: int, *, dropped: bool) -> Counter[tuple[int, ...]]:
    """Count what an aggregator sees of two groups over every choice of masks: (1, 2) and (3, 4, where it stays).

    One coordinate modulo a small number; masks in place of the generator's words. It sees the masked updates, the own
    masks of the survivors, and with client 4 dropped out the mask of its pair.
    """
    seen: Counter[tuple[int, ...]] = Counter()
    for own in itertools.product(range(modulus), repeat=4):
        for m12, m34 in itertools.product(range(modulus), repeat=2):
            pairs = (m12, -m12, m34, -m34)
            masked = tuple((x + o + p) % modulus for x, o, p in zip(updates, own, pairs, strict=True))
            seen[(*masked, *own[:3], m34) if dropped else (*masked, *own)] += 1
    return seen


def test_of_two_sets_of_updates_with_the_same_sums_of_groups_the_aggregator_sees_the_same_equally_often() -> None:
    assert [spec.compute_sign(*pair) for pair in ((1, 2), (2, 1), (3, 4), (4, 3))] == [1, -1, 1, -1]
    view = _views((0, 2, 1, 1), 3, dropped=False)
    assert view == _views((1, 1, 2, 0), 3, dropped=False)
    # The sums of groups are seen: sets of updates that share but the sum of all look different.
    assert view != _views((1, 2, 1, 0), 3, dropped=False)
    # With 4 gone the sum of 3 alone would be seen, which is why a group has a least number of updates.
    assert _views((0, 2, 1, 0), 3, dropped=True) != _views((0, 2, 2, 0), 3, dropped=True)
    assert _views((0, 2, 1, 0), 3, dropped=True) == _views((1, 1, 1, 2), 3, dropped=True)


def test_the_real_messages_and_masked_updates_are_the_same_for_all_updates_up_to_the_masks() -> None:
    # What the server carries does not depend on updates; and masked updates differ by the updates' difference alone,
    # since the masks come from roots that know nothing of an update: uniform masks then hide it.
    first, second = make_round(20, group_count=4, least=3), make_round(20, group_count=4, least=3)
    second.updates = {c: update[::-1].copy() for c, update in second.updates.items()}
    for round_ in (first, second):
        round_.exchange().mask()
    assert (first.hellos, first.sent, first.tables) == (second.hellos, second.sent, second.tables)
    for c in first.masked:
        masks = [r.masked[c].astype(np.int64) - r.updates[c] for r in (first, second)]
        assert not ((masks[0] - masks[1]) % 2**32).any()
