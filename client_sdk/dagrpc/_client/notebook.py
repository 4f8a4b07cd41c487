"""Notebooks: whether the program runs in one, and areas of HTML that can be updated."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any, Protocol


class Display(Protocol):
    """An area that shows HTML."""

    def update(self, content: str) -> None:
        """Show other content. May be called from any thread."""


class _Widget:
    """An area of ipywidgets."""

    def __init__(self, content: str) -> None:
        self._widget: Any = importlib.import_module("ipywidgets").HTML(content)
        importlib.import_module("IPython.display").display(self._widget)

    def update(self, content: str) -> None:
        self._widget.value = content


class _Handle:
    """An area of IPython itself."""

    def __init__(self, content: str) -> None:
        self._display: Any = importlib.import_module("IPython.display")
        self._handle = self._display.display(self._display.HTML(content), display_id=True)

    def update(self, content: str) -> None:
        if self._handle is not None:
            self._handle.update(self._display.HTML(content))


def is_here() -> bool:
    """Return whether the program runs in a notebook."""
    # Looked up rather than imported: a notebook has imported IPython.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None


def show(content: str) -> Display:
    """Show HTML and return the area."""
    return _Widget(content) if importlib.util.find_spec("ipywidgets") is not None else _Handle(content)
