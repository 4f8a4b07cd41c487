"""Transitions to forgotten."""

from __future__ import annotations

from dagrpc_scheduler.core.model import FORGOTTEN, TaskState, is_needed
from dagrpc_scheduler.core.refcounts import release_unneeded
from dagrpc_scheduler.core.replica_table import free_everywhere
from dagrpc_scheduler.core.state import SchedulerState


def to_forgotten(state: SchedulerState, task: TaskState) -> None:
    """Forget a task that nobody needs and nothing depends on, and perhaps its dependencies after it."""
    if task.dependents or task.kept or is_needed(task):
        return
    if task.who_has:
        free_everywhere(state, task)
    task.state = FORGOTTEN
    task.error = None
    del state.tasks[task.key]
    state.forgotten_tasks += 1
    group = task.group
    group.live -= 1
    if not group.live:
        state.drop_group(group)
    if state.story.watched:
        state.story.forgotten = task
    if task.dependencies:
        _detach(state, task)
    for digest in task.shared:
        state.shared_blobs.release(digest, state.instructions)


def _detach(state: SchedulerState, task: TaskState) -> None:
    for dependency in task.dependencies:
        dependents = dependency.dependents
        if dependents is not None:
            del dependents[task]
            if not dependents:
                dependency.dependents = None
                release_unneeded(state, dependency)
    # Tasks refer to each other; without this, only the garbage collector could free them.
    if not state.story.watched:
        task.dependencies = ()
