"""Makes a scheduler's service and the servicers that serve its parts: the only place that knows both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor

from dagrpc import config
from dagrpc._rpc import log_service
from dagrpc.v1 import (
    actor_service_pb2,
    diagnostics_service_pb2,
    event_service_pb2,
    inquiry_service_pb2,
    introspection_service_pb2,
    log_service_pb2,
    memory_service_pb2,
    metadata_service_pb2,
    plugin_service_pb2,
    scaling_service_pb2,
    scheduler_service_pb2,
    shuffle_service_pb2,
    task_service_pb2,
    worker_session_pb2,
)
from dagrpc_scheduler.http.serve import SchedulerHttp
from dagrpc_scheduler.http.sources import SchedulerSources
from dagrpc_scheduler.options import SchedulerOptions
from dagrpc_scheduler.servicers.actor_relay_service import ActorRelayServicer
from dagrpc_scheduler.servicers.client_session import ClientSessions
from dagrpc_scheduler.servicers.cluster_info_messages import ClusterInfo
from dagrpc_scheduler.servicers.cluster_log_service import ClusterLogServicer
from dagrpc_scheduler.servicers.diagnostics_service import DiagnosticsServicer
from dagrpc_scheduler.servicers.event_service import EventServicer
from dagrpc_scheduler.servicers.function_listing import FunctionListing
from dagrpc_scheduler.servicers.inquiry_service import InquiryServicer
from dagrpc_scheduler.servicers.introspection_service import IntrospectionServicer
from dagrpc_scheduler.servicers.memory_service import MemoryServicer
from dagrpc_scheduler.servicers.metadata_service import MetadataServicer
from dagrpc_scheduler.servicers.plugin_service import PluginServicer
from dagrpc_scheduler.servicers.scaling_service import ScalingServicer
from dagrpc_scheduler.servicers.scheduler_service import SchedulerServicer
from dagrpc_scheduler.servicers.shuffle_coordination_service import ShuffleServicer
from dagrpc_scheduler.servicers.state_dump import StateDump
from dagrpc_scheduler.servicers.task_service import TaskServicer
from dagrpc_scheduler.servicers.transfer_relay import TransferRelay
from dagrpc_scheduler.servicers.worker_session_service import WorkerSessionServicer
from dagrpc_scheduler.shell.leases.result_reader import ResultReader
from dagrpc_scheduler.shell.service import SchedulerService


def make_service(options: SchedulerOptions, scheduler: Callable[[SchedulerService], Any]) -> SchedulerService:
    """Return a service that has not started; `scheduler` makes the `Scheduler` that user code gets."""
    return SchedulerService(options, _servicers, scheduler, _http)


def _http(service: SchedulerService) -> SchedulerHttp | None:
    """Start the HTTP port of a scheduler; None if its options say that it has none."""
    options = service.options
    if not (config.get("http.enabled") if options.dashboard is None else options.dashboard):
        return None
    sources = SchedulerSources(
        identity=service.identity,
        core=service.core,
        peers=service.peers,
        scaling=service.scaling,
        access=service.access,
        diagnostics=_diagnostics(service),
        logs=ClusterLogServicer(service.core, service.peers, service.control_channels),
        events=service.event_log,
        coordination=service.coordination,
        shuffles=service.shuffles,
        calls=service.call_statistics,
        ticks=service.ticks,
        tasks=_tasks(service),
        retirement=service.retirement,
        scheduler=lambda: service.scheduler,
    )
    http = SchedulerHttp(sources, options.http_prefix)
    http.start(options.dashboard_address, options.host)
    return http


def _servicers(service: SchedulerService) -> Iterator[tuple[ServiceDescriptor, object]]:
    """Yield the services of a scheduler with their servicers."""
    yield from _session_servicers(service)
    yield from _query_servicers(service)
    yield from _control_servicers(service)


def _session_servicers(service: SchedulerService) -> Iterator[tuple[ServiceDescriptor, object]]:
    """Yield what clients and workers hold their sessions with, and what they use within them."""
    sessions = ClientSessions(
        identity=service.identity,
        peers=service.peers,
        clients=service.clients,
        access=service.access,
        code_allowed=service.options.allow_code,
    )
    yield (
        _of(scheduler_service_pb2.DESCRIPTOR, "SchedulerService"),
        SchedulerServicer(
            driver=service.driver,
            peers=service.peers,
            client_sessions=sessions,
            transfer_relay=TransferRelay(service.core, service.peers, service.data_channels),
            cluster_info=ClusterInfo(service.identity, service.core, service.peers),
            worker_runs=service.worker_runs,
            worker_restarts=service.worker_restarts,
            retirement=service.retirement,
            user_code=service.user_code,
            shutdown=service.shutdown,
            background=service.background,
        ),
    )
    yield (
        _of(worker_session_pb2.DESCRIPTOR, "WorkerSessionService"),
        WorkerSessionServicer(
            identity=service.identity,
            peers=service.peers,
            workers=service.workers,
            plugin_registry=service.plugin_registry,
            notes=service.plugins.notes,
            task_stream=service.task_stream,
            reports=service.reports,
            shuffles=service.shuffles,
        ),
    )
    yield _of(task_service_pb2.DESCRIPTOR, "TaskService"), _tasks(service)
    yield _of(event_service_pb2.DESCRIPTOR, "EventService"), EventServicer(service.event_log)
    yield _of(metadata_service_pb2.DESCRIPTOR, "MetadataService"), MetadataServicer(service.metadata)
    yield _of(shuffle_service_pb2.DESCRIPTOR, "ShuffleCoordinationService"), ShuffleServicer(service.shuffles)
    yield (
        _of(actor_service_pb2.DESCRIPTOR, "ActorRelayService"),
        ActorRelayServicer(service.peers, service.control_channels),
    )


def _tasks(service: SchedulerService) -> TaskServicer:
    """Return what serves programs without a session."""
    reader = ResultReader(service.core, service.data_channels, service.background)
    return TaskServicer(service.core, service.leases, reader, FunctionListing(service.peers, service.control_channels))


def _query_servicers(service: SchedulerService) -> Iterator[tuple[ServiceDescriptor, object]]:
    """Yield what answers questions."""
    yield _of(inquiry_service_pb2.DESCRIPTOR, "InquiryService"), InquiryServicer(service.core)
    yield (
        _of(diagnostics_service_pb2.DESCRIPTOR, "DiagnosticsService"),
        _diagnostics(service),
    )
    dump = StateDump(service.identity, service.core, service.peers, service.shutdown)
    yield (
        _of(introspection_service_pb2.DESCRIPTOR, "IntrospectionService"),
        IntrospectionServicer(service.core, service.peers, service.control_channels, dump),
    )
    yield log_service.SERVICE, log_service.LogServicer("scheduler")
    yield (
        _of(log_service_pb2.DESCRIPTOR, "ClusterLogService"),
        ClusterLogServicer(service.core, service.peers, service.control_channels),
    )


def _diagnostics(service: SchedulerService) -> DiagnosticsServicer:
    """Return what answers questions of people."""
    return DiagnosticsServicer(
        core=service.core,
        peers=service.peers,
        control_channels=service.control_channels,
        task_stream=service.task_stream,
        notes=service.plugins.notes,
        reports=service.reports,
        loop_profile=service.loop_profile,
    )


def _control_servicers(service: SchedulerService) -> Iterator[tuple[ServiceDescriptor, object]]:
    """Yield what changes the cluster."""
    yield (
        _of(scaling_service_pb2.DESCRIPTOR, "ScalingService"),
        ScalingServicer(service.scaling, service.peers),
    )
    yield (
        _of(plugin_service_pb2.DESCRIPTOR, "PluginService"),
        PluginServicer(service.plugin_registry, service.plugins),
    )
    yield (
        _of(memory_service_pb2.DESCRIPTOR, "MemoryService"),
        MemoryServicer(service.core, service.replication, service.memory_manager_host),
    )


def _of(file: FileDescriptor, name: str) -> ServiceDescriptor:
    """Return a service of a proto file."""
    return file.services_by_name[name]
