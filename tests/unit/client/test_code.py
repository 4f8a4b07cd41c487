"""The code that a call came from."""

from __future__ import annotations

import linecache

import dask
import pytest

from dagrpc._client.calling_code import CallingCode, source_of


@pytest.fixture(autouse=True)
def these_files_count():
    with dask.config.set({"distributed.diagnostics.computations.ignore-files": ["/_pytest/", "/pluggy/"]}):
        yield


def test_nothing_is_told_unless_asked_for():
    assert CallingCode.configured() is None
    with dask.config.set({"distributed.diagnostics.computations.nframes": 2}):
        assert CallingCode.configured() is not None


def outer(code):
    return inner(code)


def inner(code):
    return code()


def test_the_innermost_functions_in_order():
    assert [text.partition("(")[0] for text in outer(CallingCode(2))] == ["def outer", "def inner"]
    assert [text.partition("(")[0] for text in outer(CallingCode(1))] == ["def inner"]


def test_modules_and_files_are_passed_over():
    module = __name__.partition(".")[0]
    with dask.config.set({"distributed.diagnostics.computations.ignore-modules": [module]}):
        assert not any("def inner" in text for text in outer(CallingCode(3)))
    with dask.config.set({"distributed.diagnostics.computations.ignore-files": ["test_code"]}):
        assert not any("def inner" in text for text in outer(CallingCode(3)))


def test_a_cell_is_told_as_a_whole():
    text = "def f(code):\n    return code()\n\nfound = f(code)\n"
    linecache.cache["<cell 1>"] = (len(text), None, text.splitlines(True), "<cell 1>")
    namespace = {"code": CallingCode(2), "__name__": "__main__"}
    exec(compile(text, "<cell 1>", "exec"), namespace)
    assert namespace["found"] == (text, "def f(code):\n    return code()\n")


def test_code_without_a_source_is_passed_over():
    assert source_of(compile("x = 1", "<nowhere>", "exec")) == ""
