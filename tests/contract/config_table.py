"""Writes docs/configuration.md from the table of settings: ``python -m tests.contract.config_table``."""

from __future__ import annotations

import re
from pathlib import Path

from dagrpc._common import default_settings
from dagrpc._common.default_settings import DEFAULTS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "configuration.md"
SOURCES = ("client_sdk", "scheduler_service", "worker_service", "deploy")


def words(text: str) -> list[str]:
    """Return the words of a text."""
    return text.split()


# What distributed 2026.8 reads, without ``distributed.``; a section ends in a dot.
OF_DISTRIBUTED = words("""
scheduler.allowed-failures scheduler.bandwidth scheduler.blocked-handlers scheduler.contact-address
scheduler.default-data-size scheduler.reuse-broadcast-comm scheduler.events-cleanup-delay scheduler.idle-timeout
scheduler.no-workers-timeout scheduler.work-stealing scheduler.work-stealing-interval scheduler.worker-saturation
scheduler.rootish-taskgroup scheduler.rootish-taskgroup-dependencies scheduler.worker-ttl scheduler.preload
scheduler.preload-argv scheduler.unknown-task-duration scheduler.default-task-durations scheduler.validate
scheduler.dashboard. scheduler.locks.lease-validation-interval scheduler.locks.lease-timeout scheduler.http.routes
scheduler.allowed-imports scheduler.pickle scheduler.active-memory-manager.start
scheduler.active-memory-manager.interval scheduler.active-memory-manager.measure
scheduler.active-memory-manager.policies worker.blocked-handlers worker.multiprocessing-method worker.use-file-locking
worker.transfer.message-bytes-limit worker.connections.outgoing worker.connections.incoming worker.preload
worker.preload-argv worker.daemon worker.validate worker.resources worker.lifetime.duration worker.lifetime.stagger
worker.lifetime.restart worker.profile.enabled worker.profile.interval worker.profile.cycle worker.profile.low-level
worker.memory.recent-to-old-time worker.memory.rebalance.measure worker.memory.rebalance.sender-min
worker.memory.rebalance.recipient-max worker.memory.rebalance.sender-recipient-gap worker.memory.transfer
worker.memory.target worker.memory.spill worker.memory.pause worker.memory.terminate worker.memory.max-spill
worker.memory.spill-compression worker.memory.monitor-interval worker.http.routes nanny.preload nanny.preload-argv
nanny.environ nanny.pre-spawn-environ client.direct-to-workers client.heartbeat client.scheduler-info-interval
client.security-loader client.preload client.preload-argv deploy.lost-worker-timeout deploy.cluster-repr-interval
adaptive.interval adaptive.target-duration adaptive.minimum adaptive.maximum adaptive.wait-count comm.retry.count
comm.retry.delay.min comm.retry.delay.max comm.compression comm.shard comm.offload comm.default-scheme
comm.socket-backlog comm.zstd.level comm.zstd.threads comm.timeouts.connect comm.timeouts.tcp comm.require-encryption
comm.tls.ciphers comm.tls.min-version comm.tls.max-version comm.tls.ca-file comm.tls.scheduler.cert
comm.tls.scheduler.key comm.tls.worker.key comm.tls.worker.cert comm.tls.client.key comm.tls.client.cert
comm.websockets. comm.ucx. diagnostics.nvml diagnostics.cudf diagnostics.computations.max-history
diagnostics.computations.nframes diagnostics.computations.ignore-modules diagnostics.computations.ignore-files
diagnostics.erred-tasks.max-history p2p.comm.buffer p2p.comm.concurrency p2p.comm.message-bytes-limit
p2p.comm.retry.count p2p.comm.retry.delay.min p2p.comm.retry.delay.max p2p.storage.buffer p2p.storage.disk p2p.threads
dashboard.link dashboard.export-tool dashboard.graph-max-items dashboard.prometheus.namespace
admin.large-graph-warning-threshold admin.tick. admin.max-error-length admin.log-length admin.log-format
admin.low-level-log-length admin.pdb-on-err admin.system-monitor. admin.event-loop rmm.pool-size logging
logging-file-config
""")

NOT_APPLICABLE = {
    "scheduler.reuse-broadcast-comm": "connections are kept in any case",
    "scheduler.rootish-taskgroup": "root tasks depend on fewer tasks than `rootish-taskgroup-dependencies`, "
    "and so on no more groups",
    "scheduler.locks.lease-validation-interval": "a lease ends exactly when it is over",
    "scheduler.allowed-imports": "the scheduler never unpickles; nothing is imported on behalf of a client",
    "scheduler.pickle": "the scheduler never unpickles, unless it was started with `--allow-code`",
    "worker.multiprocessing-method": "worker processes are always spawned: gRPC does not survive a fork",
    "worker.daemon": "a worker process ends with the nanny that started it, however that ends",
    "client.heartbeat": "the session's stream tells both sides when the other is gone",
    "comm.shard": "pieces of a transfer have the size `comm.chunk-size`",
    "comm.offload": "what is larger than 1 MiB, or may run code, is never serialized on the event loop",
    "comm.default-scheme": "there is one transport, gRPC",
    "comm.socket-backlog": "gRPC chooses it",
    "comm.websockets.": "there is one transport, gRPC",
    "comm.ucx.": "there is one transport, gRPC",
    "diagnostics.nvml": "GPUs are not watched",
    "diagnostics.cudf": "GPUs are not watched",
    "rmm.pool-size": "GPUs are not used",
    "admin.pdb-on-err": "tasks and servers run in other processes than the terminal; "
    "`Client.recreate_error_locally` runs a failed task in this one",
}

BY_THEMSELVES = {
    "scheduler-address": "Where `Client()` connects to if it is given no address.",
    "temporary-directory": "Where workers keep temporary files, unless `worker.local-directory` says where.",
    "client-name": "What stands in the ids of clients.",
}


def comments() -> dict[str, str]:
    """Return the comment above each setting in the table; an empty text for a setting that has none."""
    text = Path(default_settings.__file__).read_text(encoding="utf-8")
    table = text[text.index("DEFAULTS: ") : text.index("\n}\n", text.index("DEFAULTS: "))]
    found: dict[str, str] = {}
    comment: list[str] = []
    for line in table.splitlines():
        match = re.match(r'    "([a-z0-9.-]+)":', line)
        if match:
            found[match[1]] = " ".join(comment)
        # Whatever is no comment ends one.
        comment = [*comment, line.strip()[2:]] if line.strip().startswith("#") else []
    return found


def written(value: object) -> str:
    """Return a default as YAML would have it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {written(item)}" for name, item in value.items()) + "}"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def fate_of(key: str) -> str | None:
    """Return the reason why a setting of distributed has no line in the table; None if it has one."""
    if any(name.startswith(key) for name in DEFAULTS) if key.endswith(".") else key in DEFAULTS:
        return None
    return f"Not applicable: {NOT_APPLICABLE[key]}." if key in NOT_APPLICABLE else "Not there yet."


def cell(text: str) -> str:
    """Return a text for a cell of a table."""
    return text.replace("|", "\\|")


def page() -> str:
    """Return the page."""
    told, ours = comments(), set(OF_DISTRIBUTED)
    lines = [
        "# Configuration",
        "",
        "Made from `dagrpc/_common/default_settings.py` by `python -m tests.contract.config_table`; a test checks that",
        "it is fresh.",
        "",
        "Settings are dask's: YAML files in `~/.config/dask`, environment variables, `dask.config.set`. One such as",
        "`comm.compression` is looked up in this order:",
        "",
        "1. `dagrpc.comm.compression` in dask's configuration, where `DASK_DAGRPC__COMM__COMPRESSION` puts it, too;",
        "2. the environment variable `DAGRPC_COMM__COMPRESSION`;",
        "3. `distributed.comm.compression` in dask's configuration, also from `DASK_DISTRIBUTED__COMM__COMPRESSION`;",
        "4. the default below.",
        "",
        "Processes read it when they start, clients when they are made. Durations are seconds or texts such as",
        '`"500 ms"`, sizes are bytes or texts such as `"64 MiB"`. A dict replaces the one of the next place',
        "as a whole; below `distributed.` files and variables are merged with the default. What dagrpc does not know",
        "is left alone. The processes of a `LocalCluster` get the configuration of the program that starts it.",
        "",
        "Once dagrpc is imported `dask.config` has the defaults of all these settings below `distributed.`, also of",
        "those that do nothing here, for programs and libraries that read them without a default of their own.",
        "Below `dagrpc.` it has what was set there and nothing else, for what users set below `distributed.` is to",
        'count; `dagrpc.config.get("comm.retry.count")` returns what holds. If the real distributed is imported, too,',
        "its own defaults go before these.",
        "",
        "## Settings",
        "In italics those that distributed does not have.",
        "",
        "| setting | default | |",
        "|---|---|---|",
    ]
    for key, value in DEFAULTS.items():
        name = f"`{key}`" if key in ours or any(key.startswith(s) for s in ours if s[-1] == ".") else f"*`{key}`*"
        lines.append(f"| {name} | `{cell(written(value))}` | {cell(told[key])} |")
    lines += ["", "Outside of `dagrpc` and `distributed`:", "", "| setting | |", "|---|---|"]
    lines += [f"| `{key}` | {text} |" for key, text in BY_THEMSELVES.items()]
    lines += ["", "## Settings of distributed that do nothing here", "", "| setting | |", "|---|---|"]
    for key in OF_DISTRIBUTED:
        fate = fate_of(key)
        if fate is not None:
            lines.append(f"| `{key}{'*' if key.endswith('.') else ''}` | {cell(fate)} |")
    return "\n".join(lines) + "\n"


def keys_read() -> dict[str, str]:
    """Return the settings that the code reads, with a file that does."""
    found = {}
    for source in SOURCES:
        for path in (ROOT / source).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            name = "config|settings" if "import config as settings" in text else "config"
            for match in re.finditer(rf"(?<!dask\.)\b(?:{name})\.get(?:_seconds|_bytes)?\(\s*\"([^\"]+)\"", text):
                found[match[1]] = str(path.relative_to(ROOT))
    return found


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
