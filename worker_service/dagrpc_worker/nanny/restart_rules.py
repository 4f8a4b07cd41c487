"""What a nanny decides: whether there should be a worker process, and what to do about the difference.

Rule 1: a process that ends although it should run is started again, at once.
Rule 2: a process that was asked to end and does not is killed.
Rule 3: processes that end one after the other without having been of use are a crash loop: the next one waits for
longer and longer, and when too many of them ended by themselves the nanny gives up, visibly. So it does at once if its
first worker says that another would fare no better. It does not give up a worker that has worked.

A process was of use if it was given something to do, or was part of the cluster for a while. What a task does to its
worker is for the scheduler to judge: it suspects the task, and gives it up in the end.

Pure: what happened comes in, with the time; what is to be done goes out.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import TypeAlias

from dagrpc._common.backoff import pause_after
from dagrpc._common.cheap_dataclass import record
from dagrpc_worker.exits import ExitCode, describe_exit
from dagrpc_worker.nanny.exit_reasons import Cause, ProcessEnd, by_itself, memory_text, was_done_to_it


class Status(enum.Enum):
    """What a nanny sees of its process."""

    STARTING = "starting"
    """Spawned, or about to be; not yet part of the cluster."""
    RUNNING = "running"
    """Part of the cluster."""
    STOPPING = "stopping"
    """Asked to leave."""
    STOPPED = "stopped"
    """Not there, and none will be started."""
    FAILED = "failed"
    """Not there, and given up."""


# --- what happens ------------------------------------------------------------------------------------------------


@record
class StartWanted:
    """There should be a process."""


@record
class StopWanted:
    """There should be none. One that does not end within `grace` seconds is killed."""

    grace: float
    reason: str
    drain: bool = False
    """Whether it is to finish what it runs and to hand over its results first."""


@record
class RestartWanted:
    """There should be another."""

    grace: float
    reason: str


@record
class Reported:
    """The process said something about itself."""

    status: str
    """``connecting``, ``running``, ``failed`` or ``closed``; or ``working``: it was given something to do."""
    address: str = ""
    name: str = ""
    error: str = ""


@record
class MemoryExceeded:
    """The process uses more memory than it may."""

    used: int
    limit: int
    part: float = 1.0
    """The part of the limit that it may use."""


@record
class Exited:
    """The process ended."""

    code: int
    oom_evidence: str = ""
    """What points to the kernel's having killed it for want of memory; empty: nothing."""
    used: int = 0
    """Bytes of memory that it used when it was last looked at; 0: not known."""
    limit: int = 0
    """Bytes that it was allowed; 0: any amount."""
    log: tuple[str, ...] = ()
    """The last lines that it wrote."""


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


# --- what is to be done ------------------------------------------------------------------------------------------


class Timer(enum.Enum):
    """What a timer is for."""

    START = "start"
    """The process has to show signs of life."""
    KILL = "kill"
    """The process has to have ended."""
    SPAWN = "spawn"
    """The pause before the next process is over."""


@record
class Spawn:
    """Start a process."""

    generation: int


@record
class Terminate:
    """Ask the process to end."""

    drain: bool = False
    """Whether it may take the time to finish and to hand over."""


@record
class Kill:
    """End the process."""


@record
class SetTimer:
    """Send `TimerRang` after `delay` seconds."""

    timer: Timer
    generation: int
    delay: float


@record
class Log:
    """Tell people."""

    message: str
    bad: bool = False


@record
class CloseNanny:
    """The worker left for good: so can the nanny."""


@record
class TellScheduler:
    """No worker comes any more: those who wait for one are to hear why."""

    reason: str


Effect: TypeAlias = Spawn | Terminate | Kill | SetTimer | Log | CloseNanny | TellScheduler

_NO_BETTER_AT_FIRST = (ExitCode.BAD_SETTINGS, ExitCode.REFUSED)
"""What another process would say, too, unless one has worked: then a port or a name is free again in a moment."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
_LEAVE_TIMEOUT = 10.0
_ENDS_KEPT = 16


class NannyCore:
    """Decides about one worker process at a time.

    Parameters
    ----------
    start_timeout : float
        Seconds within which a new process has to show signs of life.
    max_restarts : int
        How many processes in a row may end by themselves without having been of use.
    proving_time : float
        Seconds after which a process was of use that has been part of the cluster for so long, even if it was given
        nothing to do.
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
        """Why it was killed by us."""
        self._exceeded = 0
        """Bytes that it used when it was, for that."""
        self._joined_at: float | None = None
        """When it became part of the cluster."""
        self._worked = False
        """Whether it was given something to do."""
        self._proven = False
        """Whether any process of this nanny's ever joined the cluster."""
        self._failures = 0
        """How many processes ended by themselves in a row without having been of use."""
        self._unstarted = 0
        """How many times in a row the system could not start one."""
        self._losses = 0
        self.status = Status.STOPPED
        self.generation = 0
        """Counts the processes."""
        self.address = ""
        self.name = ""
        self.restarts = 0
        self.last_exit_code = 0
        self.ends: deque[ProcessEnd] = deque(maxlen=_ENDS_KEPT)
        """How the last processes ended, the oldest first."""
        self.error = ""
        """Why the status is `FAILED`, or what the process last said was wrong."""

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take in what happened; return what is to be done about it, in order."""
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

    def _start(self) -> list[Effect]:
        self._wanted = True
        if self._alive or self.status is Status.STARTING:
            return []
        self._failures = self._unstarted = 0
        return self._spawn()

    def _spawn(self) -> list[Effect]:
        self.generation += 1
        self.status, self.address, self.error = Status.STARTING, "", ""
        self._alive, self._heard_of, self._leaving, self._draining, self._killed = True, False, False, False, None
        self._joined_at, self._worked, self._exceeded = None, False, 0
        return [Spawn(self.generation), SetTimer(Timer.START, self.generation, self._start_timeout)]

    def _end(self, grace: float, reason: str, drain: bool = False) -> list[Effect]:
        """Have the process end, if there is one."""
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

    def _report(self, report: Reported, now: float) -> list[Effect]:
        # It lives; how long it may look for the scheduler is its own affair.
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
            # It has nothing left to do, but threads of the user's may keep it from ending.
            self._leaving = True
            return [SetTimer(Timer.KILL, self.generation, _LEAVE_TIMEOUT)]
        return []

    def _kill_for_memory(self, event: MemoryExceeded) -> list[Effect]:
        """Kill the process. It is not asked: it would take its leave, and its tasks would not be suspected."""
        if not self._alive or self._killed:
            return []
        figures = memory_text(event.used, event.limit)
        reason = f"its nanny killed it, for it used {figures}; {100 * event.part:g} % are allowed"
        self._killed, self._exceeded = (Cause.MEMORY_LIMIT, reason), event.used
        return [Log(f"the worker process uses {figures}: killing it", bad=True), Kill()]

    def _ring(self, timer: Timer) -> list[Effect]:
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
        # Of one that was killed for it, what was seen then is more recent.
        used = self._exceeded or event.used
        end = ProcessEnd(self.address, event.code, cause, reason, used, event.limit, event.log)
        self.ends.append(end)
        return end

    def _exit(self, event: Exited, now: float) -> list[Effect]:
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
        return self._start_again(end, self._was_of_use(now))

    def _was_of_use(self, now: float) -> bool:
        return self._worked or (self._joined_at is not None and now - self._joined_at >= self._proving_time)

    def _start_again(self, end: ProcessEnd, was_of_use: bool) -> list[Effect]:
        """Start the next process: at once, unless this is a crash loop."""
        self._unstarted = 0
        if was_of_use:
            self._failures = 0
        elif not was_done_to_it(end):
            self._failures += 1
        if self._failures > self._max_restarts:
            times = f"{self._failures} times in a row before it was of any use"
            return self._give_up(f"the worker process ended {times}, at last: {end.reason}", end.log_text())
        message = f"restarting the worker process, which ended unexpectedly: {end.reason}"
        # What others do to it says nothing about the next one, which need not wait.
        return self._spawn_later(message, 0 if was_done_to_it(end) else self._failures)

    def _spawn_failed(self, error: str) -> list[Effect]:
        """Try again. A machine that is short of something lets others end, and then has it."""
        self._alive = False
        if not self._wanted:
            self.status = Status.STOPPED
            return []
        self._unstarted += 1
        if self._unstarted > self._max_restarts and not self._proven:
            return self._give_up(f"no process can be started: {error}")
        return self._spawn_later(f"no process can be started: {error}; trying again", self._unstarted + 1)

    def _spawn_later(self, message: str, times: int) -> list[Effect]:
        """Start the next process: the first at once, those that follow closely after growing pauses."""
        self.restarts += 1
        if times <= 1:
            return [Log(message, bad=True), *self._spawn()]
        self.status = Status.STARTING
        pause = pause_after(times - 1, _FIRST_PAUSE, _LONGEST_PAUSE)
        return [Log(f"{message}; in {pause:g} s", bad=True), SetTimer(Timer.SPAWN, self.generation, pause)]

    def _give_up(self, why: str, log: str = "", code: int = 0) -> list[Effect]:
        self._wanted, self.status = False, Status.FAILED
        # What it said itself tells more than its log.
        self.error = f"{why}; {self.error}" if self.error else why + log
        told: list[Effect] = [Log(f"giving up: {self.error}", bad=True)]
        # One that found none cannot tell it.
        return told if code == ExitCode.NO_SCHEDULER else [*told, TellScheduler(self.error)]
