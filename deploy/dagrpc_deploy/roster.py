"""Compares the workers that a cluster plans with those that its scheduler knows."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from dagrpc._client.cluster_description import describe_cluster
from dagrpc._common.worker_names import as_given
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_deploy.worker_view import WorkerView

Names = dict[Hashable, tuple[str, ...]]
"""Workers by their names in the plan, each with its names on the scheduler, which are text."""


class Roster:
    """The workers of a cluster as of the latest answer of the scheduler.

    `planned` returns the workers that there should be, and `requested` the names of those that were started.
    """

    def __init__(self, planned: Callable[[], Names], requested: Callable[[], set[Hashable]]) -> None:
        self._planned = planned
        self._requested = requested
        self.info: pb.GetClusterInfoResponse | None = None
        """The latest answer of the scheduler; None before the first."""
        self._seen: set[Hashable] = set()
        self._missing_since: dict[Hashable, float] = {}

    def update(self, info: pb.GetClusterInfoResponse, patience: float) -> set[Hashable]:
        """Take an answer of the scheduler; return the workers that it has not known for so many seconds."""
        self.info = info
        observed, requested = self.observed(), self._requested()
        now = time.monotonic()
        for name in list(self._missing_since):
            if name in observed or name not in requested:
                del self._missing_since[name]
        for name in (self._seen & requested) - observed:
            self._missing_since.setdefault(name, now)
        self._seen = (self._seen & requested) | observed
        return {name for name, since in self._missing_since.items() if now - since >= patience}

    def on_scheduler(self) -> Names:
        """Return the workers that the scheduler knows, as if each was planned."""
        workers = self.info.workers if self.info is not None else ()
        return {as_given(worker.name): (worker.name,) for worker in workers}

    def known_names(self) -> set[str]:
        """Return the names on the scheduler of the workers that it knows."""
        return {worker.name for worker in self.info.workers} if self.info is not None else set()

    def observed(self) -> set[Hashable]:
        """Return the planned workers that the scheduler knows."""
        known = self.known_names()
        return {name for name, on_scheduler in self._planned().items() if known.issuperset(on_scheduler)}

    def plan_names(self, on_scheduler: Iterable[str]) -> list[Hashable]:
        """Return the planned workers all of whose names on the scheduler are given, in the order given."""
        ranked = {text: rank for rank, text in enumerate(on_scheduler)}
        found = [
            (max(ranked[text] for text in texts), name)
            for name, texts in self._planned().items()
            if all(text in ranked for text in texts)
        ]
        return [name for _, name in sorted(found, key=lambda item: item[0])]

    def superfluous(self, count: int) -> set[Hashable]:
        """Return so many planned workers to remove: first those that have not joined, then those with least data."""
        planned = self._planned()
        workers = self.info.workers if self.info is not None else ()
        held = {worker.name: worker.metrics.get("managed_bytes", 0.0) for worker in workers}
        order = {name: index for index, name in enumerate(planned)}

        def rank(name: Hashable) -> tuple[bool, float, int]:
            texts = planned[name]
            # Of equals, the latest go first.
            return all(text in held for text in texts), sum(held.get(text, 0.0) for text in texts), -order[name]

        return set(sorted(planned, key=rank)[:count])

    def views(self) -> list[WorkerView]:
        """Return the workers as the scheduler described them."""
        return [WorkerView(worker) for worker in self.info.workers] if self.info is not None else []

    def describe(self, address: str) -> dict[str, Any]:
        """Return the scheduler's description of itself and its workers as a plain dict."""
        info = self.info if self.info is not None else pb.GetClusterInfoResponse(address=address)
        return describe_cluster(info, address)
