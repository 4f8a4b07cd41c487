"""Futures: states, results, exceptions, timeouts, cancellation and release."""

import gc
import logging
import operator
import pickle
import threading
import time
import traceback

import pytest

from dagrpc import Client, Event, FutureCancelledError, wait
from dagrpc.exceptions import GraphError
from tests.support.waiting import eventually


def inc(x):
    return x + 1


def fail(message):
    raise ZeroDivisionError(message)


class StrangeError(Exception):
    """Cannot be rebuilt from its arguments."""

    def __init__(self, first, second):
        super().__init__(first)
        self.second = second


class UnpicklableError(Exception):
    def __init__(self, message):
        super().__init__(message)
        self.lock = threading.Lock()


def test_states(client):
    slow = client.submit(time.sleep, 0.2, pure=False)
    assert slow.status == "pending"
    assert not slow.done()
    assert slow.type is None
    assert slow.result() is None
    assert slow.status == "finished"
    assert slow.done()
    assert not slow.cancelled()
    bad = client.submit(fail, "boo")
    wait(bad)
    assert (bad.status, bad.done(), bad.cancelled()) == ("error", True, False)


def test_representations(client):
    future = client.submit(inc, 1, key="x-1")
    future.result()
    assert repr(future) == str(future) == "<Future: finished, type: int, key: x-1>"
    assert "finished" in future._repr_html_()
    assert "int" in future._repr_html_()
    bad = client.submit(fail, "<b>", key=("y", 1))
    wait(bad)
    assert repr(bad) == "<Future: error, key: ('y', 1)>"
    assert "&#x27;y&#x27;" in bad._repr_html_()


def test_the_tasks_own_exception_comes_back(client):
    future = client.submit(fail, "boo")
    with pytest.raises(ZeroDivisionError, match="boo") as info:
        future.result()
    assert any("raise ZeroDivisionError(message)" in line for line in traceback.format_tb(info.value.__traceback__))
    assert isinstance(future.exception(), ZeroDivisionError)
    assert "fail" in "".join(traceback.format_tb(future.traceback()))
    # Asking again adds nothing to the traceback.
    lengths = set()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError) as info:
            future.result()
        lengths.add(len(traceback.extract_tb(info.value.__traceback__)))
    assert len(lengths) == 1


def test_no_exception(client):
    future = client.submit(inc, 1)
    assert future.exception() is None
    assert future.traceback() is None


def test_dependents_fail_with_the_same_exception(client):
    bad = client.submit(fail, "boo")
    dependent = client.submit(inc, client.submit(inc, bad))
    with pytest.raises(ZeroDivisionError, match="boo"):
        dependent.result()


def test_exceptions_that_resist_pickling(client):
    def strange():
        raise StrangeError(1, 2)

    with pytest.raises(StrangeError) as info:
        client.submit(strange, pure=False).result()
    assert info.value.second == 2

    def unpicklable():
        raise UnpicklableError("sad")

    with pytest.raises(UnpicklableError, match="sad"):
        client.submit(unpicklable, pure=False).result()


def test_results_that_resist_pickling(client):
    future = client.submit(threading.Lock, pure=False)
    wait(future)
    assert future.status == "finished"
    with pytest.raises(TypeError, match="lock"):
        future.result(timeout=60)
    # On its worker it can be used.
    assert client.submit(lambda lock: lock.acquire(), future).result() is True


def test_exit_is_an_error_like_others(client):
    def leave():
        raise SystemExit(3)

    future = client.submit(leave, pure=False)
    wait(future, timeout=60)
    assert future.status == "error"


def test_timeouts(client):
    gate = Event()
    slow = client.submit(gate.wait, pure=False)
    for ask in (slow.result, slow.exception, slow.traceback):
        with pytest.raises(TimeoutError):
            ask(timeout="50 ms")
    assert slow.status == "pending"
    gate.set()
    assert slow.result(timeout=60) is True


# --- giving up ---------------------------------------------------------------------------------------------------


def test_cancel(client, nap):
    slow = client.submit(nap, 5, pure=False)
    dependent = client.submit(inc, slow)
    assert slow.cancel() is None
    assert slow.cancelled()
    assert slow.done()
    with pytest.raises(FutureCancelledError, match="unknown"):
        slow.result()
    assert slow.exception() is None
    assert slow.traceback() is None
    with pytest.raises(FutureCancelledError, match="lost dependencies"):
        dependent.result(timeout=60)


def test_cancel_says_why(client, nap):
    future = client.submit(nap, 5, pure=False)
    future.cancel(reason="too-slow", msg="It took too long.")
    with pytest.raises(FutureCancelledError) as info:
        future.result()
    assert (info.value.key, info.value.reason, info.value.msg) == (future.key, "too-slow", "It took too long.")


def test_all_futures_of_a_key_are_cancelled(client):
    first, second = client.submit(inc, 99), client.submit(inc, 99)
    client.cancel([first])
    assert second.cancelled()


def test_a_cancelled_key_can_be_submitted_again(client):
    for _ in range(10):
        future = client.submit(inc, 55)
        future.cancel()
        assert future.cancelled()
        again = client.submit(inc, 55)
        assert again.result(timeout=60) == 56
        assert future.cancelled()
        del future, again


def test_dependents_of_a_cancelled_future_are_cancelled(client):
    future = client.submit(inc, 56)
    future.cancel()
    for dependent in (client.submit(inc, future), client.map(inc, [future])[0]):
        with pytest.raises(FutureCancelledError, match="lost dependencies"):
            dependent.result(timeout=60)


def test_another_clients_wish_is_respected_unless_forced(client, shared_cluster, nap):
    with Client(shared_cluster, set_as_default=False) as other:
        mine, theirs = (c.submit(time.sleep, 0.5, key="shared-sleep") for c in (client, other))
        time.sleep(0.1)
        mine.cancel()
        assert mine.cancelled()
        assert theirs.result(timeout=60) is None
        mine, theirs = (c.submit(nap, 5, key="shared-sleep-2") for c in (client, other))
        time.sleep(0.1)
        mine.cancel(force=True)
        with pytest.raises(FutureCancelledError):
            theirs.result(timeout=60)


def test_release(client):
    future = client.submit(inc, 77)
    future.result()
    future.release()
    assert future.status == "finished"
    with pytest.raises(FutureCancelledError):
        future.result()
    with pytest.raises(FutureCancelledError):
        client.gather([future])
    eventually(lambda: not any(client.who_has([future.key]).values()))


def test_dropping_the_last_reference_releases_the_key(client):
    future = client.submit(inc, 78)
    future.result()
    key, other = future.key, client.submit(inc, 78)
    del future
    time.sleep(0.1)
    assert client.who_has([key])[key]
    del other
    gc.collect()
    eventually(lambda: not any(client.who_has([key]).values()))
    assert key not in client.futures


def test_retry(client, tmp_path):
    flag = tmp_path / "flag"

    def wait_for_flag():
        if not flag.exists():
            raise ValueError("not yet")
        return 1

    future = client.submit(wait_for_flag, pure=False)
    dependent = client.submit(inc, future)
    with pytest.raises(ValueError, match="not yet"):
        dependent.result()
    flag.touch()
    # The dependent's retry takes the task that is to blame along.
    assert dependent.retry() is None
    assert dependent.result(timeout=60) == 2
    assert future.result(timeout=60) == 1
    assert client.retry([future]) is None
    assert future.result(timeout=60) == 1


# --- callbacks ---------------------------------------------------------------------------------------------------


def test_callbacks_are_called_whatever_comes(client, nap):
    called = []
    seen = threading.Event()

    def note(future):
        called.append((future.status, threading.current_thread()))
        if len(called) == 4:
            seen.set()

    done = client.submit(inc, 1)
    done.result()
    done.add_done_callback(note)
    for future in (client.submit(time.sleep, 0.05, pure=False), client.submit(fail, "boo", pure=False)):
        future.add_done_callback(note)
    slow = client.submit(nap, 5, pure=False)
    slow.add_done_callback(note)
    slow.cancel()
    assert seen.wait(60)
    assert sorted(status for status, _ in called) == ["cancelled", "error", "finished", "finished"]
    assert threading.current_thread() not in {thread for _, thread in called}


def test_a_callbacks_exception_is_logged(client, caplog):
    with caplog.at_level(logging.ERROR, "dagrpc"):
        client.submit(inc, 1).add_done_callback(lambda future: fail("in callback"))
        eventually(lambda: "in callback" in caplog.text)
    seen = threading.Event()
    client.submit(inc, 1).add_done_callback(lambda future: seen.set())
    assert seen.wait(60)


# --- pickling ----------------------------------------------------------------------------------------------------


def test_a_pickled_future_binds_to_the_current_client(client, shared_cluster):
    future = client.submit(inc, 1)
    future.result()
    copy = pickle.loads(pickle.dumps(future))
    assert copy.result() == 2
    assert copy.client is client
    with Client(shared_cluster, set_as_default=False) as other, other.as_current():
        copy = pickle.loads(pickle.dumps(future))
        assert copy.client is other
        assert copy.result() == 2


def test_without_a_client_it_is_unbound(shared_cluster):
    with Client(shared_cluster, set_as_default=False) as client:
        future = client.submit(inc, 1)
        copy = pickle.loads(pickle.dumps(future))
        assert copy.status is None
        assert copy.client is None
        assert repr(copy) == f"<Future: None, key: {future.key}>"
        for operation in (copy.result, copy.done, copy.cancelled, copy.exception, copy.cancel):
            with pytest.raises(RuntimeError, match="not bound"):
                operation()
        copy.bind_client(client)
        assert copy.result() == 2


def test_a_key_that_is_not_there_is_cancelled(client):
    from dagrpc import Future

    with pytest.raises(FutureCancelledError):
        Future("no-such-key", client).result(timeout=60)


def test_identity(client):
    first, second = client.submit(inc, 1), client.submit(inc, 1)
    assert first != second
    assert first == first
    assert len({first, second, first}) == 2


def test_a_released_dependency_is_a_clear_error(client):
    future = client.submit(inc, 4321)
    future.result()
    future.release()
    eventually(lambda: not any(client.who_has([future.key]).values()))
    with pytest.raises((GraphError, FutureCancelledError)):
        client.submit(operator.add, future, 1).result(timeout=60)


def test_a_key_that_another_client_has_given_stays_that_task(client):
    with Client(client.cluster, set_as_default=False) as other:
        taken = other.submit(inc, other.submit(inc, 97531), key="taken")
        assert taken.result(timeout=30) == 97533
        future = client.submit(inc, client.submit(inc, 13579), key="taken")
        assert future.result(timeout=30) == 97533


def test_dependents_of_data_that_nobody_holds_are_cancelled(client):
    gone = client.submit(inc, 97531)
    wait(gone)
    gone.bound_state().wire_key = "never-heard-of"
    future = client.submit(inc, gone, key="bereft")
    with pytest.raises(FutureCancelledError, match="never-heard-of") as caught:
        future.result(timeout=30)
    assert caught.value.reason == "lost dependencies"
