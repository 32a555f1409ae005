"""What the lone verifier had to write itself, against libraries and against the package's own."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from both_verifiers import STANDALONE
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_keys import keys
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from tamper.mutations import pack

from ledger import spec
from ledger.bundle.container import Container
from ledger.bundle.store import BundleStore
from ledger.errors import BadProof, FedtrailError
from ledger.evidence import receipts, rlp, trie
from ledger.signing import NO_SIGNER, recover
from ledger.store import Cid, Codec, unixfs

verify = STANDALONE
items = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=5), max_leaves=20)
values = st.integers(min_value=-(2**31), max_value=2**31 - 1)


@given(data=st.binary(max_size=500))
def test_keccak_is_the_librarys(data: bytes) -> None:
    assert verify.keccak(data) == keccak(data)


@given(item=items)
def test_rlp_goes_there_and_back_as_the_package_does(item: object) -> None:
    encoded = verify.encode_rlp(item)
    assert encoded == rlp.encode(item)  # type: ignore[arg-type]
    assert verify.parse_rlp(encoded) == item


@given(data=st.binary(min_size=1, max_size=60))
def test_rlp_is_refused_where_the_package_refuses_it(data: bytes) -> None:
    try:
        wanted = rlp.decode(data)
    except BadProof:
        with pytest.raises(verify.Bad):
            verify.parse_rlp(data)
    else:
        assert verify.parse_rlp(data) == wanted


@settings(max_examples=25)
@given(parts=st.lists(st.binary(min_size=1, max_size=60), max_size=300))
def test_root_over_receipts_is_the_packages(parts: list[bytes]) -> None:
    assert verify.list_root(parts) == receipts.compute_receipts_root(parts)


@settings(max_examples=25)
@given(seed=st.integers(0, 1 << 30), count=st.integers(1, 60), at=st.integers(0, 1 << 20))
def test_proofs_of_a_trie_show_what_is_there_and_what_is_not(seed: int, count: int, at: int) -> None:
    source = random.Random(seed)
    held = {source.randbytes(32): source.randbytes(source.choice((1, 3, 33))) for _ in range(count)}
    hashed = {keccak(key): value for key, value in held.items()}
    root = trie.compute_root(hashed)
    for key in (*list(held)[:5], source.randbytes(32)):
        proof = trie.prove(hashed, keccak(key))
        assert verify.walk_proof(root, key, proof) == held.get(key)
        node = at % len(proof)
        changed = proof[node][:-1] + bytes([proof[node][-1] ^ 1])
        for false in ([*proof[:node], changed, *proof[node + 1 :]], proof[:-1], [*proof, proof[-1]]):
            with pytest.raises(verify.Bad) as refused:
                verify.walk_proof(root, key, false)
            assert refused.value.code == "FT703"


def test_signers_are_recovered_as_the_package_does() -> None:
    source = random.Random(4)
    for _ in range(20):
        key, digest = keys.PrivateKey(source.randbytes(32)), source.randbytes(32)
        signed = key.sign_msg_hash(digest)
        signature = signed.r.to_bytes(32, "big") + (signed.s | signed.v << 255).to_bytes(32, "big")
        assert verify.recover(digest, signature) == key.public_key.to_canonical_address() == recover(digest, signature)
    high = signed.r.to_bytes(32, "big") + verify.word(verify.N // 2 + 1)
    for signature in (bytes(64), b"\xff" * 64, high, verify.word(verify.N) * 2, verify.word(5) + verify.word(1)):
        assert (verify.recover(bytes(32), signature) or NO_SIGNER) == recover(bytes(32), signature)
    assert verify.recover(bytes(32), signature[:63]) is None


@settings(max_examples=20)
@given(message=st.binary(max_size=100), at=st.integers(0, 511))
def test_ed25519_takes_signatures_and_refuses_changed_ones(message: bytes, at: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert verify.is_signed25519(public, message, signature)
    flipped = bytearray(signature)
    flipped[at // 8] ^= 1 << at % 8
    assert not verify.is_signed25519(public, message, bytes(flipped))
    assert not verify.is_signed25519(public, message + b"\0", signature)
    beyond = int.from_bytes(signature[32:], "little") + verify.ORDER
    assert not verify.is_signed25519(public, message, signature[:32] + beyond.to_bytes(32, "little"))


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 64 * 3, 64 * 3 + 1, 64 * 9, 64 * 9 + 5, 64 * 40])
def test_contents_have_the_cid_that_the_store_gives_them(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify.parts["verify_blobs"], "CHUNK", 64)
    monkeypatch.setattr(verify.parts["verify_blobs"], "WIDTH", 3)
    data = random.Random(size).randbytes(size)
    chunks = unixfs.split_bytes(data, 64)
    wanted = unixfs.add_file(chunks, lambda *_: None, unixfs.Shape(chunk_bytes=64, width=3)).cid
    assert verify.cid_text(verify.content_of(data)) == str(wanted)
    assert verify.parse_cid(str(wanted)) == (wanted.codec, wanted.digest)


def _outcomes(blocks: dict[Cid, bytes], root: Cid, limit: int, folder: Path) -> list[object]:
    """Return what the package's reader and the lone one make of a blob that is there as blocks."""
    files = {f"blobs/{cid}": block for cid, block in blocks.items()}
    path = folder / "blocks.zip"
    path.write_bytes(pack(files))
    outcomes: list[object] = []
    with Container(path) as container:
        try:
            outcomes.append(BundleStore(container).get(root, max_bytes=limit))
        except FedtrailError as error:
            outcomes.append(error.code)
    bundle = verify.Bundle(path.read_bytes(), {})
    bundle.entries = verify.read_archive(bundle.data)
    bundle.check_blobs()
    try:
        outcomes.append(bundle.read_blob((root.codec, root.digest), limit))
    except verify.Bad as bad:
        outcomes.append(bad.code)
    return outcomes


def test_blobs_that_are_no_files_are_refused_for_the_same_reason(tmp_path: Path) -> None:
    blocks: dict[Cid, bytes] = {}
    data = random.Random(1).randbytes(300_000)
    root = unixfs.add_file(unixfs.split_bytes(data), blocks.__setitem__).cid
    leaf = next(cid for cid in blocks if len(blocks[cid]) == 300_000 - unixfs.CHUNK_BYTES)

    def rooted(block: bytes) -> tuple[dict[Cid, bytes], Cid]:
        made = Cid.of(block, Codec.DAG_PB)
        return {**blocks, made: block}, made

    assert _outcomes(blocks, root, 300_000, tmp_path) == [data, data]
    assert _outcomes(blocks, root, 299_999, tmp_path) == ["FT716", "FT716"]
    absent = {cid: block for cid, block in blocks.items() if cid != leaf}
    assert _outcomes(absent, root, 300_000, tmp_path) == ["FT801", "FT801"]
    source = random.Random(2)
    seen = set()
    for _ in range(150):
        block = bytearray(blocks[root])
        block[source.randrange(len(block))] ^= 1 << source.randrange(8)
        outcomes = _outcomes(*rooted(bytes(block)), 300_000, tmp_path)
        assert outcomes[0] == outcomes[1]
        seen.add(outcomes[0])
    other = Cid.of(b"short")
    exchanged = blocks[root].replace(leaf.digest, other.digest)
    changed, made = rooted(exchanged)
    assert _outcomes({**changed, other: b"short"}, made, 300_000, tmp_path) == ["FT710", "FT710"]
    assert {"FT722", "FT716", "FT801"} <= seen


@settings(max_examples=40)
@given(rule=st.sampled_from([rule for rule in spec.Rule if rule <= spec.Rule.MULTI_KRUM]), data=st.data())
def test_rules_give_what_the_specification_gives(rule: spec.Rule, data: st.DataObject) -> None:
    n, size = data.draw(st.integers(5, 9)), data.draw(st.integers(0, 6))
    vectors = st.lists(values, min_size=size, max_size=size)
    updates = data.draw(st.lists(vectors, min_size=n, max_size=n))
    weights = data.draw(st.lists(st.integers(0, 2**20 - 1), min_size=n, max_size=n))
    parameter = 1 if rule in (spec.Rule.TRIMMED_MEAN, spec.Rule.KRUM, spec.Rule.MULTI_KRUM) else 0
    select, bound = (2 if rule is spec.Rule.MULTI_KRUM else 0), data.draw(st.integers(1, 2**23 - 1))
    params = spec.RuleParams(rule=rule, parameter=parameter, select=select, bound=bound, examples_cap=2**20 - 1)
    task = {"rule": int(rule), "rule_param": parameter, "rule_select": select, "bound": bound}
    assert list(verify.aggregate(task, updates, weights)) == spec.aggregate(params, updates, weights)
    assert verify.encode_aux(task, updates, weights) == spec.compute_aux(params, updates, weights)
