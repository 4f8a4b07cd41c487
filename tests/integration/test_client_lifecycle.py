"""The start and the end of clients."""

import asyncio
import gc
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time

import dask
import pytest

from dagrpc import (
    Client,
    ClosedClientError,
    CommClosedError,
    FutureCancelledError,
    LocalCluster,
    as_completed,
    default_client,
    get_client,
    wait,
)
from tests.support.waiting import eventually


def inc(x):
    return x + 1


# --- beginning ---------------------------------------------------------------------------------------------------


def test_by_address(shared_cluster):
    address = shared_cluster.scheduler_address
    for name in (address, f"tcp://{address}", f"grpc://{address}"):
        with Client(name, name="me", set_as_default=False) as client:
            assert client.status == "running"
            assert client.scheduler.address == address
            assert client.id.startswith("Client-me-")
            assert client.cluster is None
            assert not client.asynchronous
            assert repr(client).startswith(f"<Client: '{address}' processes=2 threads=4")
            assert address in client._repr_html_()
            assert client.submit(inc, 1).result() == 2
        assert client.status == "closed"
        assert repr(client) == "<Client: No scheduler connected>"


def test_by_configuration_and_by_file(shared_cluster, tmp_path):
    with dask.config.set({"scheduler-address": shared_cluster.scheduler_address}), Client() as client:
        assert client.scheduler.address == shared_cluster.scheduler_address
    path = tmp_path / "scheduler.json"
    text = json.dumps({"address": shared_cluster.scheduler_address})
    threading.Timer(0.2, path.write_text, (text,)).start()
    with Client(scheduler_file=str(path), timeout=60) as client:
        assert client.submit(inc, 1).result() == 2
    with pytest.raises(OSError, match="nothing-here"):
        Client(scheduler_file=str(tmp_path / "nothing-here"), timeout=0.1)


def test_without_arguments_it_starts_a_cluster():
    with Client(n_workers=1, threads_per_worker=1, processes=False) as client:
        cluster = client.cluster
        assert isinstance(cluster, LocalCluster)
        assert client.submit(inc, 1).result() == 2
        assert default_client() is client
    assert getattr(cluster.status, "name", cluster.status) == "closed"
    with pytest.raises(RuntimeError, match="closed"):
        Client(cluster)


def test_nobody_at_the_address():
    # The test would hang if the argument did not count.
    with dask.config.set({"dagrpc.comm.timeouts.connect": "1h"}), pytest.raises(OSError, match=r"127\.0\.0\.1:1"):
        Client("127.0.0.1:1", timeout="300 ms")


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_somebody_else_at_the_address(greeting):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                peer.sendall(greeting)

        threading.Thread(target=serve, daemon=True).start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with dask.config.set({"dagrpc.comm.timeouts.connect": "1h"}), pytest.raises(OSError, match=address):
            Client(address, timeout=0.5)


def test_a_worker_at_the_address(client):
    address = next(iter(client.nthreads()))
    with pytest.raises(CommClosedError, match=address):
        Client(address, timeout=2, set_as_default=False)
    assert default_client() is client


def test_arguments_that_make_no_sense(shared_cluster):
    address = shared_cluster.scheduler_address
    with pytest.raises(ValueError, match="n_workers"):
        Client(address, n_workers=3)
    with pytest.raises(ValueError, match="timeout"):
        Client(address, timeout=None)
    with pytest.raises(TypeError, match="int"):
        Client(5)
    with pytest.raises(ValueError, match="port"):
        Client("127.0.0.1:notaport")
    with pytest.raises(ValueError, match="scheme"):
        Client("ftp://127.0.0.1:80")
    with pytest.raises(TypeError, match="security"):
        Client(address, security=object())


# --- the current client ------------------------------------------------------------------------------------------


def test_the_current_client(shared_cluster):
    with pytest.raises(ValueError, match="No clients"):
        Client.current()
    with pytest.raises(ValueError, match="no client"):
        get_client()
    with Client(shared_cluster) as first:
        assert Client.current() is default_client() is get_client() is first
        with Client(shared_cluster, set_as_default=False) as second:
            assert Client.current() is first
            with second.as_current():
                assert Client.current() is get_client() is second
                assert Client.current(allow_global=False) is second
            assert default_client(second) is second
            with pytest.raises(ValueError, match="No clients"):
                Client.current(allow_global=False)
        with Client(shared_cluster) as third:
            assert Client.current() is third
        assert Client.current() is first
        assert get_client(f"tcp://{shared_cluster.scheduler_address}") is first
    with get_client(shared_cluster.scheduler_address) as other:
        assert other.submit(inc, 1).result() == 2


# --- ending ------------------------------------------------------------------------------------------------------


def test_after_closing(shared_cluster, nap):
    client = Client(shared_cluster)
    done, pending = client.submit(inc, 1), client.submit(nap, 3, pure=False)
    done.result()
    client.close()
    client.close()
    assert client.status == "closed"
    assert done.status == pending.status == "cancelled"
    for get in (done.result, lambda: client.gather([done])):
        with pytest.raises(FutureCancelledError, match="client-closed"):
            get()
    calls = [
        lambda: client.submit(inc, 1),
        lambda: client.map(inc, [1]),
        lambda: client.scatter(1),
        lambda: client.get({"x": 1}, "x"),
        lambda: client.compute(dask.delayed(inc)(1)),
        lambda: client.persist(dask.delayed(inc)(1)),
        lambda: client.cancel([done]),
        lambda: client.retry([done]),
        lambda: client.who_has(),
        lambda: client.nthreads(),
        lambda: client.run(os.getpid),
        lambda: client.run_on_scheduler(os.getpid),
        lambda: client.restart(),
        lambda: client.shutdown(),
        lambda: client.wait_for_workers(1),
    ]
    for call in calls:
        with pytest.raises(ClosedClientError):
            call()
    assert client.futures == {}
    assert client.scheduler is None


def test_tasks_of_a_client_are_released_with_it(client, shared_cluster):
    with Client(shared_cluster, set_as_default=False) as other:
        keys = [future.key for future in other.map(inc, range(10), pure=False)]
        other.submit(inc, 1).result()
    eventually(lambda: not any(client.who_has(keys).values()))


def test_waiting_ends_when_the_client_is_closed(shared_cluster, nap):
    client = Client(shared_cluster, set_as_default=False)
    slow = client.submit(nap, 3600, pure=False)
    threading.Timer(0.2, client.close).start()
    with pytest.raises(FutureCancelledError):
        slow.result()


def test_waiting_ends_when_the_scheduler_is_gone(caplog):
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=False)
    client = Client(cluster)
    slow = client.submit(time.sleep, 2, pure=False)
    threading.Timer(0.2, cluster.close).start()
    with caplog.at_level(logging.CRITICAL), pytest.raises(FutureCancelledError, match="scheduler-connection-lost"):
        slow.result(timeout=60)
    assert [future.status for future in as_completed([slow])] == ["cancelled"]
    eventually(lambda: client.status == "closed")
    with pytest.raises(ClosedClientError):
        client.submit(inc, 1)
    with pytest.raises(ValueError, match="No clients"):
        Client.current()
    client.close()


def test_a_client_that_is_dropped_is_closed(client, shared_cluster):
    before = client.run_on_scheduler(lambda dask_scheduler=None: None)
    other = Client(shared_cluster, set_as_default=False)
    future = other.submit(inc, 5, pure=False)
    future.result()
    key = future.key
    del other, future
    gc.collect()
    eventually(lambda: not any(client.who_has([key]).values()))
    assert before is None


def run_python(code, timeout=60):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=timeout, check=False)


def test_a_program_need_not_close_anything():
    done = run_python(
        "from dagrpc import Client\n"
        "client = Client(n_workers=1, threads_per_worker=1, processes=False)\n"
        "futures = client.map(abs, range(100))\n"
        "print(sum(client.gather(futures)))\n"
    )
    assert done.stdout == "4950\n", done.stderr
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_a_forked_process_is_told(shared_cluster):
    code = (
        "import os, sys\n"
        "from dagrpc import Client\n"
        f"client = Client({shared_cluster.scheduler_address!r})\n"
        "if os.fork() == 0:\n"
        "    try:\n"
        "        client.submit(abs, 1)\n"
        "    except Exception as error:\n"
        "        os.write(1, (type(error).__name__ + chr(10)).encode())\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "print(client.submit(abs, -1).result())\n"
    )
    done = run_python(code)
    assert done.stdout == "ForkedProcessError\n1\n", done.stderr


def test_importing_is_quick():
    code = "import sys, dagrpc; print(sorted({'grpc', 'dask', 'numpy', 'pandas'} & set(sys.modules)))"
    assert run_python(code).stdout == "[]\n"


def test_exports():
    import dagrpc

    assert dagrpc.__all__ == sorted(dagrpc.__all__)
    for name in dagrpc.__all__:
        assert getattr(dagrpc, name) is not None
    assert dagrpc.as_completed is as_completed
    with pytest.raises(AttributeError):
        _ = dagrpc.no_such_name  # type: ignore[attr-defined]


# --- asynchronous ------------------------------------------------------------------------------------------------


def test_asynchronous_clients(shared_cluster, nap):
    async def run():
        async with Client(shared_cluster, asynchronous=True) as client:
            assert client.asynchronous
            future = client.submit(inc, 1)
            assert await future == 2
            assert await future.result() == 2
            assert await future.exception() is None
            assert await client.gather([future, [client.submit(inc, future)]]) == [2, [3]]
            assert (await wait([future])).done == {future}
            [scattered] = await client.scatter([5])
            assert await scattered == 5
            assert await client.get({"x": (inc, 1)}, "x") == 2
            assert await client.compute(dask.delayed(inc)(1)) == 2
            assert await client.compute(dask.delayed(inc)(1), sync=True) == 2
            persisted = client.persist(dask.delayed(inc)(2))
            assert await client.compute(persisted) == 3
            assert list(await client.who_has([future])) == [future.key]
            assert len(await client.nthreads()) == 2
            await client.wait_for_workers(1)
            assert set((await client.run(os.getpid)).values()) == {os.getpid()}
            bad = client.submit(int, "x")
            with pytest.raises(ValueError, match="invalid literal"):
                await bad
            with pytest.raises(TimeoutError):
                await client.submit(nap, 2, pure=False).result(timeout=0.05)
            slow = client.submit(nap, 2, pure=False)
            await slow.cancel()
            await client.cancel([slow])
            client.retry([bad])
            with pytest.raises(FutureCancelledError):
                await slow
            assert [future async for future in as_completed([future])] == [future]
            # From a thread without a loop the same client blocks.
            assert await asyncio.to_thread(lambda: client.submit(inc, 41).result()) == 42
        assert client.status == "closed"

    asyncio.run(run())


def test_an_asynchronous_client_can_be_awaited(shared_cluster):
    async def run():
        client = await Client(shared_cluster.scheduler_address, asynchronous=True)
        other = Client(shared_cluster.scheduler_address, asynchronous=True, set_as_default=False)
        # What is submitted before the connection stands goes up once it does.
        future = other.submit(inc, 1)
        await other
        assert await future == 2
        assert await asyncio.wait_for(client.gather(client.map(inc, range(10))), 60) == list(range(1, 11))
        results = await asyncio.gather(*client.map(inc, range(10)))
        await client.close()
        await other.close()
        return results

    assert asyncio.run(run()) == list(range(1, 11))


def test_an_asynchronous_client_starts_its_own_cluster():
    async def run():
        async with Client(asynchronous=True, n_workers=1, threads_per_worker=1, processes=False) as client:
            return await client.submit(inc, 1)

    assert asyncio.run(run()) == 2


def test_an_asynchronous_client_finds_nobody():
    async def run():
        with pytest.raises(OSError, match=r"127\.0\.0\.1:1"):
            await Client("127.0.0.1:1", asynchronous=True, timeout=0.2)

    asyncio.run(run())


def test_on_dagrpcs_own_loop_nothing_blocks(client, shared_cluster):
    async def run():
        assert client.asynchronous
        assert await client.submit(inc, 1) == 2
        assert await client.gather(client.map(inc, [1, 2])) == [2, 3]
        async with Client(shared_cluster.scheduler_address, set_as_default=False, asynchronous=True) as other:
            return await other.gather(other.map(inc, range(5)))

    assert asyncio.run_coroutine_threadsafe(run(), client.loop).result(20) == [1, 2, 3, 4, 5]


def test_a_notebook_sees_the_workers_though_an_event_loop_runs_its_cells(shared_cluster):
    async def cell():
        with Client(shared_cluster, set_as_default=False) as client:
            return repr(client), client._repr_html_()

    text, page = asyncio.run(cell())
    assert "processes=2 threads=4" in text
    assert "<strong>Workers</strong>" in page


def test_an_asynchronous_client_that_was_connected_before_it_is_awaited(shared_cluster: LocalCluster) -> None:
    async def main() -> tuple[bool, str]:
        client = Client(shared_cluster.scheduler_address, asynchronous=True)
        deadline = time.monotonic() + 60
        while client.status != "running" and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        async with client:
            return default_client() is client, repr(client)

    is_default, shown = asyncio.run(main())
    assert is_default
    assert "threads=" in shown
