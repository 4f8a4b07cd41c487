"""Who may call what: one table for every rpc of every service, and the role that a certificate gives its owner.

A certificate is for a role if there is a URI ``dagrpc://role/ROLE`` among its names. One without such a URI is for any.
"""

from __future__ import annotations

from collections.abc import Iterable

from dagrpc.exceptions import CodeNotAllowedError

_PREFIX = b"dagrpc://role/"

# Tasks are clients, too, and have the certificate of their worker; nannies have that of theirs.
_TABLE = {
    "client worker": """
        SchedulerService.UpdateGraph SchedulerService.Gather SchedulerService.Scatter SchedulerService.RelayData
        SchedulerService.WhoHas SchedulerService.HasWhat SchedulerService.Processing SchedulerService.GetClusterInfo
        SchedulerService.GetTasks SchedulerService.RunOnWorkers SchedulerService.RunOnScheduler
        SchedulerService.RestartWorkers SchedulerService.RetireWorkers SchedulerService.Shutdown
        DiagnosticsService.GetCallStacks DiagnosticsService.GetProfile DiagnosticsService.GetTaskStream
        DiagnosticsService.BeginReport DiagnosticsService.EndReport DiagnosticsService.GetMemory
        EventService.GetEvents ClusterLogService.GetWorkerLogs
        InquiryService.WatchProgress InquiryService.ListTasksBelow InquiryService.GetSpans InquiryService.GetTaskWork
        MetadataService.SetMetadata MetadataService.GetMetadata
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
        WorkerSessionService.Compute WorkerSessionService.Heartbeat PluginService.SyncPlugins
        ShuffleService.SendParcels ShuffleService.FlushShuffle ShuffleService.FetchOutput
        ShuffleCoordinationService.JoinShuffle ShuffleCoordinationService.PassBarrier
        ShuffleCoordinationService.RestartShuffle
    """,
    "scheduler": """
        WorkerService.Run PluginHostService.SetUpPlugin PluginHostService.TearDownPlugin
        WorkerDiagnosticsService.SampleCallStacks WorkerDiagnosticsService.CollectProfile
        WorkerDiagnosticsService.FlushRecords
        NannyService.StartWorker NannyService.StopWorker NannyService.RestartWorker NannyService.GetWorkerStatus
        NannyService.RunInNanny NannyService.ExplainExit NannyService.ObserveWorker
    """,
    "scheduler worker": "PluginHostService.AdoptPlugins",
    # The cluster manager is a client.
    "client scheduler": "NannyService.CloseNanny",
}

ALLOWED = {rpc: frozenset(roles.encode().split()) for roles, rpcs in _TABLE.items() for rpc in rpcs.split()}
"""The roles that may call an rpc, by ``Service.Method``. What is not in it, no certificate with a role may call."""

_NOBODY: frozenset[bytes] = frozenset()


def check_role(rpc: str, identities: Iterable[bytes] | None) -> None:
    """Raise unless the owner of a certificate may call an rpc.

    Parameters
    ----------
    rpc : str
        ``Service.Method``.
    identities : iterable of bytes or None
        The names in the caller's certificate.

    Raises
    ------
    CodeNotAllowedError
        If it has roles, and none that may.
    """
    roles = {name[len(_PREFIX) :] for name in identities or () if name.startswith(_PREFIX)}
    if roles and roles.isdisjoint(ALLOWED.get(rpc, _NOBODY)):
        names = " and ".join(sorted(role.decode("utf-8", "replace") for role in roles))
        raise CodeNotAllowedError(f"{rpc} is not for the role {names}, which the caller's certificate is for")
