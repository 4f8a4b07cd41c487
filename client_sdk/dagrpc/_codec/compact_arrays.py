"""Pickles NumPy arrays that are not contiguous: views with gaps, and arrays that repeat their data."""

from __future__ import annotations

from typing import Any


def compact(value: Any) -> Any:
    """Return the object to pickle in place of a NumPy array that is not contiguous.

    For an array that repeats its data (``np.broadcast_to``) this is a small object that unpickles as such an array. For
    other arrays it is a contiguous copy.
    """
    import numpy

    if value.dtype.hasobject:
        return value
    once = without_repetition(value)
    if once is not value:
        return _Repeated(numpy.ascontiguousarray(once), value.shape)
    copy = value.copy(order="C")
    copy.flags.writeable = value.flags.writeable
    return copy


def without_repetition(array: Any) -> Any:
    """Return an array without repetitions: each axis along which the data repeats has the length 1."""
    if 0 in array.shape or all(
        stride or length == 1 for stride, length in zip(array.strides, array.shape, strict=True)
    ):
        return array
    return array[tuple(slice(1) if not stride else slice(None) for stride in array.strides)]


class _Repeated:
    """Stands for an array that repeats its data, and unpickles as the array."""

    def __init__(self, once: Any, shape: tuple[int, ...]) -> None:
        self.parts = once, shape

    def __reduce__(self) -> tuple[Any, ...]:
        return repeat, self.parts


def repeat(once: Any, shape: tuple[int, ...]) -> Any:
    """Return a read-only array of a larger shape on the memory of another array."""
    import numpy

    return numpy.broadcast_to(once, shape)
