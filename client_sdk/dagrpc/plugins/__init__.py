"""Plugins: objects of the user's that scheduler, workers and nannies keep and call when something happens."""

from dagrpc.plugins.base import NannyPlugin, SchedulerPlugin, WorkerPlugin

__all__ = ["NannyPlugin", "SchedulerPlugin", "WorkerPlugin"]
