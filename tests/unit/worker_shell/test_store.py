"""The results that a worker holds."""

from __future__ import annotations

import threading

import pytest

from dagrpc_worker.data.result_store import DataStore


def test_values_and_their_sizes() -> None:
    store = DataStore()
    store.put("a", [1], 10)
    store.put("b", None, 20)
    store.put("a", [2], 15)
    assert dict(store) == {"a": [2], "b": None}
    assert (store.nbytes, store.size_of("a"), store.size_of("c")) == (35, 15, 0)
    assert "b" in store
    assert len(store) == 2
    store.drop(["a", "unknown"])
    assert list(store) == ["b"]
    assert store.nbytes == 20
    with pytest.raises(KeyError):
        store["a"]


def test_a_destructor_may_use_the_store() -> None:
    store = DataStore()

    class Late:
        def __del__(self) -> None:
            store.put("last words", "...", 1)

    store.put("x", Late(), 1)
    store.drop(["x"])
    assert store["last words"] == "..."


def test_sizes_add_up_when_threads_put_and_drop_at_once() -> None:
    store = DataStore()

    def work(name: str) -> None:
        for index in range(2000):
            store.put(f"{name}-{index}", index, 3)
            if index % 2:
                store.drop([f"{name}-{index}"])
            list(store)[:1]

    threads = [threading.Thread(target=work, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.nbytes == 3 * len(store) == 3 * 4 * 1000
