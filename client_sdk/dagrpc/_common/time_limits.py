"""Limits of procedures that several processes wait for, in seconds."""

from __future__ import annotations

from typing import Final

RETIRE_LIMIT: Final = 600.0
"""For the tasks of a retiring worker to end and its results to move."""

PLUGIN_SETUP_LIMIT: Final = 3600.0
"""For a plugin to be set up: some plugins install software."""
