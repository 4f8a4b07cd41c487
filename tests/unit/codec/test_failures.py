"""Exceptions on their way: own type, own traceback, and never a hang."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

import pytest

from dagrpc._codec.failures import decode_failure, encode_failure
from dagrpc.exceptions import KilledWorker, RemoteTaskError
from dagrpc.v1 import failure_pb2


class Awkward(Exception):
    """Its constructor wants another argument than it keeps."""

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


def test_what_cannot_be_pickled_is_told_in_words() -> None:
    failure = encode_failure(caught(Stuck()))
    restored = decode_failure(failure)
    assert isinstance(restored, RemoteTaskError)
    assert "Stuck" in str(restored)
    assert "stuck" in str(restored)
    assert "caught" in failure.traceback_text


def test_message_that_cannot_be_made() -> None:
    failure = encode_failure(caught(Mute()))
    assert "RuntimeError" in failure.message


def test_type_that_is_not_here() -> None:
    failure = encode_failure(caught(ValueError("x")))
    failure.exception.data = failure.exception.data.replace(b"ValueError", b"NopeErrorr")
    assert isinstance(decode_failure(failure), RemoteTaskError)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), OSError(2, "gone", "file")])
def test_other_kinds(error: Any) -> None:
    restored = round_trip(error)
    assert type(restored) is type(error)
    assert restored.args == error.args


def test_killed_worker() -> None:
    failure = failure_pb2.Failure(
        kind=failure_pb2.FAILURE_KIND_KILLED_WORKER, origin_key="x", worker="127.0.0.1:1", worker_deaths=4
    )
    restored = decode_failure(failure)
    assert isinstance(restored, KilledWorker)
    assert (restored.task, restored.last_worker, restored.allowed_failures) == ("x", "127.0.0.1:1", 3)
    assert (restored.reason, restored.exit_code, restored.log) == ("", None, ())


def test_killed_worker_with_its_end() -> None:
    end = failure_pb2.WorkerExit(reason="exit code 3", exit_code=3, log_lines=["a", "b"])
    failure = failure_pb2.Failure(
        kind=failure_pb2.FAILURE_KIND_KILLED_WORKER, origin_key="x", worker="w:1", worker_deaths=1, worker_exit=end
    )
    restored = pickle.loads(pickle.dumps(decode_failure(failure)))
    assert isinstance(restored, KilledWorker)
    assert (restored.reason, restored.exit_code, restored.log) == ("exit code 3", 3, ("a", "b"))
    assert str(restored).endswith("was w:1: exit code 3. The last lines of its log:\n  a\n  b")
