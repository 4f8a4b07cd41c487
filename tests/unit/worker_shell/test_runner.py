"""Running tasks in threads: results, failures of all kinds, pools, leaving them and coming back."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from queue import Queue
from typing import Any

import dask
import pytest
from dask._task_spec import Task, TaskRef

from dagrpc._codec import payload
from dagrpc._codec.failures import decode_failure
from dagrpc._codec.functions import PickledFunction, encode_call
from dagrpc._codec.graphs import GraphEncoder
from dagrpc._codec.references import DependencyRef
from dagrpc._codec.shared_store import SharedStore
from dagrpc.exceptions import Reschedule
from dagrpc.v1 import failure_pb2
from dagrpc_worker.core import events
from dagrpc_worker.core.instructions import Execute
from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.execute import task_context
from dagrpc_worker.execute.runner import TaskRunner
from dagrpc_worker.execute.work import Literal, NamedCall, PythonTask, ResultOf, Work

WAIT = 10.0


class OpenStore(SharedStore):
    """Has values that tasks get as they are, for tests that look into their own process."""

    def __init__(self) -> None:
        super().__init__()
        self.uncopied: dict[bytes, Any] = {}

    def load(self, digest: bytes, refers: bool = False, copy: bool = False) -> Any:
        return self.uncopied[digest] if digest in self.uncopied else super().load(digest, refers, copy)


def call_of(*args: Any) -> bytes:
    """Return the run spec of a call of a shared function."""
    return encode_call(PickledFunction(len), args, {})[0]


class Bench:
    """A runner without a worker around it."""

    def __init__(self, nthreads: int = 1, executors: dict[str, int] | None = None) -> None:
        self.store = DataStore()
        self.shared = OpenStore()
        self.events: Queue[Any] = Queue()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.runner = TaskRunner(
            nthreads, self.store, self.shared, self.events.put, self.run_on_loop, executors, owner="the worker"
        )
        self.runner.inline_limit = 1000
        self.run_ids = iter(range(1, 1000))

    def run_on_loop(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def close(self) -> None:
        self.runner.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(WAIT)
        self.loop.close()

    def call(self, key: str, function: Callable[..., Any], *args: Any, **options: Any) -> int:
        """Queue a call and return its run id."""
        pickled = PickledFunction(function)
        self.shared.put(pickled.digest, pickled.data)
        return self.submit(key, PythonTask(encode_call(pickled, args, {})[0], [pickled.digest]), **options)

    def submit(self, key: str, work: Work, **options: Any) -> int:
        run_id = next(self.run_ids)
        self.runner.submit(Execute(key, run_id, work, **options))
        return run_id

    def next(self) -> Any:
        return self.events.get(timeout=WAIT)

    def outcome(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Run a function and return the event that it ends with."""
        self.call("x", function, *args, **options)
        return self.next()


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


def raised(event: Any) -> BaseException:
    assert isinstance(event, events.ExecuteFailed), event
    return decode_failure(event.failure)


def raise_(error: BaseException) -> None:
    raise error


def test_a_result_is_stored_and_a_small_one_rides_along(bench: Bench) -> None:
    before = time.time()
    event = bench.outcome(lambda a, b: a + b, 1, 2)
    assert isinstance(event, events.ExecuteSucceeded)
    assert (event.key, event.run_id, event.type_name) == ("x", 1, "builtins.int")
    assert event.nbytes == sys.getsizeof(3)
    assert before <= event.start <= event.stop <= time.time()
    assert payload.decode(*event.payload) == 3
    assert bench.store["x"] == 3
    assert bench.runner.executing() == {}


@pytest.mark.parametrize("value", [b"x" * 2000, ["y" * 100] * 3 + [list(range(400))]])
def test_a_large_result_stays(bench: Bench, value: Any) -> None:
    event = bench.outcome(lambda: value)
    assert event.payload is None
    assert bench.store["x"] == value


def test_a_result_that_cannot_be_pickled_stays_usable(bench: Bench) -> None:
    event = bench.outcome(lambda: (i for i in range(3)))
    assert isinstance(event, events.ExecuteSucceeded)
    assert event.payload is None
    bench.call("y", list, DependencyRef("x"), dependencies=["x"])
    assert payload.decode(*bench.next().payload) == [0, 1, 2]


def test_a_size_that_cannot_be_told_is_guessed(bench: Bench) -> None:
    class Broken:
        def __sizeof__(self) -> int:
            raise RuntimeError("how large am I?")

    assert bench.outcome(Broken).nbytes == 1_000_000


def test_the_traceback_begins_in_the_users_code(bench: Bench) -> None:
    def outer() -> None:
        inner()

    def inner() -> None:
        raise KeyError("no such thing")

    event = bench.outcome(outer)
    error = raised(event)
    assert isinstance(error, KeyError)
    assert event.failure.kind == failure_pb2.FAILURE_KIND_APPLICATION
    assert event.failure.origin_key == "x"
    names = []
    trace = error.__traceback__
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert names == ["outer", "inner"]
    assert "execute/runner.py" not in event.failure.traceback_text


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit()])
def test_not_even_exits_end_the_thread(bench: Bench, error: BaseException) -> None:
    told = raised(bench.outcome(raise_, error))
    assert type(error) in (type(told), type(told.__cause__))
    assert isinstance(bench.outcome(len, ()), events.ExecuteSucceeded)


def test_an_exception_that_cannot_be_pickled_is_told_in_words(bench: Bench) -> None:
    class Cursed(Exception):
        def __reduce__(self) -> Any:
            raise TypeError("never")

        def __str__(self) -> str:
            return "a curse"

    event = bench.outcome(lambda: raise_(Cursed()))
    assert event.failure.message == "a curse"
    assert event.failure.type_name.endswith("Cursed")


def test_text_that_utf8_cannot_carry_is_told_anyway(bench: Bench) -> None:
    event = bench.outcome(lambda: raise_(ValueError("no file \udc80")))
    assert event.failure.message == "no file \\udc80"
    assert raised(event).args == ("no file \udc80",)


def test_an_enormous_value_in_an_exception_stays_on_the_worker(bench: Bench) -> None:
    event = bench.outcome(lambda: raise_(ValueError(bytes(20 << 20))))
    assert isinstance(raised(event), ValueError)
    assert event.failure.ByteSize() < 100_000


def test_a_task_that_cannot_be_unpickled_says_so(bench: Bench) -> None:
    bench.submit("x", PythonTask(b"C" + b"cno_such_module\nfunction\n."))
    event = bench.next()
    assert event.failure.kind == failure_pb2.FAILURE_KIND_DESERIALIZATION
    assert isinstance(raised(event), RuntimeError)
    assert isinstance(raised(event).__cause__, ModuleNotFoundError)
    bench.submit("y", PythonTask(b"garbage"))
    assert bench.next().failure.kind == failure_pb2.FAILURE_KIND_DESERIALIZATION


def test_a_missing_dependency_fails_the_task(bench: Bench) -> None:
    bench.call("x", abs, DependencyRef("gone"), dependencies=["gone"])
    told = raised(bench.next())
    assert KeyError in (type(told), type(told.__cause__))


def test_an_error_nested_in_a_dask_task_is_the_users(bench: Bench) -> None:
    node = Task("x", abs, Task(None, raise_, ValueError("deep down")))
    run_spec, used = GraphEncoder().encode(node, None)
    bench.submit("x", PythonTask(run_spec, used))
    event = bench.next()
    assert event.failure.kind == failure_pb2.FAILURE_KIND_APPLICATION
    assert str(raised(event)) == "deep down"
    assert "_task_spec" not in event.failure.traceback_text.partition("raise_")[0]


def test_dask_tasks_see_their_dependencies_under_their_own_keys(bench: Bench) -> None:
    bench.store.put("('a', 0)", 40, 1)
    node = Task("x", lambda a, b: a + b, TaskRef(("a", 0)), b=Task(None, int, "2"))
    encoder = GraphEncoder()
    run_spec, used = encoder.encode(node, (("a", 0),))
    for digest, data in encoder.shared.items():
        bench.shared.put(digest, data)
    bench.submit("x", PythonTask(run_spec, used), dependencies=["('a', 0)"])
    assert payload.decode(*bench.next().payload) == 42


def test_reschedule(bench: Bench) -> None:
    assert bench.outcome(raise_, Reschedule()) == events.ExecuteRescheduled("x", 1)


def test_a_coroutine_function_runs_on_the_loop_and_leaves_the_thread_free(bench: Bench) -> None:
    async def wait() -> str:
        await asyncio.sleep(0.2)
        return f"{threading.current_thread() is bench.thread} {task_context.get_context().key}"

    # By reference: the test looks into its own process.
    digest = b"d" * 16
    bench.shared.uncopied[digest] = wait
    bench.submit("slow", PythonTask(call_of(), [digest]))
    bench.call("quick", len, ())
    assert bench.next().key == "quick"
    assert list(bench.runner.executing()) == ["slow"]
    event = bench.next()
    assert payload.decode(*event.payload) == "True slow"
    assert event.stop - event.start >= 0.2


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), KeyboardInterrupt()])
def test_a_coroutine_that_fails_does_not_end_the_loop(bench: Bench, error: BaseException) -> None:
    async def fail() -> None:
        raise error

    told = raised(bench.outcome(fail))
    assert type(error) in (type(told), type(told.__cause__))
    assert bench.thread.is_alive()


class FreedMeanwhile(OpenStore):
    """A store whose values are freed while one of them is being loaded, after their tasks were cancelled."""

    bench: Bench

    def load(self, digest: bytes, refers: bool = False, copy: bool = False) -> Any:
        async def cancel() -> None:
            self.bench.runner.cancel("x", 1)

        asyncio.run_coroutine_threadsafe(cancel(), self.bench.loop).result(WAIT)
        self.discard(digest)
        return super().load(digest, refers)


def test_a_task_that_was_withdrawn_while_it_was_loaded_does_not_fail(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    shared = FreedMeanwhile()
    shared.bench = bench
    bench.runner._shared = bench.shared = shared
    assert bench.outcome(len, ()) == events.ExecuteSkipped("x", 1)
    assert not bench.runner.is_busy()
    assert "failed" not in caplog.text


def test_a_task_fails_whose_function_is_missing(bench: Bench) -> None:
    bench.submit("x", PythonTask(call_of(), [b"unknown"]))
    event = bench.next()
    assert isinstance(event, events.ExecuteFailed)
    assert "unknown" in event.failure.message


def test_a_queued_task_can_be_withdrawn_and_a_running_one_cannot(bench: Bench) -> None:
    release = threading.Event()
    digest = b"d" * 16
    bench.shared.uncopied[digest] = release.wait
    running = bench.submit("running", PythonTask(call_of(WAIT), [digest]))
    queued = bench.call("queued", len, ())
    while not bench.runner.executing():
        time.sleep(0.001)
    bench.runner.cancel("queued", queued)
    bench.runner.cancel("running", running)
    bench.runner.cancel("unknown", 99)
    assert bench.next() == events.ExecuteSkipped("queued", queued)
    release.set()
    assert bench.next().key == "running"
    assert bench.outcome(len, ()).key == "x", "the thread passed over what was cancelled"
    assert bench.events.empty()


def test_the_answer_to_a_reclaim_says_whether_the_task_has_begun(bench: Bench) -> None:
    release = threading.Event()
    digest = b"d" * 16
    bench.shared.uncopied[digest] = release.wait
    running = bench.submit("running", PythonTask(call_of(WAIT), [digest]))
    queued = bench.call("queued", len, ())
    while not bench.runner.executing():
        time.sleep(0.001)
    bench.runner.reclaim("running", running)
    bench.runner.reclaim("queued", queued)
    bench.runner.reclaim("queued", queued)
    assert bench.next() == events.ExecuteKept("running", running)
    assert bench.next() == events.ExecuteSkipped("queued", queued)
    assert bench.next() == events.ExecuteKept("queued", queued)
    release.set()
    assert bench.next().key == "running"
    assert bench.events.empty()


def test_seceding_makes_room_and_rejoining_waits_for_it(bench: Bench) -> None:
    steps: Queue[str] = Queue()
    release = threading.Event()
    thread_names = []

    def leave() -> None:
        thread_names.append(threading.current_thread().name)
        task_context.secede()
        task_context.secede()
        steps.put("left")
        release.wait(WAIT)
        task_context.rejoin()
        task_context.rejoin()
        steps.put("back")

    def other() -> None:
        thread_names.append(threading.current_thread().name)

    for name, function in (("leave", leave), ("other", other)):
        digest = name.encode().ljust(16)
        bench.shared.uncopied[digest] = function
        bench.submit(name, PythonTask(call_of(), [digest]))
    seceded = bench.next()
    assert isinstance(seceded, events.TaskSeceded)
    assert (seceded.key, steps.get(timeout=WAIT)) == ("leave", "left")
    assert bench.next().key == "other"
    assert thread_names[0] != thread_names[1]
    release.set()
    assert steps.get(timeout=WAIT) == "back"
    assert bench.next().key == "leave"
    # One thread again, the one that came back.
    digest = b"other".ljust(16)
    bench.submit("last", PythonTask(call_of(), [digest]))
    assert bench.next().key == "last"
    assert thread_names[2] == thread_names[0]


def test_contexts_exist_inside_tasks_only(bench: Bench) -> None:
    event = bench.outcome(lambda: task_context.get_context().worker)
    assert payload.decode(*event.payload) == "the worker"
    for function in (task_context.get_context, task_context.secede, task_context.rejoin):
        with pytest.raises(ValueError, match="inside a task only"):
            function()


def test_context_variables_of_a_task_are_its_own(bench: Bench) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="nothing")
    for name, function in (("set", lambda: variable.set("something") and None), ("get", variable.get)):
        digest = name.encode().ljust(16)
        bench.shared.uncopied[digest] = function
        bench.submit(name, PythonTask(call_of(), [digest]))
    assert [payload.decode(*bench.next().payload) for _ in range(2)] == [None, "nothing"]


def test_a_result_that_breaks_what_looks_at_it_fails_the_task(bench: Bench) -> None:
    class Trap:
        def __sizeof__(self) -> int:
            raise KeyboardInterrupt

    assert isinstance(raised(bench.outcome(Trap)).__cause__, KeyboardInterrupt)
    assert bench.outcome(len, ()).nbytes > 0


def test_pools_have_their_sizes() -> None:
    bench = Bench(2, {"wide": 3})
    barrier = threading.Barrier(3)
    digest = b"d" * 16
    bench.shared.uncopied[digest] = barrier.wait
    for index in range(3):
        bench.submit(f"w{index}", PythonTask(call_of(WAIT), [digest]), executor="wide")
    assert {bench.next().key for _ in range(3)} == {"w0", "w1", "w2"}
    name = bench.outcome(lambda: threading.current_thread().name, executor="wide")
    assert payload.decode(*name.payload).startswith("dagrpc-task-wide")
    with pytest.raises(ValueError, match="Invalid executor 'gpu'; expected one of: default, wide"):
        raise decode_failure(bench.outcome(len, executor="gpu").failure)
    bench.close()


@pytest.fixture
def allowing() -> Iterator[None]:
    with dask.config.set({"dagrpc.worker.allowed-calls": ["math:*", "builtins:int", "math.sqrt", "no_such*"]}):
        yield


@pytest.mark.usefixtures("allowing")
def test_a_function_by_name(bench: Bench) -> None:
    bench.store.put("four", 4, 1)
    call = NamedCall("math:pow", [Literal("json", [b"3"]), ResultOf("four")], {})
    bench.submit("x", call, dependencies=["four"])
    encoding, frames, plain = bench.next().payload
    assert payload.decode(encoding, frames) == 81.0
    assert plain == ("json", b"81.0"), "for callers that read no pickles"
    call = NamedCall("builtins:int", [Literal("raw", [b"11"])], {"base": Literal("json", [b"2"])})
    bench.submit("y", call)
    assert payload.decode(*bench.next().payload[:2]) == 3


@pytest.mark.parametrize(
    ("entrypoint", "error"),
    [
        ("math.sqrt", ValueError),
        ("no_such_module:f", ModuleNotFoundError),
        ("math:no_such_function", AttributeError),
        ("math:pi", TypeError),
        ("os:system", PermissionError),
        ("builtins:eval", PermissionError),
        ("math:__loader__.load_module", AttributeError),
    ],
)
@pytest.mark.usefixtures("allowing")
def test_a_name_that_names_no_function(bench: Bench, entrypoint: str, error: type[Exception]) -> None:
    bench.submit("x", NamedCall(entrypoint, [], {}))
    event = bench.next()
    assert type(raised(event)) is error
    assert event.failure.kind == failure_pb2.FAILURE_KIND_DESERIALIZATION


def test_an_actor_is_not_encoded(bench: Bench) -> None:
    event = bench.outcome(dict, actor=True)
    assert event.payload is None
    assert bench.store["x"] == {}
