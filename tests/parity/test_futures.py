"""Sections 2 and 3 of the API: single futures and collections of futures."""

from __future__ import annotations

import gc
import threading
import time
from typing import Any

import pytest

from tests.parity.functions import Custom, fail, fail_custom, identity, inc, nap, nap_and_return


def test_states(client: Any, lib: Any) -> None:
    future = client.submit(nap_and_return, 5, 0.3, pure=False)
    assert future.status == "pending"
    assert not future.done()
    lib.wait(future, timeout=60)
    assert future.status == "finished"
    assert future.done()
    assert not future.cancelled()
    assert future.type is int
    assert future.exception(timeout=60) is None
    assert future.traceback(timeout=60) is None


def test_errors(client: Any) -> None:
    future = client.submit(fail, "the message", pure=False)
    with pytest.raises(ZeroDivisionError, match="the message"):
        future.result(timeout=60)
    assert future.status == "error"
    assert future.done()
    error = future.exception(timeout=60)
    assert isinstance(error, ZeroDivisionError)
    frames = []
    trace = future.traceback(timeout=60)
    while trace is not None:
        frames.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert "fail" in frames


def test_errors_with_constructors_of_their_own(client: Any) -> None:
    error = client.submit(fail_custom, pure=False).exception(timeout=60)
    assert type(error) is Custom
    assert (error.code, error.detail) == (7, "seven")


def test_dependents_fail_with_the_same_error(client: Any) -> None:
    future = client.submit(inc, client.submit(fail, "origin", pure=False))
    with pytest.raises(ZeroDivisionError, match="origin"):
        future.result(timeout=60)


def test_timeouts(client: Any) -> None:
    future = client.submit(nap, 3, pure=False)
    for timeout in (0.05, "50 ms"):
        with pytest.raises(TimeoutError):
            future.result(timeout=timeout)
    with pytest.raises(TimeoutError):
        future.exception(timeout=0.05)
    future.cancel()


def test_cancelled(client: Any, lib: Any) -> None:
    future = client.submit(nap, 3, pure=False)
    future.cancel()
    assert future.done()
    assert future.cancelled()
    assert future.exception(timeout=60) is None or isinstance(future.exception(timeout=60), lib.CancelledError)
    with pytest.raises(lib.CancelledError):
        future.result(timeout=60)


def test_callbacks(client: Any) -> None:
    seen: list[Any] = []
    done = threading.Event()
    good, bad = client.submit(inc, 1, pure=False), client.submit(fail, pure=False)

    def note(future: Any) -> None:
        seen.append(future.status)
        if len(seen) == 2:
            done.set()

    good.add_done_callback(note)
    bad.add_done_callback(note)
    assert done.wait(60)
    assert sorted(seen) == ["error", "finished"]
    late = threading.Event()
    good.add_done_callback(lambda future: late.set())
    assert late.wait(60)


def test_representation(client: Any) -> None:
    future = client.submit(inc, 1)
    future.result(timeout=60)
    assert repr(future).startswith("<Future: finished, type: int, key: inc-")
    assert "finished" in future._repr_html_()


def test_identity(client: Any) -> None:
    first, second = client.submit(inc, 1), client.submit(inc, 1)
    assert first.key == second.key
    assert len({first, second}) == 2


def test_dropping_the_last_reference_releases_the_key(client: Any) -> None:
    future = client.submit(identity, "parity-drop", pure=False)
    future.result(timeout=60)
    key = future.key
    del future
    gc.collect()
    deadline = time.monotonic() + 60
    while client.who_has().get(key) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not client.who_has().get(key)


def test_release(client: Any) -> None:
    future = client.submit(identity, "parity-release", pure=False)
    future.result(timeout=60)
    future.release()
    deadline = time.monotonic() + 60
    while client.who_has().get(future.key) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not client.who_has().get(future.key)


def test_wait(client: Any, lib: Any) -> None:
    futures = client.map(inc, range(3))
    done, not_done = lib.wait(futures, timeout=60)
    assert done == set(futures)
    assert not_done == set()
    result = lib.wait(futures, timeout=60)
    assert result.done == done


def test_wait_for_the_first(client: Any, lib: Any) -> None:
    slow, quick = client.submit(nap, 5, pure=False), client.submit(inc, 1, pure=False)
    done, not_done = lib.wait([slow, quick], timeout=60, return_when="FIRST_COMPLETED")
    assert done == {quick}
    assert not_done == {slow}
    slow.cancel()


def test_wait_and_its_errors(client: Any, lib: Any) -> None:
    bad = client.submit(fail, pure=False)
    assert lib.wait(bad, timeout=60).done == {bad}
    slow = client.submit(nap, 3, pure=False)
    with pytest.raises(TimeoutError):
        lib.wait([slow], timeout="50 ms")
    with pytest.raises(NotImplementedError):
        lib.wait([slow], return_when="FIRST_EXCEPTION")
    slow.cancel()
    with pytest.raises(lib.CancelledError):
        lib.wait([slow], timeout=60)


def test_as_completed(client: Any, lib: Any) -> None:
    futures = client.map(inc, range(5))
    assert {future.key for future in lib.as_completed(futures)} == {future.key for future in futures}


def test_as_completed_in_order(client: Any, lib: Any) -> None:
    slow = client.submit(nap_and_return, "slow", 0.6, pure=False)
    quick = client.submit(nap_and_return, "quick", 0.0, pure=False)
    assert [future.result(timeout=60) for future in lib.as_completed([slow, quick])] == ["quick", "slow"]


def test_as_completed_with_results(client: Any, lib: Any) -> None:
    futures = client.map(inc, range(3))
    pairs = dict(lib.as_completed(futures, with_results=True))
    assert sorted(pairs.values()) == [1, 2, 3]
    bad = [*futures, client.submit(fail, pure=False)]
    with pytest.raises(ZeroDivisionError):
        list(lib.as_completed(bad, with_results=True))
    collected = list(lib.as_completed(bad, with_results=True, raise_errors=False))
    assert len(collected) == 4


def test_as_completed_grows(client: Any, lib: Any) -> None:
    completed = lib.as_completed([client.submit(inc, 0)])
    seen = []
    for future in completed:
        value = future.result(timeout=60)
        seen.append(value)
        if value < 4:
            completed.add(client.submit(inc, value))
    assert seen == [1, 2, 3, 4]


def test_as_completed_repeats_duplicates(client: Any, lib: Any) -> None:
    future = client.submit(inc, 1)
    assert len(list(lib.as_completed([future, future]))) == 2


def test_as_completed_batches(client: Any, lib: Any) -> None:
    futures = client.map(inc, range(10))
    lib.wait(futures, timeout=60)
    assert sum(len(batch) for batch in lib.as_completed(futures).batches()) == 10


def test_as_completed_counts(client: Any, lib: Any) -> None:
    completed = lib.as_completed()
    assert completed.is_empty()
    assert not completed.has_ready()
    future = client.submit(inc, 1)
    completed.update([future])
    assert completed.count() == 1
    assert next(completed) is future
    assert completed.is_empty()
    with pytest.raises(StopIteration):
        next(completed)


def test_as_completed_and_its_errors(client: Any, lib: Any) -> None:
    with pytest.raises(TypeError):
        lib.as_completed([1])
    slow = client.submit(nap, 3, pure=False)
    with pytest.raises(TimeoutError):
        list(lib.as_completed([slow], timeout=0.1))
    slow.cancel()


def test_futures_of(client: Any, lib: Any) -> None:
    one, two = client.map(inc, [0, 1])
    assert set(lib.futures_of([one, {"a": (two,)}])) == {one, two}
    assert lib.futures_of(1) == []


def test_fire_and_forget(client: Any, lib: Any) -> None:
    flag = lib.Event("parity-forgotten")
    future = client.submit(lambda: lib.Event("parity-forgotten").set(), pure=False)
    lib.fire_and_forget(future)
    del future
    assert flag.wait(timeout=60)


def test_default_client(client: Any, lib: Any) -> None:
    assert lib.default_client() is client
    assert lib.Client.current() is client
    assert lib.get_client() is client


def test_asynchronous(run_async: Any, lib: Any) -> None:
    async def body(client: Any) -> None:
        future = client.submit(inc, 1, pure=False)
        assert await future == 2
        assert await future.result() == 2
        assert await client.gather(client.map(inc, range(3))) == [1, 2, 3]
        bad = client.submit(fail, "async", pure=False)
        with pytest.raises(ZeroDivisionError, match="async"):
            await bad
        assert isinstance(await bad.exception(), ZeroDivisionError)
        scattered = await client.scatter([1, 2])
        assert await client.gather(scattered) == [1, 2]
        futures = client.map(inc, range(4))
        assert len([future async for future in lib.as_completed(futures)]) == 4
        done, _ = await lib.wait(futures)
        assert len(done) == 4
        assert len(await client.nthreads()) == 2

    run_async(body)
