"""Replay of rounds masked in groups: an honest one passes, each lie is found, and no court is told to judge it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from masked_maker import MaskedMaker, make_seed
from round_maker import LAYOUT, make_task, update_values

from ledger import spec
from ledger.audit import replay
from ledger.cli.explanations import explain_round
from ledger.errors import NotFoundError
from ledger.proving import make_proof
from ledger.records import RoundRecord, Verdict

CLIENTS = (2, 3, 5, 8, 9, 11, 12, 14, 15)
TASK = make_task(rule=spec.Rule.COMPOSED, rule_param=3, quorum=3)
TERM = spec.Masking(threshold=1, roster=CLIENTS, degree=2, groups=3, least=2)
OPENING = b"\x0f" * 32


@dataclass
class GroupedMaker(MaskedMaker):
    """A round of nine clients in three groups, of which client 5 published nothing."""

    clients: tuple[int, ...] = CLIENTS
    task: spec.Task = field(default_factory=lambda: TASK)
    term: spec.Masking = TERM
    strangers: bool = False
    """Whether client 3 masks with a client of another group."""

    @property
    def groups(self) -> spec.Groups:
        return spec.draw_groups(self.term.roster, self.term.groups, self.beacon)

    @property
    def beacon(self) -> bytes:
        return spec.compute_beacon(self.header(spec.Kind.UPDATE, 2).domain_separator, self.round_id, OPENING)

    def seeds(self, client: int) -> dict[int, bytes]:
        (group,) = (group for group in self.groups if client in group)
        peers = [p for p in group if p != client]
        if self.strangers and client == 3:
            peers = [next(c for c in CLIENTS if c not in group)]
        return {spec.SELF: make_seed(client), **{p: make_seed(*sorted((client, p))) for p in sorted(peers)}}

    def values(self, client: int) -> list[int]:
        return spec.apply_masks(update_values(client), client, self.seeds(client), self.term.expansion)

    def aggregate(self, params: spec.RuleParams, values: list[list[int]], weights: list[int]) -> list[int]:
        clients = [client for client in self.clients if client not in self.reasons]
        term, reveals = replace(self.term, least=1), self.needed() if self.shown is None else self.shown
        means = list(spec.compute_group_means(values, clients, reveals, self.groups, term).values())
        return [sorted(column)[len(column) // 2] for column in zip(*means, strict=True)]

    def record(self) -> RoundRecord:
        median = spec.decode_composition(b"median@1")
        layout = replace(LAYOUT, composition=median, terms=(("masking", str(self.term)),))
        return replace(super().record(), layout=layout, opening_hash=OPENING)


def findings(record: RoundRecord) -> list[tuple[str, str]]:
    return [(finding.clause, finding.error.code) for finding in replay(record).findings]


@pytest.mark.parametrize("expansion", list(spec.Expansion))
def test_an_honest_round_in_groups_passes_and_its_aggregate_is_the_median_of_the_means(
    expansion: spec.Expansion,
) -> None:
    maker = GroupedMaker(term=replace(TERM, expansion=expansion))
    report = replay(maker.record())
    assert (report.verdict, report.included) == (Verdict.PASS, 8)
    means = []
    for group in maker.groups:
        members = [update_values(client) for client in group if client != 5]
        means.append([spec.rdiv(sum(column), len(members)) for column in zip(*members, strict=True)])
    median = [sorted(column)[1] for column in zip(*means, strict=True)]
    published = spec.decode_vector(maker.record().aggregate.data or b"", max_bytes=1 << 20)
    assert published.values() == median


def test_a_wrong_aggregate_is_found_at_its_coordinate_and_no_court_judges_it() -> None:
    record = GroupedMaker(aggregate_lie={13: 1}).record()
    report = replay(record)
    (finding,) = report.findings
    assert (report.verdict, finding.clause, finding.participant) == (Verdict.FAIL, "7", 1)
    assert "coordinate 13" in finding.error.message
    with pytest.raises(NotFoundError, match="no court judges a rule over the means of masked groups"):
        make_proof(record, report)


def test_other_seeds_than_those_needed_are_found() -> None:
    honest = GroupedMaker().needed()
    assert findings(GroupedMaker(shown=honest[1:]).record())[0] == ("11", "FT722")
    surplus = spec.Reveal(owner=5, peer=spec.SELF, seed=GroupedMaker().seeds(5)[spec.SELF])
    assert ("11", "FT722") in findings(GroupedMaker(shown=[*honest, surplus]).record())


def test_groups_follow_from_the_opening_block_and_another_one_gives_another_finding() -> None:
    record = GroupedMaker().record()
    other = replace(record, opening_hash=b"\x10" * 32)
    assert other.groups != record.groups
    assert ("4", "FT706") in findings(other)  # nobody may mask with whom these clients masked


def test_an_update_masked_with_a_client_of_another_group_must_be_excluded() -> None:
    report = replay(GroupedMaker(strangers=True).record())
    (finding, *_) = report.findings
    assert (finding.clause, finding.error.code, finding.participant) == ("4", "FT706", 1)
    excluded = GroupedMaker(strangers=True, reasons={5: 801, 3: 722})
    assert replay(excluded.record()).verdict is Verdict.PASS


def test_a_sum_of_fewer_updates_than_the_term_allows_is_a_lie_of_the_aggregator() -> None:
    maker = GroupedMaker(term=replace(TERM, least=3))
    (finding,) = replay(maker.record()).findings
    assert (finding.clause, "sum of group" in finding.error.message, finding.participant) == ("7", True, 1)


def test_fewer_groups_than_the_rule_needs_are_a_lie_of_the_aggregator() -> None:
    gone = dict.fromkeys(GroupedMaker().groups[0], 801)
    maker = GroupedMaker(silent=set(gone), reasons=gone)
    (finding,) = replay(maker.record()).findings
    assert (finding.clause, finding.participant) == ("7", 1)


@pytest.mark.parametrize("terms", [None, (("masking", "threshold(1)+roster(2-15)+degree(0)"),)], ids=["gone", "other"])
def test_a_round_whose_term_nobody_can_read_accuses_nobody(terms: tuple[tuple[str, str], ...] | None) -> None:
    record = GroupedMaker().record()
    layout = None if terms is None or record.layout is None else replace(record.layout, terms=terms)
    assert replay(replace(record, layout=layout)).verdict is Verdict.INCOMPLETE


def test_groups_in_a_task_of_another_rule_are_a_term_that_nobody_can_judge_by() -> None:
    plain = MaskedMaker().record()
    grouped = replace(plain, layout=GroupedMaker().record().layout)
    assert [finding.error.code for finding in replay(grouped).findings] == ["FT803"]


def test_an_explanation_says_that_the_rule_is_over_the_means_of_groups() -> None:
    record = GroupedMaker().record()
    told = " ".join(" ".join(explain_round(record, replay(record))).split())
    assert "the rule over the means of 3 groups, each of at least 2 updates" in told
    assert "no court" in told
