"""Runs a program with both engines and compares the outcomes."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import dask

from tests.differential.engines import PATIENCE, ClusterEngine, Engine, OracleEngine, library


class Difference(AssertionError):
    """A program did not show the same on the cluster as in plain Python, or left something behind."""


class Bench:
    """A cluster with two clients that runs many programs, and is replaced after a program that fails."""

    def __init__(self, n_workers: int = 2, threads_per_worker: int = 2) -> None:
        self._shape = {"n_workers": n_workers, "threads_per_worker": threads_per_worker}
        self._open()

    def _open(self) -> None:
        self.cluster = library.LocalCluster(**self._shape, dashboard_address=":0")
        self.client = library.Client(self.cluster)
        self.other = library.Client(self.cluster, set_as_default=False)

    def close(self) -> None:
        """Close clients and cluster."""
        self.other.close()
        self.client.close()
        self.cluster.close()

    def renew(self) -> None:
        """Go on with another cluster."""
        self.close()
        self._open()

    def check(self, preparation: str, statements: Sequence[str]) -> None:
        """Run a program on the cluster and in plain Python.

        Raises
        ------
        Difference
            If outcomes differ, or if something is left on the workers afterwards.
        """
        program = "\n".join([preparation.strip(), *statements])
        # Some collections choose how they are shuffled when they are made.
        with dask.config.set({"dataframe.shuffle.method": "tasks", "array.rechunk.method": "tasks"}):
            expected = _run(OracleEngine(), preparation, statements)
        seen = _run(ClusterEngine(self.client, self.other), preparation, statements)
        if seen != expected:
            raise Difference(_difference(program, seen, expected))
        self._check_nothing_is_left(program)

    def _check_nothing_is_left(self, program: str) -> None:
        deadline = time.monotonic() + PATIENCE / 3
        left: Any = None
        while time.monotonic() < deadline:
            gc.collect()
            held = {key for keys in self.client.has_what().values() for key in keys}
            processing = {key for keys in self.client.processing().values() for key in keys}
            left = held | processing
            if not left:
                return
            time.sleep(0.05)
        raise Difference(f"{sorted(map(str, left))} are left on the workers after\n\n{program}")


def _run(engine: Engine, preparation: str, statements: Sequence[str]) -> list[Any]:
    """Return the outcomes of a program."""
    # As in a script or notebook: what is defined here travels by value.
    namespace: dict[str, Any] = {"__name__": "__main__", **engine.verbs()}
    exec(compile(preparation, "<preparation>", "exec"), namespace)
    for number, statement in enumerate(statements):
        try:
            exec(compile(statement, f"<statement {number}>", "exec"), namespace)
        except Exception as error:
            # A statement that fails at once is an outcome as well. What cannot be pickled may be told by any class.
            error.with_traceback(None)
            engine.note("failed")
    namespace.clear()
    engine.finish()
    return engine.outcomes


def _difference(program: str, seen: Sequence[Any], expected: Sequence[Any]) -> str:
    lines = [f"{program}\n"]
    for number in range(max(len(seen), len(expected))):
        here = seen[number] if number < len(seen) else "nothing"
        there = expected[number] if number < len(expected) else "nothing"
        if here != there:
            lines.append(f"outcome {number}\n    on the cluster:  {here}\n    in plain Python: {there}")
    return "\n".join(lines)


@contextmanager
def bench() -> Iterator[Bench]:
    """Provide a cluster for programs."""
    made = Bench()
    try:
        yield made
    finally:
        made.close()
