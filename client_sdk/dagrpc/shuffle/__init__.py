"""P2P shuffles: workers send data to its target worker as soon as it is there; the target keeps it on disk.

dask builds the graphs (`df.shuffle`, `df.merge`, `df.set_index`, `x.rechunk`, each with the method ``"p2p"``). This
package has the names that dask imports for them, and the functions of their tasks.
"""

from __future__ import annotations

from typing import Any

__all__ = ["rechunk_p2p"]


def __getattr__(name: str) -> Any:
    # Only callers of these functions need their imports.
    if name == "rechunk_p2p":
        from dagrpc.shuffle.rechunk import rechunk_p2p

        return rechunk_p2p
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
