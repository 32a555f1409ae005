"""What a campaign of random rounds makes of the test runner's log and of the rounds that the tests tell of."""

from devtools import soundness

LOG = """
  contracts/test/KrumSoundness.t.sol:KrumSoundnessTest
    ✔ testFuzzAWrongDistanceLoses(uint256) (runs: 900)
    ✘ testFuzzMutatedBlockProofsAreRefused(uint256) (runs: 12)

  contracts/test/UnmaskCourt.t.sol:UnmaskCourtTest
    ✔ testBothSeedsOfADroppedClientAreProvable()
    ✔ testFuzzEveryWrongSeedIsProvable(uint256,int32) (runs: 900)
"""


def test_only_properties_that_held_are_told_with_their_runs():
    held = {"KrumSoundness.AWrongDistanceLoses": 900, "UnmaskCourt.EveryWrongSeedIsProvable": 900}
    assert soundness.read_properties(LOG) == held


def test_rounds_are_counted_by_rule_also_where_the_end_of_a_line_comes_late():
    tallies = soundness.read_tally("5 3 12 3;\n0 40 80 20;5 7 28 7;\n\n7 2 38 0;\n")
    assert list(tallies) == ["sum32", "krum", "masked sum"]
    assert tallies["krum"] == soundness.Tally(rounds=2, clients="3 to 7, 2 numbers", coordinates=40, at_an_end=10)


def test_a_round_that_is_cut_off_is_not_counted():
    assert soundness.read_tally("1 3 12 3;\n1 3 1")["mean"].rounds == 1


def test_the_table_ends_with_the_number_of_all_rounds():
    table = soundness.describe(soundness.read_tally("1 3 12 3;\n6 9 9 9;\n"))
    assert "mean" in table and "25%" in table and table.split()[-2:] == ["all", "2"]
