"""Clients show the log records and the printed output of workers."""

import contextlib
import io
import logging
import queue
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from dagrpc import Client, LocalCluster, get_worker
from dagrpc.plugins import ForwardLoggingPlugin, ForwardOutput


class Collector(logging.Handler):
    """Collects records by what they say."""

    def __init__(self) -> None:
        super().__init__()
        self.records: queue.Queue[logging.LogRecord] = queue.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.put(record)

    def until(self, text: str, name: str = "") -> list[tuple[str, str, str]]:
        """Return the records up to a message, of loggers whose names contain `name`."""
        found = []
        while (record := self.records.get(timeout=30)).getMessage() != text:
            if name in record.name:
                found.append((record.name, record.levelname, record.getMessage()))
        self.last = record
        return found


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=True) as cluster:
        yield cluster


@pytest.fixture
def own(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    logging.getLogger().addHandler(collector)
    yield collector
    logging.getLogger().removeHandler(collector)


def say(*texts: str, name: str = "forwarded", level: int = logging.WARNING, **kwargs: Any) -> None:
    for text in texts:
        logging.getLogger(name).log(level, text, **kwargs)


def test_records_of_a_logger_and_those_below_it(own: Client, collector: Collector) -> None:
    outcome = own.forward_logging("forwarded", level=logging.WARNING)
    assert list(outcome.values()) == [{"status": "OK"}]

    def task() -> None:
        logging.getLogger("forwarded").setLevel(logging.DEBUG)
        say("too low", level=logging.INFO)
        say("warned")
        say("from below", name="forwarded.below", level=logging.ERROR)
        say("of another", name="another")
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError:
            logging.getLogger("forwarded").exception("failed with %s and %r", 1, "two")
        say("last", extra={"number": 5, "thing": {1}})

    own.submit(task, pure=False).result(timeout=30)
    assert collector.until("last", "forwarded") == [
        ("forwarded", "WARNING", "warned"),
        ("forwarded.below", "ERROR", "from below"),
        ("forwarded", "ERROR", "failed with 1 and 'two'"),
    ]
    record: Any = collector.last
    assert (record.number, record.thing) == (5, "{1}")
    assert record.worker in own.scheduler_info()["workers"]
    assert record.pathname == __file__
    topic = "forwarded-log-record-forward-logging-forwarded"
    assert "ZeroDivisionError: division by zero" in own.get_events(topic)[-2][1]["exc_text"]
    own.unforward_logging("forwarded")


def test_the_root_logger_and_workers_that_join_later(fresh_processes: tuple[LocalCluster, Client]) -> None:
    cluster, client = fresh_processes
    collector = Collector()
    logging.getLogger().addHandler(collector)
    try:
        client.forward_logging()
        cluster.scale(2)
        client.wait_for_workers(2, timeout=60)
        workers = list(client.scheduler_info()["workers"])
        for worker in workers:
            client.submit(say, worker, workers=[worker], pure=False).result(timeout=30)
            collector.until(worker)
            assert collector.last.worker == worker  # type: ignore[attr-defined]
        # dagrpc's own lines stay in the workers' logs.
        client.submit(say, "own", name="dagrpc.worker", pure=False).result(timeout=30)
        client.submit(say, "last", pure=False).result(timeout=30)
        assert ("dagrpc.worker", "WARNING", "own") not in collector.until("last")
    finally:
        logging.getLogger().removeHandler(collector)


@pytest.fixture
def fresh_processes() -> Iterator[tuple[LocalCluster, Client]]:
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True) as cluster, Client(cluster) as client:
        yield cluster, client


def test_forwarding_ends_when_it_is_undone(own: Client, collector: Collector) -> None:
    own.forward_logging("ends")
    # A second time takes the place of the first.
    own.forward_logging("ends")
    own.submit(say, "once", name="ends", pure=False).result(timeout=30)
    collector.until("once")
    own.unforward_logging("ends")
    own.submit(say, "not heard", name="ends", pure=False).result(timeout=30)
    own.forward_logging("ends")
    own.submit(say, "heard again", name="ends", pure=False).result(timeout=30)
    assert collector.until("heard again", "ends") == []
    own.unforward_logging("ends")
    with pytest.raises(ValueError, match="forward-logging-ends"):
        own.unforward_logging("ends")


def test_workers_in_this_process_forward_each_record_once(client: Client, collector: Collector) -> None:
    client.forward_logging("shared")
    client.submit(say, "in this process", name="shared", pure=False).result(timeout=30)
    client.submit(say, "last", name="shared", pure=False).result(timeout=30)
    seen = [collector.records.get(timeout=30).getMessage() for _ in range(4)]
    # By the task itself, and forwarded.
    assert sorted(seen) == ["in this process", "in this process", "last", "last"]
    client.unforward_logging("shared")


def test_the_plugin_by_itself(own: Client) -> None:
    got: queue.Queue[Any] = queue.Queue()
    own.subscribe_topic("my-log", got.put)
    own.register_plugin(ForwardLoggingPlugin("mine", logging.INFO, "my-log"), name="mine")
    own.submit(say, "a text", name="mine", pure=False).result(timeout=30)
    message = got.get(timeout=30)[1]
    assert (message["msg"], message["levelname"], message["args"]) == ("a text", "WARNING", None)
    own.unregister_worker_plugin("mine")


# --- output ------------------------------------------------------------------------------------------------------


def test_output_is_forwarded_line_by_line(own: Client) -> None:
    got: queue.Queue[Any] = queue.Queue()
    own.subscribe_topic(["print", "warn"], got.put)
    own.register_plugin(ForwardOutput())

    def task() -> None:
        import dagrpc

        print("a", 1)
        print("to stderr", file=sys.stderr)
        sys.stdout.write("begun ")
        sys.stdout.write("and done\nnot done")
        sys.stdout.flush()
        sys.stdout.writelines(["x\n", "y\n"])
        # These reach clients in their own way, and once.
        dagrpc.print("direct")
        dagrpc.warn("careful")

    own.submit(task, pure=False).result(timeout=30)
    found = [got.get(timeout=30)[1] for _ in range(7)]
    assert [(message["args"], message["file"]) for message in found[:5]] == [
        (("a 1\n",), 1),
        (("to stderr\n",), 2),
        (("begun and done\nnot done",), 1),
        (("x\n",), 1),
        (("y\n",), 1),
    ]
    assert found[5]["args"] == ("direct",)
    assert "category" in found[6]
    own.unregister_worker_plugin("forward-output")
    own.submit(print, "not forwarded", pure=False).result(timeout=30)
    own.submit(lambda: get_worker().log_event("print", "end"), pure=False).result(timeout=30)
    assert got.get(timeout=30)[1] == "end"


def without_a_newline() -> None:
    print(".", end="")


async def awaited() -> None:
    print("awaited", end="")


def failing() -> None:
    print("before the error", end="")
    raise LookupError


def many(number: int) -> None:
    sys.stderr.write(f"{number},")


def test_output_without_a_newline_comes_before_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalCluster(n_workers=1, processes=True) as cluster, Client(cluster) as client:
        client.register_plugin(ForwardOutput())
        for task, text in ((without_a_newline, "."), (awaited, "awaited"), (failing, "before the error")):
            shown = io.StringIO()
            monkeypatch.setattr(sys, "stdout", shown)
            with pytest.raises(LookupError) if task is failing else contextlib.nullcontext():
                client.submit(task, pure=False).result(timeout=30)
            assert shown.getvalue() == text
        shown = io.StringIO()
        monkeypatch.setattr(sys, "stderr", shown)
        client.gather(client.map(many, range(50), pure=False))
        assert sorted(shown.getvalue().split(",")) == sorted(["", *map(str, range(50))])


PROGRAM = """
from dagrpc import Client, LocalCluster
from dagrpc.plugins import ForwardOutput
import threading

if __name__ == "__main__":
    for processes in (True, False):
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=processes) as cluster, Client(cluster) as client:
            client.register_plugin(ForwardOutput())
            client.submit(print, "from", processes).result()
            done = threading.Event()
            client.subscribe_topic("done", lambda event: done.set())
            client.log_event("done", None)
            assert done.wait(30)
"""


def test_output_shows_at_the_client_and_not_for_ever(tmp_path: Any) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=90, check=True)
    assert done.stdout.count("from True\n") == 2
    assert done.stdout.count("from False\n") == 2


def test_a_stream_that_is_forwarded_is_a_stream_still(own: Client) -> None:
    own.register_plugin(ForwardOutput())

    def task() -> Any:
        stream = sys.stdout
        return stream.writable(), stream.encoding, stream.fileno() >= 0, stream.isatty(), stream.write("ab\n")

    writable, encoding, has_number, _, count = own.submit(task, pure=False).result(timeout=30)
    assert (writable, has_number, count) == (True, True, 3)
    assert io.StringIO().encoding is None or isinstance(encoding, str)
    own.unregister_worker_plugin("forward-output")
