"""Section 1.5 of the API: metadata, events, datasets."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from tests.parity.functions import inc


@pytest.fixture
def name() -> str:
    return f"parity-{uuid.uuid4()}"


def test_metadata(client: Any, other: Any, name: str) -> None:
    client.set_metadata(name, {"a": 1})
    assert other.get_metadata(name) == {"a": 1}
    client.set_metadata([name, "b"], 2)
    assert other.get_metadata([name, "b"]) == 2
    assert client.get_metadata(f"{name}-unknown", default=None) is None
    with pytest.raises(KeyError):
        client.get_metadata(f"{name}-unknown")


def test_events(client: Any, other: Any, name: str) -> None:
    client.log_event(name, {"n": 1})
    client.log_event([name, f"{name}-second"], "two")
    assert [message for _, message in other.get_events(name)] == [{"n": 1}, "two"]
    assert [message for _, message in other.get_events(f"{name}-second")] == ["two"]
    assert name in client.get_events()


def test_subscriptions(client: Any, lib: Any, name: str) -> None:
    heard: list[Any] = []
    client.subscribe_topic(name, lambda event: heard.append(event[1]))

    def speak(number: int) -> None:
        lib.get_worker().log_event(name, number)

    client.gather(client.map(speak, range(3), pure=False))
    deadline = time.monotonic() + 60
    while len(heard) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert sorted(heard) == [0, 1, 2]
    client.unsubscribe_topic(name)
    with pytest.raises(ValueError):  # noqa: PT011
        client.unsubscribe_topic(f"{name}-unknown")


def test_datasets(client: Any, other: Any, name: str) -> None:
    future = client.submit(inc, 1, pure=False)
    client.publish_dataset(future, name=name)
    del future
    assert name in other.list_datasets()
    assert other.get_dataset(name).result(timeout=60) == 2
    with pytest.raises(KeyError):
        client.publish_dataset(1, name=name)
    client.publish_dataset(5, name=name, override=True)
    assert other.get_dataset(name) == 5
    client.unpublish_dataset(name)
    with pytest.raises(KeyError):
        client.get_dataset(name)
    assert client.get_dataset(name, default=None) is None


def test_datasets_by_keyword_and_mapping(client: Any, name: str) -> None:
    client.publish_dataset(**{name: [1, 2]})
    assert client.get_dataset(name) == [1, 2]
    client.datasets[f"{name}-2"] = 7
    assert client.datasets[f"{name}-2"] == 7
    assert {name, f"{name}-2"} <= set(client.datasets)
    del client.datasets[f"{name}-2"]
    client.unpublish_dataset(name)
    assert name not in client.datasets
    with pytest.raises(ValueError):  # noqa: PT011
        client.publish_dataset(1)


def test_published_collections(client: Any, other: Any, name: str) -> None:
    import dask

    lazy = client.persist(dask.delayed(inc)(41))
    client.publish_dataset(lazy, name=name)
    del lazy
    assert other.get_dataset(name).compute(scheduler=other) == 42
    client.unpublish_dataset(name)


def test_logs(client: Any) -> None:
    assert all(len(line) == 2 for line in client.get_scheduler_logs())
    assert set(client.get_worker_logs()) == set(client.nthreads())
    assert len(client.get_scheduler_logs(n=1)) <= 1
