"""The command line `fedtrail`: thin, lazy, one module a noun."""

from __future__ import annotations

from ledger.cli.app import main

__all__ = ["main"]
