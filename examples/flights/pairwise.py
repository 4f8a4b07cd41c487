"""The array part: finds destinations whose delays are correlated.

The correlation of each pair of destinations over the year, of their daily mean arrival delays. Not every destination
is flown to every day, so each pair has its own days, those on which both were; the sums over them are products of
matrices in which the other days are zero.
"""

from typing import Any

import dask.array
import numpy as np
import pandas as pd

arrays: Any = dask.array

# A correlation over fewer days is not meaningful.
MIN_DAYS = 100
DESTINATION_CHUNK = 15
DAY_CHUNK = 73
SHOWN_PAIRS = 5


def by_destination_and_day(daily: "pd.Series[float]") -> pd.DataFrame:
    """Return the mean delays as a table with a row for each destination; days without flights are NaN."""
    table = daily.unstack("dest").sort_index().T.sort_index()
    return table[table.notna().sum(axis="columns") >= MIN_DAYS].astype("float64")


def correlations(table: pd.DataFrame) -> Any:
    """Return the matrix of correlations as a dask array; nothing is computed yet."""
    chunks = (DESTINATION_CHUNK, DAY_CHUNK)
    # A shift does not change correlations, and sums of squares of smaller numbers keep more digits.
    delays = table.to_numpy("float64")
    delays = delays - np.nanmean(delays)
    known = arrays.from_array((~np.isnan(delays)).astype("float64"), chunks=chunks)
    values = arrays.from_array(np.nan_to_num(delays), chunks=chunks)
    days = known @ known.T
    sums = values @ known.T
    squares = (values**2) @ known.T
    products = values @ values.T
    covariance = days * products - sums * sums.T
    variance = days * squares - sums**2
    enough = days >= MIN_DAYS
    spread = arrays.sqrt(arrays.where(enough, variance * variance.T, 1.0))
    return arrays.where(enough, covariance / spread, np.nan)


def most_alike(matrix: pd.DataFrame) -> list[tuple[str, str, float]]:
    """Return the most correlated pairs of destinations."""
    rows, columns = np.triu_indices(len(matrix), k=1)
    strengths = matrix.to_numpy()[rows, columns]
    best = np.argsort(-np.nan_to_num(strengths, nan=-1.0), kind="stable")[:SHOWN_PAIRS]
    names = list(matrix.index)
    return [(names[rows[pair]], names[columns[pair]], float(strengths[pair])) for pair in best]
