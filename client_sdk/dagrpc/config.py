"""Configuration, through `dask.config`.

A key such as ``scheduler.allowed-failures`` is looked up as ``dagrpc.scheduler.allowed-failures``, then as the
environment variable ``DAGRPC_SCHEDULER__ALLOWED_FAILURES``, then as ``distributed.scheduler.allowed-failures``, so that
files and variables written for distributed keep working; then the default below holds. dask's own variables count, too:
``DASK_DAGRPC__SCHEDULER__ALLOWED_FAILURES``, ``DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES``.

docs/configuration.md is made from the table below, comments included.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from dagrpc._common.dask_config import when_imported
from dagrpc._common.quantities import parse_seconds, parse_size

DEFAULTS: dict[str, Any] = {
    # How many workers may die while they run a task before it fails with KilledWorker.
    "scheduler.allowed-failures": 3,
    # Bytes per second that a transfer between workers is assumed to make.
    "scheduler.bandwidth": 100_000_000,
    # Assumed size of a result that was not measured.
    "scheduler.default-data-size": "1kiB",
    # Assumed duration of a task of which none has run yet.
    "scheduler.unknown-task-duration": "500ms",
    # Assumed durations by prefix.
    "scheduler.default-task-durations": {
        "rechunk-split": "1us",
        "split-shuffle": "1us",
        "split-taskshuffle": "1us",
        "split-stage": "1us",
    },
    # A group of tasks that depends on so many tasks or more is not made of root tasks.
    "scheduler.rootish-taskgroup-dependencies": 5,
    # Address under which others reach the scheduler, `host:port`; null: derived from where it listens.
    "scheduler.contact-address": None,
    # Methods that the scheduler does not carry out, such as `RunOnScheduler`; distributed's names for them count, too.
    "scheduler.blocked-handlers": [],
    # Whether to check all invariants after each event; slow, for tests.
    "scheduler.validate": False,
    # Root tasks beyond this many times the threads of a worker wait on the scheduler; inf: none do.
    "scheduler.worker-saturation": 1.1,
    # Whether idle workers get tasks that busy ones have not started, and how often that is looked at.
    "scheduler.work-stealing": True,
    "scheduler.work-stealing-interval": "100ms",
    # Whether clients share the cluster fairly, by the time that their tasks take, whatever their priorities are.
    "scheduler.fair-share": False,
    # How much more than others clients get, by the names that they were given; 1 for all others.
    "scheduler.fair-share-weights": {},
    # How long a task may wait for a worker that satisfies its restrictions; null: for ever.
    "scheduler.no-workers-timeout": None,
    # How long tasks may wait for a worker that may run them until the clients that wait for them are told why, in their
    # logs; then again, more and more rarely. If nannies have given up the last workers, at once. null: never.
    "scheduler.no-workers-warning": 30.0,
    # A worker that has not been heard of for so long is taken to be gone; null: never.
    "scheduler.worker-ttl": "5 minutes",
    # A silent worker stays for longer if its nanny sees it compute, as when a call into C holds the interpreter; but no
    # longer than this; null: without end.
    "scheduler.vouched-ttl": 3600.0,
    # How long a client whose connection broke may take to come back before what it wanted is released.
    "scheduler.session-grace": 30.0,
    # How long a worker whose connection broke may take to come back before its tasks run elsewhere. If its process is
    # seen to be gone it is not waited for.
    "scheduler.worker-grace": 15.0,
    # Events of workers and clients that are gone are forgotten after so long; null: never.
    "scheduler.events-cleanup-delay": "1h",
    # A lock or a semaphore's lease whose holder does not renew it for so long is given to the next; null: never.
    "scheduler.locks.lease-timeout": "30s",
    # What to load before work begins, and arguments for it: modules, files, web addresses or Python code.
    "scheduler.preload": [],
    "scheduler.preload-argv": [],
    "worker.preload": [],
    "worker.preload-argv": [],
    "nanny.preload": [],
    "nanny.preload-argv": [],
    "client.preload": [],
    "client.preload-argv": [],
    # The active memory manager: whether it runs by itself, how often, what counts as a worker's memory, and what it
    # asks: classes that can be imported on the scheduler, each with its arguments.
    "scheduler.active-memory-manager.start": True,
    "scheduler.active-memory-manager.interval": "2s",
    "scheduler.active-memory-manager.measure": "optimistic",
    "scheduler.active-memory-manager.policies": [{"class": "dagrpc.active_memory_manager.ReduceReplicas"}],
    # The scheduler stops after so long without work; null: never.
    "scheduler.idle-timeout": None,
    # An adaptive cluster: its bounds, how often it looks, how often a worker must have been found idle before it goes,
    # and within which time all that is to be done is to be done.
    "adaptive.interval": "1s",
    "adaptive.minimum": 0,
    "adaptive.maximum": float("inf"),
    "adaptive.wait-count": 3,
    "adaptive.target-duration": "5s",
    # How often the panel of a cluster in a notebook is renewed.
    "deploy.cluster-repr-interval": "500ms",
    # How long a worker may be away from its scheduler before its cluster manager does without it.
    "deploy.lost-worker-timeout": "15s",
    # Whether addresses are shown with a scheme, `tcp://` or `tls://`, as distributed shows them; null: where dagrpc is
    # installed as distributed.
    "comm.show-scheme": None,
    # Whether to refuse to run without TLS.
    "comm.require-encryption": None,
    # TLS: the certificate authority of the cluster, and certificates and keys by role: paths of PEM files, or their
    # text.
    "comm.tls.ca-file": None,
    "comm.tls.scheduler.cert": None,
    "comm.tls.scheduler.key": None,
    "comm.tls.worker.cert": None,
    "comm.tls.worker.key": None,
    "comm.tls.client.cert": None,
    "comm.tls.client.key": None,
    # The name that certificates of others are to have; null: the host's that they are reached at.
    "comm.tls.server-name": None,
    # Has to be what GRPC_SSL_CIPHER_SUITES is in the environment of the process, where gRPC takes ciphers from.
    "comm.tls.ciphers": None,
    # gRPC speaks TLS 1.2 and 1.3; other bounds are refused.
    "comm.tls.min-version": 1.2,
    "comm.tls.max-version": None,
    # Secrets that callers have to show: one for all roles, and others for one role each, or `sha256:` and the digest of
    # one, for those who only have to know it again. Best in a file that nobody else can read: a token, or lines
    # `role: token`.
    "comm.token-file": None,
    "comm.token": None,
    "comm.tokens.client": None,
    "comm.tokens.scheduler": None,
    "comm.tokens.worker": None,
    "comm.tokens.caller": None,
    # What a server takes: the size of a message, that of one which comes in fragments, that of a call's metadata, and
    # how many calls (streams are calls, too) one connection and all of them have under way.
    "comm.limits.message-size": 64 * 2**20,
    "comm.limits.batch-size": 2 * 2**30 - 1,
    "comm.limits.metadata-size": 16 * 2**10,
    "comm.limits.calls-per-connection": 10_000,
    "comm.limits.calls": 100_000,
    # How many tasks one graph may have, and how many bytes.
    "scheduler.limits.graph-tasks": 20_000_000,
    "scheduler.limits.graph-size": 64 * 2**30,
    # How much may wait for a client, or a worker, that does not read what it is told. From a quarter of it a client is
    # sent no results along, from half of it nothing is taken from it and a worker gets no tasks, and beyond it the peer
    # is cut off. 0: no limit.
    "scheduler.limits.client-outbox": 2**30,
    "scheduler.limits.worker-outbox": 2**30,
    # A function, `package.module.name`, that returns the `Security` of clients that are given none; it gets a dict with
    # their `address`.
    "client.security-loader": None,
    # Results up to this size ride in the completion report, on to the clients that wait.
    "comm.inline-limit": 8 * 1024,
    # Size of the pieces of a transfer.
    "comm.chunk-size": 2**20,
    # How large frames are compressed on the wire: false, auto, or lz4, zstd, snappy or zlib where installed.
    "comm.compression": False,
    # Level of zstd, and how many threads it takes.
    "comm.zstd.level": 3,
    "comm.zstd.threads": 0,
    # Whether processes of one user on one host read large data out of each other's memory rather than send it.
    "comm.same-host": True,
    # Session messages above this size are sent in fragments.
    "comm.fragment-size": 4 * 2**20,
    # How long to look for a peer.
    "comm.timeouts.connect": "30s",
    # How long a transfer may go without progress.
    "comm.timeouts.tcp": "30s",
    # How often a unary call that did not reach its peer is repeated, and how long to wait before the first and, at
    # most, before another time. What must not be done twice (running functions) is not repeated.
    "comm.retry.count": 0,
    "comm.retry.delay.min": "1s",
    "comm.retry.delay.max": "20s",
    # malloc's mmap and trim thresholds of a process that moves large data (a factor of 2 to 4 in throughput);
    # 0 leaves malloc alone. MALLOC_MMAP_THRESHOLD_ and MALLOC_TRIM_THRESHOLD_ in the environment win.
    "comm.malloc.mmap-threshold": 64 * 2**20,
    "comm.malloc.trim-threshold": 256 * 2**20,
    # How long a task has to end once it was told that its time is up; then another thread takes its thread's place.
    "worker.timeout-grace": 1.0,
    # How many timed-out tasks with a detached thread may run on; the threads of any more count as busy.
    "worker.timed-out-tasks": 100,
    # How many transfers from peers a worker has under way.
    "worker.connections.outgoing": 50,
    # How many transfers to peers a worker serves at once.
    "worker.connections.incoming": 10,
    # How much one transfer asks for.
    "worker.transfer.message-bytes-limit": "50MB",
    # P2P shuffles: how much a worker may have to send before its tasks wait.
    "p2p.comm.buffer": "1 GiB",
    # How many calls it makes at once.
    "p2p.comm.concurrency": 10,
    # Size of their messages.
    "p2p.comm.message-bytes-limit": "2 MiB",
    # How often a call that broke is repeated, and the pauses before that, which double.
    "p2p.comm.retry.count": 10,
    "p2p.comm.retry.delay.min": "1s",
    "p2p.comm.retry.delay.max": "30s",
    # How much of what has arrived a worker keeps in memory before it writes it to disk.
    "p2p.storage.buffer": "100 MiB",
    # Whether it writes to disk at all.
    "p2p.storage.disk": True,
    # How many threads serve shuffles beside those that run tasks; null: as many as the worker has for tasks, up to 4.
    "p2p.threads": None,
    # Threads switch at least this often, so that the worker answers while Python code keeps it busy.
    "worker.switch-interval": 0.001,
    # Abstract resources of workers that are given none.
    "worker.resources": {},
    # Methods that a worker does not carry out, such as `Run`.
    "worker.blocked-handlers": [],
    # Functions that callers may name: `package.module:function`, or patterns such as `package.module:*`. Those that a
    # program exports (`dagrpc.export`) may be called in any case.
    "worker.allowed-calls": [],
    # Whether a worker locks its directory, so that another one can remove what it left behind.
    "worker.use-file-locking": True,
    # Whether to check all invariants after each batch of events; slow, for tests.
    "worker.validate": False,
    # How long a worker lives before it leaves in good order, by how much that is varied, and whether its nanny starts
    # another one then; null: for ever.
    "worker.lifetime.duration": None,
    "worker.lifetime.stagger": "0 seconds",
    "worker.lifetime.restart": False,
    # After a SIGTERM a worker takes no more tasks, finishes those that run, has others take the results that only it
    # holds, and leaves, within so long; 0: at once. Kubernetes kills after 30 s.
    "worker.drain-timeout": 20.0,
    # Where workers keep temporary files; null: the system's directory for them.
    "worker.local-directory": None,
    # Whether workers sample what their tasks spend time on: while tasks run, at this interval; kept apart by cycle for
    # as long as memory allows. With low-level, the frames of dagrpc and dask around a task's own code are kept.
    "worker.profile.enabled": True,
    "worker.profile.interval": "10ms",
    "worker.profile.cycle": "1000ms",
    "worker.profile.low-level": False,
    # Parts of a worker's memory limit. Results beyond `target` are written to disk, the least recently used first; so
    # they are once its process takes more than `spill`; beyond `pause` no task is begun; beyond `terminate` its nanny
    # kills it. false: never.
    "worker.memory.target": 0.60,
    "worker.memory.spill": 0.70,
    "worker.memory.pause": 0.80,
    "worker.memory.terminate": 0.95,
    # How often the memory of the process is looked at, by the worker and its nanny.
    "worker.memory.monitor-interval": "100ms",
    # What results on disk may take, by worker; false: all there is.
    "worker.memory.max-spill": False,
    # How results on disk are compressed: as comm.compression.
    "worker.memory.spill-compression": "auto",
    # Part of the memory limit that transfers to a worker may have under way at once; false: 200 MB.
    "worker.memory.transfer": 0.10,
    # Memory outside of results counts as lasting once it has been in use for so long.
    "worker.memory.recent-to-old-time": "30s",
    # For `rebalance`: what counts as a worker's memory; parts of its memory limit below which it keeps what it has and
    # above which it is given nothing; and the width of the band around the mean in which workers are left alone.
    "worker.memory.rebalance.measure": "optimistic",
    "worker.memory.rebalance.sender-min": 0.30,
    "worker.memory.rebalance.recipient-max": 0.60,
    "worker.memory.rebalance.sender-recipient-gap": 0.10,
    # How often a worker sends its measurements.
    "worker.heartbeat-interval": 1.0,
    # Variables for worker processes before they start, unless they are set.
    "nanny.pre-spawn-environ": {
        "MALLOC_MMAP_THRESHOLD_": 64 * 2**20,
        "MALLOC_TRIM_THRESHOLD_": 256 * 2**20,
        "OMP_NUM_THREADS": 1,
        "MKL_NUM_THREADS": 1,
        "OPENBLAS_NUM_THREADS": 1,
    },
    # Further variables for worker processes, unless they are set.
    "nanny.environ": {},
    # How long a worker process may take to join.
    "nanny.start-timeout": 60.0,
    # How many times in a row a worker may end by itself before it was of any use, until its nanny gives it up: before
    # it has joined the cluster, or less than `restart-window` after that without having been given anything to do. What
    # tasks do to it does not count, nor do other people's signals.
    "nanny.max-restarts": 5,
    "nanny.restart-window": 10.0,
    # Of each graph, how many of the functions and cells that submitted it the scheduler is told; how many graphs it
    # remembers them of; which modules (with what is in them) and files (patterns) are passed over.
    "diagnostics.computations.nframes": 0,
    "diagnostics.computations.max-history": 100,
    "diagnostics.computations.ignore-modules": [
        "asyncio",
        "concurrent",
        "contextlib",
        "dask",
        "dagrpc",
        "debugpy",
        "distributed",
        "execnet",
        "functools",
        "ipykernel",
        "IPython",
        "pluggy",
        "threading",
        "xarray",
        "xdist",
    ],
    "diagnostics.computations.ignore-files": ["runpy", r".*py\.?test.*", "pycharm"],
    # Whether data goes between client and workers directly; null: where they can be reached.
    "client.direct-to-workers": None,
    # How often an asynchronous client asks what workers there are, once its program has asked it.
    "client.scheduler-info-interval": "2s",
    # Length of the texts of failures.
    "admin.max-error-length": 10_000,
    # How many lines of its log a process remembers, and how it formats them.
    "admin.log-length": 10_000,
    "admin.log-format": "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
    # How many changes of state a story can go back, and how many events of a topic are remembered.
    "admin.low-level-log-length": 1_000,
    # What runs the event loops of services and clients: uvloop, which takes less of the processors, or asyncio's own;
    # auto (or tornado): uvloop where it is installed.
    "admin.event-loop": "auto",
    # Graphs beyond this size are warned about.
    "admin.large-graph-warning-threshold": "10MB",
    # Levels by logger, or what `logging.config.dictConfig` takes; also by itself, outside of `distributed`.
    "logging": None,
    # A file that `logging.config.fileConfig` reads; likewise.
    "logging-file-config": None,
}


def get(key: str, override: Any = None) -> Any:
    """Return a setting.

    Parameters
    ----------
    key : str
        Dotted name below ``dagrpc`` or ``distributed``.
    override : optional
        Returned instead if it is not None.

    Examples
    --------
    >>> get("scheduler.allowed-failures")
    3
    """
    if override is not None:
        return override
    look_up = _look_up_in_dask if _handed_over is None else _look_up_handed_over
    value = look_up(f"dagrpc.{key}")
    if value is _ABSENT:
        value = _environment.get(key, _ABSENT)
    if value is _ABSENT:
        value = look_up(f"distributed.{key}")
    return DEFAULTS[key] if value is _ABSENT else value


def worker_environ() -> dict[str, Any]:
    """Return the variables that worker processes are to have, unless they are set."""
    return {**get("nanny.pre-spawn-environ"), **(get("nanny.environ") or {})}


def look_up(key: str) -> Any:
    """Return a setting of dask's own by its full name; None if it is not set."""
    value = (_look_up_in_dask if _handed_over is None else _look_up_handed_over)(key)
    return None if value is _ABSENT else value


def read_environment(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that environment variables such as ``DAGRPC_COMM__COMPRESSION`` make.

    Variables of other names are passed over: other things are called after dagrpc, too.

    Examples
    --------
    >>> read_environment({"DAGRPC_COMM__CHUNK_SIZE": "2 MiB", "DAGRPC_SCHEDULER__ALLOWED_FAILURES": "5"})
    {'scheduler.allowed-failures': 5, 'comm.chunk-size': '2 MiB'}
    """
    found = {}
    for key in DEFAULTS:
        text = variables.get("DAGRPC_" + key.replace(".", "__").replace("-", "_").upper())
        if text is not None:
            try:
                found[key] = ast.literal_eval(text)
            except (ValueError, SyntaxError):
                # As dask reads them.
                found[key] = _WORDS.get(text.strip().lower(), text)
    return found


_WORDS = {"true": True, "false": False, "null": None, "none": None}
_ABSENT: Any = object()
_environment = read_environment(os.environ)
_handed_over: Mapping[str, Any] | None = None


def hand_over(settings: Mapping[str, Any]) -> None:
    """Take another process's configuration instead of reading dask's.

    For services that have no other use for dask: importing it takes longer than anything else at their start. Code of
    users' that imports it there finds the configuration in it.
    """
    global _handed_over
    _handed_over = settings
    if "dask" not in sys.modules:
        when_imported(lambda module: module.update(module.config, settings))


def _look_up_in_dask(key: str) -> Any:
    import dask.config

    return dask.config.get(key, _ABSENT)


def _look_up_handed_over(key: str) -> Any:
    assert _handed_over is not None
    found: Any = _handed_over
    for part in key.split("."):
        if not isinstance(found, Mapping):
            return _ABSENT
        # dask takes both spellings for one.
        for name in (part, part.replace("-", "_"), part.replace("_", "-")):
            if name in found:
                found = found[name]
                break
        else:
            return _ABSENT
    return found


def get_seconds(key: str, override: Any = None) -> float | None:
    """Return a setting that is a duration, in seconds, or None if it is null."""
    return seconds(get(key, override))


def get_bytes(key: str, override: Any = None) -> int:
    """Return a setting that is a size, in bytes."""
    value = get(key, override)
    if isinstance(value, (int, float)):
        return int(value)
    return parse_size(value)


def seconds(value: float | str | timedelta | None) -> float | None:
    """Return a duration in seconds.

    Parameters
    ----------
    value : number, str, timedelta or None
        ``10``, ``"10s"``, ``"500 ms"``, ``timedelta(minutes=5)``. None stays None.

    Examples
    --------
    >>> seconds("500 ms")
    0.5
    """
    if value is None or isinstance(value, (int, float)):
        return value
    if isinstance(value, timedelta):
        return value.total_seconds()
    return parse_seconds(value)
