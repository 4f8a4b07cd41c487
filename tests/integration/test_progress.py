"""`progress`: in a console, in a notebook, for programs on an event loop."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator
from typing import Any

import dask
import pytest

import dagrpc
from dagrpc import Client, LocalCluster, progress
from tests.support.waiting import eventually

_gate = threading.Event()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Tasks wait for it; the cluster of these tests is in this process."""
    _gate.clear()
    yield _gate
    _gate.set()


def wait_for_gate(number: int) -> int:
    _gate.wait(60)
    return number


def add(x: int, y: int) -> int:
    return x + y


def fail(number: int) -> int:
    raise ZeroDivisionError(f"no {number}")


def lines(text: str) -> list[str]:
    return [line for line in text.replace("\r", "\n").split("\n") if line]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_returns_when_all_is_done(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    futures = client.map(add, range(20), range(20))
    assert progress(futures) is None
    assert all(future.done() for future in futures)
    last = lines(capsys.readouterr().out)[-1]
    assert "[########################################] | 100% Completed | " in last


def test_without_a_terminal_there_is_a_line_for_each_tenth_at_most(client: Client) -> None:
    file = io.StringIO()
    progress(client.map(add, range(500), range(500), pure=False), file=file, interval="10 ms")
    assert "\r" not in file.getvalue()
    assert len(lines(file.getvalue())) <= 10


def test_a_terminal_shows_one_line_that_is_drawn_again(client: Client, gate: threading.Event) -> None:
    file = Terminal()
    done = client.map(add, range(3), range(3))
    dagrpc.wait(done)
    waiting = client.submit(wait_for_gate, 1, pure=False)
    thread = threading.Thread(target=progress, args=([*done, waiting],), kwargs={"file": file, "interval": 0.01})
    thread.start()
    eventually(lambda: "75% Completed" in file.getvalue())
    gate.set()
    thread.join(30)
    assert file.getvalue().count("\n") == 1
    assert "100% Completed" in lines(file.getvalue())[-1]


def test_dependencies_of_the_futures_count(client: Client, gate: threading.Event) -> None:
    leaves = [dask.delayed(wait_for_gate)(i) for i in range(4)]
    total = client.compute(dask.delayed(sum)(leaves))
    view = progress(total, notebook=True)
    eventually(lambda: "sum" in view.state and "wait_for_gate" in view.state)
    assert view.state["wait_for_gate"]["total"] == 4
    assert view.state["sum"]["waiting"] == 1
    assert not view.done
    gate.set()
    assert total.result() == 6
    eventually(lambda: view.done)
    assert view.state["sum"]["finished"] == 1
    assert view.state["wait_for_gate"]["finished"] == 4
    assert "wait_for_gate" in view._repr_html_()
    assert "4 / 4" in repr(view)


def test_one_bar_for_all(client: Client) -> None:
    futures = client.map(add, [1, 2], [3, 4])
    view = progress(futures, notebook=True, multi=False)
    eventually(lambda: view.done)
    assert view.state == {
        "all": {"total": 2, "finished": 2, "erred": 0, "processing": 0, "queued": 0, "no_worker": 0, "waiting": 0}
    }


def test_groups_of_the_users_own(client: Client) -> None:
    futures = client.map(add, range(6), range(6), key=[f"number-{i}" for i in range(6)])
    view = progress(futures, notebook=True, group_by=lambda key: "even" if int(key[-1]) % 2 == 0 else "odd")
    eventually(lambda: view.done)
    assert {name: counts["total"] for name, counts in view.state.items()} == {"even": 3, "odd": 3}


def test_the_callable_sees_keys_as_users_do(client: Client) -> None:
    future = client.submit(add, 1, 2, key=("part", 7))
    seen = []
    progress(future, group_by=lambda key: seen.append(key))
    assert seen == [("part", 7)]


def test_only_what_is_not_done_yet(client: Client, gate: threading.Event) -> None:
    done = client.map(add, range(3), range(3))
    dagrpc.wait(done)
    waiting = client.submit(wait_for_gate, 2, pure=False)
    view = progress(done, waiting, notebook=True, complete=False)
    eventually(lambda: bool(view.state))
    assert {name: counts["total"] for name, counts in view.state.items()} == {"wait_for_gate": 1}


def test_a_console_stops_at_the_first_failure(client: Client, gate: threading.Event) -> None:
    file = io.StringIO()
    waiting = client.submit(wait_for_gate, 3, pure=False)
    progress(waiting, client.submit(fail, 1, pure=False), file=file)
    assert waiting.status == "pending"
    assert "0% Completed" in file.getvalue()


def test_a_notebook_goes_on_and_says_why(client: Client, gate: threading.Event) -> None:
    waiting = client.submit(wait_for_gate, 4, pure=False)
    failing = client.submit(fail, 2, pure=False)
    view = progress(waiting, failing, notebook=True)
    eventually(lambda: bool(view.state.get("fail", {}).get("erred")))
    assert "ZeroDivisionError: no 2" in view._repr_html_()
    assert not view.done
    gate.set()
    eventually(lambda: view.done)
    assert view.state["wait_for_gate"]["finished"] == 1


def test_collections_and_nothing(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    values = [dask.delayed(add)(i, i) for i in range(3)]
    progress(dask.persist(*values))
    progress([])
    assert lines(capsys.readouterr().out)[-1].startswith("[####")
    assert progress(notebook=True).done


def test_bad_arguments(client: Client) -> None:
    with pytest.raises(ValueError, match="group_by"):
        progress([], group_by="colour")
    with pytest.raises(TypeError, match="colour"):
        progress([], colour="red")


def test_asynchronous_clients_await_it(shared_cluster: LocalCluster) -> None:
    async def main() -> Any:
        file = io.StringIO()
        async with Client(shared_cluster.scheduler_address, asynchronous=True) as client:
            futures = client.map(add, range(10), range(10))
            await progress(futures, file=file)
            assert all(future.done() for future in futures)
            view = progress(futures, notebook=True)
            while not view.done:
                await asyncio.sleep(0.01)
            assert view.state["add"]["finished"] == 10
        return file.getvalue()

    assert "100% Completed" in asyncio.run(main())


def test_many_tasks(client: Client) -> None:
    futures = client.map(add, range(20_000), range(20_000), key="many")
    view = progress(futures, notebook=True)
    dagrpc.wait(futures)
    eventually(lambda: view.done)
    assert view.state["many"]["finished"] == 20_000
