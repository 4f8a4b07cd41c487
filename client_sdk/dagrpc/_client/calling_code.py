"""The source code that submitted a graph, for diagnostics."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import CodeType, FrameType

from dagrpc import config

_LONGEST = 20_000
"""Characters of one function at most."""


class CallingCode:
    """Returns the source of the user's functions on the call stack, of at most `frames` functions."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        # The configured modules are those of distributed, which do not include this package.
        self._modules = ("dagrpc", *config.get("diagnostics.computations.ignore-modules"))
        patterns = config.get("diagnostics.computations.ignore-files")
        self._files = re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None

    @classmethod
    def configured(cls) -> Callable[[], tuple[str, ...]] | None:
        """Return the configured `CallingCode`; None if the configuration turns it off."""
        frames = int(config.get("diagnostics.computations.nframes"))
        return cls(frames) if frames > 0 else None

    def __call__(self) -> tuple[str, ...]:
        """Return the source of the functions, the innermost call last."""
        found: list[str] = []
        for frame in _callers(sys._getframe(1)):
            if len(found) == self._frames:
                break
            if not self._is_ignored(frame):
                text = source_of(frame.f_code)
                if text:
                    found.append(text)
        return tuple(reversed(found))

    def _is_ignored(self, frame: FrameType) -> bool:
        module = frame.f_globals.get("__name__") or ""
        if module.split(".", 1)[0] in self._modules or any(module.startswith(f"{name}.") for name in self._modules):
            return True
        return self._files is not None and self._files.search(frame.f_code.co_filename) is not None


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


@lru_cache(1_000)
def source_of(code: CodeType) -> str:
    """Return the source of a function, module or cell; empty if it cannot be found."""
    try:
        if code.co_name == "<module>":
            return "".join(inspect.findsource(code)[0])[:_LONGEST]
        return inspect.getsource(code)[:_LONGEST]
    except (OSError, TypeError, IndexError, SyntaxError):
        # There is no file, or the file has changed.
        return ""
