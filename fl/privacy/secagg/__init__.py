"""Secure aggregation over the ledger: masks, their seeds, and the sum that is left (docs/secure-aggregation.md).

Masks, seed tables and reveals are defined by `ledger.spec.masks` (docs/protocol.md §11); here is how clients come to
agree on seeds, and how the seeds of clients that dropped out are recovered. Pure: messages are bytes that somebody else
carries, and what the chain says is an argument.
Papers: Bonawitz et al. 2017 (SecAgg), Bell et al. 2020 (SecAgg+).
"""

from __future__ import annotations

from fl.privacy.secagg.client import Answer, Masker, Received, Request, decode_answer
from fl.privacy.secagg.graph import Setting
from fl.privacy.secagg.server import Unmasker

__all__ = [
    "Answer",
    "Masker",
    "Received",
    "Request",
    "Setting",
    "Unmasker",
    "decode_answer",
]
