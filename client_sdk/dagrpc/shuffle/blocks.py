"""Encodes blocks of arrays as bytes, and joins blocks."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from dagrpc._codec.pickle5 import dumps_inband

Nested: TypeAlias = Any
"""A block, or a list of nested blocks along their first axis."""

_PICKLE = "pickle"
_NUMBERS = "biufc"
_EXACT_BITS = {2: 11, 4: 24, 8: 53}


def pack(blocks: Sequence[Any]) -> tuple[str, list[int], Any]:
    """Return the format of blocks of one array, their borders in the bytes, and the bytes."""
    starts = [0]
    if _is_plain(blocks[0]):
        dtype = blocks[0].dtype
        for block in blocks:
            starts.append(starts[-1] + block.nbytes)
        # At least one byte, since an empty buffer can be neither mapped nor cast.
        body = np.empty(max(starts[-1], 1), dtype=np.uint8)
        for start, block in zip(starts, blocks, strict=False):
            np.copyto(body[start : start + block.nbytes].view(dtype).reshape(block.shape), block)
        return dtype.str, starts, memoryview(body.data)
    pickles = [dumps_inband(block) for block in blocks]
    for data in pickles:
        starts.append(starts[-1] + len(data))
    return _PICKLE, starts, b"".join(pickles)


def _is_plain(block: Any) -> bool:
    """Return whether the bytes of its values and the name of its type are enough to restore a block."""
    if type(block) is not np.ndarray or block.dtype.hasobject or not block.dtype.itemsize:
        return False
    dtype = block.dtype
    # The names of structured types and of types of other libraries do not identify them.
    return dtype.metadata is None and dtype.names is None and np.dtype(dtype.str) == dtype


def unpack(format: str, data: Any, shape: Sequence[int]) -> Any:
    """Return a block."""
    if format == _PICKLE:
        return pickle.loads(data)
    return np.frombuffer(data, dtype=np.dtype(format)).reshape(shape)


def join_blocks(nested: Nested) -> Any:
    """Return a new array that consists of blocks, with all values unchanged.

    Parameters
    ----------
    nested : list
        The blocks, with one level of nesting for each axis.

    Raises
    ------
    ValueError
        If the blocks do not fit together, or no type can hold all values unchanged.
    """
    blocks = list(_flat(nested))
    if len(blocks) == 1:
        return blocks[0].copy() if isinstance(blocks[0], np.ndarray) else blocks[0]
    if not all(map(_is_numpy, blocks)):
        from dask.array.core import concatenate3

        return concatenate3(nested)  # type: ignore[no-untyped-call]
    sizes = _sizes(nested, blocks[0].ndim)
    result = np.empty_like(blocks[0], shape=[sum(axis) for axis in sizes], dtype=_common_type(blocks), order="C")
    ends = [np.cumsum([0, *axis]).tolist() for axis in sizes]
    for position, block in _placed(nested):
        where = tuple(slice(end[i], end[i + 1]) for end, i in zip(ends, position, strict=True))
        if result[where].shape != block.shape:
            raise ValueError(f"a block of shape {block.shape} is to fill a place of shape {result[where].shape}")
        result[where] = block
    return result


def _is_numpy(block: Any) -> bool:
    """Return whether NumPy copies a block into another one; libraries may have their own way to join blocks."""
    from dask.array.dispatch import concatenate_lookup

    if type(block) is np.ndarray:
        return True
    own = isinstance(block, np.ndarray) and type(block).__array_function__ is np.ndarray.__array_function__
    return own and concatenate_lookup.dispatch(type(block)) is np.concatenate  # type: ignore[no-untyped-call]


def _flat(nested: Nested) -> Iterator[Any]:
    if not isinstance(nested, list):
        yield nested
        return
    for part in nested:
        yield from _flat(part)


def _placed(nested: Nested, position: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    if not isinstance(nested, list):
        yield position, nested
        return
    for number, part in enumerate(nested):
        yield from _placed(part, (*position, number))


def _sizes(nested: Nested, ndim: int) -> list[list[int]]:
    """Return the sizes of the blocks along each axis."""
    sizes = []
    for axis in range(ndim):
        parts = nested
        for _ in range(axis):
            parts = parts[0]
        firsts = [next(_flat(part)) for part in parts]
        sizes.append([block.shape[axis] if block.ndim == ndim else 0 for block in firsts])
    return sizes


def _common_type(blocks: Sequence[Any]) -> Any:
    """Return a type that holds the values of all blocks unchanged. Empty blocks are ignored."""
    types = list(dict.fromkeys(block.dtype for block in blocks if block.size)) or [blocks[0].dtype]
    if len(types) == 1:
        return types[0]
    kinds = {dtype.kind for dtype in types}
    if "O" in kinds:
        return np.dtype(object)
    names = ", ".join(f"'{dtype}'" for dtype in types)
    if len(kinds) > 1 and not kinds <= set(_NUMBERS):
        raise ValueError(f"blocks of types {names} do not fit together")
    try:
        common = np.result_type(*types)
    except TypeError as error:
        raise ValueError(f"blocks of types {names} do not fit together: {error}") from error
    if not all(_keeps(block, common) for block in blocks):
        raise ValueError(f"blocks of types {names} do not fit together: as '{common}' values change")
    return common


def _keeps(block: Any, dtype: Any) -> bool:
    """Return whether a conversion to another type leaves the values of a block unchanged."""
    if block.dtype == dtype or not block.size:
        return True
    if block.dtype.kind in "mM":
        return bool(np.array_equal(block.astype(dtype).astype(block.dtype), block, equal_nan=True))
    if block.dtype.kind not in "iu" or dtype.kind not in "fc":
        return True
    exact = _EXACT_BITS.get(dtype.itemsize // (2 if dtype.kind == "c" else 1), 64)
    if 8 * block.dtype.itemsize <= exact:
        return True
    large = block[(block > 2**exact) | (block < -(2**exact))]
    kind = np.dtype(f"f{dtype.itemsize // (2 if dtype.kind == 'c' else 1)}").type
    return all(int(kind(value)) == int(value) for value in large)
