"""Every setting with its default. The comment above a setting is its line in docs/configuration.md.

After a change run ``python -m tests.contract.config_table``.
"""

from __future__ import annotations

from typing import Any

DEFAULTS: dict[str, Any] = {
    # How many workers may die while they run a task before the task fails with KilledWorker.
    "scheduler.allowed-failures": 3,
    # Assumed bandwidth between workers, in bytes per second.
    "scheduler.bandwidth": 100_000_000,
    # Assumed size of a result that was not measured.
    "scheduler.default-data-size": "1kiB",
    # Assumed duration of a task of whose kind none has finished yet.
    "scheduler.unknown-task-duration": "500ms",
    # Assumed durations by key prefix, for kinds of task of which none has finished yet.
    "scheduler.default-task-durations": {
        "rechunk-split": "1us",
        "split-shuffle": "1us",
        "split-taskshuffle": "1us",
        "split-stage": "1us",
    },
    # A group of tasks with this many dependencies or more does not consist of root tasks.
    "scheduler.rootish-taskgroup-dependencies": 5,
    # Address under which others reach the scheduler, `host:port`; null: derived from the address where it listens.
    "scheduler.contact-address": None,
    # Methods that the scheduler refuses to carry out, such as `RunOnScheduler`; distributed's names for them count,
    # too.
    "scheduler.blocked-handlers": [],
    # Whether the scheduler checks all invariants after each event; slow, for tests.
    "scheduler.validate": False,
    # Root tasks beyond this many times the threads of a worker wait on the scheduler; inf: none wait there.
    "scheduler.worker-saturation": 1.1,
    # Whether idle workers get tasks that busy workers have not started.
    "scheduler.work-stealing": True,
    # How often the scheduler looks for tasks that idle workers could get.
    "scheduler.work-stealing-interval": "100ms",
    # Whether clients share the cluster fairly, by the time that their tasks take, whatever the priorities of their
    # tasks are.
    "scheduler.fair-share": False,
    # Weights of clients under fair share, by client name; a client without a weight has 1.
    "scheduler.fair-share-weights": {},
    # How long a task may wait for a worker that satisfies its restrictions before it fails; null: for ever.
    "scheduler.no-workers-timeout": None,
    # How long tasks may wait for a worker that may run them before the clients that wait for them are warned in their
    # logs. Later warnings come at growing intervals. If nannies have given up the last workers, the warning comes at
    # once. null: no warnings.
    "scheduler.no-workers-warning": 30.0,
    # The scheduler removes a worker that it has not heard of for this long; null: never.
    "scheduler.worker-ttl": "5 minutes",
    # How long a silent worker stays if its nanny sees it compute, as when a call into C holds the interpreter; null:
    # without end.
    "scheduler.vouched-ttl": 3600.0,
    # How long a client whose connection broke may take to reconnect before its futures are released.
    "scheduler.session-grace": 30.0,
    # How long a worker whose connection broke may take to reconnect before its tasks run elsewhere. A worker whose
    # process is seen to be gone is not waited for.
    "scheduler.worker-grace": 15.0,
    # How long events of workers and clients that are gone are kept; null: for ever.
    "scheduler.events-cleanup-delay": "1h",
    # A lock, or a lease of a semaphore, passes to the next in line if its holder does not renew it for this long; null:
    # never.
    "scheduler.locks.lease-timeout": "30s",
    # Preloads of the scheduler: modules, files, web addresses or Python code that are run before work begins.
    "scheduler.preload": [],
    # Command-line arguments for the preloads of the scheduler.
    "scheduler.preload-argv": [],
    # Preloads of workers: modules, files, web addresses or Python code that are run before work begins.
    "worker.preload": [],
    # Command-line arguments for the preloads of workers.
    "worker.preload-argv": [],
    # Preloads of nannies: modules, files, web addresses or Python code that are run before work begins.
    "nanny.preload": [],
    # Command-line arguments for the preloads of nannies.
    "nanny.preload-argv": [],
    # Preloads of clients: modules, files, web addresses or Python code that are run before work begins.
    "client.preload": [],
    # Command-line arguments for the preloads of clients.
    "client.preload-argv": [],
    # Whether the active memory manager runs by itself.
    "scheduler.active-memory-manager.start": True,
    # How often the active memory manager runs.
    "scheduler.active-memory-manager.interval": "2s",
    # What the active memory manager counts as a worker's memory, such as `optimistic`, `process` or `managed`.
    "scheduler.active-memory-manager.measure": "optimistic",
    # Policies of the active memory manager: classes that can be imported on the scheduler, each with its arguments.
    "scheduler.active-memory-manager.policies": [{"class": "dagrpc.active_memory_manager.ReduceReplicas"}],
    # The scheduler stops after this long without work; null: never.
    "scheduler.idle-timeout": None,
    # How often an adaptive cluster compares its size with its work.
    "adaptive.interval": "1s",
    # The fewest workers of an adaptive cluster.
    "adaptive.minimum": 0,
    # The most workers of an adaptive cluster.
    "adaptive.maximum": float("inf"),
    # How many times in a row an adaptive cluster must find a worker idle before the worker is stopped.
    "adaptive.wait-count": 3,
    # An adaptive cluster has as many workers as it takes to finish all work within this time.
    "adaptive.target-duration": "5s",
    # How often the panel of a cluster in a notebook is renewed.
    "deploy.cluster-repr-interval": "500ms",
    # How long a worker may be away from its scheduler before its cluster manager gives it up.
    "deploy.lost-worker-timeout": "15s",
    # Whether addresses are shown with a scheme, `tcp://` or `tls://`, as distributed shows them; null: where dagrpc is
    # installed as distributed.
    "comm.show-scheme": None,
    # Whether to refuse to run without TLS.
    "comm.require-encryption": None,
    # TLS: the certificate authority of the cluster; the path of a PEM file, or its text.
    "comm.tls.ca-file": None,
    # TLS: the certificate of the scheduler; the path of a PEM file, or its text.
    "comm.tls.scheduler.cert": None,
    # TLS: the private key of the scheduler; the path of a PEM file, or its text.
    "comm.tls.scheduler.key": None,
    # TLS: the certificate of workers and nannies; the path of a PEM file, or its text.
    "comm.tls.worker.cert": None,
    # TLS: the private key of workers and nannies; the path of a PEM file, or its text.
    "comm.tls.worker.key": None,
    # TLS: the certificate of clients; the path of a PEM file, or its text.
    "comm.tls.client.cert": None,
    # TLS: the private key of clients; the path of a PEM file, or its text.
    "comm.tls.client.key": None,
    # TLS: the name that the certificates of servers must have; null: the host at which a server is reached.
    "comm.tls.server-name": None,
    # TLS: the ciphers. gRPC takes them from the environment variable GRPC_SSL_CIPHER_SUITES, which must have the same
    # value.
    "comm.tls.ciphers": None,
    # TLS: the lowest version, which must be 1.2: gRPC speaks 1.2 and 1.3 and cannot be told otherwise.
    "comm.tls.min-version": 1.2,
    # TLS: the highest version, which must be 1.3; null: the same.
    "comm.tls.max-version": None,
    # A file with the tokens that callers must show: one token for all roles, or lines `role: token`. Only its owner
    # should be able to read it.
    "comm.token-file": None,
    # The token that callers of every role must show, or `sha256:` and its digest for a process that only checks it.
    "comm.token": None,
    # The token of clients, or `sha256:` and its digest for a process that only checks it.
    "comm.tokens.client": None,
    # The token of the scheduler, or `sha256:` and its digest for a process that only checks it.
    "comm.tokens.scheduler": None,
    # The token of workers and nannies, or `sha256:` and its digest for a process that only checks it.
    "comm.tokens.worker": None,
    # The token of callers of functions by name, or `sha256:` and its digest for a process that only checks it.
    "comm.tokens.caller": None,
    # The largest message that a server takes, in bytes.
    "comm.limits.message-size": 64 * 2**20,
    # The largest session message that a server takes in fragments, in bytes.
    "comm.limits.batch-size": 2 * 2**30 - 1,
    # The most metadata that a server takes with a call, in bytes.
    "comm.limits.metadata-size": 16 * 2**10,
    # How many calls one connection to a server may have under way; a stream is a call, too.
    "comm.limits.calls-per-connection": 10_000,
    # How many calls all connections to a server may have under way together; a stream is a call, too.
    "comm.limits.calls": 100_000,
    # How many tasks one graph may have.
    "scheduler.limits.graph-tasks": 20_000_000,
    # How many bytes one graph may have.
    "scheduler.limits.graph-size": 64 * 2**30,
    # How many bytes may wait for a client that does not read. From a quarter of it on the client gets no inline
    # results, from a half on nothing is taken from it, and beyond it its session ends. 0: no limit.
    "scheduler.limits.client-outbox": 2**30,
    # How many bytes may wait for a worker that does not read. From a half of it on the worker gets no tasks, and beyond
    # it its session ends. 0: no limit.
    "scheduler.limits.worker-outbox": 2**30,
    # A function, `package.module.name`, that returns the `Security` of clients that are given none; its argument is a
    # dict with their `address`.
    "client.security-loader": None,
    # Results of up to this many bytes travel in the completion report, and on to the clients that wait for them.
    "comm.inline-limit": 8 * 1024,
    # Size of the pieces of a transfer, in bytes.
    "comm.chunk-size": 2**20,
    # How large frames are compressed for the network: false, auto, or lz4, zstd, snappy or zlib where installed.
    "comm.compression": False,
    # Compression level of zstd.
    "comm.zstd.level": 3,
    # How many threads zstd compresses with.
    "comm.zstd.threads": 0,
    # Whether processes of one user on one host read large data out of each other's memory rather than send it.
    "comm.same-host": True,
    # Session messages above this many bytes are sent in fragments.
    "comm.fragment-size": 4 * 2**20,
    # How long a process tries to connect to a peer.
    "comm.timeouts.connect": "30s",
    # How long a transfer may go without progress before it fails.
    "comm.timeouts.tcp": "30s",
    # How often a unary call that did not reach its peer is repeated. Calls that run functions are never repeated.
    "comm.retry.count": 0,
    # How long a caller waits before it repeats a call for the first time.
    "comm.retry.delay.min": "1s",
    # How long a caller waits at most before it repeats a call.
    "comm.retry.delay.max": "20s",
    # malloc's mmap threshold in processes that move large data, in bytes (a factor of 2 to 4 in throughput); 0:
    # malloc's own. The environment variable MALLOC_MMAP_THRESHOLD_ takes precedence.
    "comm.malloc.mmap-threshold": 64 * 2**20,
    # malloc's trim threshold in processes that move large data, in bytes; 0: malloc's own. The environment variable
    # MALLOC_TRIM_THRESHOLD_ takes precedence.
    "comm.malloc.trim-threshold": 256 * 2**20,
    # How long a task may take to end once it was interrupted because its time is up; then its thread is detached and
    # replaced.
    "worker.timeout-grace": 1.0,
    # How many timed-out tasks with a detached thread may run on in a worker; the threads of any more count as busy.
    "worker.timed-out-tasks": 100,
    # How many transfers from peers a worker has under way.
    "worker.connections.outgoing": 50,
    # How many transfers to peers a worker serves at once.
    "worker.connections.incoming": 10,
    # How much data one transfer asks for.
    "worker.transfer.message-bytes-limit": "50MB",
    # P2P shuffles: how much data a worker may have waiting to be sent before its tasks wait.
    "p2p.comm.buffer": "1 GiB",
    # P2P shuffles: how many calls a worker makes at once.
    "p2p.comm.concurrency": 10,
    # P2P shuffles: the size of messages.
    "p2p.comm.message-bytes-limit": "2 MiB",
    # P2P shuffles: how often a call that broke is repeated.
    "p2p.comm.retry.count": 10,
    # P2P shuffles: the pause before a call is repeated for the first time; each further pause is twice as long.
    "p2p.comm.retry.delay.min": "1s",
    # P2P shuffles: the longest pause before a call is repeated.
    "p2p.comm.retry.delay.max": "30s",
    # P2P shuffles: how much received data a worker keeps in memory before it writes to disk.
    "p2p.storage.buffer": "100 MiB",
    # P2P shuffles: whether received data is written to disk at all.
    "p2p.storage.disk": True,
    # P2P shuffles: how many threads serve them beside those that run tasks; null: as many as the worker has for tasks,
    # up to 4.
    "p2p.threads": None,
    # Python's switch interval in workers, in seconds: short, so that a worker answers while Python code keeps it busy.
    "worker.switch-interval": 0.001,
    # Abstract resources of workers that are given none.
    "worker.resources": {},
    # Methods that a worker refuses to carry out, such as `Run`.
    "worker.blocked-handlers": [],
    # Functions that callers may name: `package.module:function`, or patterns such as `package.module:*`. Functions that
    # a program exports (`dagrpc.export`) may be called in any case.
    "worker.allowed-calls": [],
    # How long a lease of the TaskService lives after its last call, unless the call says otherwise.
    "scheduler.leases.ttl": "60s",
    # How long the calls of a lease may let it live.
    "scheduler.leases.longest-ttl": "24h",
    # How long a call of the TaskService waits at most.
    "scheduler.leases.longest-wait": "300s",
    # Number of leases at a time.
    "scheduler.leases.limit": 10_000,
    # Number of tasks that a lease holds.
    "scheduler.leases.tasks": 100_000,
    # Number of calls of a lease that wait at a time.
    "scheduler.leases.waiting": 1_000,
    # Whether the HTTP port takes calls of the TaskService as JSON.
    "scheduler.http.tasks": False,
    # Whether a worker runs code that clients send; otherwise it only runs functions that are called by name.
    "worker.takes-code": True,
    # Whether a worker locks its directory, so that another worker can tell when it may be removed.
    "worker.use-file-locking": True,
    # Whether a worker checks all invariants after each batch of events; slow, for tests.
    "worker.validate": False,
    # How long a worker lives before it retires; null: for ever.
    "worker.lifetime.duration": None,
    # By how much the lifetime of a worker is varied at random, so that not all retire at once.
    "worker.lifetime.stagger": "0 seconds",
    # Whether the nanny starts another worker when one has retired at the end of its lifetime.
    "worker.lifetime.restart": False,
    # How long a worker may take to leave after a SIGTERM: it finishes its running tasks, takes no others, and hands
    # over the results that only it holds. 0: it leaves at once. Kubernetes kills after 30 s.
    "worker.drain-timeout": 20.0,
    # Where workers keep temporary files; null: the directory of the system for them.
    "worker.local-directory": None,
    # Whether workers sample what their tasks spend time on.
    "worker.profile.enabled": True,
    # How often a worker samples while tasks run.
    "worker.profile.interval": "10ms",
    # The period that one profile of a worker covers; older profiles are kept as long as memory allows.
    "worker.profile.cycle": "1000ms",
    # Whether profiles have the frames of dagrpc and dask around a task's own code.
    "worker.profile.low-level": False,
    # Part of the memory limit: results beyond it are written to disk, the least recently used first. false: never.
    "worker.memory.target": 0.60,
    # Part of the memory limit: while the process takes more, results are written to disk until it is down to `target`.
    # false: never.
    "worker.memory.spill": 0.70,
    # Part of the memory limit: while the process takes more, the worker starts no task. false: never.
    "worker.memory.pause": 0.80,
    # Part of the memory limit: the nanny kills a worker whose process takes more. false: never.
    "worker.memory.terminate": 0.95,
    # How often the worker and its nanny look at the memory of the process.
    "worker.memory.monitor-interval": "100ms",
    # How much disk space the results of one worker may take; false: all there is.
    "worker.memory.max-spill": False,
    # How results on disk are compressed; values as for `comm.compression`.
    "worker.memory.spill-compression": "auto",
    # Part of the memory limit that transfers to a worker may have under way together; false: 200 MB.
    "worker.memory.transfer": 0.10,
    # Memory outside of results counts as old once it has been in use for this long.
    "worker.memory.recent-to-old-time": "30s",
    # What `rebalance` counts as a worker's memory; values as for `scheduler.active-memory-manager.measure`.
    "worker.memory.rebalance.measure": "optimistic",
    # Part of the memory limit below which a worker keeps its results in a `rebalance`.
    "worker.memory.rebalance.sender-min": 0.30,
    # Part of the memory limit above which a worker is given nothing in a `rebalance`.
    "worker.memory.rebalance.recipient-max": 0.60,
    # Width of the band around the mean in which a `rebalance` leaves workers alone, as a part of the memory limit.
    "worker.memory.rebalance.sender-recipient-gap": 0.10,
    # How often a worker sends its measurements, in seconds.
    "worker.heartbeat-interval": 1.0,
    # Environment variables of worker processes, set before they start unless they are set already.
    "nanny.pre-spawn-environ": {
        "MALLOC_MMAP_THRESHOLD_": 64 * 2**20,
        "MALLOC_TRIM_THRESHOLD_": 256 * 2**20,
        "OMP_NUM_THREADS": 1,
        "MKL_NUM_THREADS": 1,
        "OPENBLAS_NUM_THREADS": 1,
    },
    # Further environment variables of worker processes, set unless they are set already.
    "nanny.environ": {},
    # How long a worker process may take to join the cluster, in seconds.
    "nanny.start-timeout": 60.0,
    # How many times in a row a worker may end by itself before it was of any use, until its nanny gives up. Ends that
    # tasks or signals of others cause do not count.
    "nanny.max-restarts": 5,
    # A worker was of use if it was given a task, or stayed in the cluster for this many seconds.
    "nanny.restart-window": 10.0,
    # How many of the functions and cells that submitted a graph the scheduler is told.
    "diagnostics.computations.nframes": 0,
    # Of how many graphs the scheduler remembers the code that submitted them.
    "diagnostics.computations.max-history": 100,
    # Modules, with all that is in them, that do not count as code that submits graphs.
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
    # Files, as regular expressions, that do not count as code that submits graphs.
    "diagnostics.computations.ignore-files": ["runpy", r".*py\.?test.*", "pycharm"],
    # Whether data goes between client and workers directly; null: where the client reaches the workers.
    "client.direct-to-workers": None,
    # How often an asynchronous client renews what it knows of the workers, once its program has asked for it.
    "client.scheduler-info-interval": "2s",
    # Length of the texts of failures, in characters.
    "admin.max-error-length": 10_000,
    # How many lines of its log a process remembers.
    "admin.log-length": 10_000,
    # Format of log lines, as `logging` writes formats; `json`: one JSON object a line.
    "admin.log-format": "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
    # How many transitions a story goes back, and how many events of a topic are remembered.
    "admin.low-level-log-length": 1_000,
    # The event loop of services and clients: `uvloop`, which takes less processor time, or `asyncio`; `auto` (or
    # `tornado`): uvloop where it is installed.
    "admin.event-loop": "auto",
    # How often schedulers and workers look how late their event loop is.
    "admin.tick.interval": "20ms",
    # A look at the event loop that comes later than this is told in the log.
    "admin.tick.limit": "3s",
    # The period over which the average time between two looks is taken, and the shortest time between two log lines
    # about a late event loop.
    "admin.tick.cycle": "1s",
    # How often a worker measures its process.
    "admin.system-monitor.interval": "500ms",
    # How many measurements a worker remembers.
    "admin.system-monitor.log-length": 7_200,
    # Whether a worker measures how much its host reads from disks and writes to them, in bytes per second.
    "admin.system-monitor.disk": True,
    # Whether a worker measures what its host's processors do: `host_cpu.user`, `host_cpu.idle` and so on.
    "admin.system-monitor.host-cpu": False,
    # Whether a worker measures for which part of the time its threads wait for the interpreter's lock, where the
    # package gilknocker is installed.
    "admin.system-monitor.gil.enabled": True,
    # How often the interpreter's lock is asked for, to measure that.
    "admin.system-monitor.gil.interval": "1ms",
    # How many of the tasks that failed the scheduler remembers, for the page of errors and `Scheduler.erred_tasks`.
    "diagnostics.erred-tasks.max-history": 100,
    # A client warns about graphs above this size.
    "admin.large-graph-warning-threshold": "10MB",
    # Whether clients, schedulers and workers make traces with OpenTelemetry (`dagrpc[otel]`), which the variables
    # `OTEL_*` set up.
    "tracing.enabled": False,
    # How long a process that ends may take to export its last spans.
    "tracing.flush-timeout": "2s",
    # Whether schedulers and workers serve HTTP: health, metrics and pages.
    "http.enabled": True,
    # Host names, beyond the machine's own and addresses in numbers, by which requests may call an HTTP port, such as
    # that of a reverse proxy; `*`: all.
    "http.allowed-hosts": [],
    # Origins, beyond this machine and the host by which the port is called, whose pages may show those of the port in a
    # frame, such as `https://jupyter.example.org`; `*`: all.
    "http.frame-ancestors": [],
    # Where schedulers serve HTTP: `host:port`, `:port` or `port`; without a host, where they serve gRPC.
    "scheduler.dashboard.address": ":8787",
    # File with the authority of which viewers have to show a certificate; null: viewers show none.
    "scheduler.dashboard.tls.ca-file": None,
    # File with the key of the HTTP port's certificate; null: the certificate's file has it.
    "scheduler.dashboard.tls.key": None,
    # File with the certificate of the HTTP port, which serves HTTPS then; null: HTTP.
    "scheduler.dashboard.tls.cert": None,
    # Modules with a function `routes(scheduler)` that returns routes of aiohttp to serve as well.
    "scheduler.http.routes": [],
    # Modules with a function `routes(worker)`, likewise.
    "worker.http.routes": [],
    # The link to the pages that clients and clusters show. Its fields: scheme, host, port, prefix (the path of
    # `--dashboard-prefix`; the default has it before `/status`), and environment variables.
    "dashboard.link": "{scheme}://{host}:{port}/status",
    # How many tasks the dashboard draws one by one; of larger graphs it draws the groups.
    "dashboard.graph-max-items": 5_000,
    # First part of the names of metrics.
    "dashboard.prometheus.namespace": "dask",
    # Whether metrics of fair share have the ids of clients as labels.
    "dashboard.prometheus.by-client": False,
    # Log levels by logger, or an argument of `logging.config.dictConfig`; also read outside of `distributed`.
    "logging": None,
    # A file for `logging.config.fileConfig`; also read outside of `distributed`.
    "logging-file-config": None,
}
