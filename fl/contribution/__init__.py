"""What single clients added to a model, as far as a named test set can tell (docs/monitoring.md, Contribution).

games.py        leave-one-out, exact Shapley values and GTG-Shapley of any integer utility
coalitions.py   the utility of a round: right predictions of the model that its rule makes of some of the clients
command.py      `fedtrail contribution`

Nothing here is a reward: a replayed global step earns more than honest work (benchmarks/results/free_riders.json).
"""
