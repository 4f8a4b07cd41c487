"""Exceptions of tasks arrive with their causes and notes, and with tracebacks that show the task."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Any

import dask
import pytest

from tests.parity.functions import inc


class ModelError(Exception):
    """A class of the user's."""


class Unloadable:
    """An object that can be pickled but not unpickled."""

    def __init__(self) -> None:
        self.value = 1

    def __setstate__(self, _: Any) -> None:
        raise ZeroDivisionError("cannot be loaded")


def train() -> None:
    try:
        dict[str, int]()["weights"]
    except KeyError as error:
        raise ModelError("no weights") from error


def train_quietly() -> None:
    try:
        train()
    except ModelError:
        raise ModelError("no model") from None


def divide() -> BaseException:
    try:
        try:
            return ValueError(1 / 0)
        except ZeroDivisionError as error:
            raise ModelError("inner") from error
    except ModelError as error:
        return error


def several() -> None:
    raise BaseExceptionGroup("several", [divide(), ValueError("v")])


def noted() -> None:
    error = ModelError("noted")
    for number in range(1000):
        error.add_note(f"note {number}")
    raise error


def long_words() -> None:
    raise ValueError("a" * 100_000)


def exit_(code: int) -> None:
    sys.exit(code)


async def exit_awaiting(code: int) -> None:
    sys.exit(code)


def interrupt() -> None:
    raise KeyboardInterrupt


def error_of(function: Callable[[], Any]) -> Any:
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def frames(error: BaseException | None) -> list[Any]:
    assert error is not None
    return list(traceback.extract_tb(error.__traceback__))


def names(error: BaseException | None) -> list[str]:
    return [frame.name for frame in frames(error)]


def test_cause(client: Any) -> None:
    error = error_of(client.submit(train, pure=False).result)
    assert type(error).__name__ == "ModelError"
    assert repr(error.__cause__) == "KeyError('weights')"
    assert error.__suppress_context__
    assert names(error.__cause__) == ["train"]


def test_context_that_is_not_shown(client: Any) -> None:
    error = error_of(client.submit(train_quietly, pure=False).result)
    assert (repr(error), error.__cause__, error.__suppress_context__) == ("ModelError('no model')", None, True)
    assert repr(error.__context__) == "ModelError('no weights')"
    assert repr(error.__context__.__cause__) == "KeyError('weights')"


def test_members_of_groups(client: Any) -> None:
    error = error_of(client.submit(several, pure=False).result)
    assert isinstance(error, ExceptionGroup)
    inner, other = error.exceptions
    assert (repr(inner), repr(other)) == ("ModelError('inner')", "ValueError('v')")
    assert names(inner) == ["divide"]
    assert repr(inner.__cause__) == "ZeroDivisionError('division by zero')"
    assert names(inner.__cause__) == ["divide"]


def test_notes(client: Any) -> None:
    error = error_of(client.submit(noted, pure=False).result)
    assert error.__notes__ == [f"note {number}" for number in range(1000)]


def test_an_exception_as_a_result(client: Any) -> None:
    result = client.submit(lambda: ValueError("returned"), pure=False).result()
    assert repr(result) == "ValueError('returned')"


def test_messages_are_cut(client: Any) -> None:
    error = error_of(client.submit(long_words, pure=False).result)
    assert type(error) is ValueError
    assert 5_000 < len(str(error)) < 11_000


def test_tracebacks_show_the_task(lib: Any, client: Any) -> None:
    def task() -> None:
        _ = 1 / 0

    def library(error: BaseException) -> list[Any]:
        place = f"/{lib.__name__}/"
        return [frame for frame in frames(error) if place in frame.filename]

    ways: list[Callable[[], Any]] = [
        client.submit(task, pure=False).result,
        lambda: client.gather([client.submit(task, pure=False)]),
        lambda: client.compute(dask.delayed(task)()).result(),
        lambda: dask.delayed(task)().compute(),
        lambda: client.get_executor().submit(task).result(),
        lambda: client.run(task),
    ]
    for way in ways[:5]:
        error = error_of(way)
        assert names(error)[-1] == "task"
        assert len(library(error)) <= 1
    assert len(frames(error_of(ways[0]))) <= 3


def test_tracebacks_of_what_is_awaited(lib: Any, run_async: Callable[[Any], Any]) -> None:
    def task() -> None:
        _ = 1 / 0

    async def body(client: Any) -> None:
        for way in (lambda future: future, lambda future: future.result(), lambda future: client.gather([future])):
            try:
                await way(client.submit(task, pure=False))
            except ZeroDivisionError as error:
                found = frames(error)
                assert found[-1].name == "task"
                assert len([frame for frame in found if f"/{lib.__name__}/" in frame.filename]) <= 1

    run_async(body)


@pytest.mark.parametrize("as_function", [False, True])
def test_data_that_cannot_be_unpickled(client: Any, as_function: bool) -> None:
    if as_function:
        bad = Unloadable()
        future = client.submit(lambda: bad, pure=False)
    else:
        future = client.submit(inc, Unloadable(), pure=False)
    error = error_of(future.result)
    assert type(error) is RuntimeError
    assert "deserialization" in str(error).lower()
    assert repr(error.__cause__) == "ZeroDivisionError('cannot be loaded')"


@pytest.mark.parametrize("task", [(exit_, 0), (exit_, 64), (exit_awaiting, 3), (interrupt,)])
def test_a_task_that_exits_kills_its_worker(lib: Any, own_client: Any, task: tuple[Any, ...]) -> None:
    if lib.__name__ == "distributed" and task[0] is exit_awaiting:
        pytest.skip("it may raise the exit at the client")
    error = error_of(lambda: own_client.submit(*task, pure=False).result(timeout=110))
    assert isinstance(error, lib.KilledWorker)
    own_client.wait_for_workers(2, timeout=60)
    assert own_client.submit(inc, 1, pure=False).result(timeout=60) == 2
