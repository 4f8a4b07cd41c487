"""The roles that may call each rpc of each service, and the role of a certificate.

A certificate whose names include the URI ``dagrpc://role/ROLE`` is valid for this role; a certificate without such a
URI is valid for every role. A token, too, is valid for one role or for every role. Every caller may check the
health, and every caller that is let in may use reflection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from dagrpc.exceptions import CodeNotAllowedError

_PREFIX = b"dagrpc://role/"

# Tasks are clients, too, and have the certificate of their worker; nannies have that of theirs.
_TABLE = {
    # A caller calls registered functions, and never ships code: what it may send in a session is in
    # dagrpc_scheduler.servicers.caller_commands.
    "caller client worker": """
        SchedulerService.UpdateGraph SchedulerService.Gather SchedulerService.WhoHas SchedulerService.GetClusterInfo
    """,
    "client worker": """
        SchedulerService.Scatter SchedulerService.RelayData SchedulerService.HasWhat SchedulerService.Processing
        SchedulerService.GetTasks SchedulerService.RunOnWorkers SchedulerService.RunOnScheduler
        SchedulerService.RestartWorkers SchedulerService.RetireWorkers SchedulerService.Shutdown
        DiagnosticsService.GetCallStacks DiagnosticsService.GetProfile DiagnosticsService.GetTaskStream
        DiagnosticsService.BeginReport DiagnosticsService.EndReport DiagnosticsService.GetMemory
        EventService.GetEvents ClusterLogService.GetWorkerLogs
        InquiryService.WatchProgress InquiryService.ListTasksBelow InquiryService.GetSpans InquiryService.GetTaskWork
        MetadataService.SetMetadata MetadataService.GetMetadata
        MemoryService.ControlMemoryManager MemoryService.Replicate MemoryService.Rebalance
        ScalingService.GetTargetSize ScalingService.ChooseWorkersToClose
        PluginService.RegisterPlugin PluginService.UnregisterPlugin
        ActorRelayService.RelayActorCalls
    """,
    "client scheduler worker": """
        IntrospectionService.GetVersions IntrospectionService.GetStory IntrospectionService.DumpState LogService.GetLogs
        WorkerService.GetData WorkerService.PutData WorkerService.GetStatus
        ActorService.CallActor ActorService.GetActorData ActorService.PutActorData
    """,
    "worker": """
        WorkerSessionService.Compute WorkerSessionService.Heartbeat WorkerSessionService.ReportGivenUp
        PluginService.SyncPlugins WorkerService.FetchData
        ShuffleService.SendParcels ShuffleService.FlushShuffle ShuffleService.FetchOutput
        ShuffleCoordinationService.JoinShuffle ShuffleCoordinationService.PassBarrier
        ShuffleCoordinationService.RestartShuffle
    """,
    "scheduler": """
        WorkerService.Run PluginHostService.SetUpPlugin PluginHostService.TearDownPlugin
        WorkerDiagnosticsService.SampleCallStacks WorkerDiagnosticsService.CollectProfile
        WorkerDiagnosticsService.FlushRecords
        WorkerDiagnosticsService.ReadRecentRecords
        NannyService.StartWorker NannyService.StopWorker NannyService.RestartWorker NannyService.GetWorkerStatus
        NannyService.RunInNanny NannyService.ExplainExit NannyService.ObserveWorker
    """,
    "scheduler worker": "PluginHostService.AdoptPlugins",
    # The cluster manager is a client.
    "client scheduler": "NannyService.CloseNanny",
}

ALLOWED = {rpc: frozenset(roles.encode().split()) for roles, rpcs in _TABLE.items() for rpc in rpcs.split()}
"""The roles that may call an rpc, by ``Service.Method``. What is not in it, nobody with a role may call."""

RUNS_CODE_ON_SCHEDULER = frozenset(("SchedulerService.RunOnScheduler", "PluginService.RegisterPlugin"))
"""By which code comes to the scheduler itself: refused, unless it was started with `--allow-code`."""

_NOBODY: frozenset[bytes] = frozenset()


CALLER = frozenset((b"caller",))
"""The role of those who call registered functions, and never ship code."""


def roles_in(identities: Iterable[bytes] | None) -> frozenset[bytes]:
    """Return the roles that the names in a certificate say; none if it is for any."""
    return frozenset(name[len(_PREFIX) :] for name in identities or () if name.startswith(_PREFIX))


def check_role(rpc: str, roles: Collection[bytes], of: str) -> None:
    """Raise unless one of a caller's roles may call an rpc.

    Parameters
    ----------
    rpc : str
        ``Service.Method``.
    roles : collection of bytes
        The caller's. None: any.
    of : str
        What says so: ``certificate`` or ``token``.

    Raises
    ------
    CodeNotAllowedError
        If it has roles, and none that may.
    """
    if roles and ALLOWED.get(rpc, _NOBODY).isdisjoint(roles):
        names = " and ".join(sorted(role.decode("utf-8", "replace") for role in roles))
        raise CodeNotAllowedError(f"{rpc} is not for the role {names}, which the caller's {of} is for")
