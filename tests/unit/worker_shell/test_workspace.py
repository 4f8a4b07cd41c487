"""Directories for temporary files, and ports."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dagrpc_worker.ports import ReservedPort, parse_ports
from dagrpc_worker.shell.lifecycle.workspace import Workspace


def test_a_directory_is_private_and_removed(tmp_path: Path) -> None:
    first, second = Workspace(str(tmp_path)), Workspace(str(tmp_path))
    assert first.path != second.path
    assert first.path.stat().st_mode & 0o777 == 0o700
    (first.path / "file").write_text("x")
    first.close()
    first.close()
    assert not first.path.exists()
    assert second.path.exists()
    second.close()
    assert list(second.space.iterdir()) == []


def test_files_of_dead_processes_are_removed_and_files_of_live_ones_stay(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from dagrpc_worker.shell.lifecycle.workspace import Workspace\n"
        f"workspace = Workspace({str(tmp_path)!r})\n"
        "(workspace.path / 'file').write_text('x')\n"
        "print(workspace.path, flush=True)\n"
        "os._exit(0)\n"
    )
    left = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    stale = Path(left.stdout.strip())
    assert stale.exists()
    mine, other = Workspace(str(tmp_path)), Workspace(str(tmp_path))
    assert mine.purge_stale() == 1
    assert not stale.exists()
    assert other.path.exists()
    mine.close()
    other.close()


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Workspace(str(tmp_path / "file"))


def test_a_reserved_port_is_kept_from_others_and_can_be_listened_on() -> None:
    reserved = ReservedPort("127.0.0.1")
    with socket.socket() as server:
        # As gRPC does.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", reserved.port))
        server.listen()
        with socket.create_connection(("127.0.0.1", reserved.port), 5):
            pass
        with pytest.raises(OSError, match=str(reserved.port)):
            ReservedPort("127.0.0.1", (reserved.port,))
        assert ReservedPort("127.0.0.1", (reserved.port, 0)).port != reserved.port
    reserved.release()
    reserved.release()


@pytest.mark.parametrize(("text", "ports"), [("0", (0, 0)), ("9000", (9000, 9000)), ("9000:9010", (9000, 9010))])
def test_ports(text: str, ports: tuple[int, int]) -> None:
    assert parse_ports(text) == ports


@pytest.mark.parametrize("text", ["", "x", "9:1", "-1", "70000", "1:2:3"])
def test_no_ports(text: str) -> None:
    with pytest.raises(ValueError, match="port"):
        parse_ports(text)


def test_closing_removes_what_was_left_behind_meanwhile(tmp_path: Path) -> None:
    workspace = Workspace(str(tmp_path))
    stale = workspace.space / "worker-stale"
    stale.mkdir()
    (workspace.space / "worker-stale.lock").touch()
    workspace.close()
    assert list(workspace.space.iterdir()) == []
