"""NumPy arrays that pickle would write out element by element: views with gaps, and repeated data."""

from __future__ import annotations

from typing import Any


def compact(value: Any) -> Any:
    """Return what to pickle for a NumPy array whose memory is not in one piece.

    For one that repeats its data (``np.broadcast_to``) something small that unpickles as such an array; for another a
    copy in one piece.
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
    """Return an array without what it repeats: each axis along which nothing changes has the length 1."""
    if 0 in array.shape or all(
        stride or length == 1 for stride, length in zip(array.strides, array.shape, strict=True)
    ):
        return array
    return array[tuple(slice(1) if not stride else slice(None) for stride in array.strides)]


class _Repeated:
    """An array that repeats its data; unpickles as the array."""

    def __init__(self, once: Any, shape: tuple[int, ...]) -> None:
        self.parts = once, shape

    def __reduce__(self) -> tuple[Any, ...]:
        return repeat, self.parts


def repeat(once: Any, shape: tuple[int, ...]) -> Any:
    """Return an array of a larger shape on the memory of another. It cannot be written to."""
    import numpy

    return numpy.broadcast_to(once, shape)
