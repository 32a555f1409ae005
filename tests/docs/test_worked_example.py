"""The worked round of docs/protocol.md: the document says what the code computes, and both what plain hashing gives."""

import ast
import hashlib
import runpy
from itertools import pairwise
from pathlib import Path

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

ROOT = Path(__file__).parents[2]
DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
COMMITMENT_TYPE = b"Commitment(uint64 roundId,uint32 client,bytes32 commitment)"
PUBLICATION_TYPE = b"Publication(uint64 roundId,uint32 client,uint8 codec,bytes32 digest)"
CLIENTS, ROUND = (2, 3, 5), 7


def read_block() -> str:
    document = (ROOT / "docs/protocol.md").read_text("utf-8")
    return document.split("<!-- worked round -->\n```text\n")[1].split("```")[0]


@pytest.fixture(scope="module")
def printed() -> dict[str, str]:
    return dict(line.split(": ", 1) for line in read_block().splitlines())


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def typed(printed: dict[str, str], type_text: bytes, *fields: bytes) -> str:
    domain = bytes.fromhex(printed["domain separator"])
    return keccak(b"\x19\x01" + domain + keccak(keccak(type_text) + b"".join(fields))).hex()


def entry(printed: dict[str, str], client: int) -> bytes:
    return client.to_bytes(4, "big") + bytes.fromhex(printed[f"client {client} commitment"])


def test_the_document_prints_what_the_code_computes():
    assert read_block() == runpy.run_path(str(ROOT / "docs/examples/worked_round.py"))["render"]()


def test_the_domain_separator_is_that_of_eip_712(printed):
    names = keccak(b"fedtrail") + keccak(b"1")
    want = keccak(keccak(DOMAIN_TYPE) + names + word(31337) + bytes(12) + b"\x11" * 20)
    assert printed["domain separator"] == want.hex()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_s_digests_follow_from_the_bytes_of_its_blob(printed, client):
    blob = bytes.fromhex(printed[f"client {client} blob"])
    root, identity = sha256(b"\x00", blob[60:]), blob[4:52]
    assert len(blob) == 60 + 16
    assert printed[f"client {client} root"] == root.hex()
    # Domain separator, round, client and num_examples lie in the header in the order of the commitment's preimage.
    assert printed[f"client {client} commitment"] == sha256(b"\x02", identity, root).hex()
    assert printed[f"client {client} blob sha256"] == sha256(blob).hex()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_s_signatures_recover_to_its_address(printed, client):
    commitment = bytes.fromhex(printed[f"client {client} commitment"])
    published = bytes.fromhex(printed[f"client {client} blob sha256"])
    digests = {
        "commitment": typed(printed, COMMITMENT_TYPE, word(ROUND), word(client), commitment),
        "publication": typed(printed, PUBLICATION_TYPE, word(ROUND), word(client), word(0x55), published),
    }
    for name, digest in digests.items():
        assert printed[f"client {client} {name} digest"] == digest
        signature = bytes.fromhex(printed[f"client {client} {name} signature"])
        r, vs = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        address = Account._recover_hash(bytes.fromhex(digest), vrs=(27 + (vs >> 255), r, vs & ((1 << 255) - 1)))
        assert address.lower() == "0x" + printed[f"client {client} address"]


def test_segments_follow_from_the_commitments(printed):
    leaf2, leaf3, leaf5 = (keccak(b"\x00" + entry(printed, client)) for client in CLIENTS)
    first = keccak(b"\x01" + leaf2 + leaf3)
    rolling = [keccak(bytes(32) + first + word(2))]
    rolling.append(keccak(rolling[0] + leaf5 + word(1)))
    assert [printed["segment 1 root"], printed["segment 2 root"]] == [first.hex(), leaf5.hex()]
    assert [printed["segments hash 1"], printed["segments hash 2"]] == [digest.hex() for digest in rolling]


def test_members_and_matrix_are_trees_of_three_and_four_leaves(printed):
    members = [sha256(b"\x00", entry(printed, client)) for client in CLIENTS]
    root = sha256(b"\x01", sha256(b"\x01", members[0], members[1]), members[2])
    assert printed["members root"] == root.hex()
    payloads = [bytes.fromhex(printed[f"client {client} blob"])[60:] for client in CLIENTS]
    leaves = [sha256(b"\x00", *(p[a:b] for p in payloads)) for a, b in pairwise(range(0, 20, 4))]
    halves = [sha256(b"\x01", leaves[0], leaves[1]), sha256(b"\x01", leaves[2], leaves[3])]
    assert printed["matrix root"] == sha256(b"\x01", *halves).hex()


def test_aggregate_and_model_are_those_worked_by_hand(printed):
    assert ast.literal_eval(printed["aggregate"]) == [10, -5, 3, 7]
    assert ast.literal_eval(printed["model"]) == [110, 195, -297, 2147483647]
    for name in ("aggregate", "model"):
        values = ast.literal_eval(printed[name])
        payload = b"".join(value.to_bytes(4, "little", signed=True) for value in values)
        assert printed[f"{name} root"] == sha256(b"\x00", payload).hex()


def test_proposal_and_head_follow_from_the_digests(printed):
    def join(*names: str) -> bytes:
        return b"".join(bytes.fromhex(printed[name]) for name in names)

    # Nobody is excluded and a trimmed mean posts nothing; three clients committed, three are included.
    nothing = keccak(b"") + keccak(b"")
    details = keccak(join("members root", "data id", "segments hash 2") + nothing + word(3) + word(3))
    core = keccak(join("model root") + details)
    stored = keccak(word(ROUND) + join("aggregate root", "matrix root") + core)
    assert printed["data id"] == sha256(bytes.fromhex(printed["manifest"])).hex()
    assert (printed["details hash"], printed["core hash"]) == (details.hex(), core.hex())
    assert printed["proposal hash"] == stored.hex()
    assert printed["head"] == keccak(bytes(32) + word(ROUND) + stored).hex()


def test_the_manifest_has_its_fields_at_the_stated_offsets(printed):
    manifest = bytes.fromhex(printed["manifest"])
    assert len(manifest) == 147 + 103 * 3
    assert manifest[:4] == b"FTD\x01"
    assert manifest[4:36].hex() == printed["domain separator"]
    assert (manifest[36:44], manifest[44:48]) == (word(ROUND)[-8:], word(3)[-4:])
    assert manifest[81:114].hex() == "55" + printed["aggregate blob sha256"]
    assert manifest[114:147].hex() == "55" + printed["model blob sha256"]
    for position, client in enumerate(CLIENTS):
        start = 147 + 103 * position
        want = f"{client:08x}0000" + "55" + printed[f"client {client} blob sha256"]
        assert manifest[start : start + 39].hex() == want
        assert manifest[start + 39 : start + 103].hex() == printed[f"client {client} publication signature"]
