"""The check that a peer speaks the scheduler's protocol."""

from __future__ import annotations

from dagrpc._common.versions import PROTOCOL_MAX, PROTOCOL_MIN, own_versions
from dagrpc.exceptions import VersionUnsupportedError
from dagrpc.v1 import common_pb2


def check_versions(versions: common_pb2.Versions, who: str) -> None:
    """Raise `VersionUnsupportedError`, naming both ranges, unless a peer shares a protocol revision."""
    if versions.protocol_max < PROTOCOL_MIN or versions.protocol_min > PROTOCOL_MAX:
        own = own_versions()
        raise VersionUnsupportedError(
            f"{who} (dagrpc {versions.dagrpc or 'unknown'}) speaks protocol revisions {versions.protocol_min} to "
            f"{versions.protocol_max}; this scheduler (dagrpc {own['dagrpc']}) speaks {PROTOCOL_MIN} to {PROTOCOL_MAX}"
        )
