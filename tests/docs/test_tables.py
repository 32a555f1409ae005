"""The tables of docs/protocol.md have the offsets, fields, numbers and names that the code has."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from ledger import artifacts, spec
from ledger.chain.abi import get_interface

ROOT = Path(__file__).parents[2]
Row = tuple[str, ...]
FOREIGN = {
    *("EIP712DomainChanged", "InvalidShortString", "StringTooLong", "ReentrancyGuardReentrantCall"),  # OpenZeppelin's
    "CheckpointUnorderedInsertion",
    "EmptySegment",  # a guard that no call of the contracts reaches
}


def read_section(number: str) -> str:
    document = (ROOT / "docs/protocol.md").read_text("utf-8")
    return re.split(rf"^#+ {re.escape(number)} .*$", document, flags=re.MULTILINE)[1].split("\n#")[0]


def read_tables(number: str) -> list[list[Row]]:
    """Return the tables of a section, without their two lines of head."""
    found = re.findall(r"(?:^\|.*\n)+", read_section(number), re.MULTILINE)
    return [
        [tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in table.splitlines()[2:]] for table in found
    ]


def measure(table: list[Row]) -> int:
    """Return the length of fixed bytes in a table whose offsets follow from the lengths before them."""
    at = 0
    for offset, length, *_ in table:
        assert int(offset) == at
        at += sum(map(int, length.split("+"))) if re.fullmatch(r"[\d +]+", length) else 0
    return at


def test_byte_tables_have_no_gaps_and_the_lengths_of_the_code():
    vector, checks = read_tables("3.1")
    assert measure(vector) == spec.HEADER_BYTES == 60
    assert [row[0] for row in checks] == ["1", "2", "3", "4", "5", "6"]
    header, entry = read_tables("3.3")
    empty = spec.encode_manifest(
        spec.Manifest(domain_separator=bytes(32), round_id=1, base=None, aggregate=None, model=None, entries=())
    )
    assert (measure(header), measure(entry)) == (len(empty), 103)


def test_stages_have_their_needs_and_their_proofs():
    (table,) = read_tables("5.9")
    told = {name.strip("`"): (needs, proof) for names, _, _, needs, _, proof in table for name in names.split(", ")}
    assert {name.partition("(")[0] for name in told} == set(spec.STAGES)
    for text, (needs, proof) in told.items():
        name, _, argument = text.partition("(")
        assert bool(argument) == bool(spec.STAGES[name].argument)
        if name != "bucketing":
            want = {"1": 1, "2": 2, "2f + 1": 7, "2f + 3": 9, "4f + 3": 15}[needs]
            assert spec.STAGES[name].needs(3) == want
        selects = spec.STAGES[name].kind.name == "SELECT" or name == "mean"
        assert proof == ("choice" if selects else "replay")


def test_rules_have_their_numbers_and_smallest_counts():
    want = {"1": 1, "1, masked 2": 2, "2k + 1": 5, "2f + 3": 7, "max(2f + 3, f + m)": 8}
    (table,) = read_tables("5")
    *named, composed = table
    assert composed[:2] == (str(int(spec.Rule.COMPOSED)), "composed")
    for number, name, smallest, _ in named:
        rule = spec.RULE_NAMES[name.strip("`")]
        assert int(number) == rule
        assert want[smallest] == spec.compute_min_updates(rule, 2, 6)
    assert len(table) == len(spec.Rule)
    assert spec.compute_min_updates(spec.Rule.SUM32, 0, 0) == 1


def test_phases_have_their_numbers_and_ends():
    table = next(table for table in read_tables("6") if table[0][1] == "None")
    assert {(int(n), name.upper()) for n, name, _ in table} == {(phase.value, phase.name) for phase in spec.Phase}
    assert {name.upper() for _, name, ends in table if ends} == {phase.name for phase in spec.TERMINAL}


def test_a_task_has_its_fields_in_the_order_of_its_hash():
    (table,) = read_tables("6.1")
    names = [re.sub(r"[A-Z]", lambda match: "_" + match[0].lower(), row[1]) for row in table]
    assert names == [field.name for field in fields(spec.Task)]
    assert [row[0] for row in table] == [str(i) for i in range(1, len(names) + 1)]


@pytest.mark.parametrize("what", ["events", "errors"])
def test_every_event_and_error_of_the_contracts_is_listed(what):
    # Of a timelock's, §8.8 says whose they are.
    interfaces = [get_interface(name) for name in artifacts.KEYS.values()]
    found = {item.name for one in interfaces for item in getattr(one, what).values()}
    document = (ROOT / "docs/protocol.md").read_text("utf-8")
    contracts = re.findall(r"^### (8\.\d+|11\.8|13\.\d+) ", document, re.MULTILINE)
    listed = {name for number in contracts for name in re.findall(r"`([A-Z][A-Za-z]+)", read_section(number))}
    assert found - listed - FOREIGN == set()


def test_every_code_of_the_checks_is_one_that_the_code_raises():
    from ledger.errors import iter_errors

    known = {error.code for error in iter_errors()}
    text = (ROOT / "docs/protocol.md").read_text("utf-8") + (ROOT / "docs/threat-model.md").read_text("utf-8")
    cited = set(re.findall(r"FT\d{3}", text))
    assert len(cited) > 20
    assert cited - known == set()
