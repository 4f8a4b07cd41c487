"""Performance reports, and their figures of the work of a cluster."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import dask
import pytest

from dagrpc import Client, LocalCluster, get_task_stream, performance_report, wait
from dagrpc._client.client_core import core_of
from dagrpc.diagnostics import report_data
from tests.support.waiting import eventually

NODE = shutil.which("node")
EVIL = "</script><script>alert('&')</script>"
VOID = frozenset(("meta", "link", "br", "img", "hr", "input"))


class Page(HTMLParser):
    """A page, parsed: its elements are closed, and what it refers to is noted."""

    def __init__(self, text):
        super().__init__()
        self.text = text
        self.open: list[Any] = []
        self.references, self.titles, self.anchors, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.references += [value for name, value in attrs if name in ("src", "href", "action", "data", "poster")]
        self.anchors += [value for name, value in attrs if name == "id"]
        self.policy = next((v for n, v in attrs if n == "content" and "default-src" in v), getattr(self, "policy", ""))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["h2"]:
            self.titles.append(data)
        if "script" not in self.open and "style" not in self.open:
            self.words.append(data)

    @property
    def data(self):
        """The data of the figures, as pairs of kind and content."""
        found = re.findall(r'data-kind="(\w+)"><script type="application/json">(.*?)</script>', self.text, re.DOTALL)
        return [(kind, json.loads(text)) for kind, text in found]

    def check_self_contained(self):
        assert self.references
        assert all(reference.startswith("#") for reference in self.references)
        assert {reference[1:] for reference in self.references} <= set(self.anchors)
        assert "default-src 'none'" in self.policy
        assert "@import" not in self.text
        assert "url(" not in self.text


def spin(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(1_000))
    return seconds


def fail(text):
    raise ValueError(text)


def total(*numbers):
    return sum(numbers)


def submit_some(client):
    client.submit(total, 1, 2).result()
    client.gather(client.map(total, range(3)))
    dask.delayed(total)(5).compute()


def write_report(client, path):
    first, second = client.nthreads()
    with performance_report(path):
        spun = client.map(spin, [0.1, 0.11, 0.12, 0.13], pure=False)
        x = client.submit(total, 1, pure=False, workers=[first])
        wait([client.submit(total, x, *spun, pure=False, workers=[second]), client.submit(fail, EVIL, pure=False)])


@pytest.fixture(scope="module")
def report(shared_cluster, tmp_path_factory):
    """A page about a bit of everything."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    with Client(shared_cluster) as client:
        write_report(client, path)
    return path


def test_a_report_is_one_page_that_needs_nothing_else(report):
    page = Page(report.read_text())
    page.check_self_contained()
    for title in (
        "Summary",
        "Task stream",
        "Worker profile",
        "Scheduler profile",
        "Transfers",
        "System",
        "Workers",
    ):
        assert title in page.titles


def test_contents_of_a_report(report, shared_cluster):
    page = Page(report.read_text())
    words = "\n".join(page.words)
    assert "7, of which 1 failed" in words
    assert "with performance_report(path):" in words
    assert __file__ in words
    assert shared_cluster.scheduler_address in words
    kinds = [kind for kind, _ in page.data]
    assert kinds.count("profile") == 3
    (stream,) = [data for kind, data in page.data if kind == "taskStream"]
    assert {name for name, _, _ in stream["names"]} == {"spin", "total", "fail"}
    assert {action[0] for task in stream["tasks"] for action in task[6]} == {0, 1}
    (error,) = [task[3] for task in stream["tasks"] if task[3]]
    assert error == f"builtins.ValueError: {EVIL}"
    tasks = page.data[kinds.index("profile")][1]
    assert "spin" in {line[0] for line in tasks["lines"]}
    measured = [data for kind, data in page.data if kind == "lines" and data["unit"] == "bytes"]
    assert all(series["points"] for data in measured for series in data["series"])


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_the_script_of_a_report_draws_its_figures(report):
    harness = Path(__file__).with_name("page_in_node.js")
    assert NODE is not None
    outcome = subprocess.run([NODE, harness, report], capture_output=True, text=True, timeout=60, check=False)
    assert outcome.returncode == 0, outcome.stderr
    figures = json.loads(outcome.stdout)
    assert [figure["kind"] for figure in figures] == [kind for kind, _ in Page(report.read_text()).data]
    stream, profile = figures[0], figures[1]
    assert sum(call[0] == "fillRect" for call in stream["drawn"]) >= 8
    assert any(text.startswith("spin (4, ") for text in stream["texts"])
    assert any(call[0] == "fillText" and call[1] == "spin" for call in profile["drawn"])


def test_a_report_of_a_block_that_raises_is_written(client, tmp_path):
    with pytest.raises(ValueError, match="no use"), performance_report(tmp_path / "report.html"):
        client.submit(fail, "no use", pure=False).result()
    Page((tmp_path / "report.html").read_text())


def test_a_report_of_nothing(client, tmp_path):
    with performance_report(filename=str(tmp_path / "report.html"), stacklevel=99, mode="inline"):
        pass
    page = Page((tmp_path / "report.html").read_text())
    assert "Task stream" in page.titles


def test_a_report_of_workers_that_went_away(process_cluster, tmp_path):
    path = tmp_path / "report.html"
    with Client(process_cluster) as client:
        worker, pid = next(iter(client.run(os.getpid).items()))
        with performance_report(path):
            wait(client.map(spin, [0.01] * 3, pure=False, workers=[worker]))
            # Has the scheduler told what there is; by itself that takes a heartbeat.
            assert len(client.get_task_stream()) == 3
            os.kill(pid, signal.SIGKILL)
            wait(client.map(spin, [0.01] * 2, pure=False))
    page = Page(path.read_text())
    (stream,) = [data for kind, data in page.data if kind == "taskStream"]
    assert len(stream["tasks"]) >= 5
    assert "Workers that left" in page.words
    assert worker in page.words


def test_a_report_goes_to_where_fsspec_can_write(client):
    import fsspec

    with performance_report("memory://reports/one.html", storage_options={}):
        client.submit(spin, 0.01).result()
    with fsspec.open("memory://reports/one.html", "r") as file:
        Page(file.read())


def test_a_report_that_cannot_be_written_says_so(client, tmp_path):
    with pytest.raises(IsADirectoryError), performance_report(tmp_path):
        pass


def test_a_report_on_an_event_loop(shared_cluster, tmp_path):
    path = tmp_path / "report.html"

    async def compute():
        async with Client(shared_cluster, asynchronous=True) as client:
            with pytest.raises(TypeError, match="async with"), performance_report(path):
                pass
            async with performance_report(path):
                await client.submit(spin, 0.05, pure=False)

    asyncio.run(compute())
    page = Page(path.read_text())
    assert "async with performance_report(path):" in "\n".join(page.words)
    (stream,) = [data for kind, data in page.data if kind == "taskStream"]
    assert len(stream["tasks"]) == 1


def test_without_a_client_there_is_no_report(tmp_path):
    with pytest.raises(ValueError, match="No clients found"), performance_report(tmp_path / "report.html"):
        pass


def test_reports_end_with_their_client(fresh_cluster):
    def under_way(dask_scheduler):
        return dask_scheduler._service.reports.under_way

    with Client(fresh_cluster) as watcher:
        with Client(fresh_cluster, set_as_default=False) as client:
            core_of(client).loop.run(report_data.begin(core_of(client).session))
            assert watcher.run_on_scheduler(under_way)
        eventually(lambda: not watcher.run_on_scheduler(under_way), 30)


def test_the_code_that_submitted_graphs(tmp_path):
    settings = {
        "distributed.diagnostics.computations.nframes": 1,
        # This file's name is one that is passed over by default.
        "distributed.diagnostics.computations.ignore-files": [],
    }
    path = tmp_path / "report.html"
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, memory_limit=0) as cluster,
        Client(cluster) as client,
        performance_report(path),
    ):
        submit_some(client)
    page = Page(path.read_text())
    assert page.titles[-1] == "Computations"
    after = "".join(page.words).rpartition("What submitted the graphs")[2]
    assert after.count("def submit_some(client):") == 3
    assert ": 3 tasks" in after


def test_figures_of_a_task_stream_and_a_profile(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with get_task_stream(client, plot="save", filename="stream.html") as recorded:
        wait(client.map(spin, [0.05, 0.06], pure=False))
    assert Page(Path("stream.html").read_text()).data[0][1]["names"][0][:2] == ["spin", 2]
    assert recorded.figure._repr_html_().startswith("<iframe")
    tasks, figure = client.get_task_stream(plot=True, count=1)
    assert len(tasks) == 1
    assert figure.kind == "taskStream"
    assert not Path("task-stream.html").exists()
    client.get_task_stream(plot="save")
    Page(Path("task-stream.html").read_text())
    profile, figure = client.profile("spin", plot=True)
    assert profile["count"] == figure.data["nodes"][0][2]
    client.profile("spin", plot="save")
    client.profile("spin", merge_workers=False, filename="profile.html")
    assert Page(Path("dask-profile.html").read_text()).data[0][0] == "profile"
    assert Page(Path("profile.html").read_text()).data[0][0] == "profile"
