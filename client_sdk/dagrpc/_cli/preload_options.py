"""Arguments of commands that belong to preloads."""

from __future__ import annotations

from collections.abc import Sequence

import click


def check_preload_argv(preload: Sequence[str], argv: Sequence[str], kind: str) -> None:
    """Raise UsageError for arguments without a preload, which are most likely misspelt flags."""
    from dagrpc import config

    if argv and not preload and not config.get(f"{kind}.preload"):
        if argv[0].startswith("-"):
            raise click.UsageError(f"No such option: {argv[0]}")
        raise click.UsageError(f"Got unexpected extra argument ({argv[0]})")
