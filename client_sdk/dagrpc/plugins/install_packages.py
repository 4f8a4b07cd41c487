"""Plugins that install software on the hosts of the cluster."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dagrpc.plugins.base import NannyPlugin, SchedulerPlugin, WorkerPlugin

logger = logging.getLogger("dagrpc.plugins")

_OUTPUT_LIMIT = 4_000
"""Number of characters at the end of a failed command's output that are shown."""


class InstallPlugin:
    """Calls a function that installs software, once on each host, before workers take tasks.

    The scheduler calls the function, too, if it runs user code.

    Parameters
    ----------
    install_fn : callable
        The function, which takes no arguments and can be pickled.
    restart_workers : bool
        Restart the workers afterwards, which is necessary for modules that they have imported already.

    Examples
    --------
    >>> from pathlib import Path
    >>> def fetch_model():
    ...     Path("model.txt").write_text("a model")
    >>> client.register_plugin(InstallPlugin(fetch_model, restart_workers=False))
    {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
    >>> Path("model.txt").read_text()
    'a model'
    """

    name: str | Any = None
    idempotent: bool = False

    def __init__(self, install_fn: Callable[[], None], restart_workers: bool) -> None:
        if not callable(install_fn):
            raise TypeError(f"install_fn must be a function, not {install_fn!r}")
        self.install_fn = install_fn
        self.restart_workers = restart_workers
        self.name = self.name or f"{type(self).__name__}-{uuid.uuid4()}"

    def parts(self) -> list[Any]:
        """Return the plugins for which this plugin stands."""
        once = _OncePerHost(self.install_fn, uuid.uuid4().hex)
        on_workers = _OnNanny(self.name, once) if self.restart_workers else _OnWorker(self.name, once)
        return [on_workers, _OnScheduler(self.name, once)]


class _OncePerHost:
    """Calls a function once for each host and Python environment, however many processes ask."""

    def __init__(self, function: Callable[[], None], token: str) -> None:
        self._function = function
        self._token = token

    def __call__(self) -> None:
        with _locked(self._token) as mark:
            if sys.prefix in mark.read_text().splitlines():
                return
            self._function()
            with mark.open("a") as file:
                file.write(f"{sys.prefix}\n")


@contextlib.contextmanager
def _locked(token: str) -> Iterator[Path]:
    """Admit one process at a time, and yield a file that all of them share."""
    directory = Path(tempfile.gettempdir()) / f"dagrpc-installed-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / token
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path


class _Install:
    def __init__(self, name: str | None, install: Callable[[], None]) -> None:
        self.name = name
        self.install = install


class _OnWorker(_Install, WorkerPlugin):
    def setup(self, worker: Any) -> None:
        self.install()
        importlib.invalidate_caches()


class _OnNanny(_Install, NannyPlugin):
    restart = True

    def setup(self, nanny: Any) -> None:
        self.install()


class _OnScheduler(_Install, SchedulerPlugin):
    async def start(self, scheduler: Any) -> None:
        # In a thread, since the scheduler must not wait.
        import asyncio

        await asyncio.to_thread(self.install)
        importlib.invalidate_caches()


class PipInstall(InstallPlugin):
    """Installs packages with pip on each host.

    Parameters
    ----------
    packages : list of str
        Packages to install: names with versions, URLs, paths on the workers.
    pip_options : list of str, optional
        Further options of ``pip install``.
    restart_workers : bool
        Restart the workers afterwards, which is necessary for modules that they have imported already.

    Notes
    -----
    If pip fails, `Client.register_plugin` raises a `RuntimeError` with its output.

    Examples
    --------
    >>> plugin = PipInstall(["scikit-learn"], pip_options=["--upgrade"])
    >>> plugin.packages
    ['scikit-learn']

    ``client.register_plugin(plugin)`` installs the package on all workers.
    """

    def __init__(
        self, packages: Sequence[str], pip_options: Sequence[str] | None = None, restart_workers: bool = False
    ) -> None:
        self.packages = _texts("packages", packages)
        self.pip_options = _texts("pip_options", pip_options or [])
        super().__init__(_PipCommand(self.packages, self.pip_options), restart_workers)


class CondaInstall(InstallPlugin):
    """Installs packages with conda on each host.

    Parameters
    ----------
    packages : list of str
        Packages to install.
    conda_options : list of str, optional
        Further options of ``conda install``.
    restart_workers : bool
        Restart the workers afterwards, which is necessary for modules that they have imported already.

    Examples
    --------
    >>> plugin = CondaInstall(["scikit-learn"])
    >>> plugin.packages
    ['scikit-learn']

    ``client.register_plugin(plugin)`` installs the package on all workers.
    """

    def __init__(
        self, packages: Sequence[str], conda_options: Sequence[str] | None = None, restart_workers: bool = False
    ) -> None:
        self.packages = _texts("packages", packages)
        self.conda_options = _texts("conda_options", conda_options or [])
        super().__init__(_CondaCommand(self.packages, self.conda_options), restart_workers)


def _texts(what: str, given: Sequence[str]) -> list[str]:
    if isinstance(given, str) or not all(isinstance(each, str) for each in given):
        raise TypeError(f"{what} must be a list of texts, not {given!r}")
    return list(given)


class _Command:
    """Installs packages with a command."""

    def __init__(self, packages: list[str], options: list[str]) -> None:
        self.packages = packages
        self.options = options

    def command(self) -> list[str]:
        """Return the command without options and packages."""
        raise NotImplementedError

    def __call__(self) -> None:
        command = [*self.command(), *self.options, *self.packages]
        logger.info("Installing: %s", " ".join(command))
        outcome = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if outcome.returncode:
            raise RuntimeError(
                f"{' '.join(command)} failed with exit code {outcome.returncode}:\n{outcome.stdout[-_OUTPUT_LIMIT:]}"
            )


class _PipCommand(_Command):
    def command(self) -> list[str]:
        return [sys.executable, "-m", "pip", "install"]


class _CondaCommand(_Command):
    def command(self) -> list[str]:
        program = os.environ.get("CONDA_EXE") or shutil.which("conda") or shutil.which("mamba")
        if program is None:
            raise RuntimeError("conda is not installed here: there is neither CONDA_EXE nor a program `conda`")
        return [program, "install", "--yes", "--prefix", sys.prefix]
