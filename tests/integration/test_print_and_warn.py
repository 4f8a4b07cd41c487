"""`print` and `warn` from tasks: on the worker, and at every client."""

import io
import queue
import subprocess
import sys
import warnings
from typing import Any

import pytest

import dagrpc
from dagrpc import Client, LocalCluster

PROGRAM = """
import sys, warnings
import dagrpc
from dagrpc import Client, LocalCluster

def task():
    dagrpc.print("to", "stdout", 1, sep="-")
    dagrpc.print("to stderr", file=sys.stderr, flush=True)
    dagrpc.warn("careful", RuntimeWarning)

if __name__ == "__main__":
    warnings.simplefilter("always")
    with LocalCluster(n_workers=1, threads_per_worker=1) as cluster, Client(cluster) as client:
        client.submit(task).result()
        # The end of the events: handlers are called in order.
        import threading
        done = threading.Event()
        client.subscribe_topic("done", lambda event: done.set())
        client.log_event("done", None)
        assert done.wait(30)
"""


def test_prints_of_tasks_show_on_the_worker_and_at_the_client(tmp_path: Any) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=90, check=True)
    # The worker and the client share one stream here. An unbuffered stream gets a line and its end in two writes, and
    # what the other process writes may stand between the two.
    assert done.stdout.count("to-stdout-1") == 2
    assert done.stderr.count("to stderr") == 2
    assert done.stderr.count("RuntimeWarning: careful") == 2


@pytest.fixture
def heard(client: Client) -> Any:
    got: queue.Queue[Any] = queue.Queue()
    client.subscribe_topic(["print", "warn"], got.put)
    return got


def test_a_handler_can_take_the_place_of_the_default_one(client: Client, heard: Any) -> None:
    client.submit(dagrpc.print, "a", 1, [2], sep="/", end="!", pure=False).result(timeout=30)
    message = heard.get(timeout=30)[1]
    worker = message.pop("worker")
    assert message == {"args": ("a", "1", "[2]"), "sep": "/", "end": "!", "flush": False}
    assert worker in client.scheduler_info()["workers"]


def test_wrong_arguments_raise_in_the_task_and_no_client_hears_of_them(client: Client, heard: Any) -> None:
    with pytest.raises(TypeError, match="sep must be None or a string"):
        client.submit(dagrpc.print, "a", sep=5, pure=False).result(timeout=30)

    def to_file() -> None:
        dagrpc.print("a", file=io.StringIO())

    with pytest.raises(TypeError, match=r"sys\.stdout"):
        client.submit(to_file, pure=False).result(timeout=30)
    with pytest.raises(TypeError, match="category must be a Warning subclass"):
        client.submit(dagrpc.warn, "a", int, pure=False).result(timeout=30)
    client.submit(dagrpc.print, "last", pure=False).result(timeout=30)
    assert heard.get(timeout=30)[1]["args"] == ("last",)


def test_outside_of_tasks_they_are_the_built_in_ones(capsys: pytest.CaptureFixture[str]) -> None:
    dagrpc.print("a", 1, sep="+")
    assert capsys.readouterr().out == "a+1\n"
    file = io.StringIO()
    dagrpc.print("a", file=file, end="")
    assert file.getvalue() == "a"
    with pytest.raises(TypeError, match="sep"):
        dagrpc.print("a", sep=5)  # type: ignore[arg-type]
    with pytest.warns(RuntimeWarning, match="careful") as caught:
        dagrpc.warn("careful", RuntimeWarning)
    assert caught[0].filename == __file__


class OwnWarning(UserWarning):
    pass


def test_warnings_keep_their_category(shared_cluster: LocalCluster) -> None:
    def task() -> None:
        class Local(Warning):
            pass

        dagrpc.warn("local", Local)
        dagrpc.warn(DeprecationWarning("an object"))
        dagrpc.warn("default")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Client(shared_cluster, set_as_default=False) as client:
            client.submit(task, pure=False).result(timeout=30)
            done: queue.Queue[Any] = queue.Queue()
            client.subscribe_topic("done", done.put)
            client.log_event("done", None)
            done.get(timeout=30)
    found = [(warning.category.__name__, str(warning.message)) for warning in caught]
    # Twice each: workers of this cluster are in this process.
    for expected in (("Local", "local"), ("DeprecationWarning", "an object"), ("UserWarning", "default")):
        assert found.count(expected) == 2
