"""The futures part: for each carrier a linear model of the arrival delay, fitted by many small tasks.

Least squares need no more of the data than a few sums, and sums add up. So each pair of a partition and a carrier is a
task, their sums are added in a tree, and the last task of each tree solves for the coefficients.

The functions here run on the workers. What they return is made of plain types and arrays, and tells besides which
processes worked on it.
"""

import os
import socket
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# The features and their units in the model, which scale values to about one to keep the sums of squares precise.
FEATURES = {"distance": 1_000.0, "hour": 10.0, "dep_delay": 60.0}
TARGET = "arr_delay"
# Some carriers fly one route only, so that distance and constant are collinear. Directions whose singular value is
# below this share of the largest one count as directions without data.
NO_DATA = 1e-6

Matrix = NDArray[np.float64]
# The products of the features with each other and with the target, the number of flights, and the tasks by process.
Sums = tuple[Matrix, Matrix, int, Counter[str]]
# The coefficients (the constant first), the number of flights, the tasks of the tree by process, and the last process.
Model = tuple[Matrix, int, Counter[str], str]


def this_process() -> str:
    """Name the process that runs this task."""
    return f"{socket.gethostname()}:{os.getpid()}"


def design(flights: pd.DataFrame) -> tuple[Matrix, Matrix]:
    """Return the features, with a column of ones first, and the target of the flights that have all of them."""
    complete = flights[[*FEATURES, TARGET]].dropna()
    scaled = [complete[name].to_numpy("float64") / unit for name, unit in FEATURES.items()]
    features = np.column_stack([np.ones(len(complete)), *scaled])
    return features, complete[TARGET].to_numpy("float64")


def partial_sums(flights: pd.DataFrame, carrier: str) -> Sums:
    """Return the sums of one carrier's flights in one partition."""
    features, target = design(flights[flights["carrier"] == carrier])
    squares: Matrix = features.T @ features
    products: Matrix = features.T @ target
    return squares, products, len(target), Counter([this_process()])


def merge(left: Sums, right: Sums) -> Sums:
    """Add up two sums."""
    tasks = left[3] + right[3] + Counter([this_process()])
    return left[0] + right[0], left[1] + right[1], left[2] + right[2], tasks


def solve(sums: Sums) -> Model:
    """Return the coefficients of the least-squares fit."""
    # The singular values of the normal matrix are the squares of the data's singular values.
    coefficients: Matrix = np.asarray(np.linalg.lstsq(sums[0], sums[1], rcond=NO_DATA**2)[0], dtype="float64")
    return coefficients, sums[2], sums[3], this_process()


def tasks_by_process(fitted: dict[str, Model]) -> Counter[str]:
    """Return the number of tasks that each process ran: the tasks of the overall tree and each model's last task."""
    return fitted["all"][2] + Counter(model[3] for model in fitted.values())


def reduce_in_tree(client: Any, level: list[Any]) -> tuple[Any, int]:
    """Submit a tree of tasks that merges `level` in pairs; return the root's future and the number of tasks."""
    tasks = 0
    while len(level) > 1:
        pairs = list(zip(level[::2], level[1::2], strict=False))
        odd = level[-1:] if len(level) % 2 else []
        level = [client.submit(merge, left, right) for left, right in pairs] + odd
        tasks += len(pairs)
    return level[0], tasks


def fit(client: Any, partitions: list[Any], carriers: list[str]) -> tuple[dict[str, Any], int]:
    """Submit the fitting of all models, one for each carrier and one for `all`.

    Parameters
    ----------
    client
        The cluster's client.
    partitions
        Futures of the parts of the joined flights.
    carriers
        The codes of the carriers.

    Returns
    -------
    tuple
        The models' futures by carrier, and the number of tasks submitted.
    """
    models: dict[str, Any] = {}
    totals: list[Any] = []
    submitted = 0
    for carrier in carriers:
        sums = client.map(partial_sums, partitions, [carrier] * len(partitions))
        total, merges = reduce_in_tree(client, sums)
        totals.append(total)
        models[carrier] = client.submit(solve, total)
        submitted += len(sums) + merges + 1
    total, merges = reduce_in_tree(client, totals)
    models["all"] = client.submit(solve, total)
    return models, submitted + merges + 1
