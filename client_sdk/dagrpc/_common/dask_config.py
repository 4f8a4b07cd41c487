"""Adds the defaults of all settings to `dask.config` once dask is imported, under distributed's names.

Programs read settings of distributed without a default of their own, since distributed registers its defaults when it
is imported. dask itself is not imported for this purpose: its import is slow, and not every process needs it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_MODULE = "dask.config"
ROOT = "distributed"

NOT_USED: dict[str, Any] = {
    "version": 2,
    "scheduler.reuse-broadcast-comm": True,
    "scheduler.rootish-taskgroup": 5,
    "scheduler.dashboard.status.task-stream-length": 1000,
    "scheduler.dashboard.tasks.task-stream-length": 100_000,
    "scheduler.dashboard.bokeh-application.allow_websocket_origin": ["*"],
    "scheduler.dashboard.bokeh-application.keep_alive_milliseconds": 500,
    "scheduler.dashboard.bokeh-application.check_unused_sessions_milliseconds": 500,
    "scheduler.locks.lease-validation-interval": "10s",
    "scheduler.allowed-imports": ["dask", "distributed"],
    "worker.multiprocessing-method": "spawn",
    "worker.daemon": True,
    "client.heartbeat": "5s",
    "comm.shard": "64MiB",
    "comm.offload": "10MiB",
    "comm.default-scheme": "tcp",
    "comm.socket-backlog": 2048,
    "comm.ucx": {},
    "comm.websockets.shard": "8MiB",
    "diagnostics.nvml": True,
    "diagnostics.cudf": False,
    "dashboard.export-tool": False,
    "dashboard.graph-max-items": 5000,
    "admin.pdb-on-err": False,
    "rmm.pool-size": None,
}
"""Settings of distributed without effect here, with distributed's defaults, for programs that read them."""

_SHOWN_AS: dict[str, Any] = {
    # The two values mean the same here, and the real distributed can read only this one.
    "admin.event-loop": "tornado",
    "scheduler.active-memory-manager.policies": [{"class": "distributed.active_memory_manager.ReduceReplicas"}],
}
_NOT_SHOWN = frozenset(("logging", "logging-file-config"))
"""Settings that are in the configuration only if a user set them, which distributed checks."""


def defaults() -> dict[str, Any]:
    """Return the defaults as a nested mapping."""
    from dagrpc.config import DEFAULTS

    found: dict[str, Any] = {}
    for key, value in {**NOT_USED, **DEFAULTS, **_SHOWN_AS}.items():
        if key in _NOT_SHOWN:
            continue
        *sections, name = key.split(".")
        section = found
        for each in sections:
            section = section.setdefault(each, {})
        section[name] = _copied(value)
    return {ROOT: found}


def _copied(value: Any) -> Any:
    """Return a copy of a value, which users may change."""
    if isinstance(value, dict):
        return {name: _copied(each) for name, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


def set_here() -> dict[str, Any]:
    """Return dask's configuration without the defaults, for other processes, which may have settings of their own.

    The setting `scheduler` is left out, too: its value is an object of this process.
    """
    import dask.config

    # A copy: `dask.config.set` changes the configuration back at the end of its block.
    here = dask.config.merge(
        {name: value for name, value in dask.config.config.items() if name not in ("scheduler", "get")}
    )
    section = here.get(ROOT)
    if isinstance(section, Mapping):
        from dagrpc.config import DEFAULTS

        # A mapping is passed on as a whole, since the receiver does not merge it.
        whole = {(*key.split("."),) for key, value in DEFAULTS.items() if isinstance(value, dict)}
        here[ROOT] = _without(section, defaults()[ROOT], whole, ())
    return dict(here)


def _without(section: Mapping[str, Any], known: Any, whole: set[tuple[str, ...]], path: tuple[str, ...]) -> Any:
    found = {}
    for name, value in section.items():
        spelling = name if name in known else name.replace("_", "-")
        if spelling not in known:
            found[name] = value
        elif value != known[spelling]:
            place = (*path, spelling)
            nested = isinstance(value, Mapping) and isinstance(known[spelling], Mapping) and place not in whole
            found[name] = _without(value, known[spelling], whole, place) if nested else value
    return found


def _register(module: Any) -> None:
    """Add the defaults below existing ones, which may be the real distributed's."""
    ours = defaults()
    module.defaults.append(ours)
    module.update(module.config, ours, priority="old")


# --- once it is imported -----------------------------------------------------------------------------------------


class _Finder:
    """An import hook that calls functions when `dask.config` has been imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of `dask.config`; None for all other modules."""
        if fullname != _MODULE:
            return None
        spec = PathFinder.find_spec(fullname, path)
        loader: Any = spec.loader if spec is not None else None
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                for tell in _to_tell:
                    tell(module)

            loader.exec_module = exec_module
        return spec


_to_tell: list[Callable[[Any], object]] = []


def when_imported(tell: Callable[[Any], object]) -> None:
    """Call a function with `dask.config`: now if it is imported, else after its import."""
    module = sys.modules.get(_MODULE)
    if module is not None and hasattr(module, "update_defaults"):
        tell(module)
        return
    if not _to_tell:
        sys.meta_path.insert(0, _Finder())
    _to_tell.append(tell)


def register_defaults() -> None:
    """Add the defaults to `dask.config`, now or after its import."""
    when_imported(_register)
