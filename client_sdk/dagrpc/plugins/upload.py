"""Plugins that upload files of the client to the cluster."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from dagrpc.plugins import _files
from dagrpc.plugins.base import NannyPlugin, SchedulerPlugin, WorkerPlugin


class UploadFile(WorkerPlugin):
    """Puts a file on all workers, and makes ``.py``, ``.egg`` and ``.zip`` importable there.

    Parameters
    ----------
    filepath : str or path
        The file, which is read now.
    load : bool
        Workers import the file at once, or reload it.

    Raises
    ------
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> Path("halving.py").write_text("def halve(x): return x / 2")
    26
    >>> client.register_plugin(UploadFile("halving.py"))
    {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
    >>> def use(x):
    ...     import halving
    ...     return halving.halve(x)
    >>> client.submit(use, 3).result()
    1.5
    """

    def __init__(self, filepath: str | os.PathLike[str], load: bool = True) -> None:
        path = Path(filepath)
        self.filename = path.name
        self.load = load
        self.data = path.read_bytes()
        # A file that is uploaded again replaces the former one.
        self.name = f"upload-file-{self.filename}"

    def setup(self, worker: Any) -> None:
        """Write the file and import it."""
        _files.place(worker.local_directory, self.filename, self.data, self.load)


class SchedulerUploadFile(SchedulerPlugin):
    """Puts a file on the scheduler, which must run user code; see `UploadFile`.

    Parameters
    ----------
    filepath : str or path
        The file, which is read now.
    load : bool
        The scheduler imports the file at once.

    Examples
    --------
    >>> from pathlib import Path
    >>> Path("policy.py").write_text("patience = 10")
    13
    >>> client.register_plugin(SchedulerUploadFile("policy.py"))
    >>> client.run_on_scheduler(lambda: __import__("policy").patience)
    10
    """

    def __init__(self, filepath: str | os.PathLike[str], load: bool = True) -> None:
        path = Path(filepath)
        self.filename = path.name
        self.load = load
        self.data = path.read_bytes()
        self.name = f"upload-file-{self.filename}"

    def start(self, scheduler: Any) -> None:
        """Write the file and import it."""
        _files.place(scheduler.local_directory, self.filename, self.data, self.load)


def is_compiled(path: str) -> bool:
    """Return whether a file is compiled Python.

    Examples
    --------
    >>> is_compiled("pkg/module.pyc")
    True
    """
    return path.endswith(".pyc")


class UploadDirectory(NannyPlugin):
    """Puts a directory into the local directory of all workers, of the scheduler, or both.

    Parameters
    ----------
    path : str or path
        The directory, which is read now.
    restart_workers : bool
        Restart the present workers, so that no old module stays imported.
    update_path : bool
        Put the directory and its parent on the search path of modules.
    skip_words : sequence of str
        Files whose path has one of these parts are left out.
    skip : sequence of callable
        Functions of a path that return True for a file to leave out.
    mode : {"workers", "scheduler", "all"}
        The processes that get the directory. A scheduler must run user code.

    Raises
    ------
    ValueError
        If the mode is unknown.
    NotADirectoryError
        If there is no such directory.

    Examples
    --------
    >>> from pathlib import Path
    >>> Path("project").mkdir()
    >>> Path("project/thirds.py").write_text("def third(x): return x / 3")
    26
    >>> with LocalCluster(n_workers=1) as cluster, Client(cluster) as client:
    ...     outcome = client.register_plugin(UploadDirectory("project", update_path=True))
    ...     client.submit(lambda x: __import__("thirds").third(x), 3).result()
    1.0
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        restart_workers: bool = False,
        update_path: bool = False,
        skip_words: Sequence[str] = (".git", ".github", ".pytest_cache", "tests", "docs"),
        skip: Iterable[Callable[[str], bool]] = (is_compiled,),
        mode: str = "workers",
    ) -> None:
        if mode not in ("workers", "scheduler", "all"):
            raise ValueError(f"mode must be 'workers', 'scheduler' or 'all', not {mode!r}")
        directory = Path(path).expanduser().resolve()
        if not directory.is_dir():
            raise NotADirectoryError(f"There is no directory {str(path)!r} to upload")
        self.path = directory.name
        self.name = f"upload-directory-{self.path}"
        self.restart = restart_workers
        self.update_path = update_path
        self.mode = mode
        self.data = _archive(directory, tuple(skip_words), tuple(skip))

    def parts(self) -> list[Any]:
        """Return the plugins that this one stands for."""
        found: list[Any] = []
        if self.mode in ("workers", "all"):
            found.append(_WorkerDirectory(self.name, self.path, self.data, self.update_path))
            if self.restart:
                found.append(_Restart(self.name))
        if self.mode in ("scheduler", "all"):
            found.append(_SchedulerDirectory(self.name, self.path, self.data, self.update_path))
        return found


def _archive(directory: Path, words: tuple[str, ...], skip: tuple[Callable[[str], bool], ...]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(directory.rglob("*")):
            inside = path.relative_to(directory)
            if not path.is_file() or set(inside.parts) & set(words) or any(wrong(str(path)) for wrong in skip):
                continue
            archive.write(path, Path(directory.name) / inside)
    return buffer.getvalue()


class _Directory:
    """Extracts an archive of a directory."""

    name: str | None

    def __init__(self, name: str | None, path: str, data: bytes, update_path: bool) -> None:
        self.name = name
        self.path = path
        self.data = data
        self.update_path = update_path

    def place(self, where: str) -> None:
        _files.extract(where, self.data)
        if self.update_path:
            _files.add_to_path(where)
            _files.add_to_path(str(Path(where) / self.path))


class _WorkerDirectory(_Directory, WorkerPlugin):
    def setup(self, worker: Any) -> None:
        self.place(worker.local_directory)


class _SchedulerDirectory(_Directory, SchedulerPlugin):
    def start(self, scheduler: Any) -> None:
        self.place(scheduler.local_directory)


class _Restart(NannyPlugin):
    restart = True

    def __init__(self, name: str | None) -> None:
        self.name = name
