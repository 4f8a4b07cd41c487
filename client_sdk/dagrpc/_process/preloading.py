"""Runs the operator's code when a server starts: modules, files, web addresses or text."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import logging
import re
import sys
import uuid
from collections.abc import Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

from dagrpc import config

logger = logging.getLogger("dagrpc.preload")

_SETTINGS = {
    "scheduler": ("scheduler.preload", "scheduler.preload-argv"),
    "worker": ("worker.preload", "worker.preload-argv"),
    "nanny": ("nanny.preload", "nanny.preload-argv"),
    "client": ("client.preload", "client.preload-argv"),
}
_MODULE_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_DOWNLOAD_TIMEOUT = 30.0
_TEARDOWN_TIMEOUT = 10.0


class Preloads:
    """The preloads of a server.

    Parameters
    ----------
    kind : str
        ``scheduler``, ``worker``, ``nanny`` or ``client``: the settings of this kind have the default.
    given : str or iterable of str, optional
        Names of modules, paths of files ``.py``, addresses ``http://`` or ``https://``, or Python code.
    argv : str, iterable of str, or iterable of these, optional
        Arguments of preloads whose ``dask_setup`` is a click command: the same for all, or a list for each.

    Raises
    ------
    ValueError
        If there are lists of arguments, but not one for each preload.

    Examples
    --------
    >>> preloads = Preloads("worker", ["def dask_setup(worker): worker.tag = 'mine'"])
    """

    def __init__(
        self,
        kind: str,
        given: str | Iterable[str] | None = None,
        argv: str | Iterable[str | Iterable[str]] | None = None,
    ) -> None:
        what, arguments = _SETTINGS[kind]
        self._specs = _texts(config.get(what, given))
        self._argv = _for_each(config.get(arguments, argv or None), len(self._specs), arguments)
        self._loaded: list[tuple[str, ModuleType]] = []
        self._server: Any = None

    @property
    def wanted(self) -> bool:
        """Whether there are preloads."""
        return bool(self._specs)

    @property
    def loaded(self) -> bool:
        """Whether preloads were loaded."""
        return bool(self._loaded)

    async def start(self, server: Any) -> None:
        """Load all preloads and call their ``dask_setup``, in order.

        Raises
        ------
        ValueError
            If a preload cannot be loaded, or its setup fails. The message names it.
        """
        self._server = server
        for spec, argv in zip(self._specs, self._argv, strict=True):
            try:
                module = await _load(spec)
                # Noted before the setup, so that the teardown runs after a failed setup, too.
                self._loaded.append((spec, module))
                await _call(getattr(module, "dask_setup", None), server, argv)
            except asyncio.CancelledError:
                raise
            except (Exception, SystemExit) as error:
                raise ValueError(f"Preload {_short(spec)} failed: {type(error).__name__}: {error}") from error
            logger.info("Preloaded %s", _short(spec))

    async def close(self) -> None:
        """Call ``dask_teardown`` of all preloads, the last loaded first; log failures."""
        loaded, self._loaded = self._loaded, []
        for spec, module in reversed(loaded):
            try:
                async with asyncio.timeout(_TEARDOWN_TIMEOUT):
                    await _call(getattr(module, "dask_teardown", None), self._server, ())
            except (Exception, SystemExit):
                logger.exception("The teardown of preload %s failed", _short(spec))


def _texts(given: str | Iterable[str] | None) -> list[str]:
    if given is None:
        return []
    return [given] if isinstance(given, str) else [str(each) for each in given]


def _for_each(given: Any, count: int, setting: str) -> list[list[str]]:
    """Return the arguments of each preload."""
    if given is None or isinstance(given, str) or not any(isinstance(each, list | tuple) for each in given):
        return [_texts(given)] * count
    if len(given) != count:
        raise ValueError(f"{setting} has arguments for {len(given)} preloads, of which there are {count}")
    return [_texts(each) for each in given]


def _short(spec: str) -> str:
    return repr(spec if len(spec) <= 80 else f"{spec[:77]}...")


async def _load(spec: str) -> ModuleType:
    """Return the module of a preload: a name, a path, an address or code."""
    if spec.startswith(("http://", "https://")):
        return _execute(await asyncio.to_thread(_download, spec), spec)
    if "\n" not in spec and spec.endswith(".py"):
        return _from_file(Path(spec).expanduser().resolve())
    if _MODULE_NAME.fullmatch(spec):
        return importlib.import_module(spec)
    return _execute(spec, "<preload>")


def _download(address: str) -> str:
    # Hardly any process needs this module and its many imports.
    from urllib.request import urlopen

    with urlopen(address, timeout=_DOWNLOAD_TIMEOUT) as response:
        code: bytes = response.read()
    return code.decode()


def _from_file(path: Path) -> ModuleType:
    """Import a file under its own name, so that its functions can be pickled."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _execute(code: str, origin: str) -> ModuleType:
    module = ModuleType(f"dagrpc_preload_{uuid.uuid4().hex}")
    module.__file__ = origin
    sys.modules[module.__name__] = module
    exec(compile(code, origin, "exec"), module.__dict__)  # the operator's code
    return module


async def _call(function: Any, server: Any, argv: Sequence[str]) -> None:
    """Call a function of a preload; a click command gets the arguments."""
    if function is None:
        return
    if hasattr(function, "make_context"):
        context = function.make_context("dask_setup", list(argv), allow_extra_args=False)
        outcome = function.callback(server, *context.args, **context.params)
    else:
        outcome = function(server)
    if inspect.isawaitable(outcome):
        await outcome


def run_aside(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end on another thread, since this thread may have a running loop."""
    with ThreadPoolExecutor(1, thread_name_prefix="dagrpc-preload") as executor:
        executor.submit(asyncio.run, coroutine).result()
