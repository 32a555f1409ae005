"""Round scripts: what is accepted, and how mistakes are told."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import pytest
import yaml

from ledger import spec
from ledger.errors import NotFoundError, ScriptError
from ledger.project import TEMPLATES, read_template
from ledger.script import (
    MALFORMATIONS,
    AttackEvent,
    DropEvent,
    MalformEvent,
    WithholdEvent,
    json_schema,
    load_script,
    parse_script,
)

SCRIPT = """\
fedtrail: 1
run:
  name: sepsis
  rounds: 5
  seed: 7
  rule: {name: trimmed-mean, trim: 1}
clients:
  count: 6
  stake: 1 ether
events:
  - {at: round 2, client: 4, attack: sign-flip, options: {factor: 4.0}}
  - at: rounds 3-4
    drop: [5, 6]
expect:
  accuracy: ">= 0.80"
"""

TOML = """\
fedtrail = 1
compare = [{name = "mean"},
           {name = "median"}]

[run]
name = "sepsis"
rounds = 5
rule.name = "mean"

[clients]
count = 6

[[events]]
at = "always"
drop = 1

[[events]]   # a comment with [brackets] and a = sign
at = "round 2"
client = 4
attack = "sign-flip"
"""


def refuse(text: str, name: str = "round.yaml") -> ScriptError:
    with pytest.raises(ScriptError) as caught:
        parse_script(text.encode(), name=name)
    return caught.value


def place(error: ScriptError) -> tuple[object, object]:
    return error.detail["line"], error.detail["column"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_shipped_example_is_a_valid_script(template: str) -> None:
    script = parse_script(read_template(template).encode(), name=f"{template}.yaml")
    assert script.run.name == template
    assert script.quorum >= script.run.rule.min_updates


def test_yaml_and_toml_of_the_same_content_are_the_same_script() -> None:
    from_toml = parse_script(TOML.encode(), name="round.toml")
    from_yaml = parse_script(yaml.safe_dump(tomllib.loads(TOML)).encode(), name="round.yaml")
    assert from_toml.model_dump(warnings=False) == from_yaml.model_dump(warnings=False)
    assert from_toml.digest() != from_yaml.digest()


def test_digest_is_the_sha256_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "round.yaml"
    path.write_bytes(SCRIPT.encode())
    script = load_script(path)
    assert script.digest() == hashlib.sha256(path.read_bytes()).digest()
    assert script.source == path.read_bytes()


def test_defaults_are_those_of_the_specification() -> None:
    script = parse_script(b"fedtrail: 1\nrun: {name: a, rounds: 1, rule: {name: mean}}\nclients: {count: 3}", name="a")
    assert (script.format.bound, script.format.scale_bits) == (spec.MAX_BOUND, 20)
    assert (script.clients.stake_wei, script.aggregator.stake_wei) == (10**18, 2 * 10**18)
    assert script.quorum == 2


def test_events_cover_the_rounds_that_they_name() -> None:
    script = parse_script(SCRIPT.encode(), name="a.yaml")
    attack, drop = script.events
    assert isinstance(attack, AttackEvent) and attack.targets == (4,) and attack.options == {"factor": 4.0}
    assert isinstance(drop, DropEvent) and drop.targets == (5, 6)
    assert [bool(script.events_in(n)) for n in range(1, 6)] == [False, True, True, True, False]


def test_a_script_without_a_validation_binds_its_task_by_no_term() -> None:
    assert parse_script(SCRIPT.encode(), name="a.yaml").terms == ()


def test_a_validation_has_limits_that_fit_and_any_of_them_can_be_left_out() -> None:
    text = "stale(95)+duplicate(99)+norm(300)+faint(20)+distance(300)"
    assert parse_script((SCRIPT + "validation: {}\n").encode(), name="a.yaml").terms == (("validation", text),)
    other = SCRIPT + "validation: {norm: 2.5, faint: null, distance: null, stale: 0.9, duplicate: 1}\n"
    section = parse_script(other.encode(), name="a.yaml").validation
    assert section is not None
    assert section.validation == spec.Validation(stale=90, duplicate=100, norm=250)
    assert "norm above 2.5 medians" in section.label and "faint" not in section.label


def test_a_script_has_attestors_only_if_it_says_so() -> None:
    assert parse_script(SCRIPT.encode(), name="a.yaml").availability is None
    text = SCRIPT + "availability: {attestors: 4, stake: 3 ether}\n"
    committee = parse_script(text.encode(), name="a.yaml").availability
    assert committee is not None
    assert (committee.signatures, committee.stake_wei) == (3, 3 * 10**18)


@pytest.mark.parametrize(
    ("every", "due", "not_due"),
    [
        ("2 rounds", [(3, 0), (5, 0)], [(1, 10**9), (2, 10**9), (4, 0)]),
        ("1 round", [(2, 0)], [(1, 10**9)]),
        ("30d", [(1, 30 * 86_400), (7, 10**9)], [(1, 30 * 86_400 - 1), (7, 0)]),
    ],
)
def test_keys_are_due_after_rounds_or_after_a_time(
    every: str, due: list[tuple[int, int]], not_due: list[tuple[int, int]]
) -> None:
    section = parse_script(f"{SCRIPT}keys: {{rotate_every: {every}}}\n".encode(), name="a.yaml").keys
    assert section is not None
    assert [section.is_due(*each) for each in due] == [True] * len(due)
    assert [section.is_due(*each) for each in not_due] == [False] * len(not_due)


@pytest.mark.parametrize("every", ["0 rounds", "0s", "often", "-1d", "1.5 rounds"])
def test_keys_that_last_no_time_or_no_known_one_are_refused(every: str) -> None:
    assert "'keys.rotate_every'" in str(refuse(f"{SCRIPT}keys: {{rotate_every: '{every}'}}\n"))


def test_a_client_can_be_made_to_withhold_what_it_commits_to() -> None:
    text = SCRIPT.replace("drop: [5, 6]", "withhold: [5, 6]")
    event = parse_script(text.encode(), name="a.yaml").events[1]
    assert isinstance(event, WithholdEvent) and event.targets == (5, 6)


def test_a_script_may_have_as_many_clients_as_a_round() -> None:
    script = parse_script(SCRIPT.replace("count: 6", "count: 10000").encode(), name="a.yaml")
    assert script.clients.count == spec.MAX_CLIENTS


@pytest.mark.parametrize("kind", MALFORMATIONS)
def test_every_malformation_can_be_scripted(kind: str) -> None:
    text = SCRIPT.replace("client: 4, attack: sign-flip, options: {factor: 4.0}", f"client: 4, malform: {kind}")
    event = parse_script(text.encode(), name="a.yaml").events[0]
    assert isinstance(event, MalformEvent) and event.malform == kind


@pytest.mark.parametrize(("mode", "want"), [("", 0), ("mode: accumulated", 1), ("mode: root-only", 2)])
def test_a_mode_has_its_number_on_chain(mode: str, want: int) -> None:
    script = parse_script(SCRIPT.replace("seed: 7", mode or "seed: 7").encode(), name="s.yaml")
    assert script.run.commit_mode is spec.CommitMode(want)


def test_a_weight_can_be_asked_to_be_paid_for_by_stake() -> None:
    text = SCRIPT.replace("{name: trimmed-mean, trim: 1}", "{name: weighted-mean, stake_per_weight: 3 gwei}")
    assert parse_script(text.encode(), name="s.yaml").run.rule.wei_per_weight == 3 * 10**9
    assert parse_script(SCRIPT.encode(), name="s.yaml").run.rule.wei_per_weight == 0


def test_krum_takes_as_many_clients_as_a_proposal_has_room_for_distances() -> None:
    def parse(count: int) -> object:
        text = SCRIPT.replace("{name: trimmed-mean, trim: 1}", "{name: krum, f: 1}").replace(
            "count: 6", f"count: {count}"
        )
        return parse_script(text.encode(), name="s.yaml")

    parse(spec.MAX_KRUM_CLIENTS)
    with pytest.raises(ScriptError, match="takes at most 50 clients"):
        parse(spec.MAX_KRUM_CLIENTS + 1)


@pytest.mark.parametrize(
    ("old", "new", "where", "words"),
    [
        ("seed: 7", "sead: 7", (5, 3), "unknown key 'sead'; did you mean 'seed'?"),
        ("rounds: 5", 'rounds: "5"', (4, 3), "'run.rounds' is '5', expected a whole number"),
        ("rounds: 5", "rounds: 0", (4, 3), "greater than or equal to 1"),
        ("rounds: 5", "rounds: true", (4, 3), "expected a whole number"),
        ("seed: 7", "seed: 7\n  seed: 8", (6, 3), "duplicate key 'seed' (first in line 5)"),
        ("name: trimmed-mean", "name: mode", (6, 10), "'run.rule.name': 'mode' is no rule and no composition"),
        ("trim: 1", "f: 1", (6, 30), "the rule trimmed-mean takes no 'f'"),
        ("trim: 1", "trim: 3", (6, 3), "needs at least 7 clients, 'clients.count' is 6"),
        ("trim: 1", "trim: 1, stake_per_weight: 1 ether", (6, 39), "trimmed-mean takes no 'stake_per_weight'"),
        ("seed: 7", "mode: batched", (5, 3), "'run.mode' is 'batched'"),
        ("count: 6", "count: 10001", (8, 3), "less than or equal to 10000"),
        ("client: 4", "client: 10001", (11, 19), "less than or equal to 10000"),
        ("seed: 7", "quorum: 2", (5, 3), "'run.quorum' is 2, expected 3"),
        ("1 ether", "1 euro", (9, 3), "'1 euro' is not an amount"),
        ("client: 4", "clinet: 4", (11, 19), "unknown key 'clinet'; did you mean 'client'?"),
        ("client: 4, ", "", (11, 5), "an attack needs either 'client' or 'clients'"),
        ("client: 4", "client: 7", (11, 19), "there is no client 7; clients are numbered 1 to 6"),
        ("[5, 6]", "[5, 9]", (13, 5), "there is no client 9"),
        ("[5, 6]", "[5, x]", (13, 15), "expected a whole number"),
        ("attack: sign-flip, ", "", (11, 5), "needs one of the keys attack, drop, withhold, aggregator, malform"),
        (
            "clients:\n",
            "availability: {attestors: 4, threshold: 2}\nclients:\n",
            (7, 30),
            "expected 3 (more than half) to 4",
        ),
        ("clients:\n", "availability: {threshold: 4}\nclients:\n", (7, 16), "expected 2 (more than half) to 3"),
        ("clients:\n", "validation: {norm: 1}\nclients:\n", (7, 14), "greater than or equal to 1.01"),
        ("clients:\n", "validation: {stale: 0.985}\nclients:\n", (7, 14), "more than two digits"),
        ("clients:\n", "validation: {}\navailability: {}\nclients:\n", (7, 1), "leave one of the two out"),
        ("clients:\n", "availability: {attestors: 33}\nclients:\n", (7, 16), "less than or equal to 32"),
        ("drop: [5, 6]", "withhold: 9", (13, 5), "there is no client 9"),
        ("round 2", "round 6", (11, 6), "'round 6' is outside of the run's rounds, 1 to 5"),
        ("rounds 3-4", "rounds 4-3", (12, 5), "the first round is after the last"),
        ("rounds 3-4", "sometimes", (12, 5), "expected 'always', 'round 2' or 'rounds 2-4'"),
        (", trim: 1", "", (6, 3), "the rule trimmed-mean needs 'trim'"),
        (">= 0.80", ">=0.80", (15, 3), "such as '>= 0.80'"),
        (">= 0.80", "high", (15, 3), "such as '>= 0.80'"),
        ("fedtrail: 1", "fedtrail: 2", (1, 1), "'fedtrail' is 2, expected 1"),
        ("fedtrail: 1\n", "", (1, 1), "'fedtrail' is missing"),
        ("clients:\n", "clients: []\nextra:\n", (7, 1), "expected keys with values"),
        ("name: sepsis", "name: ../x", (3, 3), "'run.name' is '../x'"),
        ("name: sepsis", "name: &n sepsis\n  purpose: *n", (4, 12), "aliases are not allowed"),
        ("seed: 7", "seed: [7", (6, 7), "expected ',' or ']'"),
        ("seed: 7", "seed: !!python/name:os.system x", (5, 9), "could not determine a constructor"),
        ("seed: 7", "seed: .nan", (5, 3), "expected a whole number"),
    ],
)
def test_mistakes_in_yaml_name_line_and_column(old: str, new: str, where: tuple[int, int], words: str) -> None:
    assert old in SCRIPT
    error = refuse(SCRIPT.replace(old, new, 1))
    assert place(error) == where
    assert words in error.message
    assert error.message.startswith(f"round.yaml:{where[0]}:{where[1]}: ")
    assert (error.code, error.exit_status) == ("FT102", 2)


@pytest.mark.parametrize(
    ("old", "new", "where", "words"),
    [
        ("count = 6", "cuont = 6", (11, 1), "unknown key 'cuont'; did you mean 'count'?"),
        ("count = 6", 'count = "6"', (11, 1), "expected a whole number"),
        ("count = 6", "count = 6\ncount = 7", (12, 10), "Cannot overwrite a value"),
        ("rule.name", "rule.nmae", (8, 6), "unknown key 'nmae'"),
        ('{name = "median"}', '{name = "medain"}', (3, 13), "'compare.1.name': 'medain' is no rule and no composition"),
        ("client = 4", "client = 9", (19, 1), "there is no client 9"),
        ('at = "round 2"', 'at = "round 9"', (18, 1), "outside of the run's rounds"),
        ('at = "always"\ndrop', 'at = """\nalways"""\ndorp', (13, 2), "needs one of the keys"),
        ("[run]", "[run", (5, 5), "Expected ']'"),
    ],
)
def test_mistakes_in_toml_name_line_and_column(old: str, new: str, where: tuple[int, int], words: str) -> None:
    assert old in TOML
    error = refuse(TOML.replace(old, new, 1), name="round.toml")
    assert place(error) == where, error
    assert words in error.message


def test_all_mistakes_are_told_at_once() -> None:
    error = refuse(SCRIPT.replace("seed: 7", "sead: 7").replace("1 ether", "1 euro"))
    assert place(error) == (5, 3)
    assert "9:3: 'clients.stake'" in error.hint


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"- 1\n- 2", b"a: 1\n\x00", b"[" * 5000, b"x" * (2 << 20)])
def test_files_that_are_no_script_are_refused(raw: bytes) -> None:
    with pytest.raises(ScriptError):
        parse_script(raw, name="round.yaml")
    with pytest.raises(ScriptError):
        parse_script(raw, name="round.toml")


def test_a_missing_script_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no script"):
        load_script(tmp_path / "absent.yaml")


def test_schema_lists_every_section_with_a_description() -> None:
    schema = json_schema()
    json.dumps(schema)
    assert set(schema["required"]) == {"fedtrail", "run", "clients"}
    assert schema["additionalProperties"] is False
    tables = [schema, *schema["$defs"].values()]
    entries = [(key, entry) for table in tables for key, entry in table["properties"].items()]
    assert not [key for key, entry in entries if "description" not in entry and "$ref" not in entry]
