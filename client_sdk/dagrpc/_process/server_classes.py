"""Classes of servers by their names."""

from __future__ import annotations

import importlib
from typing import Any

_DISTRIBUTED = ("distributed", "dask.distributed")


def load_class(path: Any) -> Any:
    """Return a class, given itself or its dotted name; names of distributed's classes stand for dagrpc's.

    Raises
    ------
    ValueError
        If there is no such class.

    Examples
    --------
    >>> load_class("distributed.Nanny")
    <class 'dagrpc_worker.nanny.nanny.Nanny'>
    """
    if not isinstance(path, str):
        return path
    module, _, name = path.rpartition(".")
    if any(module == each or module.startswith(f"{each}.") for each in _DISTRIBUTED):
        module = "dagrpc"
    try:
        return getattr(importlib.import_module(module or "dagrpc"), name)
    except (ImportError, AttributeError, ValueError):
        raise ValueError(f"There is no class {path!r}; name it with its module, such as 'dagrpc.Nanny'") from None
