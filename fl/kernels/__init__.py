"""Compiled kernels of the aggregation rules and trees, equal to `ledger.spec` bit for bit.

`install` makes them known to `ledger`, which uses them for large rounds. Nothing is imported or compiled before.
"""

from __future__ import annotations

from functools import cache

from ledger import kernels


def install() -> None:
    """Let the fast paths of `ledger` use compiled kernels where LLVM is installed."""
    kernels.install(load)


@cache
def load() -> kernels.Kernels | None:
    """Return the kernels, or None where LLVM is not installed (extra `fl`)."""
    try:
        from fl.kernels.compiled import CompiledKernels
    except ModuleNotFoundError:
        return None
    return CompiledKernels()
