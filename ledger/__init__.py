"""The auditor's half of fedtrail: no torch, small machine."""
