"""Installs dagrpc under the name `distributed`, and undoes it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from types import ModuleType, TracebackType
from typing import Any

from dagrpc._process.as_distributed import VARIABLE
from dagrpc.compat.modules import CompatModule, Finder

NAME = "distributed"
_RECHUNK = "array.rechunk.method"


class Installation:
    """An installation of dagrpc as `distributed`. As a context manager it is undone at the end of the block."""

    def undo(self) -> None:
        """Undo the installation."""
        uninstall_as_distributed()

    def __enter__(self) -> Installation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()

    def __repr__(self) -> str:
        return f"<dagrpc is{'' if _finder is not None else ' not'} installed as distributed>"


_finder: Finder | None = None
_replaced: dict[str, ModuleType] = {}
"""Modules of the real `distributed` that were imported before."""
_former_rechunk: list[Any] = []


def install_as_distributed(force: bool = False) -> Installation:
    """Make `import distributed`, and `import dask.distributed`, find dagrpc.

    Libraries such as xarray, joblib and dask import these modules; call this function before any of them. Workers that
    this process starts do the same; other workers do if their environment has ``DAGRPC_INSTALL_AS_DISTRIBUTED=1``. A
    second call does nothing.

    Parameters
    ----------
    force : bool
        Install dagrpc even if the real `distributed` is imported already. Objects that were imported from it stay.

    Returns
    -------
    Installation
        Its method ``undo`` ends the installation; as a context manager it undoes itself.

    Raises
    ------
    RuntimeError
        If the real `distributed` was imported already.

    Examples
    --------
    >>> installation = install_as_distributed()
    >>> from distributed import Client
    >>> Client
    <class 'dagrpc.client.Client'>
    >>> installation.undo()
    """
    global _finder
    if _finder is not None:
        return Installation()
    real = sys.modules.get(NAME)
    if real is not None and not force:
        raise RuntimeError(
            f"distributed is imported already, from {getattr(real, '__file__', None)}. Call install_as_distributed() "
            "before anything imports it (dask.distributed, joblib, xarray, ...), or with force=True"
        )
    importlib.import_module("dagrpc.compat.distributed")
    _replaced.update(_take_out())
    _finder = Finder(NAME)
    sys.meta_path.insert(0, _finder)
    # Attributes of parent modules would find the real modules.
    _forget_attribute()
    _rechunk_by_tasks()
    os.environ[VARIABLE] = "1"
    return Installation()


def uninstall_as_distributed() -> None:
    """Undo `install_as_distributed`. Objects that were imported meanwhile stay.

    Examples
    --------
    >>> uninstall_as_distributed()
    """
    global _finder
    if _finder is None:
        return
    sys.meta_path.remove(_finder)
    _finder = None
    _take_out()
    _forget_attribute()
    sys.modules.update(_replaced)
    _replaced.clear()
    _restore_rechunk()
    os.environ.pop(VARIABLE, None)


def is_installed() -> bool:
    """Return whether dagrpc is installed as `distributed`."""
    return _finder is not None


def _take_out() -> dict[str, ModuleType]:
    """Remove all modules of the name from the imported modules."""
    names = [name for name in sys.modules if name == NAME or name.startswith((f"{NAME}.", "dask.distributed"))]
    return {name: sys.modules.pop(name) for name in names}


def _forget_attribute() -> None:
    dask = sys.modules.get("dask")
    if dask is not None:
        dask.__dict__.pop(NAME, None)


def _rechunk_by_tasks() -> None:
    """Set dask.array to rechunk by tasks, unless the module for P2P rechunking is there."""
    import dask.config

    _former_rechunk.clear()
    if dask.config.get(_RECHUNK, None) is None and importlib.util.find_spec("dagrpc.shuffle") is None:
        _former_rechunk.append(None)
        dask.config.set({_RECHUNK: "tasks"})


def _restore_rechunk() -> None:
    import dask.config

    if _former_rechunk:
        _former_rechunk.clear()
        dask.config.set({_RECHUNK: None})


__all__ = ["CompatModule", "Installation", "install_as_distributed", "uninstall_as_distributed"]
