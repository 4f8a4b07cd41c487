"""Puts files of users where a process finds them."""

from __future__ import annotations

import atexit
import importlib
import io
import os
import shutil
import sys
import tempfile
import threading
import zipfile
from pathlib import Path, PurePosixPath

from dagrpc._process.fork_locks import free_in_children

_lock = free_in_children(threading.Lock())
_scratch: list[str] = []


def own_directory() -> str:
    """Return a temporary directory of this process, which is removed when the process ends."""
    with _lock:
        if not _scratch:
            _scratch.append(tempfile.mkdtemp(prefix="dagrpc-files-"))
            atexit.register(shutil.rmtree, _scratch[0], ignore_errors=True)
        return _scratch[0]


def place(directory: str, name: str, data: bytes, load: bool) -> Path:
    """Write a file, and make ``.py``, ``.egg`` and ``.zip`` files importable.

    With `load` the file's modules are imported, or reloaded. Raises ValueError if the name has a directory, and any
    error of the import.
    """
    if name in ("", ".", "..") or Path(name).name != name or "\\" in name:
        raise ValueError(f"{name!r} is no bare file name: it must not lead out of the directory")
    path = Path(directory) / name
    with _lock:
        partial = path.with_name(f".{name}.{os.getpid()}")
        partial.write_bytes(data)
        # Renamed into place, so that no process reads half a file.
        partial.replace(path)
        modules = _make_importable(path)
        if load:
            for module in modules:
                _load(module)
    return path


def _make_importable(path: Path) -> list[str]:
    """Put a file on the search path, and return the names of its modules."""
    modules: list[str] = []
    if path.suffix == ".py":
        add_to_path(str(path.parent))
        # A file that is written twice within a second does not look newer than its compiled form.
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            compiled.unlink(missing_ok=True)
        modules = [path.stem]
    elif path.suffix in (".egg", ".zip", ".pyz"):
        add_to_path(str(path))
        sys.path_importer_cache.pop(str(path), None)
        top = _top_level(path)
        modules = [name for name in top if name in sys.modules] if path.suffix != ".egg" else _declared(path) or top
    importlib.invalidate_caches()
    return modules


def add_to_path(entry: str) -> None:
    """Put a directory or an archive at the front of the search path."""
    if entry in sys.path:
        sys.path.remove(entry)
    sys.path.insert(0, entry)


def _top_level(path: Path) -> list[str]:
    """Return the modules and packages at the top of an archive."""
    with zipfile.ZipFile(path) as archive:
        parts = [PurePosixPath(name).parts for name in archive.namelist()]
    packages = {each[0] for each in parts if len(each) == 2 and each[1] == "__init__.py"}
    modules = {each[0][:-3] for each in parts if len(each) == 1 and each[0].endswith(".py")}
    return sorted(packages | modules - {"__main__", "setup"})


def _declared(path: Path) -> list[str]:
    """Return the modules that an egg's metadata lists."""
    with zipfile.ZipFile(path) as archive:
        try:
            return archive.read("EGG-INFO/top_level.txt").decode().split()
        except KeyError:
            return []


def _load(name: str) -> None:
    """Import a module, or reload it."""
    module = sys.modules.get(name)
    if module is None:
        importlib.import_module(name)
        return
    for other in [other for other in sys.modules if other.startswith(f"{name}.")]:
        del sys.modules[other]
    importlib.reload(module)


def extract(directory: str, data: bytes) -> None:
    """Extract an archive; raise ValueError, and extract nothing, if an entry leads out of the directory."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            parts = PurePosixPath(name.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts:
                raise ValueError(f"{name!r} leads out of the directory")
        archive.extractall(directory)
