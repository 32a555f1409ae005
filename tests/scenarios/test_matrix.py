"""The matrix itself: a row's name says how it ends."""

import re
from pathlib import Path

KINDS = ("test_defended_", "test_cost_bounded_", "test_known_gap_")


def test_every_row_says_in_its_name_whether_the_attack_fails_costs_or_works():
    files = [path for path in Path(__file__).parent.glob("test_*.py") if path.name != Path(__file__).name]
    names = [name for path in files for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)]
    assert [name for name in names if not name.startswith(KINDS)] == []
    assert len(names) == len(set(names)) >= 100
    assert {int(n) for name in names for n in re.findall(r"^test_[a-z_]+?_design_trap_(\d+)_", name)} >= {*range(1, 8)}
    assert {int(n) for name in names for n in re.findall(r"^test_(?:defended|cost_bounded)_trap_(\d+)_", name)} == {
        *range(1, 16)
    }
