"""The decisions of a nanny, without processes or clocks."""

from __future__ import annotations

import pytest

from dagrpc_worker.exits import ExitCode, describe_exit
from dagrpc_worker.nanny.exit_reasons import Cause, ProcessEnd
from dagrpc_worker.nanny.restart_rules import (
    CloseNanny,
    Event,
    Exited,
    Kill,
    Log,
    MemoryExceeded,
    NannyCore,
    Reported,
    RestartWanted,
    SetTimer,
    Spawn,
    SpawnFailed,
    StartWanted,
    Status,
    StopWanted,
    TellScheduler,
    Terminate,
    Timer,
    TimerRang,
)


class Nanny:
    """A core with a clock that the test sets; keeps the effects, the logged ones apart."""

    def __init__(self, max_restarts: int = 3) -> None:
        self.core = NannyCore(start_timeout=60.0, max_restarts=max_restarts, proving_time=10.0)
        self.now = 1000.0
        self.log: list[str] = []

    def __call__(self, *events: Event) -> list[object]:
        effects: list[object] = []
        for event in events:
            for effect in self.core.handle(event, self.now):
                if isinstance(effect, Log):
                    self.log.append(effect.message)
                else:
                    effects.append(effect)
        return effects

    def last_end(self) -> ProcessEnd:
        return self.core.ends[-1]


RUNNING = Reported("running", "127.0.0.1:1", "w")
WORKING = Reported("working")


@pytest.fixture
def nanny() -> Nanny:
    """A nanny whose worker runs."""
    nanny = Nanny()
    assert nanny(StartWanted()) == [Spawn(1), SetTimer(Timer.START, 1, 60.0)]
    assert nanny.core.status is Status.STARTING
    nanny(Reported("connecting"), RUNNING)
    assert (nanny.core.status, nanny.core.address, nanny.core.name) == (Status.RUNNING, "127.0.0.1:1", "w")
    return nanny


def test_starting_twice_starts_one_process(nanny: Nanny) -> None:
    assert nanny(StartWanted()) == []


def test_a_worker_that_dies_is_started_again_at_once(nanny: Nanny) -> None:
    assert nanny(Exited(-9)) == [Spawn(2), SetTimer(Timer.START, 2, 60.0)]
    assert nanny.core.restarts == 1
    assert nanny.core.last_exit_code == -9
    assert "killed by SIGKILL" in nanny.log[-1]
    assert nanny.core.address == ""


def crash_loop(nanny: Nanny, *life: Event) -> list[float]:
    """Repeat the events of one process's life until the nanny gives up; return the pauses between restarts."""
    pauses: list[float] = []
    for _ in range(100):
        effects = nanny(*life)
        if nanny.core.status is Status.FAILED:
            return pauses
        generation = nanny.core.generation
        pauses += [effect.delay for effect in effects if isinstance(effect, SetTimer) and effect.timer is Timer.SPAWN]
        nanny(TimerRang(Timer.SPAWN, generation))
    raise AssertionError("it does not give up")


CRASH_LOOPS: dict[str, tuple[Event, ...]] = {
    "never joins": (Reported("connecting"), Exited(1)),
    "never joins, by a signal of its own": (Exited(-11),),
    "joins and ends": (RUNNING, Exited(1)),
    "too little memory to begin with": (MemoryExceeded(2, 1), Exited(-9)),
    "too little memory for anything": (RUNNING, MemoryExceeded(2, 1), Exited(-9)),
    "too little memory of the machine": (Exited(-9, "the kernel has counted one"),),
}


@pytest.mark.parametrize("life", CRASH_LOOPS.values(), ids=CRASH_LOOPS)
def test_one_that_ends_again_and_again_without_having_been_of_use_is_given_up(life: tuple[Event, ...]) -> None:
    nanny = Nanny(max_restarts=3)
    nanny(StartWanted())
    assert crash_loop(nanny, *life) == [0.5, 1.0]
    assert "4 times in a row" in nanny.core.error
    # Somebody who knows better can try again, from a clean slate.
    assert Spawn(5) in nanny(StartWanted())
    assert Spawn(6) in nanny(Exited(1))


NOT_TO_BLAME: dict[str, tuple[Event, ...]] = {
    "a task ends it": (RUNNING, WORKING, Exited(1)),
    "a task ends it as soon as it joins": (WORKING, Exited(1)),
    "a task crashes it": (RUNNING, WORKING, Exited(-11)),
    "a task takes too much memory": (RUNNING, WORKING, MemoryExceeded(2, 1), Exited(-9)),
    "a task takes all memory of the machine": (RUNNING, WORKING, Exited(-9, "the kernel has counted one")),
    "a bug": (RUNNING, WORKING, Exited(ExitCode.BUG)),
}


@pytest.mark.parametrize("life", NOT_TO_BLAME.values(), ids=NOT_TO_BLAME)
def test_one_that_has_worked_is_started_again_at_once_as_often_as_it_takes(life: tuple[Event, ...]) -> None:
    nanny = Nanny(max_restarts=0)
    nanny(StartWanted())
    for generation in range(2, 50):
        assert Spawn(generation) in nanny(*life)


@pytest.mark.parametrize("code", [-9, -15, -2, 128 + 15])
def test_kills_from_outside_are_no_reason_to_give_up(code: int) -> None:
    nanny = Nanny(max_restarts=0)
    nanny(StartWanted())
    for generation in range(2, 50):
        assert Spawn(generation) in nanny(Exited(code)), "at once"
    # Nor do these ends count once there are others.
    nanny(RUNNING, WORKING, Exited(1))
    assert nanny.core.status is Status.STARTING


def test_one_that_was_there_for_a_while_has_proved_itself() -> None:
    nanny = Nanny(max_restarts=0)
    nanny(StartWanted())
    for generation in range(2, 12):
        nanny(RUNNING)
        nanny.now += 10.0
        assert Spawn(generation) in nanny(Exited(-11))
    nanny(RUNNING)
    nanny.now += 9.0
    nanny(Exited(-11))
    assert nanny.core.status is Status.FAILED


def test_a_crash_loop_is_over_once_a_worker_has_worked() -> None:
    nanny = Nanny(max_restarts=3)
    nanny(StartWanted())
    for _ in range(10):
        for _ in range(3):
            nanny(Exited(1))
            nanny(TimerRang(Timer.SPAWN, nanny.core.generation))
        generation = nanny.core.generation
        assert Spawn(generation + 1) in nanny(RUNNING, WORKING, Exited(1))


def test_a_late_report_of_the_last_process_does_not_prove_the_next() -> None:
    nanny = Nanny(max_restarts=0)
    nanny(StartWanted(), RUNNING, WORKING, Exited(1))
    nanny(Exited(1))
    assert nanny.core.status is Status.FAILED


def test_a_machine_that_cannot_start_processes_is_given_time() -> None:
    nanny = Nanny(max_restarts=2)
    nanny(StartWanted(), RUNNING, WORKING)
    nanny(Exited(1))
    for pause in (0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0):
        assert nanny(SpawnFailed("no memory")) == [SetTimer(Timer.SPAWN, nanny.core.generation, pause)]
        assert nanny.core.status is Status.STARTING
        nanny(TimerRang(Timer.SPAWN, nanny.core.generation))
    assert "no memory" in nanny.log[-1]
    nanny(RUNNING)
    assert nanny.core.status is Status.RUNNING


def test_a_machine_that_could_not_start_any_process_is_given_up() -> None:
    nanny = Nanny(max_restarts=2)
    nanny(StartWanted())
    crash_loop(nanny, SpawnFailed("no memory"))
    assert nanny.core.error == "no process can be started: no memory"
    nanny(StartWanted())
    nanny(StopWanted(5.0, ""))
    nanny(SpawnFailed("no memory"))
    assert nanny.core.status is Status.STOPPED


def test_a_worker_that_closed_for_good_takes_the_nanny_with_it(nanny: Nanny) -> None:
    assert nanny(Exited(ExitCode.CLOSED)) == [CloseNanny()]
    assert nanny.core.status is Status.STOPPED


def test_a_worker_that_is_to_be_replaced_is_replaced_without_being_counted(nanny: Nanny) -> None:
    for generation in range(2, 12):
        assert Spawn(generation) in nanny(Exited(ExitCode.RESTART))
    assert nanny.core.status is Status.STARTING


def test_a_lost_scheduler_is_looked_for_with_patience(nanny: Nanny) -> None:
    assert Spawn(2) in nanny(Exited(ExitCode.LOST_SCHEDULER))
    assert nanny(Exited(ExitCode.LOST_SCHEDULER)) == [SetTimer(Timer.SPAWN, 2, 0.5)]
    for _ in range(20):
        nanny(TimerRang(Timer.SPAWN, nanny.core.generation))
        (timer,) = nanny(Exited(ExitCode.LOST_SCHEDULER))
    assert timer == SetTimer(Timer.SPAWN, nanny.core.generation, 10.0)
    nanny(TimerRang(Timer.SPAWN, nanny.core.generation), RUNNING)
    assert any(isinstance(effect, Spawn) for effect in nanny(Exited(ExitCode.LOST_SCHEDULER)))


@pytest.mark.parametrize("code", [ExitCode.REFUSED, ExitCode.BAD_SETTINGS])
def test_a_name_or_port_of_one_that_worked_is_waited_for(nanny: Nanny, code: ExitCode) -> None:
    nanny(WORKING, Exited(-9))
    for _ in range(3):
        nanny(Reported("failed", error="a worker named 'w' is there"), Exited(code))
        assert nanny.core.status is Status.STARTING
        nanny(TimerRang(Timer.SPAWN, nanny.core.generation))
    nanny(Reported("failed", error="a worker named 'w' is there"), Exited(code))
    assert nanny.core.status is Status.FAILED
    assert "a worker named 'w' is there" in nanny.core.error


@pytest.mark.parametrize("code", [ExitCode.REFUSED, ExitCode.NO_SCHEDULER, ExitCode.BAD_SETTINGS])
def test_a_fault_that_a_restart_cannot_mend_ends_it_with_the_reason(code: ExitCode) -> None:
    nanny = Nanny()
    nanny(StartWanted())
    told = nanny(Reported("failed", error="a worker named 'w' is there"), Exited(code))
    assert told == ([] if code == ExitCode.NO_SCHEDULER else [TellScheduler(nanny.core.error)])
    assert nanny.core.status is Status.FAILED
    assert "a worker named 'w' is there" in nanny.core.error
    assert code.name in nanny.core.error


def test_stopping_asks_then_kills(nanny: Nanny) -> None:
    assert nanny(StopWanted(5.0, "bored")) == [Terminate(), SetTimer(Timer.KILL, 1, 5.0)]
    assert nanny(StopWanted(5.0, "bored")) == []
    assert nanny(TimerRang(Timer.KILL, 1)) == [Kill()]
    assert nanny(Exited(-9)) == []
    assert nanny.core.status is Status.STOPPED
    assert nanny(StopWanted(5.0, "again")) == []
    assert Spawn(2) in nanny(StartWanted())


def test_restarting_waits_for_the_old_process(nanny: Nanny) -> None:
    assert nanny(RestartWanted(5.0, "restart")) == [Terminate(), SetTimer(Timer.KILL, 1, 5.0)]
    assert nanny(RUNNING) == []
    assert nanny.core.status is Status.STOPPING
    assert Spawn(2) in nanny(Exited(143))
    assert nanny(TimerRang(Timer.KILL, 1)) == [], "the timer was the old process's"


def test_restarting_starts_where_there_is_no_process() -> None:
    nanny = Nanny()
    assert Spawn(1) in nanny(RestartWanted(5.0, "restart"))


def test_starting_while_stopping_starts_another_afterwards(nanny: Nanny) -> None:
    nanny(StopWanted(5.0, ""))
    assert nanny(StartWanted()) == []
    assert Spawn(2) in nanny(Exited(0))


def test_stopping_while_restarting_means_stopping(nanny: Nanny) -> None:
    nanny(RestartWanted(5.0, ""))
    nanny(StopWanted(5.0, ""))
    assert nanny(Exited(0)) == []
    assert nanny.core.status is Status.STOPPED


def test_stopping_while_the_next_process_is_awaited() -> None:
    nanny = Nanny()
    nanny(StartWanted(), RUNNING, Exited(1), Exited(1))
    assert nanny(StopWanted(5.0, "")) == []
    assert nanny.core.status is Status.STOPPED
    assert nanny(TimerRang(Timer.SPAWN, nanny.core.generation)) == []


def test_starting_while_the_next_process_is_awaited_waits_with_it() -> None:
    nanny = Nanny()
    nanny(StartWanted(), RUNNING, Exited(1), Exited(1))
    assert nanny(StartWanted()) == []
    assert Spawn(3) in nanny(TimerRang(Timer.SPAWN, 2))


def test_a_process_that_never_says_anything_is_killed_and_counted() -> None:
    nanny = Nanny()
    nanny(StartWanted())
    assert nanny(TimerRang(Timer.START, 1)) == [Kill()]
    assert Spawn(2) in nanny(Exited(-9))


def test_a_process_that_looks_for_its_scheduler_is_let_be() -> None:
    nanny = Nanny()
    nanny(StartWanted(), Reported("connecting"))
    assert nanny(TimerRang(Timer.START, 1)) == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit code 0 (CLOSED)"),
        (1, "exit code 1"),
        (-9, "killed by SIGKILL"),
        (-200, "killed by signal 200"),
        (77, "exit code 77 (REFUSED)"),
    ],
)
def test_exits_in_words(code: int, words: str) -> None:
    assert describe_exit(code) == words


def test_a_process_that_says_it_closed_but_stays_is_killed(nanny: Nanny) -> None:
    assert nanny(Reported("closed")) == [SetTimer(Timer.KILL, 1, 10.0)]
    assert nanny(Reported("closed")) == []
    assert nanny(TimerRang(Timer.KILL, 1)) == [Kill()]
    assert Spawn(2) in nanny(Exited(-9))
    assert nanny(TimerRang(Timer.KILL, 2)) == []


# --- why processes end ---


def test_ends_are_kept_with_their_causes(nanny: Nanny) -> None:
    nanny(Exited(3, log=("last words",)))
    nanny(RUNNING, Exited(-9, used=2**20))
    nanny(RUNNING, Exited(-9, "its control group has counted such a kill just then", 2**20, 2**21))
    assert [end.cause for end in nanny.core.ends] == [Cause.EXITED, Cause.SIGNAL, Cause.OUT_OF_MEMORY]
    assert [end.address for end in nanny.core.ends] == ["127.0.0.1:1"] * 3
    assert nanny.core.ends[0].log == ("last words",)
    assert "probably by the kernel" in nanny.core.ends[2].reason
    assert "50 % of its limit" in nanny.core.ends[2].reason


def test_an_exit_that_the_nanny_caused_is_explained(nanny: Nanny) -> None:
    assert nanny(MemoryExceeded(96 << 20, 100 << 20, 0.95)) == [Kill()]
    assert nanny(MemoryExceeded(97 << 20, 100 << 20, 0.95)) == []
    nanny(Exited(-9, "the kernel has counted one"))
    assert nanny.last_end().cause is Cause.MEMORY_LIMIT
    assert "96.0 MiB, 96 % of its limit of 100.0 MiB; 95 % are allowed" in nanny.last_end().reason
    nanny(TimerRang(Timer.START, 2), Exited(-9))
    assert nanny.last_end().cause is Cause.NO_SIGN_OF_LIFE
    nanny(TimerRang(Timer.SPAWN, 2), RUNNING, StopWanted(5.0, ""), Exited(0))
    assert nanny.last_end().cause is Cause.STOPPED


def test_giving_up_shows_the_log() -> None:
    nanny = Nanny(max_restarts=0)
    nanny(StartWanted(), Exited(1, log=("Traceback:", "ImportError: no such thing")))
    assert nanny.core.status is Status.FAILED
    assert nanny.core.error.endswith("The last lines of its log:\n  Traceback:\n  ImportError: no such thing")


def test_draining_may_take_its_time_unless_somebody_is_in_a_hurry(nanny: Nanny) -> None:
    assert nanny(StopWanted(30.0, "leave", drain=True)) == [Terminate(drain=True), SetTimer(Timer.KILL, 1, 30.0)]
    assert nanny(StopWanted(30.0, "leave", drain=True)) == []
    assert nanny(StopWanted(5.0, "now")) == [Terminate(), SetTimer(Timer.KILL, 1, 5.0)]
    assert nanny(StopWanted(5.0, "now")) == []
