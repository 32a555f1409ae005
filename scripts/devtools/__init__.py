"""What scripts/dev.py is made of: the standard library only."""
