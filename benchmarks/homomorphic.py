"""What a homomorphic sum costs: seconds of CPU, bytes, packing; exactness is checked on the way.

    .venv/bin/python benchmarks/homomorphic.py [--clients 20] [--size 100000] [--write]

One thread. Where TenSEAL is installed (extra `he`), its BFV and CKKS are timed beside: their secret key is one, and
whoever has it reads every update. `--write` keeps the figures in benchmarks/results/homomorphic.json.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import numpy as np
from machine import describe_machine

from fl.privacy.homomorphic.parties import KeyHolder, Setting
from ledger.aggregation import ciphertexts, lattice
from ledger.spec import homomorphic as he
from ledger.spec.lattice import DEGREE, MODULUS
from ledger.spec.shares import decode_decryption_share

RESULT = Path(__file__).parent / "results" / "homomorphic.json"
BOUND = (1 << 23) - 1
SEED = 1
REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    generator = np.random.default_rng(SEED)
    updates = generator.integers(-BOUND, BOUND + 1, (args.clients, args.size)).astype(np.int32)
    document = {
        "command": f"benchmarks/homomorphic.py --clients {args.clients} --size {args.size} --write",
        **describe_machine(),
        "seed": SEED,
        "clients": args.clients,
        "size": args.size,
        "threshold_bfv": measure_own(updates),
        **measure_tenseal(updates),
    }
    text = json.dumps(document, indent=1) + "\n"
    print(text)
    if args.write:
        RESULT.write_text(text)


def measure_own(updates: np.ndarray) -> dict[str, Any]:
    clients, size = updates.shape
    setting = Setting(
        domain_separator=bytes(32), round_id=1, holders=tuple(range(2, 2 + clients)), size=size, bound=BOUND
    )
    params = setting.params
    lattice.transform(lattice.expand(b"warm up"))  # the table of roots is made once a process
    holders, key_seconds = time_each(lambda at: KeyHolder(at + 2, setting, os.urandom(32)), clients)
    keys = {holder.client: holder.share for holder in holders}
    digests = {holder.client: holder.digest for holder in holders}
    for holder in holders:
        holder.accept_key(keys, digests)
    sent, encrypt_seconds = time_each(lambda at: holders[at].encrypt(updates[at]), clients)
    encrypted = {holder.client: data for holder, data in zip(holders, sent, strict=True)}
    committed = {client: setting.commit(client, data) for client, data in encrypted.items()}
    parts = {client: decode(setting, client, data) for client, data in encrypted.items()}
    decoded = [lattice.decode_polynomials(part.ciphertexts) for part in parts.values()]
    total = ciphertexts.add_ciphertexts(decoded)
    add_seconds = time_cpu(lambda: ciphertexts.add_ciphertexts(decoded))
    answers, decrypt_seconds = time_each(lambda at: holders[at].decrypt(encrypted, committed), clients)
    root = he.compute_sum_root(lattice.encode_polynomials(total))
    shares = [
        decode_decryption_share(data, params, domain_separator=bytes(32), round_id=1, client=client, sum_root=root)
        for client, data in zip(encrypted, answers, strict=True)
    ]
    _, verify_seconds = time_each(
        lambda at: ciphertexts.verify_share(params, shares[at], key_share=parts[at + 2].key_share, total=total), clients
    )
    opened = [lattice.decode_polynomials(share.share) for share in shares]
    combine_seconds = time_cpu(lambda: ciphertexts.decrypt_sum(params, total, opened))
    assert np.array_equal(ciphertexts.decrypt_sum(params, total, opened), updates.sum(axis=0)), "the sum is not exact"
    return {
        "exact": True,
        "ring_degree": DEGREE,
        "modulus_bits": MODULUS.bit_length(),
        "bits_of_a_coordinate": params.width,
        "coordinates_in_a_coefficient": params.digits,
        "ciphertexts_of_an_update": params.ciphertexts,
        "bytes_of_an_update": params.ciphertext_bytes,
        "expansion": round(params.expansion, 3),
        "bytes_of_an_update_with_its_key_share": params.update_bytes,
        "bytes_of_a_decryption_share": params.share_bytes - params.proof_bytes,
        "bytes_of_its_proof": params.proof_bytes,
        "client_key_seconds": key_seconds,
        "client_encrypt_seconds": encrypt_seconds,
        "client_decrypt_seconds_with_check_of_all_ciphertexts_and_proof": decrypt_seconds,
        "aggregator_add_all_seconds": add_seconds,
        "auditor_verify_a_share_seconds": verify_seconds,
        "aggregator_combine_seconds": combine_seconds,
    }


def decode(setting: Setting, client: int, data: bytes) -> he.EncryptedUpdate:
    return he.decode_encrypted_update(
        data,
        domain_separator=setting.domain_separator,
        round_id=setting.round_id,
        client=client,
        roster=setting.holders,
        size=setting.size,
        bound=setting.bound,
    )


def time_each(work: Callable[[int], Any], count: int) -> tuple[list[Any], float]:
    """Return what work gives for 0 to count - 1, and CPU seconds of one in the mean."""
    started = time.process_time()
    results = [work(at) for at in range(count)]
    return results, round((time.process_time() - started) / count, 4)


def measure_tenseal(updates: np.ndarray) -> dict[str, Any]:
    try:
        import tenseal
    except ModuleNotFoundError:
        return {"tenseal": "not installed"}
    bfv = tenseal.context(tenseal.SCHEME_TYPE.BFV, poly_modulus_degree=4096, plain_modulus=1032193)
    ckks = tenseal.context(tenseal.SCHEME_TYPE.CKKS, poly_modulus_degree=8192, coeff_mod_bit_sizes=[60, 40, 40, 60])
    ckks.global_scale = 2**40
    small = updates % 1000  # a plaintext modulus of 20 bits holds no sum of whole updates
    return {
        "tenseal": tenseal.__version__,
        "tenseal_bfv_4096_sums_below_2_20": measure_vectors(small, bfv, tenseal.bfv_vector, 4096, int),
        "tenseal_ckks_8192": measure_vectors(small / 2**20, ckks, tenseal.ckks_vector, 4096, float),
    }


def measure_vectors(
    updates: np.ndarray, context: Any, make: Callable[..., Any], slots: int, kind: type
) -> dict[str, Any]:
    clients, size = updates.shape
    pieces = [updates[0, at : at + slots].astype(kind).tolist() for at in range(0, size, slots)]
    started = time.process_time()
    encrypted = [make(context, piece) for piece in pieces]
    encrypt_seconds = time.process_time() - started
    size_bytes = sum(len(each.serialize()) for each in encrypted)
    others = [
        [make(context, updates[c, at : at + slots].astype(kind).tolist()) for at in range(0, size, slots)]
        for c in (1, 2)
    ]
    started = time.process_time()
    sums = [a + b + c for a, b, c in zip(encrypted, *others, strict=True)]
    add_seconds = (time.process_time() - started) / 2
    started = time.process_time()
    plain = np.concatenate([each.decrypt() for each in sums])
    decrypt_seconds = time.process_time() - started
    error = float(np.abs(plain - updates[:3].sum(axis=0)).max())
    return {
        "largest_error": error,
        "expansion": round(size_bytes / (4 * size), 3),
        "encrypt_seconds": round(encrypt_seconds, 4),
        "add_all_seconds": round(add_seconds * (clients - 1), 4),
        "decrypt_seconds": round(decrypt_seconds, 4),
    }


def time_cpu(work: Callable[[], object]) -> float:
    """Return the least CPU seconds of a few runs."""
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return round(min(seconds), 4)


if __name__ == "__main__":
    main()
