"""What type checkers know of the names in `__init__.py`, which are looked up when they are used."""

import builtins

from dagrpc._client.event_loops import sync as sync
from dagrpc._client.lookup import default_client as default_client
from dagrpc._client.lookup import get_client as get_client
from dagrpc._common.server_status import Status as Status
from dagrpc.actor import Actor as Actor
from dagrpc.actor import ActorFuture as ActorFuture
from dagrpc.actor import BaseActorFuture as BaseActorFuture
from dagrpc.client import Client as Client
from dagrpc.compat.installation import install_as_distributed as install_as_distributed
from dagrpc.compat.installation import uninstall_as_distributed as uninstall_as_distributed
from dagrpc.completion import as_completed as as_completed
from dagrpc.completion import fire_and_forget as fire_and_forget
from dagrpc.completion import futures_of as futures_of
from dagrpc.completion import wait as wait
from dagrpc.coordination.event import Event as Event
from dagrpc.coordination.multilock import MultiLock as MultiLock
from dagrpc.coordination.pubsub import Pub as Pub
from dagrpc.coordination.pubsub import Sub as Sub
from dagrpc.coordination.queues import Queue as Queue
from dagrpc.coordination.semaphore import Lock as Lock
from dagrpc.coordination.semaphore import Semaphore as Semaphore
from dagrpc.coordination.variable import Variable as Variable
from dagrpc.diagnostics.recording import get_task_metadata as get_task_metadata
from dagrpc.diagnostics.recording import get_task_stream as get_task_stream
from dagrpc.diagnostics.report import performance_report as performance_report
from dagrpc.exceptions import CancelledError as CancelledError
from dagrpc.exceptions import ClosedClientError as ClosedClientError
from dagrpc.exceptions import CommClosedError as CommClosedError
from dagrpc.exceptions import FutureCancelledError as FutureCancelledError
from dagrpc.exceptions import FuturesCancelledError as FuturesCancelledError
from dagrpc.exceptions import KilledWorker as KilledWorker
from dagrpc.exceptions import NotAuthenticatedError as NotAuthenticatedError
from dagrpc.exceptions import NoValidWorkerError as NoValidWorkerError
from dagrpc.exceptions import RemoteTaskError as RemoteTaskError
from dagrpc.exceptions import Reschedule as Reschedule
from dagrpc.exceptions import TaskInterrupted as TaskInterrupted
from dagrpc.exceptions import TaskTimeout as TaskTimeout
from dagrpc.exceptions import VersionMismatchWarning as VersionMismatchWarning
from dagrpc.exceptions import WorkerStartTimeoutError as WorkerStartTimeoutError
from dagrpc.executor import ClientExecutor as ClientExecutor
from dagrpc.future import Future as Future
from dagrpc.inside_task import get_worker as get_worker
from dagrpc.inside_task import local_client as local_client
from dagrpc.inside_task import rejoin as rejoin
from dagrpc.inside_task import secede as secede
from dagrpc.inside_task import worker_client as worker_client
from dagrpc.low_level import Server as Server
from dagrpc.low_level import connect as connect
from dagrpc.low_level import rpc as rpc
from dagrpc.messages import print as print
from dagrpc.messages import warn as warn
from dagrpc.plugins import CondaInstall as CondaInstall
from dagrpc.plugins import Environ as Environ
from dagrpc.plugins import InstallPlugin as InstallPlugin
from dagrpc.plugins import NannyPlugin as NannyPlugin
from dagrpc.plugins import PipInstall as PipInstall
from dagrpc.plugins import SchedulerPlugin as SchedulerPlugin
from dagrpc.plugins import UploadDirectory as UploadDirectory
from dagrpc.plugins import UploadFile as UploadFile
from dagrpc.plugins import WorkerPlugin as WorkerPlugin
from dagrpc.progress_bar import progress as progress
from dagrpc.registry import export as export
from dagrpc.security import Security as Security
from dagrpc.spans import span as span
from dagrpc_deploy.adaptive import Adaptive as Adaptive
from dagrpc_deploy.adaptive_core import AdaptiveCore as AdaptiveCore
from dagrpc_deploy.docker_cluster import DockerCluster as DockerCluster
from dagrpc_deploy.kube_cluster import KubeCluster as KubeCluster
from dagrpc_deploy.local import LocalCluster as LocalCluster
from dagrpc_deploy.process_interface import ProcessInterface as ProcessInterface
from dagrpc_deploy.spec import SpecCluster as SpecCluster
from dagrpc_deploy.ssh import SSHCluster as SSHCluster
from dagrpc_deploy.subprocesses import SubprocessCluster as SubprocessCluster
from dagrpc_scheduler.facade.scheduler import Scheduler as Scheduler
from dagrpc_worker.nanny.nanny import Nanny as Nanny
from dagrpc_worker.shell.facade.worker import Worker as Worker

TimeoutError = builtins.TimeoutError
__version__: str
__all__: list[str]
