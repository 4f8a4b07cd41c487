"""Functions as in a notebook under development: defined in cells, and called again and again."""

from __future__ import annotations

from typing import Any

import dask

TIMES = 4


class Notebook:
    """Cells that are run one after the other; what they define cannot be imported elsewhere."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}

    def run(self, source: str) -> None:
        exec(compile(source, "<cell>", "exec"), self.names)

    def __getattr__(self, name: str) -> Any:
        return self.names[name]


def repeated(client: Any, function: Any, *args: Any, **kwargs: Any) -> set[Any]:
    """Return the different results of one call that is made again and again, each way there is to make it."""
    results = [client.submit(function, *args, **kwargs, pure=False).result(timeout=60) for _ in range(TIMES)]
    mapped = client.map(lambda _: function(*args, **kwargs), range(TIMES), pure=False)
    delayed = [dask.delayed(function, pure=False)(*args, **kwargs) for _ in range(TIMES)]
    return {*results, *client.gather(mapped), *dask.compute(*delayed)}
