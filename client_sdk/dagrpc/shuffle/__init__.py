"""P2P shuffles: data goes from worker to worker as it comes, sorted by where it is to be, and waits there on disk.

dask builds the graphs (`df.shuffle`, `df.merge`, `df.set_index`, `x.rechunk`, each with the method ``"p2p"``); this
package provides what it imports for that, and what the tasks of those graphs do.
"""

from __future__ import annotations

from typing import Any

__all__ = ["rechunk_p2p"]


def __getattr__(name: str) -> Any:
    # What it imports is needed by those only who call it.
    if name == "rechunk_p2p":
        from dagrpc.shuffle.rechunk import rechunk_p2p

        return rechunk_p2p
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
