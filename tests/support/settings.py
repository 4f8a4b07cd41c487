"""Settings for one test."""

from __future__ import annotations

import copy
from typing import Any

import dask
import pytest


def set_for_test(monkeypatch: pytest.MonkeyPatch, key: str, value: Any) -> None:
    """Set a setting below ``dagrpc`` until the test is over."""
    changed = {"dagrpc": copy.deepcopy(dask.config.config.get("dagrpc", {}))}
    dask.config.set({f"dagrpc.{key}": value}, config=changed)
    monkeypatch.setitem(dask.config.config, "dagrpc", changed["dagrpc"])
