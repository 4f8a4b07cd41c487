"""Spans apply to the tasks that are submitted within them, and to the tasks that these tasks submit."""

from __future__ import annotations

import traceback
from typing import Any

import dask
import pytest

from dagrpc import Client, get_client, span


def _names() -> Any:
    return tuple(dask.get_annotations().get("span", {}).get("name", ()))


async def _names_in_coroutine() -> Any:
    return _names()


def _fail() -> None:
    raise ZeroDivisionError("in a span")


@pytest.mark.parametrize("function", [_names, _names_in_coroutine])
def test_tasks_know_their_span(client: Client, function: Any) -> None:
    with span("outer"), span("inner"):
        assert client.submit(function, pure=False).result(timeout=60) == ("outer", "inner")
    assert client.submit(function, pure=False).result(timeout=60) == ()
    with span("graph"):
        assert client.get({"names-in-span": (_names,)}, "names-in-span") == ("graph",)


def test_tasks_that_a_task_submits_are_in_its_span(client: Client) -> None:

    def submits() -> Any:
        from dask import delayed

        mine = get_client().submit(_names, pure=False).result(timeout=60)
        with span("own"):
            return mine, get_client().submit(_names, pure=False).result(timeout=60), delayed(_names)().compute()

    with span("around"):
        found = client.submit(submits, pure=False).result(timeout=60)
    assert tuple(map(tuple, found)) == (("around",), ("around", "own"), ("around", "own"))


def test_a_failure_in_a_span_shows_the_code_that_failed(client: Client) -> None:
    with span("failing"):
        future = client.submit(_fail)
    error = future.exception(timeout=60)
    assert isinstance(error, ZeroDivisionError)
    assert [frame.name for frame in traceback.extract_tb(future.traceback())] == ["_fail"]
