"""Vectors of §4.1 to §4.4: Keccak, commitments, EIP-712 digests; every changed field has its case.

Literal digests were computed with sha256sum and with the Keccak of PyCryptodome over the bytes that `why` spells out;
tests/spec compares all EIP-712 digests with eth_account's encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vector_cases.case import COMPUTED, Case, to_hex, with_changes

Input = dict[str, Any]


DOMAIN = to_hex(bytes(range(32)))
OTHER_DOMAIN = to_hex(bytes(range(1, 33)))
OWNER, SIGNER, OTHER = "0x" + "a1" * 20, "0x" + "b2" * 20, "0x" + "c3" * 20

SEPARATOR: Input = {"name": "fedtrail", "chain_id": 31337, "contract": "0x" + "5f" * 20}
COMMITMENT: Input = {
    "domain_separator": DOMAIN,
    "round_id": 5,
    "client": 3,
    "num_examples": 120,
    "root": "0x" + "aa" * 32,
}
COMMITMENT_DIGEST: Input = {"domain_separator": DOMAIN, "round_id": 5, "client": 3, "commitment": "0x" + "bb" * 32}
PUBLICATION: Input = {
    "domain_separator": DOMAIN,
    "round_id": 5,
    "client": 3,
    "content": {"codec": 0x55, "digest": "0x" + "cc" * 32},
}
REGISTER: Input = {"domain_separator": DOMAIN, "owner": OWNER, "signer": SIGNER, "role": 1, "deadline": 1800000000}
ROTATE: Input = {"domain_separator": DOMAIN, "participant": 3, "signer": SIGNER, "deadline": 1800000000}
KECCAK = [
    ("empty", b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470", "the known digest of nothing"),
    ("abc", b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45", "the known digest of abc"),
    (
        "rate-minus-one",
        bytes(135),
        "29e3704feeca7fb9ba229f0fa04d9b36449cf3ad6e1d85d9cfff3a10df9abc3e",
        "135 zeros: padding is the single byte 81",
    ),
    (
        "rate",
        bytes(136),
        "3a5912a7c5faa06ee4fe906253e339467a9ce87d533c65be3c15cb231cdb25f9",
        "136 zeros: padding is a block of its own",
    ),
]
COMMITMENT_WHY = "sha256(02 | 000102..1f | 0000000000000005 | 00000003 | 00000078 | 32 times aa): 85 bytes"
COMMITMENT_LITERAL = "0xedc1a01f21c67f94173db157c2fc0a2227d27ea18005d1c21f5f590f166b3424"
DIGEST_WHY = (
    "keccak(1901 | domain | keccak(keccak('Commitment(uint64 roundId,uint32 client,bytes32 commitment)') | 5 | 3 | "
    "32 times bb)), integers in 32 bytes each"
)
DIGEST_LITERAL = "0xe1c7c4d900ac710cfefe520af1cc40d67e5af26e208e9824608edc36b62e0c37"
PUBLICATION_LITERAL = "0x5124ba2c7b44a706c1f89e22e8518bcce58cf88287e49ca35f74fb6d663cfdc4"
PUBLICATION_WHY = (
    "keccak(1901 | domain | keccak(keccak('Publication(uint64 roundId,uint32 client,uint8 codec,bytes32 digest)') | 5 "
    "| 3 | 55h | 32 times cc))"
)
ROTATE_LITERAL = "0x53b527879c0d79265248667fdd2174eb2bc41bff1c825f532088f207cd4da44f"
ROTATE_WHY = (
    "keccak(1901 | domain | keccak(keccak('Rotate(uint32 id,address signer,uint256 deadline)') | 3 | 12 zeros and 20 "
    "times b2 | 1800000000))"
)


def get_cases() -> list[Case]:
    """Return the cases of §4."""
    return [*_keccaks(), *_digests()]


def _case(name: str, clause: str, why: str, operation: str, arguments: Mapping[str, Any], want: Any = COMPUTED) -> Case:
    return Case(name=f"commitment/{name}", clause=clause, why=why, operation=operation, input=arguments, want=want)


def _keccaks() -> list[Case]:
    return [
        _case(f"keccak-{n}", "§4", why, "keccak256", {"data": to_hex(data)}, "0x" + want)
        for n, data, want, why in KECCAK
    ]


def _digests() -> list[Case]:
    root = {"root": "0x" + "ab" * 32, "num_examples": 121}
    who: Input = {"domain_separator": OTHER_DOMAIN, "round_id": 6, "client": 4}
    content = {"content": {"codec": 0x70, "digest": "0x" + "cc" * 32}}
    registry = {"domain_separator": OTHER_DOMAIN, "signer": OTHER, "deadline": 1800000001}
    separators = {"name": "fedtrail registry", "chain_id": 1, "contract": "0x" + "5e" * 20}
    why = "by eth_account in tests/spec"
    return [
        *with_changes("domain_separator", "§4.2", SEPARATOR, separators, why, COMPUTED),
        *with_changes("commitment", "§4.1", COMMITMENT, {**who, **root}, COMMITMENT_WHY, COMMITMENT_LITERAL),
        *with_changes(
            "commitment_digest",
            "§4.2",
            COMMITMENT_DIGEST,
            {**who, "commitment": "0x" + "ba" * 32},
            DIGEST_WHY,
            DIGEST_LITERAL,
        ),
        *with_changes(
            "receipt_digest", "§4.2", COMMITMENT_DIGEST, {**who, "commitment": "0x" + "ba" * 32}, why, COMPUTED
        ),
        *with_changes(
            "publication_digest", "§4.3", PUBLICATION, {**who, **content}, PUBLICATION_WHY, PUBLICATION_LITERAL
        ),
        _case(
            "publication-digest-other-digest",
            "§4.3",
            "publication-digest with another block",
            "publication_digest",
            {**PUBLICATION, "content": {"codec": 0x55, "digest": "0x" + "cd" * 32}},
        ),
        *with_changes("register_digest", "§4.4", REGISTER, {**registry, "owner": OTHER, "role": 2}, why, COMPUTED),
        *with_changes("rotate_digest", "§4.4", ROTATE, {**registry, "participant": 4}, ROTATE_WHY, ROTATE_LITERAL),
        _case(
            "register-digest-owner-signer-swapped",
            "§4.4",
            "the two addresses are not interchangeable",
            "register_digest",
            {**REGISTER, "owner": SIGNER, "signer": OWNER},
        ),
        _case(
            "commitment-largest-numbers",
            "§4.1",
            "every integer at its largest",
            "commitment",
            {**COMMITMENT, "round_id": str((1 << 64) - 1), "client": (1 << 32) - 1, "num_examples": (1 << 32) - 1},
        ),
    ]
