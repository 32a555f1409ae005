"""An index: what the chain holds and what that says, in one SQLite file that anybody can ask offline."""
