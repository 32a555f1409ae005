"""Bundles: one file with which a stranger checks a ledger, offline (docs/bundle.md).

`create` makes them, `check` verifies them; `format` and `container` say what they are. `verify.py` with its parts is
the second verifier, which goes into every bundle and imports nothing of this package.
"""
