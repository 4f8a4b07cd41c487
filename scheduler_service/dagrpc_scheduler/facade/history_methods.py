"""Methods of `Scheduler` about what has happened: stories, logs and events."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from dagrpc._common.keys import Key, decode_key, encode_key
from dagrpc_scheduler.core import model, task_details, views
from dagrpc_scheduler.core import story as core_story
from dagrpc_scheduler.facade.parts import SchedulerParts
from dagrpc_scheduler.shell.sessions.translate_out import failure_message
from dagrpc_scheduler.shell.user_views.state_views import TaskState


class StoryEntry(NamedTuple):
    """A transition of a task, with fields in distributed's order."""

    key: Key
    start: str
    finish: str
    recommendations: dict[Key, str]
    """Empty: the transitions that follow are entries of their own."""
    stimulus_id: str
    """The cause of the transition."""
    time: float
    """Seconds since the epoch."""


def story(self: SchedulerParts, *keys_or_tasks: Any) -> list[StoryEntry]:
    """Return the remembered transitions of tasks, or those that stimuli caused, oldest first.

    Examples
    --------
    >>> client.submit(inc, 1, key="x").result()
    2
    >>> [entry[:3] for entry in cluster.scheduler.story("x")][0]
    ('x', 'released', 'waiting')
    """
    names = [
        each._of.key if isinstance(each, TaskState) else each if isinstance(each, str) else encode_key(each)
        for each in keys_or_tasks
    ]
    return _entries(self._home.call(views.story, self._core, names))


def transition_log(self: SchedulerParts) -> list[StoryEntry]:
    """Return the remembered transitions of all tasks, oldest first."""
    return _entries(self._home.call(views.story, self._core))


class ErredTask(NamedTuple):
    """A task that failed itself, as it was then."""

    key: Key
    timestamp: float
    """Seconds since the epoch."""
    erred_on: set[str]
    """Address of the worker on which the task failed; empty: the scheduler declared the failure."""
    exception_text: str
    traceback_text: str


def erred_tasks(self: SchedulerParts) -> list[ErredTask]:
    """Return the tasks that failed themselves lately, the latest first, whatever has become of them since."""
    return [_erred(each) for each in self._home.call(task_details.erred_history, self._core)]


def _erred(erred: model.ErredTask) -> ErredTask:
    failure = failure_message(erred.failure, erred.key)
    text = f"{failure.type_name.rpartition('.')[2]}({failure.message!r})"
    places = {failure.worker} if failure.worker else set()
    return ErredTask(decode_key(erred.key), erred.time, places, text, failure.traceback_text)


def _entries(found: Iterable[core_story.StoryEntry]) -> list[StoryEntry]:
    return [StoryEntry(decode_key(each.key), each.start, each.finish, {}, each.stimulus, each.time) for each in found]


def get_logs(
    self: SchedulerParts, start: int = 0, n: int | None = None, timestamps: bool = False
) -> list[tuple[Any, ...]]:
    """Return the scheduler's log, the latest line first.

    Parameters
    ----------
    start : int
        How many of the oldest lines to leave out.
    n : int, optional
        How many lines to return at most.
    timestamps : bool
        Accepted for compatibility: each line contains its time.

    Returns
    -------
    list of tuple
        Level and text of each line.

    Examples
    --------
    >>> isinstance(cluster.scheduler.get_logs(n=1), list)
    True
    """
    from dagrpc._process import log_buffer

    lines = list(log_buffer.install().latest("scheduler"))
    return lines[: max(0, len(lines) - start)][:n]


def log_event(self: SchedulerParts, topic: str | Collection[str], msg: Any) -> None:
    """Log an event under one topic or several, and tell the subscribers."""
    self._service.event_log.log_event(topic, msg)


def get_events(self: SchedulerParts, topic: str | None = None) -> Any:
    """Return the events of a topic; of all topics, by topic, if none is given."""
    events = self._service.event_log
    if topic is not None:
        return tuple(events.get(topic, ()))
    return {name: tuple(found) for name, found in events.items()}
