"""Built-in plugins that provide files, packages and environment variables to workers."""

import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagrpc import Client, Environ, InstallPlugin, LocalCluster, PipInstall, UploadDirectory, UploadFile
from dagrpc.plugins import _files

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


def imported(name: str, attribute: str) -> Any:
    import importlib

    return getattr(importlib.import_module(name), attribute)


def is_loaded(name: str) -> bool:
    return name in sys.modules


def everywhere(client: Client, *call: Any) -> set[Any]:
    return {*client.run(*call).values(), client.run_on_scheduler(*call)}


def test_a_module_is_importable_now_and_later(client: Client, cluster: LocalCluster, tmp_path: Path) -> None:
    path = tmp_path / "uploaded_module.py"
    path.write_text("value = 1")
    answer = client.upload_file(str(path))
    assert answer == {address: {"status": "OK"} for address in client.nthreads()}
    assert everywhere(client, imported, "uploaded_module", "value") == {1}
    assert client.submit(imported, "uploaded_module", "value", pure=False).result(timeout=60) == 1
    # Another version within the same second, of the same length.
    path.write_text("value = 2")
    client.upload_file(path)
    assert everywhere(client, imported, "uploaded_module", "value") == {2}
    client.restart(timeout=60)
    assert everywhere(client, imported, "uploaded_module", "value") == {2}
    cluster.scale(3)
    client.wait_for_workers(3, timeout=60)
    assert everywhere(client, imported, "uploaded_module", "value") == {2}


def test_loading_can_wait_and_its_errors_are_told(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "uploaded_later.py"
    path.write_text("value = 3")
    client.upload_file(path, load=False)
    assert everywhere(client, is_loaded, "uploaded_later") == {False}
    assert everywhere(client, imported, "uploaded_later", "value") == {3}
    wrong = tmp_path / "uploaded_wrong.py"
    wrong.write_text("raise ValueError('on import')")
    with pytest.raises(ValueError, match="on import"):
        client.upload_file(wrong)
    with pytest.raises(FileNotFoundError):
        client.upload_file(tmp_path / "nothing.py")


@pytest.mark.parametrize("suffix", ["zip", "egg"])
def test_packages_in_archives(client: Client, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"uploaded_{suffix}.{suffix}"
    for value in (1, 2):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"packed_{suffix}/__init__.py", f"from packed_{suffix}.inner import value")
            archive.writestr(f"packed_{suffix}/inner.py", f"value = {value}")
        client.upload_file(path)
        assert everywhere(client, imported, f"packed_{suffix}", "value") == {value}


def test_other_files_are_written(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b")

    def read(dask_worker: Any) -> str:
        return Path(dask_worker.local_directory, "table.csv").read_text()

    client.register_plugin(UploadFile(path))
    assert set(client.run(read).values()) == {"a,b"}


@pytest.mark.parametrize("name", ["../x.py", "/x.py", "..", "", "a/b.py", "a\\b.py"])
def test_no_file_gets_out_of_its_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="bare file name"):
        _files.place(str(tmp_path), name, b"", load=False)
    assert list(tmp_path.iterdir()) == []


def test_no_archive_gets_out_of_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good", "")
        archive.writestr("../bad", "")
    (tmp_path / "in").mkdir()
    with pytest.raises(ValueError, match="leads out"):
        _files.extract(str(tmp_path / "in"), path.read_bytes())
    assert list((tmp_path / "in").iterdir()) == []


def test_a_directory(client: Client, tmp_path: Path) -> None:
    project = tmp_path / "uploaded_project"
    for name, text in {
        "__init__.py": "value = 7",
        "direct.py": "value = 8",
        "tests/test_it.py": "",
        "old.pyc": "",
        "data/x.txt": "x",
    }.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    with pytest.raises(ValueError, match="mode"):
        UploadDirectory(project, mode="everywhere")
    with pytest.raises(NotADirectoryError):
        UploadDirectory(project / "nothing")
    pids = set(client.run(os.getpid).values())
    client.register_plugin(UploadDirectory(project, update_path=True, mode="all", restart_workers=True))
    assert pids.isdisjoint(client.run(os.getpid).values())
    assert everywhere(client, imported, "uploaded_project", "value") == {7}
    assert everywhere(client, imported, "direct", "value") == {8}

    def files(dask_worker: Any) -> list[str]:
        base = Path(dask_worker.local_directory, "uploaded_project")
        return sorted(
            str(path.relative_to(base)) for path in base.rglob("*") if path.is_file() and "__pycache__" not in str(path)
        )

    assert all(found == ["__init__.py", "data/x.txt", "direct.py"] for found in client.run(files).values())


def test_variables(client: Client) -> None:
    pids = set(client.run(os.getpid).values())
    client.register_plugin(Environ({"BUILT_IN_TEST": 5}))
    assert pids.isdisjoint(client.run(os.getpid).values())
    assert set(client.run(os.getenv, "BUILT_IN_TEST").values()) == {"5"}


def wheel(directory: Path, name: str) -> Path:
    path = directory / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "value = 'installed'")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.mark.parametrize("restart", [False, True])
def test_packages_are_installed_with_pip(client: Client, tmp_path: Path, restart: bool) -> None:
    target = tmp_path / "target"
    options = ["--no-index", "--no-deps", "--disable-pip-version-check", "--target", str(target)]
    pids = set(client.run(os.getpid).values())
    client.register_plugin(PipInstall([str(wheel(tmp_path, "installed_here"))], options, restart_workers=restart))
    assert (target / "installed_here.py").read_text() == "value = 'installed'"
    assert pids.isdisjoint(client.run(os.getpid).values()) is restart


@pytest.mark.parametrize("restart", [False, True])
def test_the_output_of_pip_is_shown(client: Client, restart: bool) -> None:
    plugin = PipInstall(["no-such-package-at-all"], ["--no-index"], restart_workers=restart)
    with pytest.raises(RuntimeError, match="No matching distribution found for no-such-package-at-all"):
        client.register_plugin(plugin)
    client.unregister_worker_plugin(plugin.name, nanny=restart)
    with pytest.raises(TypeError, match="list of texts"):
        PipInstall("one-package")


def test_an_installation_runs_once_on_a_host(client: Client, cluster: LocalCluster, tmp_path: Path) -> None:
    path = tmp_path / "calls"

    def install() -> None:
        with path.open("a") as file:
            file.write("x")

    plugin = InstallPlugin(install, restart_workers=False)
    client.register_plugin(plugin)
    client.restart(timeout=60)
    assert path.read_text() == "x"
    client.register_plugin(plugin)
    assert path.read_text() == "xx"
