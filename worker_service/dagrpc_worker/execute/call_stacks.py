"""Call stacks of running tasks: of their threads, or of their coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import CoroutineType, FrameType
from typing import Any

import dask._task_spec

from dagrpc._codec import run_specs as task_codec
from dagrpc._profiling.sampler import stack_of
from dagrpc._profiling.thread_frames import read_frames
from dagrpc._profiling.trees import describe
from dagrpc_worker.execute.task_context import TaskContext

_ATTEMPTS = 1_000
"""Attempts to read the stacks while a garbage collection runs, a millisecond apart."""
_OWN_DIRECTORY = str(Path(__file__).parent)
_OWN_FILES = frozenset((threading.__file__, task_codec.__file__, dask._task_spec.__file__))


def user_part(stack: list[FrameType]) -> list[FrameType]:
    """Return a stack, the outermost frame first, without the frames around the task's own code.

    A task without Python code, such as a function written in C, keeps the innermost frame.
    """
    first = 0
    for frame in stack:
        filename = frame.f_code.co_filename
        if filename not in _OWN_FILES and not filename.startswith(_OWN_DIRECTORY):
            break
        first += 1
    return stack[first:] or stack[-1:]


def call_stacks(
    contexts: Iterable[TaskContext], keys: Collection[str] = (), whole: bool = False
) -> dict[str, list[str]]:
    """Return the call stacks of running tasks as lines of text, by key; without `keys`, of all tasks.

    With `whole`, the frames around a task's own code are kept.
    """
    wanted = [context for context in contexts if not keys or context.key in keys]
    return read_frames(lambda frames: _stacks_of(wanted, frames, whole), _ATTEMPTS) or {}


def _stacks_of(wanted: Iterable[TaskContext], frames: Mapping[int, FrameType], whole: bool) -> dict[str, list[str]]:
    found = {}
    for context in wanted:
        stack = coroutine_stack(context.coroutine) if context.on_loop else stack_of(frames.get(context.thread))
        # The thread may have ended the task meanwhile.
        if stack and not context.ended:
            found[context.key] = _lines(stack if whole else user_part(stack))
    return found


def _lines(stack: Sequence[FrameType]) -> list[str]:
    lines = []
    for frame in stack:
        place = describe(frame)
        text = f'  File "{place["filename"]}", line {place["line_number"]}, in {place["name"]}'
        lines.append(f"{text}\n\t{place['line']}\n")
    return lines


def coroutine_stack(coroutine: Any) -> list[FrameType]:
    """Return the frames of a coroutine and of the coroutines that it awaits, the outermost first."""
    stack: list[FrameType] = []
    while isinstance(coroutine, (CoroutineType, asyncio.Task)):
        if isinstance(coroutine, asyncio.Task):
            coroutine = coroutine.get_coro()
            continue
        if coroutine.cr_frame is None:
            break
        stack.append(coroutine.cr_frame)
        coroutine = coroutine.cr_await
    return stack
