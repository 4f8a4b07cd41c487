"""Code that travels by value keeps its file and its source, and its pickle's digest does not depend on them."""

from __future__ import annotations

import linecache
import pickle
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from dagrpc._codec import code_files, pickle5
from dagrpc._codec.references import digest_of

SOURCE = """
def divide(x):
    def inner():
        return 1 / x
    return inner()

class Shape:
    def area(self):
        return undefined_name
"""


@pytest.fixture
def forgotten() -> Iterator[None]:
    """Restore the process's registries of code files and sources after the test."""
    files, sources = dict(code_files._files), dict(code_files._sources)
    yield
    code_files._files.clear()
    code_files._sources.clear()
    code_files._files.update(files)
    code_files._sources.update(sources)


def defined(filename: str, name: str = "divide", source: str = SOURCE) -> Any:
    """Return an object that a script or a notebook's cell defines."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, filename, "exec"), namespace)
    return namespace[name]


def cell(filename: str, name: str = "divide") -> Any:
    """Return an object that a notebook's cell defines; the source of the cell is in linecache only."""
    linecache.cache[filename] = (len(SOURCE), None, SOURCE.splitlines(keepends=True), filename)
    return defined(filename, name)


def elsewhere(data: bytes, call: str) -> str:
    """Return the traceback of a call of what another process unpickles."""
    program = f"""
        import pickle, sys, traceback
        loaded = pickle.loads(sys.stdin.buffer.read())
        try:
            {call}
        except Exception:
            print(traceback.format_exc())
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], input=data, capture_output=True, timeout=60, check=True
    )
    return run.stdout.decode()


def test_a_script_names_its_file(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SOURCE)
    text = elsewhere(pickle5.by_value(defined(str(script))), "loaded(0)")
    assert f'File "{script}", line 4, in inner' in text
    assert "return 1 / x" in text


@pytest.mark.parametrize("filename", ["/no/such/directory/1234.py", "<ipython-input-3-0123456789ab>"])
def test_a_cell_brings_its_lines(filename: str) -> None:
    text = elsewhere(pickle5.by_value(cell(filename)), "loaded(0)")
    assert f'File "{filename}", line 5, in divide' in text
    assert f'File "{filename}", line 4, in inner' in text
    assert "return inner()" in text
    assert "return 1 / x" in text


def test_methods_bring_theirs() -> None:
    text = elsewhere(pickle5.by_value(cell("/no/such/directory/1.py", "Shape")), "loaded().area()")
    assert "return undefined_name" in text


def test_the_file_of_the_other_process_counts_if_it_has_one(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SOURCE)
    data = pickle5.by_value(defined(str(script)))
    script.write_text(SOURCE.replace("1 / x", "1 / x  # as it is here"))
    assert "as it is here" in elsewhere(data, "loaded(0)")


def test_equal_functions_of_two_files_have_one_digest(tmp_path: Path) -> None:
    one, other = (pickle5.by_value(defined(f"/tmp/{name}.py")) for name in ("one", "other"))
    assert one != other
    assert digest_of(one) == digest_of(other)
    assert digest_of(one) != digest_of(
        pickle5.by_value(defined("/tmp/one.py", source=SOURCE.replace("1 / x", "2 / x")))
    )


def test_objects_without_code_stay_as_they_were() -> None:
    data = pickle5.by_value([1, "two"])
    assert data == pickle.dumps([1, "two"], protocol=5)
    assert code_files.content(data) == data


@pytest.mark.usefixtures("forgotten")
def test_code_that_travels_on_keeps_its_file() -> None:
    once = pickle.loads(pickle5.by_value(cell("/no/such/directory/2.py")))
    assert "/no/such/directory/2.py" in elsewhere(pickle5.by_value(once), "loaded(0)")


@pytest.mark.usefixtures("forgotten")
def test_pickles_in_pickles_and_pure_python_unpicklers() -> None:
    function = defined("/no/such/directory/3.py")
    data = pickle5.by_value([function, pickle5.by_value(function), function])
    loads: list[Callable[[bytes], Any]] = [pickle.loads, pickle._loads]  # type: ignore[attr-defined]
    for load in loads:
        first, inner, second = load(data)
        assert first is second
        assert load(inner).__code__.co_filename == "/no/such/directory/3.py"


@pytest.mark.usefixtures("forgotten")
def test_the_memory_of_code_files_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_files, "_KNOWN", 20)
    monkeypatch.setattr(code_files, "_FILES", 3)
    for number in range(30):
        filename = f"/no/such/directory/many-{number}.py"
        pickle.loads(pickle5.by_value(cell(filename)))
        del linecache.cache[filename]
        pickle.loads(pickle5.by_value(defined(filename)))
        code_files.add_source(filename, {1: "x\n"})
    assert len(code_files._files) <= 20
    assert len(code_files._sources) <= 3
    assert "/no/such/directory/many-1.py" not in linecache.cache


@pytest.mark.usefixtures("forgotten")
def test_lines_of_a_file_that_is_here_are_not_replaced() -> None:
    before = linecache.getlines(__file__)
    code_files.add_source(__file__, {1: "something else\n"})
    assert linecache.getlines(__file__) == before
    assert __file__ not in code_files._sources


def test_odd_names_of_files() -> None:
    function = defined("/tmp/caf\udce9 'quoted'\n.py")
    loaded = pickle.loads(pickle5.by_value(function))
    assert loaded.__code__.co_filename == "/tmp/caf\udce9 'quoted'\n.py"
    with pytest.raises(ZeroDivisionError) as caught:
        loaded(0)
    assert traceback.format_exception(caught.value)


def test_very_long_source_stays_here() -> None:
    lines = "".join(f"    x += {number}\n" for number in range(20_000))
    function = defined("/tmp/long.py", "long", f"def long(x):\n{lines}    return x\n")
    plain = len(pickle5.by_value(function))
    linecache.cache["/tmp/long.py"] = (1, None, ["def long(x):\n", *lines.splitlines(keepends=True)], "/tmp/long.py")
    assert len(pickle5.by_value(defined("/tmp/long.py", "long", f"def long(x):\n{lines}    return x\n"))) == plain
    code: CodeType = pickle.loads(pickle5.by_value(function)).__code__
    assert code.co_filename == "/tmp/long.py"
