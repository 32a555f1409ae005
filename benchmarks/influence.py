"""What an attacker's stake moves, whether it is one identity or a hundred: exact, by the rules of the specification.

    .venv/bin/python benchmarks/influence.py [--write | --check]

Twenty honest clients hold one minimum stake each, and their updates are zero. The attacker's identities share its
stake, claim the largest number of examples and send the bound in every coordinate. Influence is where that puts the
aggregate, as a fraction of the bound: 0 is nothing, 1 is all. Identities that the stake floor does not admit are not
there. `--write` keeps the curves in benchmarks/results/influence.json; `--check` compares.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from fl.chart import draw_lines
from ledger import spec

RESULT = Path(__file__).parent / "results" / "influence.json"
HONEST = 20
BOUND = 1_000_000
EXAMPLES, EXAMPLES_CAP = 100, 10_000
MIN_STAKE_WEI = 10**18
WEI_PER_WEIGHT = 10**16
"""A minimum stake is worth 100 examples: what an honest client has."""
TRIM = 5
IDENTITIES = range(1, 101)
STAKES = (1, 5, 20, 100)
"""The attacker's, in minimum stakes."""


def compute_influence(
    params: spec.RuleParams, stake_wei: int, identities: int, *, floor_wei: int = MIN_STAKE_WEI
) -> float:
    """Return the displacement of the aggregate, from 0 to 1."""
    admitted = min(identities, stake_wei // floor_wei) if floor_wei else identities
    updates = [[0]] * HONEST + [[params.bound]] * admitted
    stakes = [MIN_STAKE_WEI] * HONEST + [stake_wei // max(admitted, 1)] * admitted
    examples = [EXAMPLES] * HONEST + [2**31] * admitted
    weights = [spec.compute_weight(params, n, stake) for n, stake in zip(examples, stakes, strict=True)]
    return spec.aggregate(params, updates, weights)[0] / params.bound


def make_rule(rule: spec.Rule, parameter: int = 0, wei_per_weight: int = 0) -> spec.RuleParams:
    """Return a rule's parameters."""
    return spec.RuleParams(
        rule=rule, parameter=parameter, bound=BOUND, examples_cap=EXAMPLES_CAP, wei_per_weight=wei_per_weight
    )


RULES: dict[str, tuple[spec.RuleParams, int]] = {
    "weighted mean, claimed examples alone, no floor": (make_rule(spec.Rule.WEIGHTED_MEAN), 0),
    "weighted mean, capped by stake": (make_rule(spec.Rule.WEIGHTED_MEAN, 0, WEI_PER_WEIGHT), 0),
    "mean, stake floor": (make_rule(spec.Rule.MEAN), MIN_STAKE_WEI),
    f"trimmed mean({TRIM}), stake floor": (make_rule(spec.Rule.TRIMMED_MEAN, TRIM), MIN_STAKE_WEI),
}
"""Parameters and the smallest stake of an identity, in wei."""


def measure() -> dict[str, object]:
    """Return the influence by stake, rule and number of identities."""

    def curve(params: spec.RuleParams, floor_wei: int, stake: int) -> list[float]:
        stake_wei = stake * MIN_STAKE_WEI
        return [round(compute_influence(params, stake_wei, k, floor_wei=floor_wei), 6) for k in IDENTITIES]

    return {
        "command": "benchmarks/influence.py --write",
        "honest_clients": HONEST,
        "identities": [IDENTITIES.start, IDENTITIES.stop - 1],
        "influence": {
            f"stake {stake}": {name: curve(params, floor, stake) for name, (params, floor) in RULES.items()}
            for stake in STAKES
        },
    }


def main() -> int:
    """Print the curves; write or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the curves")
    parser.add_argument("--check", action="store_true", help="compare with the committed curves")
    options = parser.parse_args()
    got = measure()
    for stake, curves in got["influence"].items():  # type: ignore[attr-defined]
        print(f"influence of {stake} (in minimum stakes) over {HONEST} honest ones, by number of identities")
        lines = draw_lines(curves)
        print("\n".join(lines).replace(f"round 1 to {IDENTITIES.stop - 1}", "1 to 100 identities"), end="\n\n")
    if options.write:
        RESULT.write_text(json.dumps(got, indent=1) + "\n", encoding="utf-8")
    if options.check and json.loads(RESULT.read_text(encoding="utf-8")) != got:
        print(f"the curves are not those of {RESULT.name}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
