"""Environment variables for workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagrpc.plugins.base import NannyPlugin


class Environ(NannyPlugin):
    """Sets environment variables of workers, and restarts them so that the variables precede all imports.

    Parameters
    ----------
    environ : mapping, optional
        The variables. Values are converted to texts.

    Examples
    --------
    >>> import os
    >>> with LocalCluster(n_workers=1) as cluster, Client(cluster) as client:
    ...     outcome = client.register_plugin(Environ({"OMP_NUM_THREADS": 4}))
    ...     client.submit(os.getenv, "OMP_NUM_THREADS").result()
    '4'
    """

    restart = True

    def __init__(self, environ: Mapping[str, Any] | None = None) -> None:
        self.environ = {str(name): str(value) for name, value in (environ or {}).items()}

    def setup(self, nanny: Any) -> None:
        """Set the variables for later worker processes."""
        nanny.env.update(self.environ)
