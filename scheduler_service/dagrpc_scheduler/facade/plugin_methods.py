"""Methods of `Scheduler` about plugins."""

from __future__ import annotations

from typing import Any

from dagrpc_scheduler.facade.parts import SchedulerParts


def add_plugin(self: SchedulerParts, plugin: Any, *, idempotent: bool = False, name: str | None = None) -> None:
    """Add a plugin without calling its `start`.

    Parameters
    ----------
    plugin : SchedulerPlugin
        The plugin.
    idempotent : bool
        Whether a plugin of the same name stays in place.
    name : str, optional
        The plugin's name; its attribute ``name`` by default.

    Raises
    ------
    TypeError
        If `plugin` is a class.

    Examples
    --------
    >>> cluster.scheduler.add_plugin(SchedulerPlugin(), name="mine")
    >>> "mine" in cluster.scheduler.plugins
    True
    >>> cluster.scheduler.remove_plugin("mine")
    """
    self._home.call(self._service.plugins.add, plugin, name, idempotent)


def remove_plugin(self: SchedulerParts, name: str | None = None) -> None:
    """Remove a plugin.

    Raises
    ------
    ValueError
        If there is no plugin of this name.

    Examples
    --------
    >>> cluster.scheduler.add_plugin(SchedulerPlugin(), name="mine")
    >>> cluster.scheduler.remove_plugin("mine")
    """
    if name is None:
        raise ValueError("Name the plugin to remove")
    self._home.call(self._service.plugins.remove, name)
