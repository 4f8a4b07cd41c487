"""The modules and names of `distributed` that dagrpc has, with their places in dagrpc.

A word is a name of dagrpc's top level; ``name=module:attribute`` has another place. Modules that are neither listed nor
modules of dagrpc of the same name raise `ImportError`.
"""

from __future__ import annotations

from dagrpc.compat import address_functions

VERSION = "2026.8.0"
"""The version of distributed whose API dagrpc has. Libraries compare `distributed.__version__`."""

_TOOLS = "dagrpc.compat.tools"
_BARS = "dagrpc._client.progress_classes"
_AMM = "dagrpc.active_memory_manager"
_SHUFFLE = "dagrpc.shuffle"

_ADDRESSING = " ".join(f"{name}=dagrpc.compat.address_functions:{name}" for name in address_functions.__all__)

MODULES: dict[str, str] = {
    "": "config=dask:config dask=dask: CompatibleExecutor=dagrpc.executor:ClientExecutor",
    "actor": "Actor ActorFuture BaseActorFuture",
    "active_memory_manager": f"""
        ActiveMemoryManagerExtension={_AMM}:ActiveMemoryManagerExtension AMMClientProxy={_AMM}:AMMClientProxy
        ActiveMemoryManagerPolicy={_AMM}:ActiveMemoryManagerPolicy ReduceReplicas={_AMM}:ReduceReplicas
        RetireWorker={_AMM}:RetireWorker Suggestion={_AMM}:Suggestion
        SuggestionGenerator={_AMM}:SuggestionGenerator""",
    "cfexecutor": "ClientExecutor",
    "client": f"""
        Client Future CancelledError ClientExecutor ClosedClientError CommClosedError FutureCancelledError
        FuturesCancelledError KilledWorker LocalCluster TimeoutError as_completed default_client fire_and_forget
        futures_of get_client get_task_metadata get_task_stream get_worker performance_report progress rejoin secede
        sync wait worker_client AsCompleted=dagrpc:as_completed
        _get_global_client={_TOOLS}:global_client temp_default_client=dagrpc._client.current:temp_default_client
        ensure_default_client=dagrpc._client.current:ensure_default_client""",
    "comm": f"CommClosedError {_ADDRESSING}",
    "comm.addressing": _ADDRESSING,
    "comm.core": "CommClosedError",
    # The module is empty; libraries import it for annotations.
    "comm.tcp": "",
    "compatibility": f"asyncio_run=asyncio:run WINDOWS={_TOOLS}:WINDOWS MACOS={_TOOLS}:MACOS LINUX={_TOOLS}:LINUX",
    "config": "config=dask.config:config",
    "core": "CommClosedError Status rpc Server connect",
    "deploy": """Adaptive Cluster=dagrpc_deploy.cluster:Cluster LocalCluster ProcessInterface SSHCluster SpecCluster
        SubprocessCluster""",
    "deploy.adaptive": "Adaptive AdaptiveCore",
    "deploy.adaptive_core": "AdaptiveCore",
    "deploy.cluster": "Cluster=dagrpc_deploy.cluster:Cluster Status",
    "deploy.local": f"""
        LocalCluster SpecCluster Nanny Scheduler Worker Security nprocesses_nthreads={_TOOLS}:nprocesses_nthreads""",
    "deploy.spec": "SpecCluster ProcessInterface Cluster=dagrpc_deploy.cluster:Cluster Status",
    "deploy.ssh": "SSHCluster",
    "deploy.subprocess": "SubprocessCluster",
    "diagnostics": "SchedulerPlugin progress MemorySampler=dagrpc.diagnostics:MemorySampler",
    "diagnostics.memory_sampler": "MemorySampler=dagrpc.diagnostics:MemorySampler",
    "diagnostics.plugin": """
        SchedulerPlugin WorkerPlugin NannyPlugin PipInstall CondaInstall InstallPlugin Environ UploadFile
        SchedulerUploadFile=dagrpc.plugins:SchedulerUploadFile
        UploadDirectory ForwardOutput=dagrpc.plugins:ForwardOutput
        ForwardLoggingPlugin=dagrpc.plugins:ForwardLoggingPlugin""",
    "diagnostics.progressbar": f"""progress ProgressBar={_BARS}:ProgressBar TextProgressBar={_BARS}:TextProgressBar
        LoopRunner={_TOOLS}:LoopRunner""",
    "event": "Event",
    "exceptions": "Reschedule WorkerStartTimeoutError",
    "lock": "Lock",
    "metrics": "time=time:time thread_time=time:thread_time monotonic=time:monotonic process_time=time:process_time",
    "multi_lock": "MultiLock",
    "nanny": "Nanny Status",
    "publish": "Datasets=dagrpc._client.verbs.datasets:Datasets",
    "pubsub": "Pub Sub",
    "queues": "Queue",
    "scheduler": """Scheduler KilledWorker NoValidWorkerError SchedulerPlugin Status
        TaskState=dagrpc_scheduler.shell.user_views.state_views:TaskState
        TaskGroup=dagrpc_scheduler.shell.user_views.state_views:TaskGroup
        TaskPrefix=dagrpc_scheduler.shell.user_views.state_views:TaskPrefix
        WorkerState=dagrpc_scheduler.shell.user_views.state_views:WorkerState
        ClientState=dagrpc_scheduler.shell.user_views.state_views:ClientState
        MemoryState=dagrpc_scheduler.shell.user_views.memory_state:MemoryState""",
    "security": "Security",
    "semaphore": "Semaphore",
    "shuffle._core": f"""P2PBarrierTask={_SHUFFLE}.graph:P2PBarrierTask ShuffleId={_SHUFFLE}.graph:ShuffleId
        barrier_key={_SHUFFLE}.graph:barrier_key p2p_barrier={_SHUFFLE}.shuffle_tasks:p2p_barrier""",
    "shuffle._merge": f"""merge_transfer={_SHUFFLE}.shuffle_tasks:merge_transfer
        merge_unpack={_SHUFFLE}.shuffle_tasks:merge_unpack""",
    "shuffle._shuffle": f"""DataFrameShuffleSpec={_SHUFFLE}.graph:DataFrameShuffleSpec
        shuffle_transfer={_SHUFFLE}.shuffle_tasks:shuffle_transfer
        shuffle_unpack={_SHUFFLE}.shuffle_tasks:shuffle_unpack""",
    "spans": "Span=dagrpc.spans:Span span",
    "system": f"CPU_COUNT=dask.system:CPU_COUNT MEMORY_LIMIT={_TOOLS}:MEMORY_LIMIT memory_limit={_TOOLS}:memory_limit",
    "threadpoolexecutor": "secede rejoin",
    "utils": f"""
        TimeoutError CancelledError sync Log=dagrpc_deploy.logs:Log Logs=dagrpc_deploy.logs:Logs
        thread_state={_TOOLS}:thread_state LoopRunner={_TOOLS}:LoopRunner
        SyncMethodMixin={_TOOLS}:SyncMethodMixin
        iscoroutinefunction=inspect:iscoroutinefunction is_coroutine_function=inspect:iscoroutinefunction
        import_term={_TOOLS}:import_term log_errors={_TOOLS}:log_errors get_ip={_TOOLS}:get_ip
        get_ip_interface=dagrpc._common.addresses:interface_ip
        open_port={_TOOLS}:open_port is_kernel=dagrpc._client.notebook:is_here nbytes={_TOOLS}:nbytes
        funcname=dask.utils:funcname format_bytes=dask.utils:format_bytes format_time=dask.utils:format_time
        key_split=dask.utils:key_split parse_bytes=dask.utils:parse_bytes parse_timedelta=dask.utils:parse_timedelta
        tmpfile=dask.utils:tmpfile tmpdir=dask.utils:tmpdir typename=dask.utils:typename itemgetter=operator:itemgetter
        ensure_ip={_TOOLS}:ensure_ip warn_on_duration={_TOOLS}:warn_on_duration
        ensure_bytes=dask.utils:ensure_bytes ensure_unicode=dask.utils:ensure_unicode
        has_keyword=dask.utils:has_keyword has_arg={_TOOLS}:has_keyword""",
    "utils_comm": "",
    "variable": "Variable",
    "versions": "VersionMismatchWarning",
    "worker": f"""
        Worker Reschedule Status WorkerPlugin get_client get_worker print secede rejoin warn
        thread_state={_TOOLS}:thread_state TaskState=dagrpc_worker.shell.facade.state_view:WorkerTask""",
    "worker_client": "worker_client local_client get_client get_worker secede rejoin",
}


def names_of(module: str) -> dict[str, tuple[str, str]]:
    """Return the names of a module of `distributed`, each with its module and attribute in dagrpc.

    Examples
    --------
    >>> names_of("lock")
    {'Lock': ('dagrpc', 'Lock')}
    """
    found = {}
    for word in MODULES[module].split():
        name, _, origin = word.partition("=")
        source, _, attribute = origin.partition(":")
        found[name] = (source, attribute) if origin else ("dagrpc", name)
    return found
