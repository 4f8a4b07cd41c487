"""The pages of a scheduler behind nginx, under a path of its own, with their stream of events."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from dagrpc import Client, LocalCluster
from tests.support.waiting import eventually

SETTINGS = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location /clusters/one/ {{
      proxy_pass http://{target}/;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
    }}
  }}
}}
"""


@contextmanager
def nginx(folder: Path, target: str) -> Iterator[str]:
    """Run nginx in front of a port; yield the address under which it serves the pages."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        pytest.skip("nginx is missing; it comes with Debian's package nginx-light")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "nginx.conf").write_text(SETTINGS.format(folder=folder, port=port, target=target))
    # Started as root, its processes that serve would be another user's, who cannot write here.
    folder.chmod(0o777)
    with subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")]) as process:
        try:
            eventually(lambda: answers(port))
            yield f"http://127.0.0.1:{port}/clusters/one/"
        finally:
            process.terminate()
            process.wait(60)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def get(link: str) -> tuple[str, str]:
    """Return the address after redirections, and the text."""
    with urllib.request.urlopen(link, timeout=60) as answer:
        return answer.geturl(), answer.read().decode()


def test_pages_and_their_stream_behind_nginx(tmp_path: Path) -> None:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as client,
        nginx(tmp_path, urlsplit(cluster.dashboard_link).netloc) as root,
    ):
        client.wait_for_workers(1)
        where, page = get(root)
        assert where == f"{root}status"
        for part in page.split('"'):
            # All that the page names is found from where the page is.
            if part.startswith(("/", "http")):
                raise AssertionError(f"{part} leads out of the path of the proxy")
            if part.startswith("statics/"):
                assert get(urljoin(where, part))[1]
        assert "dask_scheduler_clients 1.0" in get(f"{root}metrics")[1]
        ((address, worker),) = client.scheduler_info()["workers"].items()
        assert address.removeprefix("tcp://") in get(f"{root}info/main/workers.html")[1]
        assert get(f"{root}proxy/{worker['services']['dashboard']}/{worker['host']}/health")[1] == "ok"
        with urllib.request.urlopen(f"{root}stream?feeds=summary", timeout=60) as stream:
            for _ in range(2):
                # Each event arrives when it is sent: nginx does not wait for more.
                line = stream.readline()
                while not line.startswith(b"data: "):
                    line = stream.readline()
                assert json.loads(line[6:])
                client.submit(int, pure=False).result()
