"""`silence_logs` keeps the lines of a cluster from the terminal, in the program's process, too, until it closes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAD = """
import logging, sys
from dagrpc import Client, LocalCluster, SpecCluster
from dagrpc._process import log_buffer

def warn(text):
    for name in ("dagrpc.nanny", "distributed.nanny", "dagrpc"):
        logging.getLogger(name).warning("%s in %s", text, name)
"""

CLUSTERS = {
    "local": "LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs={level})",
    "threads": "LocalCluster(n_workers=0, processes=False, dashboard_address=None, silence_logs={level})",
    "spec": "SpecCluster(silence_logs={level})",
}


def shown(program: str) -> str:
    """Return the lines that a program writes to its standard error."""
    done = subprocess.run(
        [sys.executable, "-c", HEAD + program], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stderr


@pytest.mark.parametrize("kind", CLUSTERS)
@pytest.mark.parametrize("level", ["50", "'error'"])
def test_warnings_are_silent_until_the_cluster_closes(kind: str, level: str) -> None:
    lines = shown(f"""
with {CLUSTERS[kind].format(level=level)}:
    warn("hidden")
warn("shown")
""")
    assert "hidden" not in lines
    assert lines.count("shown") == 3


@pytest.mark.parametrize("level", ["30", "False", "None"])
def test_warnings_are_shown_at_lower_levels(level: str) -> None:
    lines = shown(f"""
with {CLUSTERS["spec"].format(level=level)}:
    warn("shown")
""")
    assert lines.count("shown") == 3


@pytest.mark.parametrize(("level", "expected"), [(50, False), (30, True)])
def test_a_nanny_whose_worker_dies_warns_unless_it_is_silent(level: int, expected: bool) -> None:
    lines = shown(f"""
import os
if __name__ == "__main__":
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs={level}) as cluster:
        with Client(cluster) as client:
            client.submit(os._exit, 1).exception(timeout=60)
""")
    assert ("dagrpc.nanny" in lines) == expected, lines


def test_handlers_of_the_program_on_the_terminal_are_silent_and_files_are_not(tmp_path: Path) -> None:
    path = tmp_path / "program.log"
    lines = shown(f"""
logging.basicConfig(level=logging.INFO)
logging.getLogger().addHandler(logging.FileHandler({str(path)!r}))
with SpecCluster(silence_logs="critical"):
    warn("hidden")
    logging.getLogger("of.the.program").warning("own")
warn("again")
""")
    assert "hidden" not in lines
    assert "own" in lines
    assert lines.count("again") == 3
    assert path.read_text().count("hidden") == 3


def test_the_highest_level_of_several_clusters_counts() -> None:
    lines = shown("""
outer, inner = SpecCluster(silence_logs=50), SpecCluster(silence_logs=40)
logging.getLogger("dagrpc.nanny").error("first")
outer.close()
logging.getLogger("dagrpc.nanny").error("second")
logging.getLogger("dagrpc.nanny").warning("third")
inner.close()
logging.getLogger("dagrpc.nanny").warning("fourth")
""")
    assert [word for word in ("first", "second", "third", "fourth") if word in lines] == ["second", "fourth"]


def test_a_cluster_that_fails_to_start_silences_nothing_afterwards() -> None:
    lines = shown("""
class Broken:
    def __await__(self):
        raise ValueError("no")
    async def close(self):
        pass
try:
    SpecCluster(scheduler={"cls": Broken}, silence_logs=50)
except RuntimeError:
    warn("shown")
""")
    assert lines.count("shown") == 3


def test_silenced_lines_are_kept_for_clients() -> None:
    assert "kept" not in shown("""
with SpecCluster(silence_logs=50) as cluster:
    logging.getLogger("dagrpc.scheduler").warning("kept")
    assert any("kept" in text for _, text in log_buffer.install().latest("scheduler"))
""")
