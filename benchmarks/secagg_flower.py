"""CPU time of Flower's SecAgg+ by its own functions; benchmarks/secagg.py runs this in an interpreter that has flwr.

    python benchmarks/secagg_flower.py CLIENTS COORDINATES NEIGHBOURS DROPPED

One client goes through every stage with all its neighbours' real messages. The server's parts, one for each survivor
and one for each client that is gone, are measured five times and multiplied: they are independent of one another.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from importlib.metadata import version
from statistics import median
from types import SimpleNamespace

import numpy as np
from flwr.common import ndarrays_to_parameters
from flwr.common.secure_aggregation.crypto.shamir import combine_shares
from flwr.common.secure_aggregation.crypto.symmetric_encryption import decrypt, generate_shared_key
from flwr.common.secure_aggregation.ndarrays_arithmetic import parameters_addition, parameters_subtraction
from flwr.common.secure_aggregation.secaggplus_constants import Key
from flwr.common.secure_aggregation.secaggplus_utils import pseudo_rand_gen, share_keys_plaintext_separate
from flwr.supercore.primitives.asymmetric import bytes_to_private_key, bytes_to_public_key

client = import_module("flwr.client.mod.secure_aggregation.secaggplus_mod")  # its package has a function of that name
REPEATS = 5


def main() -> None:
    """Print one line of JSON."""
    n, d, neighbours, dropped = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    shares, threshold = neighbours + 1, neighbours // 2 + 2  # with its own share among them
    settings = {
        Key.SAMPLE_NUMBER: n,
        Key.SHARE_NUMBER: shares,
        Key.THRESHOLD: threshold,
        Key.CLIPPING_RANGE: 8.0,
        Key.TARGET_RANGE: 1 << 22,
        Key.MOD_RANGE: 1 << 32,
        Key.MAX_WEIGHT: 1000.0,
    }
    states = [client.SecAggPlusState() for _ in range(shares)]
    for nid, state in enumerate(states):
        state.nid = nid
    setups, seconds, sent = [], 0.0, []
    for state in states:
        started = time.process_time()
        setups.append(client._setup(state, dict(settings)))
        seconds += time.process_time() - started if state.nid == 0 else 0.0
    keys = {str(i): [s[Key.PUBLIC_KEY_1], s[Key.PUBLIC_KEY_2]] for i, s in enumerate(setups)}
    for state in states:
        started = time.process_time()
        sent.append(client._share_keys(state, keys))
        seconds += time.process_time() - started if state.nid == 0 else 0.0
    inbox = {Key.SOURCE_LIST: [], Key.CIPHERTEXT_LIST: []}
    for src, messages in enumerate(sent):
        for dst, text in zip(messages[Key.DESTINATION_LIST], messages[Key.CIPHERTEXT_LIST], strict=True):
            if dst == 0:
                inbox[Key.SOURCE_LIST].append(src)
                inbox[Key.CIPHERTEXT_LIST].append(text)
    update = np.random.default_rng(1).normal(0, 0.01, d).astype(np.float32)
    parameters = ndarrays_to_parameters([update])
    started = time.process_time()
    masked = client._collect_masked_vectors(states[0], inbox, 1000, parameters)
    answer = client._unmask(
        states[0], {Key.ACTIVE_NODE_ID_LIST: list(range(shares - 2)), Key.DEAD_NODE_ID_LIST: [shares - 2, shares - 1]}
    )
    seconds += time.process_time() - started
    for state in states[1:]:
        give_share(state, sent[0])
    own, gone = measure_server(states, threshold, d)
    dead = round(dropped * n)
    size = sum(len(part) for part in masked[Key.MASKED_PARAMETERS])
    small = sum(map(len, sent[0][Key.CIPHERTEXT_LIST])) + sum(map(len, answer[Key.SHARE_LIST])) + 2 * 178
    result = SimpleNamespace(
        flwr=version("flwr"),
        neighbours=neighbours,
        client_cpu_seconds=round(seconds, 4),
        server_cpu_seconds=round((n - dead) * own + dead * neighbours * gone[0] + dead * gone[1], 3),
        client_sends_bytes=size + small,
        client_sends_beside_the_update_bytes=small,
        seed_bits_that_matter=32,
    )
    sys.stdout.write(json.dumps(vars(result)) + "\n")


def give_share(state: object, messages: dict) -> None:
    """Let a neighbour open what client 0 sent it."""
    at = messages[Key.DESTINATION_LIST].index(state.nid)
    plaintext = decrypt(state.ss2_dict[0], messages[Key.CIPHERTEXT_LIST][at])
    _, _, state.rd_seed_share_dict[0], state.sk1_share_dict[0] = share_keys_plaintext_separate(plaintext)


def measure_server(states: list, threshold: int, d: int) -> tuple[float, tuple[float, float]]:
    """Return CPU seconds for the mask of a survivor; for one of a pair, and the key, of a client that is gone."""
    total = [np.zeros(d, dtype=np.int64)]
    owns, pairs, keys = [], [], []
    for _ in range(REPEATS):
        started = time.process_time()
        seed = combine_shares([state.rd_seed_share_dict[0] for state in states[:threshold]])
        mask = pseudo_rand_gen(seed, 1 << 32, [(d,)])
        parameters_subtraction(total, mask)
        owns.append(time.process_time() - started)
        started = time.process_time()
        key = combine_shares([state.sk1_share_dict[0] for state in states[:threshold]])
        keys.append(time.process_time() - started)
        started = time.process_time()
        shared = generate_shared_key(bytes_to_private_key(key), bytes_to_public_key(states[1].pk1))
        parameters_addition(total, pseudo_rand_gen(shared, 1 << 32, [(d,)]))
        pairs.append(time.process_time() - started)
    return median(owns), (median(pairs), median(keys))


if __name__ == "__main__":
    main()
