"""The table of the dashboard's panels and pages. Each panel is also a page of its own, ``/individual-NAME``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a page. The script module that draws it is registered under the same name."""

    name: str
    title: str
    feeds: tuple[str, ...] = ()
    """The feeds that it draws; see `dagrpc_scheduler.http.dashboard.feeds`."""

    @property
    def path(self) -> str:
        """The path of the page with only this panel."""
        return f"/individual-{self.name}"


@dataclass(frozen=True, slots=True)
class Page:
    """An entry of the navigation."""

    name: str
    title: str
    panels: tuple[str, ...]

    @property
    def path(self) -> str:
        """The path of the page."""
        return f"/{self.name}"


PANELS = {
    panel.name: panel
    for panel in (
        Panel("figures", "Figures", ("summary",)),
        Panel("cluster-memory", "Cluster memory", ("summary",)),
        Panel("workers-memory", "Memory by worker", ("workers",)),
        Panel("cpu", "CPU by worker", ("workers",)),
        Panel("nprocessing", "Processing tasks by worker", ("workers",)),
        Panel("occupancy", "Occupancy by worker", ("workers",)),
        Panel("progress", "Progress", ("prefixes",)),
        Panel("task-stream", "Task stream", ("tasks",)),
        Panel("workers", "Workers", ("workers",)),
        Panel("graph", "Task graph", ("graph",)),
        Panel("groups", "Task groups", ("groups",)),
        Panel("profile", "Profile of tasks"),
        Panel("profile-workers", "Profile of the workers' event loops"),
        Panel("profile-server", "Profile of the scheduler"),
        Panel("transfers", "Transfers over time", ("transfers",)),
        Panel("bandwidth-workers", "Transfers between workers", ("transfers",)),
        Panel("memory-by-key", "Memory by prefix", ("holdings",)),
        Panel("memory-over-time", "Memory over time", ("summary",)),
        Panel("errors", "Errors", ("errors",)),
        Panel("clients", "Clients", ("clients",)),
        Panel("events", "Events", ("events",)),
        Panel("logs", "Log of the scheduler", ("logs",)),
        Panel("scheduler-system", "Scheduler", ("scheduler",)),
    )
}

PAGES = (
    Page(
        "status",
        "Status",
        (
            "figures",
            "cluster-memory",
            "workers-memory",
            "nprocessing",
            "cpu",
            "occupancy",
            "task-stream",
            "progress",
        ),
    ),
    Page("workers", "Workers", ("workers",)),
    Page("tasks", "Tasks", ("task-stream", "progress")),
    Page("graph", "Graph", ("graph",)),
    Page("groups", "Groups", ("groups",)),
    Page("profile", "Profile", ("profile", "profile-workers", "profile-server")),
    Page("transfers", "Transfers", ("transfers", "bandwidth-workers")),
    Page("memory", "Memory", ("cluster-memory", "memory-over-time", "memory-by-key", "workers-memory")),
    Page("errors", "Errors", ("errors",)),
    Page("clients", "Clients", ("clients",)),
    Page("events", "Events and logs", ("events", "logs")),
    Page("system", "Scheduler", ("scheduler-system",)),
)


def individual_paths() -> Iterator[tuple[str, str]]:
    """Yield title and path of the page of each panel."""
    for panel in PANELS.values():
        yield panel.title, panel.path
