"""The trainer's half of fedtrail. Where it is, the fast paths of `ledger` know of compiled kernels (`fl.kernels`)."""

from __future__ import annotations

from fl import kernels

kernels.install()
