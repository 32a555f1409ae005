"""Alerts about a ledger as it grows: rules over replayed rounds and their scores (docs/monitoring.md).

rules.py        what is worth an alert: pure
monitor.py      looks at a ledger again and again, and keeps count
local.py        what the project itself has sent, read and had witnessed
metrics.py      the counts for Prometheus (extra `monitor`)
"""

from __future__ import annotations

from ledger.alerting.monitor import Monitor, Tally
from ledger.alerting.rules import RULES, Alert, Limits

__all__ = ["RULES", "Alert", "Limits", "Monitor", "Tally"]
