"""What a ledger of many clients takes: time of rounds and replays, gas of every transaction beside its floor."""
