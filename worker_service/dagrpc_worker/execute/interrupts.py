"""Interrupts running tasks.

CPython can raise an exception in another thread: the exception comes at the next bytecode instruction that the thread
executes. A thread that sleeps, waits for a lock or runs an extension gets the exception when it returns from there.

The exception must hit its task and nothing that the thread does before or after the task. So the exception is sent only
while the task's function is being called (`TaskContext.open`), in an order that leaves no gap:

1. The sender sets `TaskContext.interruption`.
2. The sender reads `open`, and raises the exception in the thread only if `open` is set.
3. When the function has ended, the thread clears `open`.
4. The thread reads `interruption`.

The interpreter's lock orders these four steps: if the sender found `open` set, the thread finds the interruption. Then
the thread waits until the sender has finished, clears an exception that has not come yet, and ends the task. In all
other cases the thread finds no interruption, and reading one attribute is all that the check costs. Each run is
interrupted once only, so no second exception can follow.
"""

from __future__ import annotations

import ctypes
from threading import get_ident

from dagrpc.exceptions import TaskInterrupted
from dagrpc_worker.execute.task_context import Interruption, TaskContext

_SENDER_TIMEOUT = 60.0
"""Seconds that a thread waits for a sender, which needs microseconds."""


def interrupt(context: TaskContext, limit: float) -> bool:
    """Interrupt a task from another thread. Return whether this is its first interruption and reached it running."""
    if context.interruption is not None:
        return False
    interruption = context.interruption = Interruption(limit)
    try:
        if context.open:
            interruption.sent = True
            if context.escape is not None:
                context.escape()
            else:
                _raise_in(context.thread)
    finally:
        interruption.finished.release()
    return interruption.sent


def begin(interruption: Interruption) -> None:
    """Raise in a task that was interrupted before its function was called."""
    interruption.sent = True
    raise TaskInterrupted("interrupted before the function was called")


def end(interruption: Interruption) -> None:
    """Wait for the sender and clear an exception that has not come yet. In the task's thread."""
    interruption.finished.acquire(timeout=_SENDER_TIMEOUT)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(get_ident()), None)


def check(interruption: Interruption) -> None:
    """Raise in a task that has returned although it was interrupted."""
    if interruption.sent:
        raise TaskInterrupted("interrupted")


def _raise_in(thread: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TaskInterrupted))
