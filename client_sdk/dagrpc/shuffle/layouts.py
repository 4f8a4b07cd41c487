"""The layout of dataframes: everything but the values, such as columns, types, index and class."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dagrpc._codec.pickle5 import dumps_inband
from dagrpc.shuffle.joining import same_type


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of a dataframe.

    Columns are counted from the left, and the levels of the index come after them.
    """

    labels: pd.Index
    """Labels of the columns."""
    types: tuple[Any, ...]
    """Types of the columns and the levels of the index."""
    names: tuple[Any, ...]
    """Names of the levels of the index."""
    has_levels: bool
    """Whether the index is a `MultiIndex`."""
    like: bytes | None
    """Pickle of a dataframe without rows that has the class and the attributes; None for a plain dataframe."""

    @classmethod
    def of(cls, frame: pd.DataFrame, dropped: int | None = None) -> Layout:
        """Return the layout of a dataframe, also without one of its columns."""
        index, labels, types = frame.index, frame.columns, list(frame.dtypes)
        if dropped is not None:
            labels = labels.delete(dropped)
            del types[dropped]
        types += [level.dtype for level in levels_of(index)]
        special = type(frame) is not pd.DataFrame or frame.attrs or not frame.flags.allows_duplicate_labels
        like = dumps_inband(without_rows(frame, dropped).reset_index(drop=True)) if special else None
        return cls(labels, tuple(types), tuple(index.names), isinstance(index, pd.MultiIndex), like)

    def same_as(self, other: Layout) -> bool:
        """Return whether two layouts are the same."""
        return self.fits(other) and all(map(same_type, self.types, other.types)) and self.like == other.like

    def fits(self, other: Layout) -> bool:
        """Return whether two layouts have the same columns in the same order, and the same names."""
        return (
            len(self.types) == len(other.types)
            and self.labels.identical(other.labels)
            and self.names == other.names
            and self.has_levels == other.has_levels
        )

    def type_of(self, label: Any) -> Any:
        """Return the type of the column of a name; None if several columns have it."""
        place = self.labels.get_loc(label)
        return self.types[place] if isinstance(place, int) else None

    def __str__(self) -> str:
        columns = len(self.labels)
        parts = [f"{label!r}: {dtype}" for label, dtype in zip(self.labels, self.types, strict=False)]
        index = [f"{name!r}: {dtype}" for name, dtype in zip(self.names, self.types[columns:], strict=True)]
        return f"columns {{{', '.join(parts)}}}, index {{{', '.join(index)}}}"


def levels_of(index: pd.Index) -> Sequence[pd.Index]:
    """Return the levels of an index, each with a value for each row."""
    if isinstance(index, pd.MultiIndex):
        return [index.get_level_values(number) for number in range(index.nlevels)]
    return [index]


def without_rows(frame: pd.DataFrame, dropped: int | None = None) -> pd.DataFrame:
    """Return a dataframe like another one, without rows, without the values of its index, and without one column."""
    empty = frame.iloc[:0]
    if dropped is not None:
        empty = empty.iloc[:, [place for place in range(len(frame.columns)) if place != dropped]]
    if isinstance(empty.index, pd.MultiIndex):
        empty.index = empty.index.remove_unused_levels()
    return empty


def rebuilt(frame: pd.DataFrame, likes: Sequence[bytes | None]) -> pd.DataFrame:
    """Return a plain dataframe as one of the class that its pieces had, with the attributes if all had the same."""
    different = list(dict.fromkeys(likes))
    if different == [None]:
        return frame
    models = [pd.DataFrame() if like is None else pickle.loads(like) for like in different]
    model = next((model for model in models if type(model) is not pd.DataFrame), models[0])
    if type(model) is not pd.DataFrame:
        frame = model._constructor(frame)
    frame = frame.__finalize__(model)
    if len({dumps_inband(each.attrs) for each in models}) > 1:
        frame.attrs = {}
    return frame
