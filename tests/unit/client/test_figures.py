"""Figures and pages: what the script gets, and that it cannot break out of its place."""

from __future__ import annotations

import json
import re

import pytest

from dagrpc._profiling.trees import new_profile
from dagrpc.diagnostics import report_pages
from dagrpc.diagnostics.figures import Figure, profile_data, task_stream_data

EVIL = "</script><script>alert('&\"')</script>"


def task(key, worker="a:1", thread=1, start=10.0, stop=11.0, **others):
    return {
        "key": key,
        "name": "inc",
        "worker": worker,
        "thread": thread,
        "startstops": ({"action": "compute", "start": start, "stop": stop},),
        "status": "OK",
        "nbytes": 28,
        "type": "builtins.int",
        "typename": "int",
        **others,
    }


def data_of(html):
    """Return the data of the figures of a page."""
    return [json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)]


def test_rows_are_the_threads_of_workers():
    data = task_stream_data([task("x", thread=7), task("y", thread=9), task("z", worker="b:1", thread=7)])
    assert data["rows"] == ["a:1 #1", "a:1 #2", "b:1 #1"]
    assert [each[0] for each in data["tasks"]] == [0, 1, 2]
    assert data["names"] == [["inc", 3, 3.0]]


def test_times_count_from_the_first_or_from_an_origin():
    assert task_stream_data([task("x", start=10.5)])["tasks"][0][6] == [[0, 0.0, 0.5]]
    assert task_stream_data([task("x", start=10.5)], 10.0)["tasks"][0][6] == [[0, 0.5, 0.5]]
    assert task_stream_data([])["tasks"] == []


def test_errors_show_and_keys_of_any_type_are_text():
    failed = task(("x", 1), status="error", exception_text="ValueError: no")
    assert task_stream_data([failed])["tasks"][0][2:4] == ["('x', 1)", "ValueError: no"]


def profile(**counts):
    root = new_profile()
    for name, count in counts.items():
        identifier = f"{name};file.py;1"
        description = {"filename": "file.py", "name": name, "line_number": 2, "line": "pass"}
        root["children"][identifier] = {
            "count": count,
            "children": {},
            "identifier": identifier,
            "description": description,
        }
        root["count"] += count
    return root


def test_frames_too_rare_to_be_seen_are_not_drawn():
    data = profile_data(profile(often=99_990, rare=10))
    assert [node[2] for node in data["nodes"]] == [100_000, 99_990]
    assert profile_data(new_profile())["nodes"] == []


def test_data_cannot_end_its_element():
    html = report_pages.page(
        EVIL, report_pages.figure("taskStream", {"text": EVIL}) + report_pages.table((EVIL,), [(EVIL,)])
    )
    assert "<script>alert" not in html
    assert data_of(html) == [{"text": EVIL}]


def test_a_figure_is_a_page_and_a_frame():
    figure = Figure("Task stream", "taskStream", task_stream_data([task(EVIL)]))
    assert figure.to_html().startswith("<!DOCTYPE html>")
    assert data_of(figure.to_html())[0]["tasks"][0][2] == EVIL
    frame = figure._repr_html_()
    assert frame.startswith("<iframe ")
    assert frame.count("<") == 2
    assert "sandbox" in frame
    assert repr(figure) == "<Figure: Task stream>"


def test_a_figure_goes_to_where_fsspec_can_write(tmp_path):
    figure = Figure("Task stream", "taskStream", task_stream_data([task("x")]))
    figure.save(tmp_path / "figure.html")
    figure.save("memory://figure.html")
    import fsspec

    with fsspec.open("memory://figure.html", "r") as file:
        assert file.read() == (tmp_path / "figure.html").read_text() == figure.to_html()


def test_names_are_where_programs_for_distributed_look_for_them():
    import dagrpc
    from dagrpc import diagnostics
    from dagrpc.diagnostics.memory_sampler import MemorySampler
    from dagrpc.diagnostics.plugin import WorkerPlugin

    assert diagnostics.MemorySampler is MemorySampler
    assert diagnostics.performance_report is dagrpc.performance_report
    assert WorkerPlugin is dagrpc.WorkerPlugin
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        diagnostics.nothing_of_the_kind  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError):
        from dagrpc.diagnostics.plugin import NothingOfTheKind  # noqa: F401
