"""The limits of one graph's size."""

from __future__ import annotations

from dagrpc import config
from dagrpc.exceptions import TooLargeError
from dagrpc.v1 import graph_pb2


class GraphLimits:
    """Adds up the parts of a client's graphs."""

    def __init__(self, client: str) -> None:
        self._client = client
        self._most_tasks = int(config.get("scheduler.limits.graph-tasks"))
        self._most_bytes = config.get_bytes("scheduler.limits.graph-size")
        self._open: dict[str, tuple[int, int]] = {}

    def add(self, part: graph_pb2.GraphPart) -> None:
        """Count a part; raise `TooLargeError`, naming the limit and its setting, if its graph is too large."""
        tasks, nbytes = self._open.pop(part.graph_id, (0, 0))
        tasks += len(part.tasks)
        # Computing a size takes as long as encoding. A graph in one part is bounded by the message size anyway.
        if nbytes or not part.last:
            nbytes += part.ByteSize()
        for name, found, most, unit in (
            ("graph-tasks", tasks, self._most_tasks, "tasks"),
            ("graph-size", nbytes, self._most_bytes, "bytes"),
        ):
            if found > most:
                raise TooLargeError(
                    f"Client {self._client} submits a graph of more than {most} {unit}, the limit "
                    f"(scheduler.limits.{name})"
                )
        if not part.last:
            self._open[part.graph_id] = tasks, nbytes
