"""Float updates through the ledger's rules: rounded to its format, then aggregated in integers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fl.quantization import quantize
from fl.speed.cases import make_params
from ledger import aggregation, spec

SCALE_BITS = 20


def make_deltas(n: int, d: int, f: int, seed: int) -> NDArray[np.float32]:
    """Return n updates along a common direction, some farther than others, float32[n, d]; the last f against it."""
    generator = np.random.default_rng(seed)
    deltas = generator.uniform(0, 0.1, (n, 1)) * generator.normal(0, 1, d) + generator.normal(0, 0.02, (n, d))
    deltas[n - f :] *= -1.1
    return deltas.astype(np.float32)


def aggregate_integers(rule: str, deltas: NDArray[np.float32], f: int) -> NDArray[np.int32]:
    """Return the rule's aggregate, int32[d]."""
    n = len(deltas)
    updates = [quantize(delta, scale_bits=SCALE_BITS, bound=spec.MAX_BOUND).values for delta in deltas]
    return aggregation.aggregate(make_params(rule, n, f), np.stack(updates), [1] * n)
