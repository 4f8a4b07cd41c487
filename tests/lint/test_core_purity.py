"""The cores decide and do nothing else: what they know of the world arrives in events, `now` included.

Everything that makes the same events give another state, or that makes a unit test of scheduling need a socket or a
sleep, is banned there by name.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE_PACKAGES = (
    "scheduler_service/dagrpc_scheduler/core",
    "scheduler_service/dagrpc_scheduler/policies",
    "scheduler_service/dagrpc_scheduler/coordination",
    "scheduler_service/dagrpc_scheduler/leases",
    "worker_service/dagrpc_worker/core",
)
PURE_FILES = ("worker_service/dagrpc_worker/nanny/restart_rules.py",)
BANNED_MODULES = (
    "asyncio",
    "grpc",
    "google",
    "dagrpc.v1",
    "concurrent",
    "multiprocessing",
    "queue",
    "random",
    "secrets",
    "select",
    "selectors",
    "socket",
    "subprocess",
    "threading",
    "uuid",
)
# Clocks and files; `sleep` because only a wait for the world needs it.
BANNED_CALLS = (
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.now",
    "open",
    "os.urandom",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.process_time",
    "time.sleep",
    "time.time",
    "time.time_ns",
)


def pure_files() -> list[Path]:
    """Return the files that have to be pure."""
    files = [path for package in PURE_PACKAGES for path in (ROOT / package).rglob("*.py")]
    files += [ROOT / name for name in PURE_FILES if (ROOT / name).exists()]
    return sorted(files)


def dotted_name(node: ast.expr) -> str:
    """Return `a.b.c` for an attribute chain on a name, and an empty text for any other expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted_name(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def impurities(source: str) -> list[str]:
    """Return the imports and calls in `source` that are forbidden in a pure module."""
    tree = ast.parse(source)
    found: list[str] = []
    # A clock imported under a shorter name is still a clock.
    origin: dict[str, str] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            origin |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            origin |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        else:
            continue
        for name in names:
            if any(name == banned or name.startswith(f"{banned}.") for banned in BANNED_MODULES):
                found.append(f"line {node.lineno}: imports {name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = dotted_name(node.func)
            first, _, rest = called.partition(".")
            called = origin.get(first, first) + (f".{rest}" if rest else "")
            if called in BANNED_CALLS:
                found.append(f"line {node.lineno}: calls {called}")
    return found


@pytest.mark.parametrize("path", pure_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_is_pure(path: Path) -> None:
    assert impurities(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import asyncio", ["line 1: imports asyncio"]),
        ("import grpc.aio as aio", ["line 1: imports grpc.aio"]),
        ("from google.protobuf import message", ["line 1: imports google.protobuf.message"]),
        ("from dagrpc.v1 import graph_pb2", ["line 1: imports dagrpc.v1.graph_pb2"]),
        ("import time\ntime.time()", ["line 2: calls time.time"]),
        ("import time as t\nt.monotonic()", ["line 2: calls time.monotonic"]),
        ("from time import monotonic as clock\nclock()", ["line 2: calls time.monotonic"]),
        ("open('x')", ["line 1: calls open"]),
        ("def f():\n    import random", ["line 2: imports random"]),
        ("import heapq\nfrom .model import TaskState\nself.open(x)", []),
    ],
)
def test_the_check_finds_what_it_is_for(source: str, expected: list[str]) -> None:
    assert impurities(source) == expected


def test_the_cores_are_found() -> None:
    packages = {path.relative_to(ROOT).parts[1] for path in pure_files()}
    assert packages >= {"dagrpc_scheduler", "dagrpc_worker"}
