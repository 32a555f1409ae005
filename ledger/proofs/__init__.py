"""Proofs of single facts as text files: an event, an update, a round, a model (docs/proofs.md).

`format` is the file, `checking` what a stranger makes of it, `making` builds it from a node, `tlog` is the other form,
which the tools of transparency logs read.
"""
