"""Causes, contexts, notes, tracebacks and attributes arrive together with their exception, also in odd shapes."""

from __future__ import annotations

import socket
import threading
import traceback
from types import TracebackType
from typing import Any

import dask
import pytest

from dagrpc._codec.failures import decode_failure, encode_failure
from dagrpc.exceptions import RemoteTaskError
from dagrpc.v1 import failure_pb2


class ModelError(Exception):
    pass


class GroupWithCode(ExceptionGroup[Exception]):
    code: int

    def __new__(cls, errors: list[Exception], code: int) -> GroupWithCode:
        self = super().__new__(cls, f"code {code}", errors)
        self.code = code
        return self


class WithoutReduce(ValueError):
    def __reduce__(self) -> Any:
        raise RuntimeError("it has no pickle")


class Slotted(Exception):
    __slots__ = ("detail",)

    def __init__(self, detail: str) -> None:
        super().__init__("slotted")
        self.detail = detail


class Worded(Exception):
    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


def caught(function: Any) -> BaseException:
    try:
        function()
    except BaseException as raised:
        return raised
    raise AssertionError("nothing was raised")


def ordinary(function: Any) -> Exception:
    error = caught(function)
    assert isinstance(error, Exception)
    return error


def sent(error: BaseException) -> BaseException:
    return decode_failure(failure_pb2.Failure.FromString(encode_failure(error).SerializeToString()))


def names(trace: TracebackType | None) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(trace)]


def chained(*, suppress: bool = False) -> None:
    try:
        dict[str, int]()["weights"]
    except KeyError as error:
        if suppress:
            raise ModelError("no weights") from None
        raise ModelError("no weights") from error


def test_cause_and_its_traceback() -> None:
    error = sent(caught(chained))
    assert type(error) is ModelError
    assert repr(error.__cause__) == "KeyError('weights')"
    assert error.__suppress_context__
    assert error.__context__ is error.__cause__
    assert error.__cause__ is not None
    assert names(error.__cause__.__traceback__) == ["chained"]


def test_context_that_is_not_shown() -> None:
    error = sent(caught(lambda: chained(suppress=True)))
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert repr(error.__context__) == "KeyError('weights')"


def test_a_sent_exception_prints_as_before() -> None:
    error = caught(chained)
    assert traceback.format_exception(sent(error)) == traceback.format_exception(error)


def test_groups_with_tracebacks_and_causes_of_their_members() -> None:
    inner = ExceptionGroup("inner", [ordinary(chained), TypeError("t")])
    error = sent(caught(lambda: (_ for _ in ()).throw(ExceptionGroup("outer", [inner, ValueError("v")]))))
    assert isinstance(error, ExceptionGroup)
    group, value = error.exceptions
    assert isinstance(group, ExceptionGroup)
    assert repr(value) == "ValueError('v')"
    member = group.exceptions[0]
    assert names(member.__traceback__) == ["caught", "chained"]
    assert repr(member.__cause__) == "KeyError('weights')"


def test_group_with_a_constructor_of_its_own() -> None:
    error = sent(GroupWithCode([ModelError("m")], 3))
    assert type(error) is GroupWithCode
    assert (error.code, str(error), repr(error.exceptions[0])) == (3, "code 3 (1 sub-exception)", "ModelError('m')")


def test_notes() -> None:
    error = ValueError("x")
    for number in range(1000):
        error.add_note(f"note {number}")
    assert sent(error).__notes__ == error.__notes__


def test_circles() -> None:
    first, second = ModelError("first"), ModelError("second")
    first.__context__, second.__context__ = second, first
    first.__cause__, second.__cause__ = second, first
    error = sent(first)
    assert error.__cause__ is error.__context__
    assert repr(error.__cause__) == "ModelError('second')"
    assert error.__cause__ is not None
    assert error.__cause__.__cause__ is error
    assert error.__cause__.__context__ is error


def test_an_exception_among_its_own_arguments() -> None:
    error: Any = ModelError("x")
    error.args = (error,)
    assert type(sent(error)) is ModelError
    error.args, error.myself = ("x",), error
    assert type(sent(error)) is ModelError


def test_attributes_that_are_exceptions_are_the_same_ones() -> None:
    error: Any = caught(chained)
    error.original = error.__cause__
    error.another = caught(chained)
    restored: Any = sent(error)
    assert restored.original is restored.__cause__
    assert names(restored.another.__traceback__) == ["caught", "chained"]


def test_long_chains() -> None:
    error: BaseException = ValueError("0")
    for number in range(1, 3000):
        outer = ValueError(str(number))
        outer.__context__ = error
        error = outer
    found: BaseException | None = sent(error)
    depth = 0
    while found is not None:
        depth, found = depth + 1, found.__context__
    assert depth == 3000


@pytest.mark.parametrize("depth", [600, 20_000])
def test_deep_tracebacks(depth: int) -> None:
    def deeper(left: int) -> None:
        if not left:
            raise ModelError("deep down")
        deeper(left - 1)

    import sys

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 1000)
    try:
        error = caught(lambda: deeper(depth))
    finally:
        sys.setrecursionlimit(limit)
    restored = sent(error)
    assert type(restored) is ModelError
    found = names(restored.__traceback__)
    assert found[0] == "caught"
    assert len(found) == min(depth + 3, 10_000)
    assert 'raise ModelError("deep down")' in "".join(traceback.format_tb(restored.__traceback__))


def test_endless_recursion() -> None:
    def endless() -> None:
        endless()

    error = sent(caught(endless))
    assert type(error) is RecursionError


def test_unpicklable_values_are_shown_as_text() -> None:
    lock = threading.Lock()
    error: Any = ModelError(lock, 7)
    with socket.socket() as error.socket:
        error.fine = [1, 2]
        restored: Any = sent(error)
        assert repr(restored.socket) == repr(error.socket)
    assert type(restored) is ModelError
    assert (repr(restored.args[0]), restored.args[1]) == (repr(lock), 7)
    assert vars(restored)["fine"] == [1, 2]


@pytest.mark.parametrize("error", [WithoutReduce("x"), Slotted("d"), Worded("w")])
def test_odd_classes(error: Any) -> None:
    restored: Any = sent(error)
    assert type(restored) is type(error)
    assert str(restored) == str(error)
    assert getattr(restored, "detail", None) == getattr(error, "detail", None)


def test_a_class_of_a_function() -> None:
    class Local(ValueError):
        pass

    assert type(sent(Local("here"))) is Local


def test_a_link_whose_class_is_missing_leaves_the_others_whole() -> None:
    try:
        chained()
    except ModelError as error:
        failure = encode_failure(error)
    failure.exception.data = failure.exception.data.replace(b"KeyError", b"NopError", 1)
    restored = decode_failure(failure)
    assert type(restored) is ModelError
    assert isinstance(restored.__cause__, RemoteTaskError)
    assert restored.__cause__.type_name == "builtins.KeyError"
    assert names(restored.__cause__.__traceback__) == ["chained"]


@pytest.mark.parametrize("kind", [ValueError, ModelError, Worded])
def test_long_messages_are_cut(kind: type[Exception]) -> None:
    with dask.config.set({"distributed.admin.max-error-length": 1000}):
        error = kind("a" * 100_000)
        restored = sent(error)
    assert type(restored) is kind
    assert len(str(restored)) == 1001
    assert len(str(error)) == 100_000


def test_long_tracebacks_keep_their_end() -> None:
    with dask.config.set({"distributed.admin.max-error-length": 400}):
        failure = encode_failure(ValueError("\n".join(map(str, range(1000))) + "the end"))
    assert "the end" in failure.traceback_text
    assert len(failure.traceback_text) < 450


def test_large_attributes_stay_behind() -> None:
    error: Any = ModelError("x")
    error.data, error.small = bytes(20 << 20), 1
    restored: Any = sent(error)
    assert isinstance(restored, ModelError)
    assert vars(restored)["small"] == 1
    assert len(repr(vars(restored)["data"])) < 1000


def test_tracebacks_as_attributes() -> None:
    error: Any = ModelError("x")
    error.saved = caught(chained).__traceback__
    assert names(sent(error).saved) == ["caught", "chained"]  # type: ignore[attr-defined]
