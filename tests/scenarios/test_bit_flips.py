"""Every single-bit flip of every message of a full round is refused or changes nothing; the harness is tested, too."""

import pytest
from bit_flips import calling, flip, reading
from ledger_world import World
from round_messages import list_messages, list_transactions

from ledger import spec
from ledger.errors import FedtrailError

pytestmark = pytest.mark.chain

REASON_BITS = 16
"""Of an entry in a list of publications: manifests have reasons there, and nobody reads them in these lists."""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_defended_every_single_bit_flip_of_every_message_of_a_round_is_refused(world: World) -> None:
    bits: dict[str, int] = {}
    ignored: dict[str, int] = {}
    for message in list_messages(world):
        outcome = message.flip_all()
        assert outcome.accepted == [], message.kind
        bits[message.kind] = len(message.bits)
        ignored[message.kind] = len(outcome.ignored)
    assert {kind: count for kind, count in ignored.items() if count} == {"list of publications": 3 * REASON_BITS}
    assert len(bits) == 31 and sum(bits.values()) > 60_000


def test_defended_flipped_transactions_are_refused_by_a_node_as_by_the_judge(world: World) -> None:
    round_ = world.open()
    round_.relay()
    message = next(each for each in list_transactions(world) if each.kind == "transaction: commitBatch")
    chosen = [flip(message.data, bit) for bit in message.bits[::37]]
    before = world.node.call("eth_blockNumber")
    answers = world.node.batch([("eth_sendRawTransaction", [f"0x{raw.hex()}"]) for raw in chosen])
    assert len(chosen) > 100 and all("error" in answer for answer in answers)
    assert world.node.call("eth_blockNumber") == before


def test_defended_a_judge_without_a_signature_check_is_found_by_the_flips(world: World) -> None:
    """The harness itself: leave a check out, and the flips that it was there for are told."""
    round_ = world.open()
    entry = round_.entry(1)
    unsigned = reading("list", spec.encode_signed_list([entry]), spec.decode_signed_list)
    taken = unsigned.flip_all()
    assert len(taken.accepted) == len(unsigned.bits) and not taken.ignored
    some = reading("prefix", b"\x01\x02\x03", lambda data: data[:2])
    assert (some.flip_all().accepted, some.flip_all().ignored) == (list(range(16)), list(range(16, 24)))
    # The contract: anybody may pay credit to whatever account, so every flip of its 20 bytes is taken.
    contracts, at = world.chain.contracts, 4 + 12
    call = contracts.to_registry("depositCredit", b"\x11" * 20, value_wei=1)
    assert calling("credit", world.node, call, (at, at + 20)).flip_all().accepted == list(range(8 * at, 8 * (at + 20)))


def test_defended_a_message_that_nobody_takes_as_it_is_proves_nothing(world: World) -> None:
    round_ = world.open()
    refused = world.chain.contracts.commit_batch(round_.round_id, [round_.entry(1, signer=world.people.stranger)])
    with pytest.raises(RuntimeError):
        calling("batch", world.node, refused).flip_all()
    with pytest.raises(FedtrailError):
        reading("list", b"", spec.decode_signed_list)
