"""The options of workers and nannies: the tables behind `Worker`, `Nanny`, `dagrpc worker` and docs/options.md."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagrpc import config
from dagrpc._process.service_options import Flag, as_list, option, seconds, words
from dagrpc_worker.ports import parse_ports


def parse_resources(text: str) -> dict[str, float]:
    """Return amounts by name of ``"GPU=2 MEM=10e9"``."""
    found = {}
    for item in text.replace(",", " ").split():
        name, _separator, amount = item.partition("=")
        try:
            found[name] = float(amount)
        except ValueError:
            found[name] = -1.0
        if not name or not found[name] >= 0:
            raise ValueError(f"{item!r} is not of the form NAME=AMOUNT with an amount of at least 0")
    return found


def _second_at_least(value: Any) -> float:
    """Return a duration in seconds; a second in place of none."""
    return seconds(value) or 1.0


@dataclass(slots=True, kw_only=True)
class WorkerOptions:
    """The options of one worker."""

    preload: Sequence[str] | None = option(
        "Modules, files, addresses or code to run before the worker starts; None: as configured.",
        None,
        setting="worker.preload",
        convert=as_list,
        flag=Flag("--preload", "Module, file, URL or code for workers to run first.", multiple=True),
    )
    preload_argv: Sequence[str] | None = option(
        "Arguments for `preload`; None: as configured.", None, setting="worker.preload-argv"
    )
    scheduler_address: str = option("Address of the scheduler, `host:port`. Empty: `scheduler_file` names it.", "")
    scheduler_file: str = option(
        "JSON file with the scheduler's address; it may appear later.",
        "",
        flag=Flag("--scheduler-file", "File that names the scheduler.", path="file"),
    )
    host: str = option(
        "Host or address to listen on.",
        "127.0.0.1",
        flag=Flag("--host", "Address to listen on. [default: the one that the scheduler can reach]"),
    )
    port: int = option("Port to listen on; 0: any free one.", 0, internal=True)
    contact_address: str = option(
        "`host:port` or `host` under which others reach the worker. Empty: the address that it listens on.",
        "",
        flag=Flag("--contact-address", "host or host:port under which others reach the worker."),
    )
    name: str = option(
        "Name on the cluster. Empty: the worker's address.",
        "",
        convert=str,
        flag=Flag("--name", "Name of the worker; several are called NAME-0, NAME-1, ..."),
    )
    nthreads: int = option(
        "Number of tasks that run at once. Default: the number of processors.",
        factory=lambda: os.cpu_count() or 1,
        flag=Flag("--nthreads", "Threads of each worker. [default: processors / workers]", bounds=(1, None)),
    )
    memory_limit: int = option(
        "Bytes of memory that the worker may use; 0: no limit.",
        0,
        flag=Flag("--memory-limit", "Of each: bytes, '4 GiB', 0.5, 'auto' or 0.", default="auto"),
    )
    resources: Mapping[str, float] = option(
        "Abstract resources that the worker offers.",
        setting="worker.resources",
        convert=dict,
        flag=Flag("--resources", 'Abstract resources of each, such as "GPU=2 MEM=10e9".', parse=parse_resources),
    )
    local_directory: str = option(
        "Directory of temporary files. Empty: the configured one, else the system's.",
        "",
        convert=str,
        flag=Flag("--local-directory", "Where to keep temporary files.", path="directory"),
    )
    death_timeout: float | None = option(
        "Seconds to look for the scheduler before giving up. None: no limit.",
        None,
        convert=seconds,
        flag=Flag("--death-timeout", "How long to look for the scheduler before giving up. [default: for ever]"),
    )
    lifetime: float | None = option(
        "Seconds after which the worker leaves in good order. None: no limit.",
        setting="worker.lifetime.duration",
        convert=seconds,
        flag=Flag("--lifetime", "How long to live before leaving in good order, such as '1 hour'. [default: for ever]"),
    )
    lifetime_stagger: float = option(
        "Seconds, more or less, by which `lifetime` varies at random.",
        setting="worker.lifetime.stagger",
        convert=seconds,
        otherwise=0.0,
        flag=Flag("--lifetime-stagger", "By how much that is varied at random."),
    )
    lifetime_restart: bool = option(
        "Start another worker at the end of `lifetime`.",
        setting="worker.lifetime.restart",
        convert=bool,
        otherwise=False,
        flag=Flag("--lifetime-restart/--no-lifetime-restart", "Start another worker then."),
    )
    worker_class: Any = option(
        "Class of the object that tasks get from `get_worker`: a subclass of `Worker`, or its name.",
        None,
        pickled=True,
        flag=Flag("--worker-class", "Class of the worker, such as package.module.MyWorker."),
    )
    heartbeat_interval: float = option(
        "Seconds between two reports of measurements.",
        setting="worker.heartbeat-interval",
        convert=_second_at_least,
        otherwise=1.0,
    )
    low_level_profiler: bool = option(
        "Keep the frames around a task's own code in profiles.", setting="worker.profile.low-level", convert=bool
    )
    profile_cycle_interval: float = option(
        "Seconds that one profile covers.", setting="worker.profile.cycle", convert=_second_at_least, otherwise=1.0
    )
    memory_target_fraction: float | bool = option(
        "Part of the memory limit that results may take before the least recently used are written to disk.",
        setting="worker.memory.target",
    )
    memory_spill_fraction: float | bool = option(
        "Part of the memory limit that the process may take before results are written to disk.",
        setting="worker.memory.spill",
    )
    memory_pause_fraction: float | bool = option(
        "Part of the memory limit that the process may take before no more tasks start.",
        setting="worker.memory.pause",
    )
    dashboard: bool | None = option(
        "The worker serves HTTP; None: as configured.",
        None,
        setting="http.enabled",
        flag=Flag("--dashboard/--no-dashboard", "Serve metrics over HTTP. [default: serve]"),
    )
    dashboard_address: str | int | None = option(
        "Address of the HTTP port: `host:port`, `:port` or `port`; None: any free port.",
        None,
        flag=Flag("--dashboard-address", "host:port, :port or port of the metrics. [default: any port]"),
    )
    http_prefix: str = option(
        "Path in front of all pages, for a proxy.",
        "",
        flag=Flag("--dashboard-prefix", "Path in front of all pages, for a proxy."),
    )
    security: Any = option("`Security`, or its fields; None: as configured.", None, secret=True)
    executor: Any = option("Executor of a user for tasks, or several by name.", None, pickled=True)
    data: Any = option("Mapping that keeps results, or a function that makes one.", None, pickled=True)
    metrics: dict[str, Callable[[Any], Any]] = option(
        "Functions of the worker, by name, whose values it measures with its own.",
        factory=dict,
        convert=dict,
        pickled=True,
    )
    startup_information: Mapping[str, Callable[[Any], Any]] = option(
        "Functions of the worker, by name, whose values it reports once at the start.",
        factory=dict,
        convert=dict,
        pickled=True,
    )
    plugins: Sequence[Any] = option("Plugins of the worker from the start.", (), pickled=True)
    executors: Mapping[str, int] = option(
        "Threads of named pools; tasks that ask for another pool fail.", factory=dict, internal=True
    )
    nanny: str = option("Address of the worker's nanny.", "", internal=True)
    duplicate_grace: float = option(
        "Seconds to wait for a name that is taken: the scheduler may not yet have missed a predecessor.",
        0.0,
        internal=True,
    )

    def memory_fractions(self) -> dict[str, float | bool]:
        """Return the parts of the memory limit at which something is done, by what is done."""
        return {
            "target": self.memory_target_fraction,
            "spill": self.memory_spill_fraction,
            "pause": self.memory_pause_fraction,
        }

    def transfer_limit(self) -> int:
        """Return how many bytes the worker fetches at once."""
        from dagrpc_worker.core.config import DEFAULT_CONFIG
        from dagrpc_worker.data.memory_thresholds import fraction_of

        part = config.get("worker.memory.transfer")
        return fraction_of(self.memory_limit, "transfer", part) or DEFAULT_CONFIG.gathers_nbytes

    def __post_init__(self) -> None:
        # Command lines read the declarations above, and start faster without the worker's store.
        from dagrpc_worker.data.memory_thresholds import MemoryLimits

        if self.nthreads < 1:
            raise ValueError(f"A worker needs at least one thread; got nthreads={self.nthreads}")
        if self.memory_limit < 0:
            raise ValueError(f"A memory limit is at least 0 bytes; got {self.memory_limit}")
        MemoryLimits.of(self.memory_limit, self.memory_fractions())
        if not self.scheduler_address and not self.scheduler_file:
            raise ValueError("A worker needs the scheduler's address, or a scheduler file")
        for name, amount in self.resources.items():
            if not amount >= 0:
                raise ValueError(f"An amount of a resource is at least 0; got {name}={amount}")


@dataclass(slots=True, kw_only=True)
class NannyOptions:
    """The options of one nanny."""

    worker: dict[str, Any] = option("The worker's options: fields of `WorkerOptions`.", internal=True, factory=dict)
    host: str = option("Host or address that nanny and worker listen on, as for the worker.", "127.0.0.1")
    port: int = option(
        "Port of the nanny, or a range `first:last`; 0: any free port.",
        0,
        flag=Flag("--nanny-port", "Port of the nanny, or a range first:last. [default: any]", parse=parse_ports),
    )
    contact_host: str = option(
        "Host under which others reach the nanny. Empty: the host that it listens on.", "", internal=True
    )
    env: Mapping[str, Any] = option("Environment variables of the worker's process.", factory=dict)
    config: dict[str, Any] = option("Settings of dask in the worker's process.", factory=dict)
    preload_nanny: Sequence[str] | None = option(
        "Modules, files, addresses or code that the nanny itself runs first; None: as configured.",
        None,
        setting="nanny.preload",
        convert=as_list,
        flag=Flag("--preload-nanny", "The same for nannies. Both get PRELOAD_ARGV.", multiple=True),
    )
    preload_nanny_argv: Sequence[str] | None = option(
        "Arguments for `preload_nanny`; None: as configured.", None, setting="nanny.preload-argv"
    )
    security: Any = option("`Security`, or its fields; None: as configured.", None, secret=True)
    sys_path: Sequence[str] = option("Directories of modules in the worker's process.", (), internal=True)
    log_level: Any = option("Level of the log in the worker's process.", logging.WARNING, internal=True)

    def process_settings(self) -> dict[str, Any]:
        """Return the settings of the worker's process beside the worker's options."""
        return {"sys_path": self.sys_path, "config": self.config, "log_level": self.log_level}


IGNORED = words(
    """loop services service_kwargs silence_logs validate protocol
    transition_counter_max scheduler_sni connection_limit deserialize reconnect quiet jupyter interface"""
)
"""Arguments of distributed's workers that have no effect on a worker in a process of its own."""
