"""The rules by which a nanny starts, stops and restarts its worker process. Pure: events in, instructions out.

Rule 1: a process that ends although it should run is replaced at once.
Rule 2: a process that was told to end and does not is killed.
Rule 3: several processes in a row that end without having been useful are a crash loop. The pauses between them grow,
and after too many that ended by themselves the nanny gives up and reports it. It gives up at once if its first worker
reports an error that another worker would meet as well. It never gives up after a worker that has worked.

A process was useful if it was given something to do, or was part of the cluster for a while. A task that ends its
worker is the scheduler's concern: the scheduler suspects the task, and fails it after several workers.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import TypeAlias

from dagrpc._common.backoff import pause_after
from dagrpc._common.cheap_dataclass import record
from dagrpc_worker.exits import ExitCode, describe_exit
from dagrpc_worker.nanny.exit_reasons import Cause, ProcessEnd, by_itself, memory_text, was_ended_from_outside


class Status(enum.Enum):
    """The status of a worker process."""

    STARTING = "starting"
    """Spawned, or about to be spawned; not yet part of the cluster."""
    RUNNING = "running"
    """Part of the cluster."""
    STOPPING = "stopping"
    """Told to end."""
    STOPPED = "stopped"
    """There is no process, and none will be started."""
    FAILED = "failed"
    """There is no process: the nanny has given up."""


# --- events ------------------------------------------------------------------------------------------------------


@record
class StartWanted:
    """A process is wanted."""


@record
class StopWanted:
    """No process is wanted. A process that does not end within `grace` seconds is killed."""

    grace: float
    reason: str
    drain: bool = False
    """Whether the worker first finishes its running tasks and hands over its results."""


@record
class RestartWanted:
    """Another process is wanted."""

    grace: float
    reason: str


@record
class Reported:
    """The process has reported its status."""

    status: str
    """``connecting``, ``running``, ``failed`` or ``closed``; or ``working``: it was given something to do."""
    address: str = ""
    name: str = ""
    error: str = ""


@record
class MemoryExceeded:
    """The process uses too much memory."""

    used: int
    limit: int
    part: float = 1.0
    """The fraction of the limit that the process may use."""


@record
class Exited:
    """The process has ended."""

    code: int
    oom_evidence: str = ""
    """Evidence that the kernel killed the process because memory was short; empty: none."""
    used: int = 0
    """Bytes of memory in use when last measured; 0: unknown."""
    limit: int = 0
    """Memory limit in bytes; 0: none."""
    log: tuple[str, ...] = ()
    """The last lines of its output."""


@record
class SpawnFailed:
    """The system could not start a process."""

    error: str


@record
class TimerRang:
    """A timer is over."""

    timer: Timer
    generation: int


Event: TypeAlias = (
    StartWanted | StopWanted | RestartWanted | Reported | MemoryExceeded | Exited | SpawnFailed | TimerRang
)


# --- instructions ------------------------------------------------------------------------------------------------


class Timer(enum.Enum):
    """The purpose of a timer."""

    START = "start"
    """The process must have sent a report."""
    KILL = "kill"
    """The process must have ended."""
    SPAWN = "spawn"
    """The pause before the next process is over."""


@record
class Spawn:
    """Start a process."""

    generation: int


@record
class Terminate:
    """Tell the process to end."""

    drain: bool = False
    """Whether the worker first finishes its running tasks and hands over its results."""


@record
class Kill:
    """Kill the process."""


@record
class SetTimer:
    """Feed `TimerRang` after `delay` seconds."""

    timer: Timer
    generation: int
    delay: float


@record
class Log:
    """Write a line to the log."""

    message: str
    bad: bool = False


@record
class CloseNanny:
    """Close the nanny: its worker has left the cluster for good."""


@record
class TellScheduler:
    """Report to the scheduler that no worker follows, and why: clients may be waiting for one."""

    reason: str


Instruction: TypeAlias = Spawn | Terminate | Kill | SetTimer | Log | CloseNanny | TellScheduler

_NO_BETTER_AT_FIRST = (ExitCode.BAD_SETTINGS, ExitCode.REFUSED)
"""Exit codes that another process would end with as well, unless a worker has worked before: then a port or a name
becomes free in a moment."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
_LEAVE_TIMEOUT = 10.0
_ENDS_KEPT = 16


class NannyCore:
    """Decides about one worker process at a time.

    Parameters
    ----------
    start_timeout : float
        Seconds within which a new process must send its first report.
    max_restarts : int
        Maximum number of processes in a row that end by themselves without having been useful.
    proving_time : float
        Seconds as part of the cluster after which a process counts as useful even if it was given nothing to do.
    """

    def __init__(self, start_timeout: float, max_restarts: int, proving_time: float) -> None:
        self._start_timeout = start_timeout
        self._max_restarts = max_restarts
        self._proving_time = proving_time
        self._wanted = False
        self._alive = False
        self._heard_of = False
        self._leaving = False
        self._draining = False
        self._killed: tuple[Cause, str] | None = None
        """Why the nanny killed the process."""
        self._exceeded = 0
        """Bytes in use when the nanny killed the process for its memory."""
        self._joined_at: float | None = None
        """When the process became part of the cluster."""
        self._worked = False
        """Whether the process was given something to do."""
        self._proven = False
        """Whether any process of this nanny has joined the cluster."""
        self._failures = 0
        """Number of processes in a row that ended by themselves without having been useful."""
        self._unstarted = 0
        """Number of times in a row that the system could not start a process."""
        self._losses = 0
        self.status = Status.STOPPED
        self.generation = 0
        """Number of processes so far."""
        self.address = ""
        self.name = ""
        self.restarts = 0
        self.last_exit_code = 0
        self.ends: deque[ProcessEnd] = deque(maxlen=_ENDS_KEPT)
        """The ends of the last processes, the oldest first."""
        self.error = ""
        """Why the status is `FAILED`, or the last error that the process reported."""

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Handle an event and return the instructions in order."""
        match event:
            case StartWanted():
                return self._start()
            case StopWanted(grace, reason, drain):
                self._wanted = False
                return self._end(grace, reason, drain)
            case RestartWanted(grace, reason):
                if self._alive:
                    self._wanted = True
                    return self._end(grace, reason)
                return self._start()
            case Reported():
                return self._report(event, now)
            case MemoryExceeded():
                return self._kill_for_memory(event)
            case Exited():
                return self._exit(event, now)
            case SpawnFailed(error):
                return self._spawn_failed(error)
            case TimerRang(timer, generation) if generation == self.generation:
                return self._ring(timer)
            case TimerRang():
                return []

    def _start(self) -> list[Instruction]:
        self._wanted = True
        if self._alive or self.status is Status.STARTING:
            return []
        self._failures = self._unstarted = 0
        return self._spawn()

    def _spawn(self) -> list[Instruction]:
        self.generation += 1
        self.status, self.address, self.error = Status.STARTING, "", ""
        self._alive, self._heard_of, self._leaving, self._draining, self._killed = True, False, False, False, None
        self._joined_at, self._worked, self._exceeded = None, False, 0
        return [Spawn(self.generation), SetTimer(Timer.START, self.generation, self._start_timeout)]

    def _end(self, grace: float, reason: str, drain: bool = False) -> list[Instruction]:
        """Tell the process to end, if there is one."""
        if not self._alive:
            if self.status is not Status.FAILED:
                self.status = Status.STOPPED
            return []
        if self.status is Status.STOPPING and (drain or not self._draining):
            return []
        self.status, self._draining = Status.STOPPING, drain
        how = "asking the worker process to finish and leave" if drain else "stopping the worker process"
        return [
            Log(f"{how}: {reason or 'no reason given'}"),
            Terminate(drain),
            SetTimer(Timer.KILL, self.generation, grace),
        ]

    def _report(self, report: Reported, now: float) -> list[Instruction]:
        # The process has started; its own death timeout limits the search for the scheduler.
        self._heard_of = True
        if report.error:
            self.error = report.error
        if report.name:
            self.name = report.name
        if report.status == "working":
            self._worked = True
        elif report.status == "running" and self.status is Status.STARTING:
            self.status, self.address, self._losses = Status.RUNNING, report.address, 0
            self._joined_at, self._proven = now, True
        elif report.status == "closed" and not self._leaving:
            # The worker has closed, but threads of user code may keep the process from ending.
            self._leaving = True
            return [SetTimer(Timer.KILL, self.generation, _LEAVE_TIMEOUT)]
        return []

    def _kill_for_memory(self, event: MemoryExceeded) -> list[Instruction]:
        """Kill the process at once: if it could say goodbye, its tasks would not be suspected."""
        if not self._alive or self._killed:
            return []
        figures = memory_text(event.used, event.limit)
        reason = f"its nanny killed it, for it used {figures}; {100 * event.part:g} % are allowed"
        self._killed, self._exceeded = (Cause.MEMORY_LIMIT, reason), event.used
        return [Log(f"the worker process uses {figures}: killing it", bad=True), Kill()]

    def _ring(self, timer: Timer) -> list[Instruction]:
        match timer:
            case Timer.START if self.status is Status.STARTING and self._alive and not self._heard_of:
                silence = f"no sign of life after {self._start_timeout:g} s"
                self._killed = Cause.NO_SIGN_OF_LIFE, f"its nanny killed it, for it showed {silence}"
                return [Log(f"the worker process shows {silence}: killing it", bad=True), Kill()]
            case Timer.KILL if self._alive and (self._leaving or self.status is Status.STOPPING):
                self._killed = Cause.STOPPED, "its nanny killed it, for it did not end in time when it was asked to"
                return [Log("the worker process did not end in time: killing it", bad=True), Kill()]
            case Timer.SPAWN if self._wanted and not self._alive:
                return self._spawn()
        return []

    def _note_end(self, event: Exited, was_stopping: bool) -> ProcessEnd:
        if self._killed is not None:
            cause, reason = self._killed
        elif was_stopping:
            cause, reason = Cause.STOPPED, f"its nanny was told to stop it ({describe_exit(event.code)})"
        else:
            cause, reason = by_itself(event.code, event.oom_evidence, event.used, event.limit)
        # If the process was killed for its memory, that measurement is the latest.
        used = self._exceeded or event.used
        end = ProcessEnd(self.address, event.code, cause, reason, used, event.limit, event.log)
        self.ends.append(end)
        return end

    def _exit(self, event: Exited, now: float) -> list[Instruction]:
        was_stopping, code = self.status is Status.STOPPING, event.code
        end = self._note_end(event, was_stopping)
        self._alive, self.address, self.last_exit_code = False, "", code
        if not self._wanted:
            self.status = Status.STOPPED
            return [Log(f"the worker process ended: {end.reason}")]
        if was_stopping or code == ExitCode.RESTART:
            self.restarts += 1
            return [Log(f"restarting the worker process, which ended: {describe_exit(code)}"), *self._spawn()]
        if code == ExitCode.CLOSED:
            self._wanted, self.status = False, Status.STOPPED
            return [Log("the worker closed for good"), CloseNanny()]
        if code == ExitCode.NO_SCHEDULER or (code in _NO_BETTER_AT_FIRST and not self._proven):
            return self._give_up(f"the worker process ended: {end.reason}", end.log_text(), code)
        if code == ExitCode.LOST_SCHEDULER:
            self._losses += 1
            return self._spawn_later(f"restarting the worker, which lost its scheduler ({code})", self._losses)
        return self._start_again(end, self._was_useful(now))

    def _was_useful(self, now: float) -> bool:
        return self._worked or (self._joined_at is not None and now - self._joined_at >= self._proving_time)

    def _start_again(self, end: ProcessEnd, was_useful: bool) -> list[Instruction]:
        """Start the next process: at once, unless this is a crash loop."""
        self._unstarted = 0
        if was_useful:
            self._failures = 0
        elif not was_ended_from_outside(end):
            self._failures += 1
        if self._failures > self._max_restarts:
            times = f"{self._failures} times in a row before it was of any use"
            return self._give_up(f"the worker process ended {times}, at last: {end.reason}", end.log_text())
        message = f"restarting the worker process, which ended unexpectedly: {end.reason}"
        # A process that was ended from outside says nothing about the next one, which starts without a pause.
        return self._spawn_later(message, 0 if was_ended_from_outside(end) else self._failures)

    def _spawn_failed(self, error: str) -> list[Instruction]:
        """Try again: the machine may be short of a resource for a while."""
        self._alive = False
        if not self._wanted:
            self.status = Status.STOPPED
            return []
        self._unstarted += 1
        if self._unstarted > self._max_restarts and not self._proven:
            return self._give_up(f"no process can be started: {error}")
        return self._spawn_later(f"no process can be started: {error}; trying again", self._unstarted + 1)

    def _spawn_later(self, message: str, times: int) -> list[Instruction]:
        """Start the next process: the first at once, later ones after growing pauses."""
        self.restarts += 1
        if times <= 1:
            return [Log(message, bad=True), *self._spawn()]
        self.status = Status.STARTING
        pause = pause_after(times - 1, _FIRST_PAUSE, _LONGEST_PAUSE)
        return [Log(f"{message}; in {pause:g} s", bad=True), SetTimer(Timer.SPAWN, self.generation, pause)]

    def _give_up(self, why: str, log: str = "", code: int = 0) -> list[Instruction]:
        self._wanted, self.status = False, Status.FAILED
        # An error that the worker reported says more than its log.
        self.error = f"{why}; {self.error}" if self.error else why + log
        told: list[Instruction] = [Log(f"giving up: {self.error}", bad=True)]
        # A worker that found no scheduler leaves nobody to report to.
        return told if code == ExitCode.NO_SCHEDULER else [*told, TellScheduler(self.error)]
