"""How fast the rules and trees are, as shares of what this machine can do at all."""
