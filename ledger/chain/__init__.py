"""The contracts as Python values: networks, connections, typed calls and events, reverts as errors.

Importing this loads neither web3 nor eth_account; connecting does.
"""

from __future__ import annotations

from ledger.chain.calls import Call, Contracts
from ledger.chain.client import Chain, Exclusions
from ledger.chain.connection import Connection, NodeRefused
from ledger.chain.deployment import deploy
from ledger.chain.network import ETHER, Deployment, DeployParams, Network
from ledger.chain.sending import Order
from ledger.chain.stating import UNCAPPED_WEI, PoolView
from ledger.chain.views import (
    ESCROW_SECONDS,
    CommitteeView,
    DisputeView,
    EncryptionKeyView,
    Event,
    ParticipantView,
    Receipt,
    RewardView,
    Role,
    RoundView,
    TaskStateView,
    VerdictView,
)

__all__ = [
    "ESCROW_SECONDS",
    "ETHER",
    "UNCAPPED_WEI",
    "Call",
    "Chain",
    "CommitteeView",
    "Connection",
    "Contracts",
    "DeployParams",
    "Deployment",
    "DisputeView",
    "EncryptionKeyView",
    "Event",
    "Exclusions",
    "Network",
    "NodeRefused",
    "Order",
    "ParticipantView",
    "PoolView",
    "Receipt",
    "RewardView",
    "Role",
    "RoundView",
    "TaskStateView",
    "VerdictView",
    "deploy",
]
