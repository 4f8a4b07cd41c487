"""The part of the scheduler as an object that is about plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagrpc._rpc.embedded_server import ServiceHome
    from dagrpc_scheduler.shell.service import SchedulerService


class Plugged:
    """Takes plugins. See `Scheduler`."""

    _service: SchedulerService
    _home: ServiceHome

    @property
    def plugins(self) -> dict[str, Any]:
        """Its plugins, by name."""
        return self._service.scheduler_plugins.plugins

    def add_plugin(self, plugin: Any, *, idempotent: bool = False, name: str | None = None) -> None:
        """Have a plugin told of what happens, without calling its `start`.

        Parameters
        ----------
        plugin : SchedulerPlugin
            The plugin.
        idempotent : bool
            Whether to keep one of the same name instead, if there is one.
        name : str, optional
            What to call it; its attribute ``name`` by default.

        Raises
        ------
        TypeError
            If it is a class.

        Examples
        --------
        >>> cluster.scheduler.add_plugin(SchedulerPlugin(), name="mine")
        >>> "mine" in cluster.scheduler.plugins
        True
        >>> cluster.scheduler.remove_plugin("mine")
        """
        self._home.call(self._service.scheduler_plugins.add, plugin, name, idempotent)

    def remove_plugin(self, name: str | None = None) -> None:
        """Have a plugin told nothing more.

        Raises
        ------
        ValueError
            If there is none of that name.

        Examples
        --------
        >>> cluster.scheduler.add_plugin(SchedulerPlugin(), name="mine")
        >>> cluster.scheduler.remove_plugin("mine")
        """
        if name is None:
            raise ValueError("Name the plugin to remove")
        self._home.call(self._service.scheduler_plugins.remove, name)
