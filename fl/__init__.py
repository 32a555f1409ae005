"""The trainer's half of fedtrail."""
