"""Section 5 of the API: primitives by which clients and tasks coordinate."""

from __future__ import annotations

import pickle
import uuid
from typing import Any

import pytest

from tests.parity.functions import inc


@pytest.fixture
def name() -> str:
    return f"parity-{uuid.uuid4()}"


def test_lock(client: Any, lib: Any, name: str) -> None:
    lock, same = lib.Lock(name), lib.Lock(name)
    assert lock.acquire(timeout=30)
    assert lock.locked()
    assert same.acquire(timeout=0.1) is False
    assert same.acquire(blocking=False) is False
    with pytest.raises(ValueError):  # noqa: PT011
        same.acquire(blocking=False, timeout=1)
    lock.release()
    with same:
        assert lock.locked()
    assert not lock.locked()


def test_lock_in_tasks(client: Any, lib: Any, name: str) -> None:
    total = lib.Variable(f"{name}-total")
    total.set(0)

    def bump(_: int) -> None:
        with lib.Lock(name):
            variable = lib.Variable(f"{name}-total")
            variable.set(variable.get(timeout=30) + 1)

    client.gather(client.map(bump, range(8), pure=False))
    assert total.get(timeout=30) == 8


def test_semaphore(client: Any, lib: Any, name: str) -> None:
    semaphore = lib.Semaphore(max_leases=2, name=name)
    assert semaphore.acquire(timeout=30)
    assert semaphore.acquire(timeout=30)
    assert semaphore.get_value() == 2
    assert semaphore.acquire(timeout=0.1) is False
    assert semaphore.release()
    assert semaphore.acquire(timeout=30)
    semaphore.release()
    semaphore.release()
    with pytest.raises(RuntimeError):
        semaphore.release()


def test_multilock(client: Any, lib: Any, name: str) -> None:
    names = [f"{name}-a", f"{name}-b"]
    first, second = lib.MultiLock(names), lib.MultiLock(names[:1])
    assert first.acquire(timeout=30)
    assert first.locked()
    assert second.acquire(timeout=0.1) is False
    first.release()
    with second:
        assert second.locked()
    with pytest.raises(ValueError):  # noqa: PT011
        first.release()


def test_event(client: Any, lib: Any, name: str) -> None:
    event = lib.Event(name)
    assert not event.is_set()
    assert event.wait(timeout=0.1) is False
    future = client.submit(lambda: lib.Event(name).wait(timeout=60), pure=False)
    event.set()
    assert future.result(timeout=60) is True
    event.clear()
    assert not lib.Event(name).is_set()


def test_queue(client: Any, lib: Any, name: str) -> None:
    queue = lib.Queue(name)
    for number in range(5):
        queue.put(number)
    assert queue.qsize() == 5
    assert queue.get(timeout=30) == 0
    assert queue.get(batch=2) == [1, 2] or queue.qsize() == 2
    assert list(queue.get(batch=True)) == [3, 4]
    with pytest.raises(TimeoutError):
        queue.get(timeout=0.1)
    queue.close()


def test_queue_of_futures(client: Any, other: Any, lib: Any, name: str) -> None:
    queue = lib.Queue(name, client=client)
    future = client.submit(inc, 10, pure=False)
    queue.put(future)
    del future
    received = queue.get(timeout=30)
    assert received.result(timeout=60) == 11


def test_bounded_queue(client: Any, lib: Any, name: str) -> None:
    queue = lib.Queue(name, maxsize=1)
    queue.put(1)
    with pytest.raises(TimeoutError):
        queue.put(2, timeout=0.1)


def test_variable(client: Any, lib: Any, name: str) -> None:
    variable = lib.Variable(name)
    with pytest.raises(TimeoutError):
        variable.get(timeout=0.1)
    variable.set({"a": {"b": 2.5}})
    assert variable.get(timeout=30) == {"a": {"b": 2.5}}
    variable.set(client.submit(inc, 1, pure=False))
    assert lib.Variable(name).get(timeout=30).result(timeout=60) == 2
    variable.delete()


@pytest.mark.parametrize("kind", ["Lock", "Semaphore", "MultiLock", "Event", "Queue", "Variable"])
def test_primitives_can_be_sent_to_tasks(client: Any, lib: Any, name: str, kind: str) -> None:
    made = getattr(lib, kind)(names=[name]) if kind == "MultiLock" else getattr(lib, kind)(name=name)
    copy = pickle.loads(pickle.dumps(made))
    assert type(copy) is type(made)
    assert client.submit(lambda x: type(x).__name__, made, pure=False).result(timeout=60) == kind


def test_asynchronous(run_async: Any, lib: Any, name: str) -> None:
    async def body(client: Any) -> None:
        async with lib.Lock(f"{name}-lock"):
            pass
        queue = await lib.Queue(f"{name}-queue")
        await queue.put(1)
        assert await queue.get(timeout=30) == 1
        event = lib.Event(f"{name}-event")
        await event.set()
        assert await event.is_set()
        variable = lib.Variable(f"{name}-variable")
        await variable.set(5)
        assert await variable.get(timeout=30) == 5

    run_async(body)
