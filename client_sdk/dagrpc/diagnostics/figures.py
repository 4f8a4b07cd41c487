"""Figures of task streams and profiles, for notebooks and files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from dagrpc import config
from dagrpc._profiling.trees import Profile, merge, to_message
from dagrpc.diagnostics import report_pages

_ACTIONS = ("compute", "transfer", "deserialize", "other")
_KEY_LENGTH = 120
_SMALLEST_SHARE = 1_000
"""Functions in less than one of so many samples are not drawn."""


class Figure:
    """A figure that a notebook shows, and that can be written to a file.

    Parameters
    ----------
    title : str
        Title of the figure.
    kind : str
        The function that draws the figure; see `dagrpc.diagnostics.report_pages.figure`.
    data : object
        The data of the figure.
    height : int
        Height of the frame in a notebook, in pixels.

    Examples
    --------
    >>> data, figure = client.profile(plot=True)
    >>> figure.save("profile.html")
    """

    def __init__(self, title: str, kind: str, data: Any, height: int = 500) -> None:
        self.title = title
        self.kind = kind
        self.data = data
        self.height = height

    def __repr__(self) -> str:
        return f"<Figure: {self.title}>"

    def to_html(self) -> str:
        """Return a self-contained page with the figure."""
        figure = report_pages.figure(self.kind, self.data)
        return report_pages.page(self.title, f"<main><h1>{escape(self.title)}</h1>\n{figure}</main>")

    def _repr_html_(self) -> str:
        # In a frame, so that style and script do not affect the notebook.
        return (
            f'<iframe style="width: 100%; height: {self.height}px; border: 0" sandbox="allow-scripts" '
            f'srcdoc="{escape(self.to_html())}"></iframe>'
        )

    def save(self, filename: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> None:
        """Write the figure to a file.

        Parameters
        ----------
        filename : str or path
            A path, or a URL that fsspec knows.
        storage_options : mapping, optional
            Options of fsspec for the URL.
        """
        write(filename, self.to_html(), storage_options)


def write(filename: str | os.PathLike[str], text: str, storage_options: Mapping[str, Any] | None = None) -> None:
    """Write text to a path or URL."""
    import fsspec

    with fsspec.open(os.fspath(filename), mode="w", encoding="utf-8", **(storage_options or {})) as file:
        file.write(text)


def task_stream_figure(tasks: Sequence[Mapping[str, Any]]) -> Figure:
    """Return a figure of tasks by thread and time."""
    data = task_stream_data(tasks)
    return Figure("Task stream", "taskStream", data, 180 + min(len(data["rows"]) * 20, 900))


def profile_figure(profile: Profile, title: str = "Profile") -> Figure:
    """Return a figure of a profile, or of the sum of profiles by worker."""
    whole = profile if "identifier" in profile else merge(profile.values())
    return Figure(title, "profile", profile_data(whole), 620)


def task_stream_data(tasks: Iterable[Mapping[str, Any]], origin: float | None = None) -> dict[str, Any]:
    """Return the data of a task stream for the script, with times in seconds since the first task or `origin`."""
    tasks = [task for task in tasks if task["startstops"]]
    if origin is None:
        origin = min((task["startstops"][0]["start"] for task in tasks), default=0.0)
    rows: dict[tuple[str, int], int] = {}
    names: dict[str, list[Any]] = {}
    for task in sorted(tasks, key=lambda task: (task["worker"], task["thread"])):
        rows.setdefault((task["worker"], task["thread"]), len(rows))
    drawn = []
    for task in tasks:
        activities = [
            [
                _ACTIONS.index(each["action"]) if each["action"] in _ACTIONS else len(_ACTIONS) - 1,
                round(each["start"] - origin, 6),
                round(each["stop"] - each["start"], 6),
            ]
            for each in task["startstops"]
        ]
        name = names.setdefault(task["name"], [len(names), 0, 0.0])
        name[1] += 1
        name[2] += sum(duration for action, _, duration in activities if action == 0)
        drawn.append(
            [
                rows[task["worker"], task["thread"]],
                name[0],
                str(task["key"])[:_KEY_LENGTH],
                task.get("exception_text", "") if task["status"] != "OK" else "",
                task["nbytes"],
                task["typename"],
                activities,
            ]
        )
    return {
        "rows": _row_names(rows),
        "actions": _ACTIONS,
        "names": [[name, count, round(spent, 6)] for name, (_, count, spent) in names.items()],
        "tasks": drawn,
    }


def _row_names(rows: Iterable[tuple[str, int]]) -> list[str]:
    found: list[str] = []
    threads: dict[str, int] = {}
    for worker, _ in rows:
        threads[worker] = threads.get(worker, 0) + 1
        found.append(f"{worker} #{threads[worker]}")
    return found


def profile_data(profile: Profile) -> dict[str, Any]:
    """Return the data of a profile for the script."""
    message = to_message(profile)
    least = profile["count"] / _SMALLEST_SHARE
    places: dict[int, int] = {}
    nodes: list[tuple[int, int, int]] = []
    for position, node in enumerate(message.nodes):
        # A parent comes first, and has at least as many samples.
        if position and (node.count < least or node.parent not in places):
            continue
        places[position] = len(nodes)
        nodes.append((places[node.parent] if position else 0, node.line, node.count))
    lines = [(line.function, line.filename, line.line_number, line.source) for line in message.lines]
    interval = config.get_seconds("worker.profile.interval") or 0.01
    return {"nodes": nodes, "lines": lines, "interval": interval}
