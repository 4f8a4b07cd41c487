"""The code that a call came from, for people who wonder what submitted a graph."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import CodeType, FrameType

from dagrpc import config

_LONGEST = 20_000
"""Characters of a function that are told."""


class CallingCode:
    """Returns the code of the functions that a call came from, passing over what is not the user's.

    Parameters
    ----------
    frames : int
        How many functions at most.
    """

    def __init__(self, frames: int) -> None:
        self._frames = frames
        # Those of the real distributed do not name this package.
        self._modules = ("dagrpc", *config.get("diagnostics.computations.ignore-modules"))
        patterns = config.get("diagnostics.computations.ignore-files")
        self._files = re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None

    @classmethod
    def configured(cls) -> Callable[[], tuple[str, ...]] | None:
        """Return what the configuration asks for; None if nothing."""
        frames = int(config.get("diagnostics.computations.nframes"))
        return cls(frames) if frames > 0 else None

    def __call__(self) -> tuple[str, ...]:
        """Return the source of the functions, that of the innermost call last."""
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
    """Return the source of a function, module or cell; empty if it is not to be had."""
    try:
        if code.co_name == "<module>":
            return "".join(inspect.findsource(code)[0])[:_LONGEST]
        return inspect.getsource(code)[:_LONGEST]
    except (OSError, TypeError, IndexError, SyntaxError):
        # No file, or not the one that the code was made from.
        return ""
