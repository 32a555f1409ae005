"""From a torch model's state to the vector that the ledger carries, and back.

Tensors of float32 make up the vector. Integer and boolean buffers, such as BatchNorm's num_batches_tracked,
are not aggregated: every client and every round keeps the value of the global model. Anything else (float64,
half precision, complex, quantised) is refused, because the vector could not hold it exactly.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from ledger.layout import Layout, decode_layout, encode_layout, locate
from ledger.spec.errors import NonFinite, WrongShape

StateDict = Mapping[str, torch.Tensor]

_CARRIED = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}


def layout_of(state: StateDict) -> Layout:
    """Return the layout of a model's float32 tensors, in the order of its state_dict.

    Raises:
        WrongShape: a tensor is of a type that is neither aggregated nor carried.
        NotCanonical: a name or a shape has no canonical encoding, or nothing is float32.
    """
    names = _aggregated_names(state)
    return Layout(names=names, shapes=tuple(tuple(state[name].shape) for name in names))


def flatten(state: StateDict, layout: Layout) -> NDArray[np.float32]:
    """Return a state as one vector float32 [d].

    Args:
        state: the tensors of `layout` in any order, on any device, and buffers that are carried.
        layout: d coordinates.

    Raises:
        WrongShape: tensors are missing or added, or one has another shape or type.
        NonFinite: a tensor holds NaN or an infinity; the error counts them in the first such tensor.
    """
    names = _aggregated_names(state)
    if set(names) != set(layout.names):
        raise WrongShape(field="the set of tensors", got=sorted(names), want=sorted(layout.names))
    pieces = []
    for name, shape in zip(layout.names, layout.shapes, strict=True):
        if tuple(state[name].shape) != shape:
            raise WrongShape(field=f"the shape of {name}", got=tuple(state[name].shape), want=shape)
        piece = state[name].detach().cpu().numpy().reshape(-1)
        if bad := int(np.count_nonzero(~np.isfinite(piece))):
            raise NonFinite(tensor=name, count=bad)
        pieces.append(piece)
    return np.concatenate(pieces)


def unflatten(vector: NDArray[np.float32], layout: Layout) -> dict[str, torch.Tensor]:
    """Return the tensors that a vector holds; they share no memory with it.

    Args:
        vector: float32 [d].
        layout: d coordinates.

    Raises:
        WrongShape: the vector has another length or type.
        NonFinite: it holds NaN or an infinity, in the tensor named.
    """
    if vector.dtype != np.float32 or vector.shape != (layout.size,):
        raise WrongShape(
            field="the vector", got=f"{vector.dtype} {list(vector.shape)}", want=f"float32 [{layout.size}]"
        )
    state, start = {}, 0
    for name, shape, size in zip(layout.names, layout.shapes, layout.sizes, strict=True):
        piece = vector[start : start + size]
        if bad := int(np.count_nonzero(~np.isfinite(piece))):
            raise NonFinite(tensor=name, count=bad)
        state[name] = torch.tensor(piece).reshape(shape)
        start += size
    return state


def apply_vector(state: StateDict, vector: NDArray[np.float32], layout: Layout) -> dict[str, torch.Tensor]:
    """Return the next state: tensors of the vector, and every carried buffer of `state`, in its order.

    Raises:
        WrongShape, NonFinite: as `flatten` and `unflatten`.
    """
    names = _aggregated_names(state)
    if set(names) != set(layout.names):
        raise WrongShape(field="the set of tensors", got=sorted(names), want=sorted(layout.names))
    tensors = unflatten(vector, layout)
    return {name: tensors[name] if name in tensors else tensor.detach().clone() for name, tensor in state.items()}


def _aggregated_names(state: StateDict) -> tuple[str, ...]:
    for name, tensor in state.items():
        if tensor.dtype != torch.float32 and tensor.dtype not in _CARRIED:
            raise WrongShape(
                field=f"the type of {name}",
                got=tensor.dtype,
                want=torch.float32,
                hint="convert the model with model.float()",
            )
    return tuple(name for name, tensor in state.items() if tensor.dtype == torch.float32)


__all__ = [
    "Layout",
    "StateDict",
    "apply_vector",
    "decode_layout",
    "encode_layout",
    "flatten",
    "layout_of",
    "locate",
    "unflatten",
]
