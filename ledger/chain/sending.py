"""Send transactions once: simulate, number, sign, write to the journal, broadcast, wait (docs/adr/0004)."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger.chain.calls import Call, spec_address
from ledger.chain.connection import (
    Connection,
    NodeRefused,
    get_scope,
    move_clock,
    to_hex,
    to_quantity,
)
from ledger.chain.logs import make_receipt
from ledger.chain.reverts import decode_revert
from ledger.chain.views import Receipt
from ledger.errors import ChainError, ConfigurationError, FedtrailError, NotMined, Reverted
from ledger.journal import WRITTEN, Draft, Entry, Journal

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

TX_GAS_CAP = 1 << 24
"""Largest gas limit of one transaction (EIP-7825)."""
MINED_SECONDS = 60.0
DEVNET_POLL_SECONDS = 0.02
POLL_SECONDS = 1.0
_FALLBACK_TIP_WEI = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A call with its sender and the key under which it is sent once."""

    call: Call
    """What to do."""
    key: str
    """What it is for, such as run/demo/round/3/propose."""
    sender: LocalAccount
    """Who signs and pays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Conditions:
    """What the chain says just before transactions are signed."""

    gas: Sequence[int]
    nonces: dict[bytes, int]
    base_fee_wei: int
    tip_wei: int
    time: int


class Sending:
    """Sends for one chain and one journal."""

    def __init__(
        self, connection: Connection, journal: Journal, *, chain_id: int, devnet: bool, confirmations: int = 0
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._chain_id = chain_id
        self._devnet = devnet
        self._confirmations = 0 if devnet else confirmations
        self._lock = threading.RLock()
        self._is_recovered = False
        self.scope = get_scope(connection, chain_id)

    def send(self, order: Order) -> Receipt:
        """Send one order, or find what became of it (see `send_many`)."""
        return self.send_many([order])[0]

    def send_many(self, orders: Sequence[Order]) -> list[Receipt]:
        """Send orders side by side; those that were sent before are not sent again.

        Every new order is simulated first, on the same state: none may depend on another one of the list. When one
        is refused, nothing is sent.
        Returns: receipts in the order of `orders`.
        Raises: the refusal as a FedtrailError (Reverted when there is none of its own); NotMined; CannotReach;
        ConfigurationError: a key was used for another request.
        """
        with self._lock:  # a list's numbers follow each other, and no thread simulates on another one's half
            self.recover()
            new = [order for order in orders if not self._is_known(order)]
            written = self._write(new) if new else []
            self._broadcast(written, orders)
            entries = [self._get_entry(order) for order in orders]
        return self._collect(entries, orders, broadcast={entry.hash for entry in written})

    def _is_known(self, order: Order) -> bool:
        entry = self._journal.find(self.scope, order.key)
        if entry is not None and entry.fingerprint != order.call.fingerprint():
            raise ConfigurationError(
                f"the journal holds another transaction for {order.key}; nothing was sent",
                hint="a run cannot change half-way: start a new one under another name",
            )
        return entry is not None

    def _get_entry(self, order: Order) -> Entry:
        entry = self._journal.find(self.scope, order.key)
        if entry is None:
            raise ChainError(f"the transaction for {order.key} was given up by another process")
        return entry

    # ------------------------------------------------------------------------------------------------ sign and store

    def _write(self, orders: Sequence[Order]) -> list[Entry]:
        conditions = self._look(orders)
        drafts = [
            Draft(
                key=order.key,
                fingerprint=order.call.fingerprint(),
                sender=spec_address(order.sender),
                first_nonce=conditions.nonces[spec_address(order.sender)],
                not_before=conditions.time,
                sign=lambda nonce, order=order, gas=gas: self._sign(order, nonce, gas, conditions),  # type: ignore[misc]
            )
            for order, gas in zip(orders, conditions.gas, strict=True)
        ]
        return self._journal.write(self.scope, drafts)

    def _look(self, orders: Sequence[Order]) -> _Conditions:
        """Simulate every order and read what signing needs, in one exchange."""
        senders = list(dict.fromkeys(spec_address(order.sender) for order in orders))
        simulations = [("eth_estimateGas", [_make_request(order), "pending"]) for order in orders]
        counts = [("eth_getTransactionCount", [to_hex(sender), "pending"]) for sender in senders]
        head = [("eth_getBlockByNumber", ["latest", False]), ("eth_maxPriorityFeePerGas", [])]
        answers = self._connection.batch([*simulations, *counts, *head])
        estimates = [_check(order, answer) for order, answer in zip(orders, answers, strict=False)]
        nonces, (block, tip) = answers[len(orders) : -2], answers[-2:]
        for answer in (*nonces, block):
            if isinstance(answer, NodeRefused):
                raise answer
        return _Conditions(
            gas=[min(estimate * 5 // 4 + 10_000, TX_GAS_CAP) for estimate in estimates],
            nonces={sender: int(nonce, 16) for sender, nonce in zip(senders, nonces, strict=True)},
            base_fee_wei=int(block.get("baseFeePerGas") or "0x0", 16),
            tip_wei=_FALLBACK_TIP_WEI if isinstance(tip, NodeRefused) else int(tip, 16),
            time=int(block["timestamp"], 16),
        )

    def _sign(self, order: Order, nonce: int, gas: int, conditions: _Conditions) -> tuple[bytes, bytes]:
        call = order.call
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": nonce,
            "gas": gas,
            "maxFeePerGas": 2 * conditions.base_fee_wei + conditions.tip_wei,
            "maxPriorityFeePerGas": conditions.tip_wei,
            "value": call.value_wei,
            "data": call.make_data(nonce) if call.make_data else call.data,
        }
        if call.to is not None:
            fields["to"] = call.to
        signed = order.sender.sign_transaction(fields)
        return bytes(signed.raw_transaction), bytes(signed.hash)

    # ------------------------------------------------------------------------------------------------------ broadcast

    def _broadcast(self, entries: Sequence[Entry], orders: Sequence[Order] = ()) -> None:
        """Give signed transactions to the node. One that it refuses for good is given up."""
        answers = self._connection.batch([("eth_sendRawTransaction", [to_hex(entry.raw)]) for entry in entries])
        refused = [(e, a) for e, a in zip(entries, answers, strict=True) if isinstance(a, NodeRefused)]
        if not refused:
            return
        # "Already known" and "nonce too low" are success when the node knows these very bytes; a node that mines at
        # once (Hardhat) reports a revert this way, too. So the node is asked for the transaction, not its wording.
        known = self._connection.batch([("eth_getTransactionByHash", [to_hex(entry.hash)]) for entry, _ in refused])
        lost = [pair for pair, found in zip(refused, known, strict=True) if not isinstance(found, dict)]
        for entry, _ in lost:
            self._journal.forget(entry)
        if lost:
            entry, refusal = lost[0]
            call = next((order.call for order in orders if order.key == entry.key), None)
            raise _explain(refusal, call) if call else refusal

    def recover(self) -> int:
        """Broadcast again what the journal holds and the chain does not. Returns how many transactions that were.

        A process may have died between writing and broadcasting; a devnet that was killed loses its last second.
        """
        with self._lock:
            if self._is_recovered:
                return 0
            entries, late = self._find_missing(), 0
            for entry in entries:
                late = self._broadcast_again(entry, late)
            self._is_recovered = True
            return len(entries)

    def _broadcast_again(self, entry: Entry, late: int) -> int:
        """Broadcast one transaction; return by how many seconds what follows must be later than it was.

        A round that opens two seconds later has every deadline two seconds later, so what waited for one waits on.
        """
        try:
            if not self._devnet:
                self._broadcast([entry])
                return 0
            self._turn_clock_to(entry.not_before + late)
            self._collect([entry], ())
            return max(late, self._get_time() - entry.not_before)
        except (NodeRefused, Reverted):
            return late  # given up: whoever needs it asks again, is simulated and hears the reason

    def _find_missing(self) -> list[Entry]:
        entries = self._journal.entries(self.scope)
        senders = list(dict.fromkeys(entry.sender for entry in entries))
        counts = self._connection.batch([("eth_getTransactionCount", [to_hex(s), "latest"]) for s in senders])
        count = {s: 0 if isinstance(c, NodeRefused) else int(c, 16) for s, c in zip(senders, counts, strict=True)}
        return [entry for entry in entries if entry.nonce >= count[entry.sender] or entry.status == WRITTEN]

    def _turn_clock_to(self, seconds: int) -> None:
        """Bring a restarted devnet's clock to where it was: deadlines that had passed stay passed."""
        if self._get_time() < seconds:
            move_clock(self._connection, seconds)

    def _get_time(self) -> int:
        return int(self._connection.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    # ----------------------------------------------------------------------------------------------------------- wait

    def _collect(
        self, entries: Sequence[Entry], orders: Sequence[Order], *, broadcast: Collection[bytes] = ()
    ) -> list[Receipt]:
        found = self._wait(entries, broadcast)
        outcomes = [
            (entry, int(raw["blockNumber"], 16), int(raw["gasUsed"], 16), raw["status"] == "0x1")
            for entry, raw in zip(entries, found, strict=True)
        ]
        self._journal.settle([outcome for outcome in outcomes if outcome[0].block != outcome[1]])
        for entry, raw in zip(entries, found, strict=True):
            if raw["status"] != "0x1":
                raise self._explain_revert(entry, raw, orders)
        return [make_receipt(raw) for raw in found]

    def _wait(self, entries: Sequence[Entry], broadcast: Collection[bytes]) -> list[dict[str, Any]]:
        """Return the receipts once they are deep enough; give the node what it lacks beyond those just broadcast."""
        found: dict[bytes, dict[str, Any]] = {}
        began = time.monotonic()
        given = set(broadcast)
        while True:
            waiting = [entry for entry in entries if entry.hash not in found]
            found |= self._get_receipts(waiting)
            waiting = [entry for entry in waiting if entry.hash not in found]
            if not waiting:
                return [found[entry.hash] for entry in entries]
            lacking = [entry for entry in waiting if entry.hash not in given]
            if lacking:  # resumed: the process that wrote them may have died before the broadcast
                self._broadcast(lacking)
                given |= {entry.hash for entry in lacking}
            if time.monotonic() - began > MINED_SECONDS:
                first = waiting[0]
                raise NotMined(tx=to_hex(first.hash), seconds=MINED_SECONDS, nonce=first.nonce)
            time.sleep(DEVNET_POLL_SECONDS if self._devnet else POLL_SECONDS)

    def _get_receipts(self, entries: Sequence[Entry]) -> dict[bytes, dict[str, Any]]:
        requests = [("eth_getTransactionReceipt", [to_hex(entry.hash)]) for entry in entries]
        *answers, head = self._connection.batch([*requests, ("eth_blockNumber", [])])
        if isinstance(head, NodeRefused):
            raise head
        deep_enough = int(head, 16) - self._confirmations
        return {
            entry.hash: answer
            for entry, answer in zip(entries, answers, strict=True)
            if isinstance(answer, dict) and int(answer["blockNumber"], 16) <= deep_enough
        }

    def _explain_revert(self, entry: Entry, raw: dict[str, Any], orders: Sequence[Order]) -> FedtrailError:
        """Return why a mined transaction failed: run it again on the state that it met."""
        order = next((order for order in orders if order.key == entry.key), None)
        if order is None:
            return Reverted(call=entry.key, reason="it was refused when it was mined")
        request = {**_make_request(order), "gas": to_quantity(TX_GAS_CAP)}
        (answer,) = self._connection.batch([("eth_call", [request, raw["blockNumber"]])])
        if isinstance(answer, NodeRefused):
            return _explain(answer, order.call)
        return Reverted(call=order.call.name, reason="the state changed while it was on its way; try again")


def _make_request(order: Order) -> dict[str, str]:
    call = order.call
    data = call.make_data(0) if call.make_data else call.data
    request = {"from": order.sender.address, "value": to_quantity(call.value_wei), "data": to_hex(data)}
    return request if call.to is None else {**request, "to": to_hex(call.to)}


def _check(order: Order, answer: Any) -> int:
    if isinstance(answer, NodeRefused):
        raise _explain(answer, order.call)
    return int(answer, 16)


def _explain(refusal: NodeRefused, call: Call) -> FedtrailError:
    is_revert = bool(refusal.data) or "revert" in refusal.message.lower()
    return decode_revert(refusal.data, call=call.name, context=call.context) if is_revert else refusal
