"""Breaking off tasks that run.

CPython can raise an exception in another thread: it comes at the next bytecode instruction which that thread executes.
A thread that sleeps, waits for a lock or is inside an extension gets it when it is back from there.

The exception must hit the task that it is meant for and nothing that the thread does before or after it, so it is sent
only while the task's function is being called (`TaskContext.open`). Who sends announces that first
(`TaskContext.interruption`), then looks whether the function is being called, then sends. The thread, when the function
is over, first takes that back, and then looks whether anything was announced. The interpreter's lock orders these four
steps: if the sender found the function being called, then the thread finds the announcement. It waits until the sender
is through, takes back what has not arrived, and ends the task. A thread finds nothing, and does nothing more than look,
in all other cases. There is one announcement for each run, so that nothing can come after that.
"""

from __future__ import annotations

import ctypes
from _thread import allocate_lock
from threading import get_ident
from typing import TYPE_CHECKING

from dagrpc.exceptions import TaskInterrupted

if TYPE_CHECKING:
    from dagrpc_worker.execute.task_context import TaskContext

_PATIENCE = 60.0
"""Seconds that a thread waits for a sender, which needs microseconds."""


class Interruption:
    """What is announced to a task that is to be broken off.

    Parameters
    ----------
    limit : float
        Seconds that the task may run, if its time is up; 0: it was cancelled.
    """

    __slots__ = ("limit", "sent", "settled")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.sent = False
        """Whether it hit the task while it ran, whatever the task makes of it."""
        # No `Event`: an exception that comes inside of one would leave it locked, and the sender waiting.
        self.settled = allocate_lock()
        """Locked until the sender is through."""
        self.settled.acquire()


def interrupt(context: TaskContext, limit: float) -> bool:
    """Break a task off. Return whether it was told, for the first time, while it ran. Not from its own thread."""
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
        interruption.settled.release()
    return interruption.sent


def begin(interruption: Interruption) -> None:
    """Break off a task that was told so before its function was called."""
    interruption.sent = True
    raise TaskInterrupted("broken off before it began")


def end(interruption: Interruption) -> None:
    """Make sure that nothing comes any more. In the task's thread."""
    interruption.settled.acquire(timeout=_PATIENCE)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(get_ident()), None)


def check(interruption: Interruption) -> None:
    """Break off a task that has returned although it was told not to go on."""
    if interruption.sent:
        raise TaskInterrupted("broken off")


def _raise_in(thread: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TaskInterrupted))
