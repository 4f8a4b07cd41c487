"""A worker's directory for temporary files: private, locked while the worker runs, removed when it closes."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
import tempfile
from pathlib import Path

import dask.config

from dagrpc import config

logger = logging.getLogger("dagrpc.worker")

_SPACE = "dagrpc-worker-space"
_LOCK_SUFFIX = ".lock"
_PURGE_DELAY = 1.0


def shared_directory(local_directory: str = "") -> Path:
    """Return the directory that contains the workers' directories; create it if there is none.

    Parameters
    ----------
    local_directory : str
        Its parent. Empty: as configured, otherwise the system's directory for temporary files.

    Raises
    ------
    OSError
        If the directory cannot be created.
    """
    base = local_directory or config.get("worker.local-directory") or dask.config.get("temporary-directory", None)
    # The system's directory is shared with other users of the machine, who must not be able to read the files.
    space = Path(base).absolute() / _SPACE if base else Path(tempfile.gettempdir()) / f"{_SPACE}-{os.getuid()}"
    space.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not base and (space.is_symlink() or space.stat().st_uid != os.getuid()):
        # Another user has created the directory.
        return Path(tempfile.mkdtemp(prefix=f"{_SPACE}-"))
    return space


class Workspace:
    """The directory of one worker, in a directory that workers share.

    A lock beside it, which the system releases however the process ends, distinguishes directories in use from those
    left behind.

    Raises
    ------
    OSError
        If the directory cannot be created.
    """

    def __init__(self, local_directory: str = "") -> None:
        self.space = shared_directory(local_directory)
        self.path = Path(tempfile.mkdtemp(prefix="worker-", dir=self.space))
        # Without locks, directories left behind cannot be recognized.
        self._locks = bool(config.get("worker.use-file-locking"))
        self._lock = _acquire(_lock_of(self.path)) if self._locks else None

    def purge_stale(self) -> int:
        """Remove the directories of workers that have ended. Return their number. Blocking."""
        count = 0
        for path in self.space.glob("worker-*") if self._locks else ():
            if path == self.path or not path.is_dir():
                continue
            lock = _acquire(_lock_of(path), create=False)
            if lock is None:
                continue
            logger.info("Removing %s, which a worker left behind", path)
            _remove(path)
            os.close(lock)
            count += 1
        return count

    async def purge_later(self) -> None:
        """Remove the directories of workers that have ended, some time after the start."""
        await asyncio.sleep(_PURGE_DELAY)
        await asyncio.to_thread(self.purge_stale)

    def close(self) -> None:
        """Remove the directory, and those of workers that have ended. Blocking."""
        if self._lock is not None or not self._locks:
            _remove(self.path)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        # The last worker of a cluster may find the directory of one that was just killed.
        self.purge_stale()


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + _LOCK_SUFFIX)


def _acquire(path: Path, create: bool = True) -> int | None:
    """Return the descriptor of a locked file; None if another process has locked it or it does not exist."""
    try:
        descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    _lock_of(path).unlink(missing_ok=True)
