"""The services of workers and nannies that the scheduler calls."""

from __future__ import annotations

from dagrpc._transfer.transfers import WORKER_SERVICE
from dagrpc.v1 import diagnostics_service_pb2, nanny_service_pb2

NANNY_SERVICE = nanny_service_pb2.DESCRIPTOR.services_by_name["NannyService"]
WORKER_DIAGNOSTICS_SERVICE = diagnostics_service_pb2.DESCRIPTOR.services_by_name["WorkerDiagnosticsService"]

__all__ = ["NANNY_SERVICE", "WORKER_DIAGNOSTICS_SERVICE", "WORKER_SERVICE"]
