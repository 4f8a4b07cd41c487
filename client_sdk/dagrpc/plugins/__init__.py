"""Plugins: objects of the user's that scheduler, workers and nannies keep and call when something happens."""

from dagrpc.plugins.base import NannyPlugin, SchedulerPlugin, WorkerPlugin
from dagrpc.plugins.forwarding import ForwardLoggingPlugin, ForwardOutput

__all__ = ["ForwardLoggingPlugin", "ForwardOutput", "NannyPlugin", "SchedulerPlugin", "WorkerPlugin"]
