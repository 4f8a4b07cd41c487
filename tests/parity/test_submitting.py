"""Section 1.1 of the API: submitting work."""

from __future__ import annotations

import queue
from collections import namedtuple
from typing import Any

import pytest

from tests.parity.functions import add, double, fail, identity, inc, keyword, nap, total

Point = namedtuple("Point", "x y")


def test_submit(client: Any, lib: Any) -> None:
    future = client.submit(inc, 1)
    assert isinstance(future, lib.Future)
    assert future.result(timeout=60) == 2


def test_arguments_at_any_depth_of_builtin_collections(client: Any) -> None:
    one, two = client.submit(inc, 0), client.submit(inc, 1)
    nested = {"a": [one, {"b": (two, one)}], "c": {1, 2}}
    assert client.submit(identity, nested).result(timeout=60) == {"a": [1, {"b": (2, 1)}], "c": {1, 2}}
    assert client.submit(keyword, one, y=two).result(timeout=60) == (1, 2)


def test_submit_wants_a_callable(client: Any) -> None:
    with pytest.raises(TypeError):
        client.submit(1, 2)


def test_allow_other_workers_wants_workers(client: Any) -> None:
    with pytest.raises(ValueError, match="allow_other_workers"):
        client.submit(inc, 1, allow_other_workers=True, pure=False)


def test_allow_other_workers_accepts_an_empty_list(client: Any) -> None:
    assert client.submit(inc, 1, workers=[], allow_other_workers=True, pure=False).result(timeout=60) == 2
    (future,) = client.map(inc, [1], workers=[], allow_other_workers=True, pure=False)
    assert future.result(timeout=60) == 2


def test_a_known_key_is_returned_before_arguments_are_looked_at(client: Any) -> None:
    first = client.submit(inc, 1, key="known-parity")
    second = client.submit(inc, 1, key="known-parity", allow_other_workers=True)
    assert second.key == first.key


@pytest.mark.parametrize("pure", [True, False])
def test_purity(client: Any, pure: bool) -> None:
    keys = {client.submit(inc, 5, pure=pure).key for _ in range(2)}
    assert len(keys) == (1 if pure else 2)
    assert all(key.startswith("inc-") for key in keys)


@pytest.mark.parametrize("key", ["text-parity", ("tuple-parity", 1), 12345])
def test_keys(client: Any, key: Any) -> None:
    future = client.submit(inc, 1, key=key)
    assert future.key == key
    assert future.result(timeout=60) == 2


@pytest.mark.parametrize("key", [["list"], {1: 2}, ("a", None)])
def test_values_that_are_no_keys(client: Any, key: Any) -> None:
    with pytest.raises(TypeError):
        client.submit(inc, 1, key=key)


def test_map(client: Any) -> None:
    futures = client.map(inc, range(5))
    assert isinstance(futures, list)
    assert client.gather(futures) == [1, 2, 3, 4, 5]


def test_map_stops_at_the_shortest(client: Any) -> None:
    assert client.gather(client.map(add, [1, 2, 3], [10, 20])) == [11, 22]


def test_map_with_keywords_and_futures(client: Any) -> None:
    y = client.submit(inc, 1)
    assert client.gather(client.map(keyword, [1, 2], y=y)) == [(1, 2), (2, 2)]
    assert client.gather(client.map(inc, client.map(inc, range(3)))) == [2, 3, 4]


def test_map_keys(client: Any) -> None:
    futures = client.map(inc, [1, 2], key=["mk-1", "mk-2"])
    assert [future.key for future in futures] == ["mk-1", "mk-2"]
    assert all("prefixed" in str(future.key) for future in client.map(inc, [1, 2], key="prefixed"))


def test_map_in_batches(client: Any) -> None:
    assert client.gather(client.map(inc, range(10), batch_size=3)) == list(range(1, 11))


@pytest.mark.parametrize("source", [iter([1]), queue.Queue()])
def test_map_refuses_what_it_would_use_up(client: Any, source: Any) -> None:
    with pytest.raises(TypeError):
        client.map(inc, source)


def test_map_of_nothing(client: Any) -> None:
    assert client.map(inc, []) == []


def test_gather_keeps_the_shape(client: Any) -> None:
    one, two = client.map(inc, [0, 1])
    assert client.gather([one, [two, one]]) == [1, [2, 1]]
    assert client.gather({"a": one, "b": [two]}) == {"a": 1, "b": [2]}
    assert client.gather((one, two)) == (1, 2)
    assert client.gather(one) == 1
    assert list(client.gather(iter([one, two]))) == [1, 2]


def test_gather_skips_errors_when_asked(client: Any) -> None:
    futures = [client.submit(inc, 1), client.submit(fail, pure=False), client.submit(inc, 2)]
    assert client.gather(futures, errors="skip") == [2, 3]
    with pytest.raises(ZeroDivisionError):
        client.gather(futures)
    with pytest.raises(ValueError, match="errors"):
        client.gather(futures, errors="nonsense")


def test_gather_refuses_queues_and_other_clients_futures(client: Any, other: Any) -> None:
    with pytest.raises(TypeError):
        client.gather(queue.Queue())
    with pytest.raises(ValueError):  # noqa: PT011
        client.gather([other.submit(inc, 1)])


@pytest.mark.parametrize(
    ("data", "kind"),
    [([1, 2], list), ((3, 4), tuple), ({5, 6}, set), (frozenset([7, 8]), frozenset)],
)
def test_scatter_collections(client: Any, data: Any, kind: Any) -> None:
    futures = client.scatter(data, hash=False)
    assert type(futures) is kind
    assert sorted(client.gather(list(futures))) == sorted(data)


def test_scatter_others(client: Any) -> None:
    futures = client.scatter({"parity-a": 1, "parity-b": 2})
    assert client.gather(futures) == {"parity-a": 1, "parity-b": 2}
    assert client.scatter("text", hash=False).result(timeout=60) == "text"
    assert client.gather(client.scatter(range(3), hash=False)) == [0, 1, 2]
    point = client.scatter(Point(1, 2), hash=False)
    assert isinstance(point, Point)
    assert client.gather(list(point)) == [1, 2]


def test_scatter_refuses_what_it_would_use_up(client: Any) -> None:
    with pytest.raises(TypeError):
        client.scatter(iter([1, 2]))


def test_scatter_names_by_content_unless_told_otherwise(client: Any) -> None:
    assert client.scatter(["same"])[0].key == client.scatter(["same"])[0].key
    assert client.scatter(["same"], hash=False)[0].key != client.scatter(["same"], hash=False)[0].key


def test_scatter_broadcasts(client: Any) -> None:
    future = client.scatter("everywhere", broadcast=True, hash=False)
    assert set(client.who_has(future)[future.key]) == set(client.nthreads())


def test_scatter_to_a_worker(client: Any) -> None:
    worker = sorted(client.nthreads())[0]
    future = client.scatter("there", workers=[worker], hash=False)
    assert list(client.who_has(future)[future.key]) == [worker]


def test_scattered_data_as_argument(client: Any) -> None:
    data = client.scatter(list(range(10)))
    assert client.submit(total, *data).result(timeout=60) == 45


def test_restriction_to_workers(client: Any) -> None:
    worker = sorted(client.nthreads())[1]
    futures = client.map(double, range(4), workers=worker, pure=False)
    client.gather(futures)
    assert all(list(holders) == [worker] for holders in client.who_has(futures).values())


def test_unknown_workers_wait_or_are_gone_around(client: Any) -> None:
    future = client.submit(inc, 3, workers="127.0.0.1:1", allow_other_workers=True, pure=False)
    assert future.result(timeout=60) == 4
    stuck = client.submit(inc, 3, workers="nobody-has-this-name", pure=False)
    with pytest.raises(TimeoutError):
        stuck.result(timeout=0.3)


def test_retries(client: Any, lib: Any) -> None:
    attempts = lib.Variable("parity-attempts")
    attempts.set(0)

    def flaky() -> str:
        count = lib.Variable("parity-attempts")
        number = count.get(timeout=30) + 1
        count.set(number)
        if number < 3:
            raise OSError(f"attempt {number}")
        return "done"

    assert client.submit(flaky, retries=5, pure=False).result(timeout=60) == "done"
    assert attempts.get(timeout=30) == 3


def test_cancel(client: Any, lib: Any) -> None:
    blockers = client.map(nap, [1] * 8, pure=False)
    future = client.submit(inc, 1, pure=False, priority=-10)
    client.cancel(future)
    assert future.cancelled()
    assert future.status == "cancelled"
    with pytest.raises(lib.CancelledError):
        future.result(timeout=60)
    client.cancel(blockers)


def test_cancelled_dependencies_cancel_dependents(client: Any, lib: Any) -> None:
    first = client.submit(nap, 5, pure=False)
    second = client.submit(inc, first)
    client.cancel(first)
    with pytest.raises(lib.CancelledError):
        second.result(timeout=60)


def test_retry_runs_the_cause_again(client: Any, lib: Any) -> None:
    switch = lib.Event("parity-retry-switch")

    def fails_until_set() -> int:
        if not lib.Event("parity-retry-switch").is_set():
            raise OSError("not yet")
        return 1

    cause = client.submit(fails_until_set, pure=False)
    effect = client.submit(inc, cause)
    with pytest.raises(OSError, match="not yet"):
        effect.result(timeout=60)
    switch.set()
    client.retry(effect)
    assert effect.result(timeout=60) == 2


def test_raw_graphs(client: Any) -> None:
    graph = {"a": 1, "b": (inc, "a"), "c": (add, "a", "b"), ("t", 0): (sum, ["a", "b", "c"])}
    assert client.get(graph, "c") == 3
    one, (two, three) = client.get(graph, ["c", ["b", ("t", 0)]])
    assert (one, two, three) == (3, 2, 6)
    future = client.get(graph, "c", sync=False)
    assert future.result(timeout=60) == 3


def test_executor(client: Any) -> None:
    with client.get_executor(pure=False) as executor:
        assert executor.submit(inc, 1).result(timeout=60) == 2
        assert list(executor.map(add, [1, 2], [3, 4])) == [4, 6]
    with pytest.raises(RuntimeError):
        executor.submit(inc, 1)
