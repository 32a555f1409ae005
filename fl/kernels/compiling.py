"""From LLVM's intermediate representation to functions of this process, for the processor at hand.

Kernels are straight-line code over explicit vectors, so that LLVM has nothing to optimise and only to emit: that takes
less than a second (benchmarks/results/speed.json), and is done once a process. Nothing is kept on disk: what is not in
a cache cannot be exchanged in it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from llvmlite import binding, ir

I8, I32, I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
F64 = ir.DoubleType()
VOID = ir.VoidType()
Values = list[Any]
"""Of llvmlite, which has no types."""

_ENTRY = "kernel"


class Compiled:
    """A compiled function, which lives as long as this object and lets other threads of Python run meanwhile."""

    def __init__(self, module: ir.Module, *arguments: Any) -> None:
        """Args: module: with one function named by start_function. arguments: its ctypes; it returns nothing."""
        parsed = binding.parse_assembly(str(module))
        self._engine = binding.create_mcjit_compiler(parsed, _make_machine())
        self._engine.finalize_object()
        address = self._engine.get_function_address(_ENTRY)
        self.call: Callable[..., None] = ctypes.CFUNCTYPE(None, *arguments)(address)


def start_function(*arguments: Any) -> tuple[ir.Function, ir.IRBuilder]:
    """Return a function of one new module and a builder at its start. Args: arguments: types."""
    function = ir.Function(ir.Module(), ir.FunctionType(VOID, arguments), _ENTRY)
    return function, ir.IRBuilder(function.append_basic_block("entry"))


def declare(builder: ir.IRBuilder, name: str, result: Any, *arguments: Any) -> Callable[[Values], Any]:
    """Return a call to an intrinsic of LLVM by its full name, declared once a module."""
    found = builder.module.globals.get(name)
    function = found or ir.Function(builder.module, ir.FunctionType(result, arguments), name)
    return lambda values: builder.call(function, values)


def count_up(
    builder: ir.IRBuilder,
    start: Any,
    stop: Any,
    step: int,
    body: Callable[[Any, Values], Sequence[Any]],
    carried: Sequence[Any] = (),
) -> Values:
    """Emit a loop over start, start + step, ... as long as a whole step is left.

    Args: start, stop: int64. body: given the index and the values carried so far, emits one turn and returns the
        values to carry on. carried: at the first turn.
    Returns: the values carried after the last turn.
    """
    before = builder.block
    head, turn, end = (builder.append_basic_block(name) for name in ("head", "turn", "end"))
    builder.branch(head)
    builder.position_at_end(head)
    index, values = builder.phi(I64), [builder.phi(value.type) for value in carried]
    following = builder.add(index, ir.Constant(I64, step))
    builder.cbranch(builder.icmp_signed("<=", following, stop), turn, end)
    builder.position_at_end(turn)
    results = body(index, values)
    builder.branch(head)
    for phi, first, result in zip([index, *values], [start, *carried], [following, *results], strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(result, builder.block)
    builder.position_at_end(end)
    return values


def constants(kind: Any, values: list[Any]) -> ir.Constant:
    """Return a constant vector."""
    return ir.Constant(ir.VectorType(kind, len(values)), values)


def splat(builder: ir.IRBuilder, value: Any, lanes: int) -> Any:
    """Return a vector whose lanes are all one value of run time."""
    undefined = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(I32, 0))
    return builder.shuffle_vector(first, undefined, constants(I32, [0] * lanes))


def load_vector(builder: ir.IRBuilder, address: Any, kind: Any, lanes: int) -> Any:
    """Return `lanes` values at an address that need not be aligned."""
    pointer = builder.bitcast(address, ir.VectorType(kind, lanes).as_pointer())
    return builder.load(pointer, align=1)


def store_vector(builder: ir.IRBuilder, value: Any, address: Any) -> None:
    """Store a vector at an address that need not be aligned."""
    builder.store(value, builder.bitcast(address, value.type.as_pointer()), align=1)


@cache
def list_features() -> frozenset[str]:
    """Return what this processor can do, by LLVM's names; nothing where LLVM cannot tell."""
    try:
        return frozenset(name for name, has in binding.get_host_cpu_features().items() if has)
    except RuntimeError:
        return frozenset()


def _make_machine() -> Any:
    """Return a new target machine: the engine that is made with it owns it, and frees it."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    features = ",".join(f"+{name}" for name in sorted(list_features()))
    target = binding.Target.from_default_triple()
    return target.create_target_machine(cpu=binding.get_host_cpu_name(), features=features, opt=2)
