"""Events: logged by clients, workers and the scheduler, stored, and delivered to subscribers."""

import asyncio
import queue
import threading
from typing import Any

import pytest

from dagrpc import Client, LocalCluster, get_client, get_worker
from dagrpc._client import topics
from dagrpc_scheduler.shell.coordination import topic_shell as scheduler_topics
from dagrpc_worker.shell.session import scheduler_session


def messages(events: Any) -> list[Any]:
    return [message for _, message in events]


def test_logged_events_can_be_asked_for(client: Client) -> None:
    client.log_event("mine", {"x": 1})
    client.log_event(["mine", "yours"], (5, None, b"bytes"))
    events = client.get_events("mine")
    assert messages(events) == [{"x": 1}, (5, None, b"bytes")]
    assert isinstance(events, tuple)
    (first, _), (second, _) = events
    assert 0 < first <= second
    assert messages(client.get_events()["yours"]) == [(5, None, b"bytes")]
    assert client.get_events("nobody's") == ()


def test_only_plain_data_can_be_logged(client: Client) -> None:
    for message in ({1, 2}, object()):
        with pytest.raises(TypeError, match="Message must be plain data"):
            client.log_event("refused", message)
    with pytest.raises(ValueError, match="topic"):
        client.log_event("", 1)
    assert client.get_events("refused") == ()


def test_handlers_get_all_events_in_order(client: Client) -> None:
    got: queue.Queue[Any] = queue.Queue()
    client.subscribe_topic("ordered", got.put)
    with Client(client.scheduler.address, set_as_default=False) as other:
        for number in range(50):
            other.log_event("ordered", number)
        other.log_event("ordered", "end")
        assert [got.get(timeout=30)[1] for _ in range(51)] == [*range(50), "end"]
    client.unsubscribe_topic("ordered")
    client.log_event("ordered", "nobody hears it")
    assert messages(client.get_events("ordered"))[-1] == "nobody hears it"
    assert got.empty()


def test_a_topic_has_one_handler_and_a_handler_may_have_several_topics(client: Client) -> None:
    first: queue.Queue[Any] = queue.Queue()
    second: queue.Queue[Any] = queue.Queue()
    client.subscribe_topic(["here", "there"], first.put)
    client.log_event(["here", "there"], 1)
    assert [first.get(timeout=30)[1], first.get(timeout=30)[1]] == [1, 1]
    client.subscribe_topic("here", second.put)
    client.log_event("here", 2)
    assert second.get(timeout=30)[1] == 2
    assert first.empty()
    client.unsubscribe_topic(["here", "there"])


def test_unsubscribing_needs_a_subscription(client: Client) -> None:
    with pytest.raises(ValueError, match="No event handler known for topic 'never'"):
        client.unsubscribe_topic("never")
    client.subscribe_topic("once", print)
    with pytest.raises(ValueError, match="'never'"):
        client.unsubscribe_topic(["once", "never"])
    client.unsubscribe_topic("once")
    with pytest.raises(ValueError, match="'once'"):
        client.unsubscribe_topic("once")
    with pytest.raises(TypeError, match="function"):
        client.subscribe_topic("once", "not a function")  # type: ignore[arg-type]


def test_a_broken_handler_is_logged_and_the_next_event_comes(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    got: queue.Queue[Any] = queue.Queue()

    def handler(event: Any) -> None:
        got.put(event[1])
        if event[1] == "bad":
            raise RuntimeError("the handler broke")

    client.subscribe_topic("broken", handler)
    client.log_event("broken", "bad")
    client.log_event("broken", "good")
    assert [got.get(timeout=30), got.get(timeout=30)] == ["bad", "good"]
    assert "the handler broke" in caplog.text
    assert "'broken'" in caplog.text
    client.unsubscribe_topic("broken")


def test_a_slow_handler_holds_up_nothing(client: Client) -> None:
    release, began = threading.Event(), threading.Event()

    def handler(_: Any) -> None:
        began.set()
        release.wait(60)

    client.subscribe_topic("slow", handler)
    client.log_event("slow", 1)
    assert began.wait(30)
    try:
        assert client.submit(sum, [1, 2], pure=False).result(timeout=30) == 3
    finally:
        release.set()
        client.unsubscribe_topic("slow")


def test_coroutine_functions_can_be_handlers_and_use_the_client(client: Client) -> None:
    got: queue.Queue[Any] = queue.Queue()

    async def handler(event: Any) -> None:
        got.put(await client.submit(sum, [event[1], 1], pure=False))

    client.subscribe_topic("coroutine", handler)
    client.log_event("coroutine", 1)
    client.log_event("coroutine", 2)
    assert [got.get(timeout=30), got.get(timeout=30)] == [2, 3]
    client.unsubscribe_topic("coroutine")


def test_a_handler_may_use_the_client(client: Client) -> None:
    got: queue.Queue[Any] = queue.Queue()
    client.subscribe_topic("uses", lambda event: got.put(client.submit(sum, [event[1], 5], pure=False).result(30)))
    client.log_event("uses", 1)
    assert got.get(timeout=30) == 6
    client.unsubscribe_topic("uses")


def test_events_that_nobody_can_take_are_dropped(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "_BACKLOG", 5)
    release = threading.Event()
    client.subscribe_topic("flood", lambda event: release.wait(60))
    for number in range(50):
        client.log_event("flood", number)
    # They have come when this is answered, and nothing else suffers.
    assert len(client.get_events("flood")) == 50
    release.set()
    assert "too slow" in caplog.text
    client.unsubscribe_topic("flood")


def test_clients_that_read_too_slowly_are_not_told(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: queue.Queue[Any] = queue.Queue()
    client.subscribe_topic("behind", got.put)
    client.log_event("behind", 1)
    assert got.get(timeout=30)[1] == 1
    monkeypatch.setattr(scheduler_topics, "_BEHIND", 0)
    client.log_event("behind", 2)
    assert messages(client.get_events("behind")) == [1, 2]
    assert f"Client {client.id} reads too slowly" in caplog.text
    monkeypatch.undo()
    client.log_event("behind", 3)
    assert got.get(timeout=30)[1] == 3
    client.unsubscribe_topic("behind")


def test_a_task_s_first_client_is_an_event(process_cluster: LocalCluster) -> None:
    with Client(process_cluster) as client:
        worker, theirs = client.submit(lambda: (get_worker().address, get_client().id)).result(timeout=60)
        assert messages(client.get_events("worker-get-client")) == [
            {"worker": worker, "timeout": None, "client": theirs}
        ]


async def use_asynchronously(address: str) -> list[Any]:
    got: asyncio.Queue[Any] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def handler(event: Any) -> None:
        assert asyncio.get_running_loop() is loop
        got.put_nowait(event[1])

    async def coroutine(event: Any) -> None:
        assert asyncio.get_running_loop() is loop
        await got.put(("coroutine", event[1]))

    async with Client(address, asynchronous=True, set_as_default=False) as client:
        client.subscribe_topic("sync", handler)
        await client.subscribe_topic("async", coroutine)
        await client.log_event("sync", 1)
        client.log_event("async", 2)
        found = [await asyncio.wait_for(got.get(), 30), await asyncio.wait_for(got.get(), 30)]
        assert messages(await client.get_events("async"))[-1] == 2
        client.unsubscribe_topic("sync")
        return found


def test_asynchronous_clients_are_called_on_their_own_loop(shared_cluster: LocalCluster) -> None:
    assert asyncio.run(use_asynchronously(shared_cluster.scheduler_address)) == [1, ("coroutine", 2)]


def test_tasks_log_through_their_worker_or_client(client: Client) -> None:
    def task(number: int) -> str:
        get_worker().log_event(["of-tasks", "other"], ("worker", number))
        get_client().log_event("of-tasks-client", number)
        return str(get_worker().address)

    address = client.submit(task, 7, pure=False).result(timeout=30)
    # What a task logs by its worker is there when it has ended.
    assert messages(client.get_events("of-tasks")) == [("worker", 7)]
    assert address in client.scheduler_info()["workers"]

    def refused() -> None:
        get_worker().log_event("of-tasks", {1, 2})

    with pytest.raises(TypeError, match="plain data"):
        client.submit(refused, pure=False).result(timeout=30)


def test_only_the_latest_of_very_many_records_are_told(client: Client) -> None:
    for number in range(40):
        client.log_event("large", [number, bytes(2**20)])
    # More than one message may hold.
    found = [message[0] for message in messages(client.get_events("large"))]
    assert found == list(range(40 - len(found), 40))
    assert 20 < len(found) < 40


def test_a_task_that_logs_very_much_is_held_up_rather_than_lose_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler_session, "_BACKLOG", 10)
    monkeypatch.setattr(scheduler_session, "_LOOK_EVERY", 0.001)

    def task() -> None:
        for number in range(2_000):
            get_worker().log_event("very-much", number)

    client.submit(task, pure=False).result(timeout=60)
    # As many as are remembered.
    assert messages(client.get_events("very-much")) == list(range(1_000, 2_000))


def test_many_tasks_that_log_end_after_their_events(client: Client) -> None:
    def task(number: int) -> None:
        get_worker().log_event("counted", number)

    client.gather(client.map(task, range(200), pure=False))
    assert sorted(messages(client.get_events("counted"))) == list(range(200))


def test_the_scheduler_logs_who_comes_and_goes(process_cluster: LocalCluster) -> None:
    with Client(process_cluster) as client:
        with Client(process_cluster, set_as_default=False) as other:
            other_id = other.id
        workers = list(client.scheduler_info()["workers"])
        for address in workers:
            added, change = messages(client.get_events(address))
            assert added == {"action": "add-worker"}
            assert (change["prev-status"], change["status"]) == ("init", "running")
        everything = messages(client.get_events("all"))
        assert [event["worker"] for event in everything if event["action"] == "add-worker"] == workers
        assert {"action": "add-client", "client": client.id} in everything
        assert {"action": "add-client", "client": other_id} in everything
        # The other one is seen to have left once its stream has ended.
        wait_for(client, other_id, {"action": "remove-client", "client": other_id})
        client.retire_workers(workers[:1])
        last = messages(client.get_events("all"))
        (retired,) = [event for event in last if event["action"] == "retire-workers"]
        assert retired["retired"] == (workers[0],)
        (removed,) = [event for event in last if event["action"] == "remove-worker"]
        assert removed["worker"] == workers[0]
        assert removed["expected"] is True
        assert removed["lost-computed-tasks"] == ()
        assert retired["could-not-retire"] == ()
        ended = messages(client.get_events(workers[0]))
        assert [event["action"] for event in ended if event["action"] != "worker-status-change"] == [
            "add-worker",
            "closing-worker",
            "remove-worker",
            "retired",
        ]
        changes = [event["status"] for event in ended if event["action"] == "worker-status-change"]
        assert changes == ["running", "closing_gracefully", "closing"]
        client.restart(timeout=60)
        actions = [event["action"] for event in messages(client.get_events("all"))]
        assert "restart-workers" in actions


def wait_for(client: Client, topic: str, message: Any) -> None:
    got = threading.Event()
    client.subscribe_topic(topic, lambda event: got.set() if event[1] == message else None)
    if message not in messages(client.get_events(topic)):
        assert got.wait(30)
    client.unsubscribe_topic(topic)


def test_a_lost_worker_is_told_of_with_what_it_had(process_cluster: LocalCluster) -> None:
    import os

    with Client(process_cluster) as client:
        got: queue.Queue[Any] = queue.Queue()
        client.subscribe_topic("all", got.put)
        workers = list(client.scheduler_info()["workers"])
        result = client.submit(pow, 2, 5, workers=[workers[0]], key="computed")
        data = client.scatter({"given": 1}, workers=[workers[0]])["given"]
        assert result.result(timeout=30) == 32
        pid = client.run(os.getpid, workers=[workers[0]])[workers[0]]
        os.kill(pid, 9)
        while (event := got.get(timeout=30)[1])["action"] != "remove-worker":
            pass
        assert event["worker"] == workers[0]
        assert event["expected"] is False
        assert event["lost-computed-tasks"] == ("computed",)
        assert event["lost-scattered-tasks"] == (data.key,)


def on_scheduler(dask_scheduler: Any, topic: str) -> Any:
    dask_scheduler.log_event([topic, "other"], {"by": "the scheduler"})
    with pytest.raises(TypeError, match="plain data"):
        dask_scheduler.log_event(topic, {1, 2})
    assert topic in dask_scheduler.events
    assert dask_scheduler.get_events("nothing") == ()
    return dask_scheduler.get_events(topic), dask_scheduler.get_events()[topic], dask_scheduler.events[topic]


def test_code_on_the_scheduler_logs_and_looks(client: Client) -> None:
    got: queue.Queue[Any] = queue.Queue()
    client.subscribe_topic("by-scheduler", got.put)
    found = client.run_on_scheduler(on_scheduler, topic="by-scheduler")
    assert [messages(events) for events in found] == [[{"by": "the scheduler"}]] * 3
    assert got.get(timeout=30)[1] == {"by": "the scheduler"}
    client.unsubscribe_topic("by-scheduler")
