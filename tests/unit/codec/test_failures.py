"""Exceptions on their way: own type, own traceback, and never a hang."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import traceback
from typing import Any

import pytest

from dagrpc._codec.failures import decode_failure, encode_failure
from dagrpc.exceptions import KilledWorker, RemoteTaskError, TaskTimeout
from dagrpc.v1 import failure_pb2


class Awkward(Exception):
    """An exception whose constructor requires an argument that ``args`` does not keep."""

    def __init__(self, code: int, *, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Stuck(Exception):
    def __init__(self) -> None:
        import threading

        super().__init__("stuck")
        self.lock = threading.Lock()


def caught(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as raised:
        return raised


def round_trip(error: BaseException) -> BaseException:
    wire = failure_pb2.Failure.FromString(encode_failure(caught(error)).SerializeToString())
    return decode_failure(wire)


def test_type_message_and_traceback_survive() -> None:
    restored = round_trip(ZeroDivisionError("by zero"))
    assert type(restored) is ZeroDivisionError
    assert str(restored) == "by zero"
    assert "caught" in [frame.name for frame in traceback.extract_tb(restored.__traceback__)]


def test_constructor_with_other_arguments() -> None:
    restored = round_trip(Awkward(7, detail="seven"))
    assert isinstance(restored, Awkward)
    assert restored.code == 7
    assert str(restored) == "7: seven"


def test_unpicklable_parts_are_left_behind() -> None:
    failure = encode_failure(caught(Stuck()))
    restored = decode_failure(failure)
    assert isinstance(restored, Stuck)
    assert str(restored) == "stuck"
    assert "lock object" in repr(restored.lock)
    assert "caught" in failure.traceback_text


def test_message_that_cannot_be_made() -> None:
    failure = encode_failure(caught(Mute()))
    assert "RuntimeError" in failure.message


def test_type_that_is_not_here() -> None:
    failure = encode_failure(caught(ValueError("x")))
    failure.exception.data = failure.exception.data.replace(
        b"builtins\x94\x8c\nValueError", b"builtins\x94\x8c\nNopeErrorr"
    )
    restored = decode_failure(failure)
    assert isinstance(restored, RemoteTaskError)
    assert (restored.type_name, restored.message) == ("builtins.ValueError", "x")
    assert "caught" in restored.traceback_text
    assert "caught" in [frame.name for frame in traceback.extract_tb(restored.__traceback__)]


@pytest.mark.parametrize(
    "error",
    [
        OSError(2, "gone", "file"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        SyntaxError("no", ("f.py", 1, 2, "a b", 1, 3)),
        ImportError("none", name="m", path="p"),
        StopIteration(5),
        StopAsyncIteration(6),
        GeneratorExit("g"),
        asyncio.CancelledError("c"),
        KeyError(("a", 1)),
        subprocess.CalledProcessError(3, ["false"], "out", "err"),
        TaskTimeout("x", 1.0, "w:1"),
    ],
)
def test_other_kinds(error: Any) -> None:
    restored = round_trip(error)
    assert type(restored) is type(error)
    assert restored.args == error.args
    assert str(restored) == str(error)
    assert vars(restored) == vars(error)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt("k")])
def test_exits_are_causes_only(error: BaseException) -> None:
    restored = round_trip(error)
    assert type(restored) is RuntimeError
    assert repr(error) in str(restored)
    assert restored.__cause__ is not None
    assert repr(restored.__cause__) == repr(error)
    assert "caught" in [frame.name for frame in traceback.extract_tb(restored.__cause__.__traceback__)]


def test_killed_worker() -> None:
    failure = failure_pb2.Failure(
        kind=failure_pb2.FAILURE_KIND_KILLED_WORKER, origin_key="x", worker="127.0.0.1:1", worker_deaths=4
    )
    failure.message = "4 workers died while they had the task 'x' to run, the last of them 127.0.0.1:1 (it left)"
    failure.worker_loss = "its connection (the stream) broke"
    restored = decode_failure(failure)
    assert isinstance(restored, KilledWorker)
    assert (restored.task, restored.last_worker, restored.allowed_failures) == ("x", "127.0.0.1:1", 3)
    assert (restored.reason, restored.exit_code, restored.log) == ("its connection (the stream) broke", None, ())


def test_killed_worker_with_its_end() -> None:
    end = failure_pb2.WorkerExit(reason="exit code 3", exit_code=3, log_lines=["a", "b"])
    failure = failure_pb2.Failure(
        kind=failure_pb2.FAILURE_KIND_KILLED_WORKER, origin_key="x", worker="w:1", worker_deaths=1, worker_exit=end
    )
    restored = pickle.loads(pickle.dumps(decode_failure(failure)))
    assert isinstance(restored, KilledWorker)
    assert (restored.reason, restored.exit_code, restored.log) == ("exit code 3", 3, ("a", "b"))
    assert str(restored).endswith("was w:1: exit code 3. The last lines of its log:\n  a\n  b")
