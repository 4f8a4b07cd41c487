"""Files of the user's, put where a process finds them."""

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
    """Return a directory of this process, for those that have none of their own; removed at its end."""
    with _lock:
        if not _scratch:
            _scratch.append(tempfile.mkdtemp(prefix="dagrpc-files-"))
            atexit.register(shutil.rmtree, _scratch[0], ignore_errors=True)
        return _scratch[0]


def place(directory: str, name: str, data: bytes, load: bool) -> Path:
    """Write a file and make what is in it importable: ``.py``, ``.egg`` and ``.zip``. Other files are only written.

    Parameters
    ----------
    directory : str
        Where to put it.
    name : str
        The file's name, without any directory.
    data : bytes
        What it holds.
    load : bool
        Whether to import it now; again, if it was imported before.

    Raises
    ------
    ValueError
        If the name is no bare name.
    Exception
        Whatever importing it raises.
    """
    if name in ("", ".", "..") or Path(name).name != name or "\\" in name:
        raise ValueError(f"{name!r} is no bare file name: it must not lead out of the directory")
    path = Path(directory) / name
    with _lock:
        partial = path.with_name(f".{name}.{os.getpid()}")
        partial.write_bytes(data)
        # At once, so that nobody reads half of it.
        partial.replace(path)
        modules = _make_importable(path)
        if load:
            for module in modules:
                _load(module)
    return path


def _make_importable(path: Path) -> list[str]:
    """Put a file on the search path; return the modules that it is there for."""
    modules: list[str] = []
    if path.suffix == ".py":
        add_to_path(str(path.parent))
        # Written twice within a second it would not look newer than what was compiled of it.
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
    """Have modules looked for in a directory or archive before all others."""
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
    """Return the modules that an egg says it is made of."""
    with zipfile.ZipFile(path) as archive:
        try:
            return archive.read("EGG-INFO/top_level.txt").decode().split()
        except KeyError:
            return []


def _load(name: str) -> None:
    """Import a module, anew if it was imported before."""
    module = sys.modules.get(name)
    if module is None:
        importlib.import_module(name)
        return
    for other in [other for other in sys.modules if other.startswith(f"{name}.")]:
        del sys.modules[other]
    importlib.reload(module)


def extract(directory: str, data: bytes) -> None:
    """Extract an archive.

    Raises
    ------
    ValueError
        If something in it would get out of the directory. Nothing is extracted then.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            parts = PurePosixPath(name.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts:
                raise ValueError(f"{name!r} leads out of the directory")
        archive.extractall(directory)
