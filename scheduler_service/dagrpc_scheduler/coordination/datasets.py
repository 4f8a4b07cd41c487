"""Published datasets: values by name, for all to read, whoever put them there."""

from __future__ import annotations

from dagrpc_scheduler.coordination.operations import (
    EXISTS,
    GetDatasets,
    ListDatasets,
    PublishDatasets,
    UnpublishDatasets,
    Value,
)
from dagrpc_scheduler.coordination.wait_queue import Request, WaitQueue


class Datasets:
    """All of them."""

    def __init__(self, wait_queue: WaitQueue) -> None:
        self._wait_queue = wait_queue
        self._by_name: dict[str, Value] = {}

    def publish(self, request: Request, operation: PublishDatasets) -> None:
        """Publish values, all or none of them."""
        taken = [name for name, _ in operation.entries if name in self._by_name]
        if taken and not operation.override:
            self._wait_queue.refuse(request, EXISTS, f"Dataset {taken[0]} already exists", names=taken)
            return
        for name, value in operation.entries:
            former = self._by_name.get(name)
            # Before the former value is let go of: they may have keys in common.
            if value.keys:
                self._wait_queue.hold_keys(_holder(name), value.keys)
            self._by_name[name] = value
            self._release_keys(name, former)
        self._wait_queue.answer(request)

    def get(self, request: Request, operation: GetDatasets) -> None:
        """Give the values of names, all or none of them."""
        missing = [name for name in operation.names if name not in self._by_name]
        if missing:
            self._wait_queue.answer(request, False, names=missing)
            return
        values = [self._by_name[name] for name in operation.names]
        for name, value in zip(operation.names, values, strict=True):
            if value.keys:
                # The dataset stays: what is on its way is held once more.
                self._wait_queue.hold_keys(_holder(name), value.keys)
                self._wait_queue.hold_until_acknowledged(request, _holder(name), (value,))
        self._wait_queue.answer(request, values=values)

    def unpublish(self, request: Request, operation: UnpublishDatasets) -> None:
        """Forget names. Those that are not there are none the less so."""
        for name in operation.names:
            self._release_keys(name, self._by_name.pop(name, None))
        self._wait_queue.answer(request)

    def list(self, request: Request, operation: ListDatasets) -> None:
        """Give all names."""
        self._wait_queue.answer(request, names=tuple(self._by_name))

    def _release_keys(self, name: str, value: Value | None) -> None:
        if value is not None and value.keys:
            self._wait_queue.release_keys(_holder(name), value.keys)


def _holder(name: str) -> str:
    """Return the name under which a dataset holds results."""
    return f"published-{name}"
