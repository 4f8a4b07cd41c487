"""Methods that a service refuses, as configured."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from dagrpc import config
from dagrpc.exceptions import CodeNotAllowedError

logger = logging.getLogger("dagrpc.io")

_OF_DISTRIBUTED: dict[str, tuple[str, ...]] = {
    "broadcast": ("RunOnWorkers",),
    # dagrpc has no counterpart.
    "feed": (),
    "gather": ("Gather",),
    "register_nanny_plugin": ("RegisterPlugin",),
    "register_scheduler_plugin": ("RegisterPlugin",),
    "register_worker_plugin": ("RegisterPlugin",),
    "restart": ("RestartWorkers",),
    "restart_workers": ("RestartWorkers",),
    "retire_workers": ("RetireWorkers",),
    "rebalance": ("Rebalance",),
    "replicate": ("Replicate",),
    "amm_handler": ("ControlMemoryManager",),
    "run": ("Run",),
    "run_coroutine": ("Run",),
    "run_function": ("RunOnScheduler",),
    "scatter": ("Scatter", "RelayData"),
    "terminate": ("Shutdown",),
}
"""dagrpc's methods by their names in distributed."""


class Blocked:
    """The methods that a setting blocks.

    Parameters
    ----------
    key : str
        The setting, a list of names in dagrpc or distributed. Empty: no method is blocked.
    names : iterable of str, optional
        Names to block, instead of the names in the setting.
    """

    def __init__(self, key: str, names: Iterable[str] | None = None) -> None:
        self._by = f"the setting {key}" if names is None else "blocked_handlers="
        if names is None:
            names = (config.get(key) or ()) if key else ()
        self._methods = {name: _OF_DISTRIBUTED.get(name, (name,)) for name in names}
        self._met: set[str] = set()

    def guard(self, method: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the handler of a method, or a handler that refuses the call if the method is blocked."""
        if not any(method in methods for methods in self._methods.values()):
            return function
        self._met.add(method)

        async def refuse(request: Any, context: Any) -> Any:
            raise CodeNotAllowedError(f"{method} is blocked here by {self._by}")

        return refuse

    def warn_of_unknown(self) -> None:
        """Warn about names that are not methods of the service, and so block nothing."""
        for name, methods in self._methods.items():
            if methods and self._met.isdisjoint(methods):
                logger.warning("%s blocks %r, which is not a method here", self._by, name)
