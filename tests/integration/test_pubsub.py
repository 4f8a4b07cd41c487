"""Pub and Sub, as older programs use them."""

import asyncio
import gc
import pickle
import threading
from typing import Any

import numpy as np
import pytest

from dagrpc import Client, LocalCluster, Pub, Sub
from dagrpc._client.client_core import core_of
from dagrpc.exceptions import ClosedClientError, CommClosedError


def test_all_who_listen_get_all_messages_in_order(client: Client) -> None:
    with Client(client.scheduler.address, set_as_default=False) as other:
        subs = [Sub("to-all"), Sub("to-all", client=other), Sub("to-all", client=other)]
        elsewhere = Sub("elsewhere")
        # The others' subscription has arrived.
        other.get_events("to-all")
        pub = Pub("to-all")
        for number in range(20):
            pub.put({"number": number})
        pub.put(np.arange(3))
        for sub in subs:
            assert [sub.get(timeout="10s") for _ in range(20)] == [{"number": number} for number in range(20)]
            assert sub.get(timeout=60).tolist() == [0, 1, 2]
        with pytest.raises(TimeoutError, match="elsewhere"):
            elsewhere.get(timeout=0.01)
    # Nothing is kept for those who come later.
    assert not [topic for topic in client.get_events() if topic.startswith("pubsub")]


def test_iteration(client: Client) -> None:
    sub = Sub("iterated")
    pub = pickle.loads(pickle.dumps(Pub("iterated")))
    pub.put(1)
    pub.put(2)
    assert [next(sub), next(iter(sub))] == [1, 2]


def test_tasks_and_client_talk_to_each_other(client: Client) -> None:
    def task() -> Any:
        sub = Sub("to-task")
        Pub("from-task").put("ready")
        return sub.get(timeout=30) + 1

    heard = Sub("from-task")
    future = client.submit(task, pure=False)
    assert heard.get(timeout=30) == "ready"
    Pub("to-task").put(5)
    assert future.result(timeout=30) == 6


def test_waiters_learn_that_the_client_closes(fresh_cluster: LocalCluster) -> None:
    client = Client(fresh_cluster)
    sub = Sub("never", client=client)
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            sub.get(timeout=60)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    client.submit(sum, [1]).result(timeout=30)
    client.close()
    thread.join(30)
    assert isinstance(errors[0], (CommClosedError, ClosedClientError))


def test_one_that_is_gone_listens_no_more(client: Client) -> None:
    sub = Sub("forgotten")
    assert core_of(client).session.topics.wanted()[-1] == "pubsub-forgotten"
    del sub
    gc.collect()
    client.get_events("x")
    assert "pubsub-forgotten" not in core_of(client).session.topics.wanted()


async def use_asynchronously(address: str) -> list[Any]:
    async with Client(address, asynchronous=True, set_as_default=False) as client:
        sub = Sub("asynchronous", client=client)
        pub = Pub("asynchronous", client=client)
        pub.put(1)
        await pub.put(2)
        found = [await sub.get(timeout=30)]
        async for message in sub:
            found.append(message)
            break
        with pytest.raises(TimeoutError):
            await sub.get(timeout=0.01)
        return found


def test_asynchronous_clients(shared_cluster: LocalCluster) -> None:
    assert asyncio.run(use_asynchronously(shared_cluster.scheduler_address)) == [1, 2]
