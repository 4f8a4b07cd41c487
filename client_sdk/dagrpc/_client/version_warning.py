"""Warns if client, scheduler and workers run different versions of something that matters."""

from __future__ import annotations

import warnings

from dagrpc._common.versions import differences, mismatch_message, own_versions
from dagrpc.exceptions import VersionMismatchWarning
from dagrpc.v1 import client_session_pb2, common_pb2

_COMPARED = ("python", "dask", "dagrpc")
_FRAMES = 5
"""Frames from the warning to the user's call of `Client`."""


def warn_of_versions(welcome: client_session_pb2.ClientWelcome) -> None:
    """Warn if versions of the scheduler or of workers, as named in the welcome, differ from the client's."""
    own = own_versions()
    found: dict[str, dict[str, str | None]] = {
        "client": {name: own[name] for name in _COMPARED},
        "scheduler": _of(welcome.versions),
    }
    for number, versions in enumerate(welcome.worker_versions, 1):
        name = "workers" if len(welcome.worker_versions) == 1 else f"workers ({number})"
        found[name] = _of(versions)
    wrong = differences(found)
    if wrong:
        warnings.warn(mismatch_message(wrong), VersionMismatchWarning, stacklevel=_FRAMES)


def _of(versions: common_pb2.Versions) -> dict[str, str | None]:
    return {name: getattr(versions, name) for name in _COMPARED}
