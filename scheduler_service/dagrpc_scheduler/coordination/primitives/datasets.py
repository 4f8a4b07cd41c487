"""Published datasets: named values that any client may read."""

from __future__ import annotations

from dagrpc_scheduler.coordination.operations import (
    EXISTS,
    GetDatasets,
    ListDatasets,
    PublishDatasets,
    UnpublishDatasets,
    Value,
)
from dagrpc_scheduler.coordination.primitive import Primitive, handles
from dagrpc_scheduler.coordination.wait_queue import Request, WaitQueue


class Datasets(Primitive):
    """All datasets."""

    def __init__(self, wait_queue: WaitQueue) -> None:
        super().__init__(wait_queue)
        self._by_name: dict[str, Value] = {}

    @handles(PublishDatasets)
    def publish(self, request: Request, operation: PublishDatasets) -> None:
        """Publish values: all of them or none."""
        taken = [name for name, _ in operation.entries if name in self._by_name]
        if taken and not operation.override:
            self._wait_queue.refuse(request, EXISTS, f"Dataset {taken[0]} already exists", names=taken)
            return
        for name, value in operation.entries:
            former = self._by_name.get(name)
            # The new value is held before the old one is released, because they may share keys.
            if value.keys:
                self._wait_queue.hold_keys(_holder(name), value.keys)
            self._by_name[name] = value
            self._release_keys(name, former)
        self._wait_queue.answer(request)

    @handles(GetDatasets)
    def get(self, request: Request, operation: GetDatasets) -> None:
        """Answer with the values of names: all of them or none."""
        missing = [name for name in operation.names if name not in self._by_name]
        if missing:
            self._wait_queue.answer(request, False, names=missing)
            return
        values = [self._by_name[name] for name in operation.names]
        for name, value in zip(operation.names, values, strict=True):
            if value.keys:
                # The dataset stays, so the results in the answer are held once more.
                self._wait_queue.hold_keys(_holder(name), value.keys)
                self._wait_queue.hold_until_acknowledged(request, _holder(name), (value,))
        self._wait_queue.answer(request, values=values)

    @handles(UnpublishDatasets)
    def unpublish(self, request: Request, operation: UnpublishDatasets) -> None:
        """Remove datasets; unknown names are ignored."""
        for name in operation.names:
            self._release_keys(name, self._by_name.pop(name, None))
        self._wait_queue.answer(request)

    @handles(ListDatasets)
    def list(self, request: Request, operation: ListDatasets) -> None:
        """Answer with all names."""
        self._wait_queue.answer(request, names=tuple(self._by_name))

    def _release_keys(self, name: str, value: Value | None) -> None:
        if value is not None and value.keys:
            self._wait_queue.release_keys(_holder(name), value.keys)


def _holder(name: str) -> str:
    """Return the name under which a dataset holds results."""
    return f"published-{name}"
