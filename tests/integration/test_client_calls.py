"""submit, map and gather, as users of distributed know them."""

import functools
import operator
import queue
import threading
import time
import warnings
from collections import namedtuple
from typing import Any

import dask
import pytest

from dagrpc import Client, wait


def inc(x):
    return x + 1


def fail(message):
    raise ZeroDivisionError(message)


Point = namedtuple("Point", ["x", "y"])


class Adder:
    """A callable that can change."""

    def __init__(self, amount):
        self.amount = amount

    def __call__(self, x):
        return x + self.amount


# --- submit ------------------------------------------------------------------------------------------------------


def test_submit_returns_a_future_of_the_result(client):
    future = client.submit(inc, 1)
    assert future.result() == 2
    assert future.key.startswith("inc-")
    assert future.type is int


def test_keyword_arguments_go_to_the_function(client):
    assert client.submit(int, "ff", base=16).result() == 255


def test_futures_are_replaced_by_their_results(client):
    one = client.submit(inc, 0)
    two = client.submit(operator.add, one, one)
    assert client.submit(operator.add, two, 5).result() == 7
    assert client.submit(dict, a=two).result() == {"a": 2}


def test_futures_are_found_in_nested_containers(client):
    x, y = client.map(inc, [1, 2])
    nested = {"a": [x], "b": {1: (y, {x})}, "c": Point(x, 0)}
    result = client.submit(lambda value: value, nested).result()
    assert result == {"a": [2], "b": {1: (3, {2})}, "c": (2, 0)}
    assert type(result["c"]).__name__ == "Point"


def test_equal_calls_share_a_key(client):
    assert client.submit(inc, 1).key == client.submit(inc, 1).key
    assert client.submit(inc, 1).key != client.submit(inc, 2).key
    assert client.submit(inc, 1).key != client.submit(inc, 1.0).key
    assert client.submit(inc, True).key != client.submit(inc, 1).key
    x = client.submit(inc, 1)
    assert client.submit(inc, x).key == client.submit(inc, x).key


def test_impure_calls_do_not(client):
    first, second = (client.submit(inc, 1, pure=False) for _ in range(2))
    assert first.key != second.key
    assert client.gather([first, second]) == [2, 2]


@pytest.mark.parametrize("key", ["a-key", "('x', 0)", ("x", 0, 1), b"bytes", 7, 2.5, "1", "b'x'", "k\u00e9y"])
def test_keys_of_all_kinds(client, key):
    future = client.submit(inc, 1, key=key)
    assert future.key == key
    assert future.result() == 2
    assert list(client.who_has([future])) == [key]


@pytest.mark.parametrize("key", [frozenset([1]), [1], {"a": 1}, object()])
def test_an_impossible_key_is_a_type_error(client, key):
    with pytest.raises(TypeError, match="key"):
        client.submit(inc, 1, key=key)


def test_a_known_key_is_the_same_future_whatever_else_is_given(client):
    first = client.submit(inc, 1, key="known")
    assert client.submit(inc, 100, key="known", allow_other_workers=True).result() == first.result() == 2


def test_a_key_that_was_let_go_of_can_mean_something_else(client):
    for value in range(20):
        assert client.submit(inc, value, key="again").result() == value + 1
    slow = client.submit(time.sleep, 0.2, key="pending-again")
    del slow
    assert client.submit(inc, 1, key="pending-again").result() == 2


def test_only_callables(client):
    with pytest.raises(TypeError, match="callable"):
        client.submit(1)
    with pytest.raises(TypeError, match="callable"):
        client.map(1, [1])


def test_other_workers_make_sense_beside_workers_only(client):
    with pytest.raises(ValueError, match="allow_other_workers"):
        client.submit(inc, 4711, allow_other_workers=True)
    with pytest.raises(ValueError, match="allow_other_workers"):
        client.map(inc, [4711], allow_other_workers=True)


def test_callables_of_all_kinds(client):
    assert client.submit(functools.partial(operator.add, 1), 2).result() == 3
    assert client.submit("abc".upper).result() == "ABC"
    assert client.submit(complex, 1).result() == 1
    assert client.submit(lambda x: x * 2, 4).result() == 8
    assert client.submit(functools.partial(operator.add, 1), 2).key.startswith("add-")
    assert client.submit(lambda: 0).key.startswith("lambda-")


def test_a_callable_that_changed_is_another_function(client):
    adder = Adder(1)
    assert client.submit(adder, 1).result() == 2
    adder.amount = 10
    assert client.submit(adder, 1).result() == 11


def test_an_argument_that_cannot_be_pickled_raises_at_once(client):
    before = set(client.futures)
    with pytest.raises(TypeError, match=r"argument 1, a _thread\.lock, of task 'my-task'"):
        client.submit(print, 1, threading.Lock(), key="my-task")
    with pytest.raises(TypeError, match="argument 'file'"):
        client.submit(print, file=threading.Lock())
    lock = threading.Lock()
    with pytest.raises(TypeError, match="Could not pickle the function"):
        client.submit(lambda: lock)
    with pytest.raises(TypeError, match="argument 0"):
        client.map(print, [threading.Lock()])
    assert set(client.futures) == before
    assert client.submit(inc, 1).result() == 2


def test_coroutine_functions_are_tasks_too(client):
    async def double(x):
        return 2 * x

    assert client.submit(double, 4).result() == 8


def test_large_arguments_are_warned_about(client):
    with pytest.warns(UserWarning, match="Scatter"):
        assert client.submit(len, b"x" * 12_000_000).result() == 12_000_000
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client.gather(client.map(inc, range(2_000)))


def test_workers_are_honoured(client):
    for address, info in client.scheduler_info()["workers"].items():
        for name in (address, f"tcp://{address}", info["name"], [info["name"]]):
            future = client.submit(inc, 1, workers=name, pure=False)
            wait(future)
            assert client.who_has(future) == {future.key: (address,)}


def test_unknown_workers_wait_unless_others_are_allowed(client):
    waiting = client.submit(inc, 1, workers="nowhere", pure=False)
    loose = client.submit(inc, 1, workers="nowhere", allow_other_workers=True, pure=False)
    assert loose.result(timeout=60) == 2
    assert waiting.status == "pending"


def test_unknown_resources_wait(client):
    waiting = client.submit(inc, 1, resources={"GPU": 1}, pure=False)
    with pytest.raises(TimeoutError):
        waiting.result(timeout="100 ms")


def test_retries(client, tmp_path):
    count = tmp_path / "count"
    count.write_text("0")

    def flaky(needed):
        n = int(count.read_text()) + 1
        count.write_text(str(n))
        if n < needed:
            raise ValueError(n)
        return n

    assert client.submit(flaky, 3, retries=2).result() == 3
    count.write_text("0")
    with pytest.raises(ValueError, match="2"):
        client.submit(flaky, 4, retries=1).result()


def test_options_must_be_what_their_names_say(client):
    with pytest.raises(TypeError, match="priority"):
        client.submit(inc, 1, priority="high", pure=False)
    with pytest.raises(ValueError, match="resources"):
        client.submit(inc, 1, resources={"GPU": float("nan")}, pure=False)


def test_priorities_order_what_waits(client, tmp_path):
    go = tmp_path / "go"
    address = next(iter(client.nthreads()))

    def occupy():
        while not go.exists():
            time.sleep(0.01)

    def stamp():
        time.sleep(0.01)
        return time.monotonic()

    blockers = [client.submit(occupy, workers=address, pure=False) for _ in range(2)]
    time.sleep(0.2)
    low = [client.submit(stamp, workers=address, pure=False) for i in range(6)]
    high = [client.submit(stamp, workers=address, pure=False, priority=10) for i in range(3)]
    with dask.annotate(priority=10):
        high += [client.submit(stamp, workers=address, pure=False) for i in range(3)]
    time.sleep(0.2)
    go.touch()
    assert max(client.gather(high)) < min(client.gather(low))
    wait(blockers)


# --- map ---------------------------------------------------------------------------------------------------------


def test_map_zips_and_stops_at_the_shortest(client):
    assert client.gather(client.map(operator.add, [1, 2], [10, 20, 30])) == [11, 22]
    assert client.map(inc, []) == []
    assert client.gather(client.map(str.upper, "abc")) == ["A", "B", "C"]
    assert client.gather(client.map(inc, range(3))) == [1, 2, 3]


def test_map_passes_keyword_arguments_to_all(client):
    base = client.submit(inc, 1)
    assert client.gather(client.map(int, ["10", "11"], base=16)) == [16, 17]
    assert client.gather(client.map(int, ["10", "11"], base=base)) == [2, 3]


def test_map_takes_futures(client):
    first = client.map(inc, range(5))
    assert client.gather(client.map(inc, first)) == [2, 3, 4, 5, 6]
    assert client.gather(client.map(sum, [[first[0], 1], [first[1], first[2]]])) == [2, 5]


def test_map_names_its_keys(client):
    assert [future.key for future in client.map(inc, [1, 2], key=["a1", ("b", 1)])] == ["a1", ("b", 1)]
    prefixed = client.map(inc, [1, 2], key="foo")
    assert all(future.key.startswith("foo-") for future in prefixed)
    assert prefixed[0].key != prefixed[1].key
    same = client.map(inc, [1, 1])
    assert same[0].key == same[1].key == client.submit(inc, 1).key
    impure = client.map(inc, [1, 1], pure=False)
    assert impure[0].key != impure[1].key
    assert client.gather(prefixed + same + impure) == [2, 3, 2, 2, 2, 2]


def test_map_refuses_iterators_and_queues(client):
    refused: list[Any] = [iter([1]), (x for x in [1]), queue.Queue()]
    for iterable in refused:
        with pytest.raises(TypeError, match="iterators"):
            client.map(inc, iterable)
    with pytest.raises(TypeError):
        client.map(inc, 5)
    with pytest.raises(TypeError):
        client.map(inc)


@pytest.mark.parametrize("batch_size", [None, 7, 5_000])
def test_map_of_many(client, batch_size):
    futures = client.map(inc, range(3_000), batch_size=batch_size, pure=False)
    assert client.gather(futures) == list(range(1, 3_001))


def test_the_scheduler_forgets_what_nobody_holds(client):
    futures = client.map(inc, range(100), pure=False)
    wait(futures)
    assert len(client.who_has(futures)) == 100
    keys = [future.key for future in futures]
    del futures
    for _ in range(100):
        if not any(client.who_has(keys).values()):
            break
        time.sleep(0.02)
    assert not any(client.who_has(keys).values())


# --- gather ------------------------------------------------------------------------------------------------------


def test_gather_keeps_the_structure(client):
    x, y = client.map(inc, [1, 2])
    assert client.gather(x) == 2
    assert client.gather([x, [y, (x,)], {"k": y}, {x}, 5, None, "s"]) == [2, [3, (2,)], {"k": 3}, {2}, 5, None, "s"]
    assert client.gather(Point(x, y)) == Point(2, 3)
    assert client.gather([]) == []
    assert client.gather([x, x]) == [2, 2]


def test_gather_of_an_iterator_is_a_generator(client):
    generator = client.gather(iter(client.map(inc, range(3))))
    assert next(generator) == 1
    assert list(generator) == [2, 3]


def test_gather_raises_the_first_error_without_waiting_for_the_rest(client, nap):
    slow, bad = client.submit(nap, 3600, pure=False), client.submit(fail, "boo", pure=False)
    with pytest.raises(ZeroDivisionError, match="boo"):
        client.gather([slow, bad])
    assert slow.status == "pending"
    slow.cancel()


def test_gather_skips_errors(client):
    good, bad = client.submit(inc, 1), client.submit(fail, "boo")
    assert client.gather([bad, good], errors="skip") == [2]
    assert client.gather([[bad, good], good], errors="skip") == [[2], 2]
    assert client.gather((bad, good), errors="skip") == (None, 2)
    assert client.gather({"a": bad, "b": good}, errors="skip") == {"a": None, "b": 2}
    assert client.gather(bad, errors="skip") is None
    with pytest.raises(ValueError, match="errors"):
        client.gather([good], errors="ignore")


def test_gather_refuses_queues_and_other_clients_futures(client, shared_cluster):
    with pytest.raises(TypeError, match="queue"):
        client.gather(queue.Queue())
    with Client(shared_cluster, set_as_default=False) as other:
        future = other.submit(inc, 1)
        with pytest.raises(ValueError, match="another client"):
            client.gather(future)
        # As an argument it is as good as any once the scheduler has it: that is the same for both.
        wait(future)
        assert client.submit(inc, future).result() == 3


def test_two_clients_share_equal_keys(client, shared_cluster):
    with Client(shared_cluster, set_as_default=False) as other:
        mine, theirs = client.submit(inc, 123), other.submit(inc, 123)
        assert mine.key == theirs.key
        assert mine.result() == theirs.result() == 124
        key = mine.key
        del theirs
    assert client.gather(mine) == 124
    assert key in client.who_has()


# --- at the limits -----------------------------------------------------------------------------------------------


def test_unsendable_data_is_refused_before_anything_is_sent(client, monkeypatch):
    from dagrpc._client import arguments

    for key in ("k" * 20_000, "\ud800", ("x", "k" * 20_000)):
        with pytest.raises(ValueError, match="key"):
            client.submit(inc, 1, key=key)
        with pytest.raises(ValueError, match="key"):
            client.get({key: (inc, 1)}, key)
    monkeypatch.setattr(arguments, "_LIMIT", 100_000)
    with pytest.raises(ValueError, match="task 'large' would take 195"):
        client.submit(len, b"x" * 200_000, key="large")
    with pytest.raises(ValueError, match="'y'"):
        client.get({"y": (len, b"x" * 200_000)}, "y")
    future = client.submit(inc, 1, pure=False)
    future.cancel(reason=5, msg="\ud800")
    assert client.submit(inc, 1).result() == 2


def test_many_threads_share_a_client(client):
    errors = []

    def work(seed):
        try:
            for i in range(30):
                futures = client.map(operator.add, range(20), [seed] * 20)
                total = client.submit(sum, futures)
                if i % 5 == 0:
                    client.submit(time.sleep, 0.001, key=f"shared-{i}").cancel()
                assert total.result(timeout=30) == sum(range(20)) + 20 * seed
                assert client.get({f"x{seed}-{i}": (sum, futures)}, f"x{seed}-{i}") == total.result()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed % 3,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert client.submit(inc, 1).result() == 2
