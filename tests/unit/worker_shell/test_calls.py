"""Functions that are run outside the graph."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from dagrpc._codec import calls
from dagrpc.exceptions import CommClosedError, InvalidRequestError
from dagrpc.v1 import common_pb2, scheduler_service_pb2


def run(function: Any, *args: Any, **kwargs: Any) -> Any:
    return run_payload(calls.encode_call_request(function, args, kwargs))


def run_payload(payload: common_pb2.Payload) -> Any:
    async def main() -> scheduler_service_pb2.RunResult:
        with ThreadPoolExecutor(1) as executor:
            return await calls.run_payload(payload, {"dask_worker": "the worker"}, executor)

    wire = asyncio.run(main()).SerializeToString()
    return calls.result_of(scheduler_service_pb2.RunResult.FromString(wire))


def test_values() -> None:
    assert run(lambda a, b=2: (a, b), 1) == (1, 2)
    assert run(len, "abc") == 3
    assert run(partial(pow, 2), 5) == 32
    assert run(lambda: None) is None
    assert len(run(bytes, 5 << 20)) == 5 << 20


def test_injected_arguments() -> None:
    assert run(lambda dask_worker: dask_worker) == "the worker"
    assert run(lambda a, dask_worker=None: (a, dask_worker), 1) == (1, "the worker")
    assert run(lambda dask_worker: dask_worker, dask_worker="mine") == "mine"


def test_coroutine_functions_run_on_the_loop_and_others_do_not() -> None:
    main = threading.current_thread().name

    async def where() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    assert run(where) == main
    assert run(partial(where)) == main
    assert run(lambda: threading.current_thread().name) != main


class Outer(Exception):
    """Has a constructor that wants more than it keeps."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} {second}")


def boom() -> None:
    raise Outer(1, 2)


def test_exceptions_keep_type_and_traceback() -> None:
    with pytest.raises(Outer, match="1 2") as caught:
        run(boom)
    # All between this file and the function is the plumbing's.
    names = [entry.name for entry in caught.traceback]
    assert names[-1] == "boom"
    assert "_call" not in names

    async def later() -> None:
        boom()

    with pytest.raises(Outer) as caught:
        run(later)
    assert caught.traceback[-1].name == "boom"


@pytest.mark.parametrize("error", [SystemExit(2), KeyboardInterrupt()])
def test_exits_are_answers(error: BaseException) -> None:
    def leave() -> None:
        raise error

    with pytest.raises(RuntimeError, match=type(error).__name__) as caught:
        run(leave)
    assert repr(caught.value.__cause__) == repr(error)


def test_results_that_cannot_be_pickled() -> None:
    with pytest.raises(TypeError, match="pickle"):
        run(threading.Lock)

    class Cursed(Exception):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)
            self.lock = threading.Lock()

    def fail() -> None:
        raise Cursed("spell")

    with pytest.raises(Cursed, match="spell"):
        run(fail)


@pytest.mark.parametrize(
    "payload",
    [common_pb2.Payload(), common_pb2.Payload(encoding="json", data=b"[1]"), common_pb2.Payload(encoding="x")],
)
def test_payloads_that_are_no_function(payload: common_pb2.Payload) -> None:
    with pytest.raises(InvalidRequestError):
        run_payload(payload)


def test_an_unreachable_worker_and_nobody_waiting() -> None:
    with pytest.raises(CommClosedError, match="w:1: gone"):
        calls.result_of(scheduler_service_pb2.RunResult(worker="w:1", unreachable="gone"))
    assert calls.result_of(scheduler_service_pb2.RunResult(worker="w:1")) is None
