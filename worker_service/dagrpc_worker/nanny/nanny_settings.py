"""Attributes of `Nanny` that show the settings of its worker, under the names of distributed.

The class binds these functions as attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from dagrpc._common.server_status import Status
from dagrpc._process.machine import cpu_count
from dagrpc._process.service_options import words
from dagrpc._rpc.embedded_server import ServiceHome
from dagrpc_worker.shell.memory.memory_options import MemoryManager

if TYPE_CHECKING:
    # Imported late: a nanny spawns its worker's process first.
    from dagrpc_worker.nanny.nanny_server import NannyService

# The settings of the worker that are attributes of the nanny.
_NAMED = words(
    """scheduler_address scheduler_file name nthreads memory_limit resources local_directory death_timeout
    contact_address preload preload_argv security nanny pickled"""
)


class NannyFacade(Protocol):
    """The part of a `Nanny` that the functions use."""

    _home: ServiceHome
    _service: NannyService | None
    _worker: dict[str, Any]
    _env: dict[str, str]
    _config: dict[str, Any]

    @property
    def status(self) -> Status:
        """The status of the worker's process, or of the nanny itself."""


def env(self: NannyFacade) -> dict[str, str]:
    """Environment variables of the worker's process. A change takes effect in the next process."""
    return self._service.env if self._service is not None else self._env


def config(self: NannyFacade) -> dict[str, Any]:
    """Dask's settings in the worker's process; before the start, only those that differ from this process.

    A change takes effect in the next process.
    """
    return self._service.options.config if self._service is not None else self._config


def nthreads(self: NannyFacade) -> int:
    """Number of tasks that the worker runs at once."""
    return int(self._worker.get("nthreads") or cpu_count())


def resources(self: NannyFacade) -> Mapping[str, float] | None:
    """Abstract resources that the worker offers; None: as configured."""
    return self._worker.get("resources")


def memory_limit(self: NannyFacade) -> int | None:
    """Bytes of memory that the worker may use; None: no limit."""
    return int(self._worker.get("memory_limit") or 0) or None


def memory_manager(self: NannyFacade) -> MemoryManager:
    """The memory thresholds of the worker."""
    names = ("target", "spill", "pause")
    fractions = {name: self._worker.get(f"memory_{name}_fraction") for name in names}
    return MemoryManager.of(memory_limit(self) or 0, fractions)


def death_timeout(self: NannyFacade) -> float | None:
    """Seconds that the worker looks for the scheduler before giving up; None: without end."""
    return self._worker.get("death_timeout")


def contact_address(self: NannyFacade) -> str | None:
    """Address under which others reach the worker; None: the address at which it listens."""
    return self._worker.get("contact_address")


def preload(self: NannyFacade) -> list[str]:
    """Modules that the worker loads before it starts; empty: as configured."""
    return list(self._worker.get("preload") or ())


def preload_argv(self: NannyFacade) -> list[str]:
    """Arguments of the worker's preloaded modules."""
    return list(self._worker.get("preload_argv") or ())


def worker_kwargs(self: NannyFacade) -> dict[str, Any]:
    """The worker's other settings."""
    return {name: value for name, value in self._worker.items() if name not in _NAMED}
