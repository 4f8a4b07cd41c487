"""Every channel and server option, from one table, so that the two sides cannot disagree."""

from __future__ import annotations

from typing import TypeAlias

from dagrpc import config

Options: TypeAlias = list[tuple[str, int | str]]

CONTROL_MESSAGE_LIMIT = 64 * 2**20
"""Largest message on a control connection, in bytes. Sessions stay far below by sending fragments; it bounds what one
call of `run` can return."""
DATA_MESSAGE_LIMIT = 4 * 2**20
"""Largest message on a data connection, in bytes. A chunk is at most 2 MiB."""

# Pings are answered by gRPC's own threads, without the GIL: they find dead hosts and networks, not busy programs.
_KEEPALIVE: Options = [
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]
# Cluster-internal traffic must not go to the proxy that the environment names for the web.
_CHANNEL: Options = [
    *_KEEPALIVE,
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # What an attempt to connect may take, whatever its name says: more than a host that is slow or far away needs.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.dns_min_time_between_resolutions_ms", 2_000),
]

CONTROL_CHANNEL: Options = [
    *_CHANNEL,
    ("grpc.max_receive_message_length", CONTROL_MESSAGE_LIMIT),
    ("grpc.max_send_message_length", CONTROL_MESSAGE_LIMIT),
    # A connection of its own: subchannels are otherwise shared by all channels of a process to one target.
    ("grpc.use_local_subchannel_pool", 1),
]
DATA_CHANNEL: Options = [
    *_CHANNEL,
    ("grpc.max_receive_message_length", DATA_MESSAGE_LIMIT),
    ("grpc.max_send_message_length", DATA_MESSAGE_LIMIT),
    # Bulk data must not share a connection with control messages.
    ("grpc.use_local_subchannel_pool", 1),
]
SERVER: Options = [
    *_KEEPALIVE,
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 100),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.max_receive_message_length", CONTROL_MESSAGE_LIMIT),
    ("grpc.max_send_message_length", CONTROL_MESSAGE_LIMIT),
    # Without this two servers bind one port and the kernel shares the connections out between them.
    ("grpc.so_reuseport", 0),
]

_LEAST_MESSAGE_LIMIT = 4 * 2**20


def message_limit() -> int:
    """Return the size of the largest message on a control connection, as configured.

    Raises
    ------
    ValueError
        If it is less than what sessions and transfers need.
    """
    limit = config.get_bytes("comm.limits.message-size")
    if limit < _LEAST_MESSAGE_LIMIT:
        raise ValueError(f"comm.limits.message-size must be at least {_LEAST_MESSAGE_LIMIT} bytes, not {limit}")
    return limit


def sized(given: Options) -> Options:
    """Return options with the limit of messages that is configured, where they have the usual one."""
    limit = message_limit()
    return [(name, limit if value == CONTROL_MESSAGE_LIMIT else value) for name, value in given]


def server_options() -> Options:
    """Return the options of servers, as configured."""
    metadata = config.get_bytes("comm.limits.metadata-size")
    return [
        *sized(SERVER),
        *keepalive(),
        # The lower of the two refuses some calls at random, to be noticed.
        ("grpc.max_metadata_size", metadata),
        ("grpc.absolute_max_metadata_size", metadata),
    ]


def keepalive() -> Options:
    """Return how a connection is found out that is dead although nobody said so, within `comm.timeouts.tcp` seconds.

    After half of that without data a ping is sent, and an answer to it waited for as long. (gRPC gives a ping a minute
    unless it is told otherwise; the time for keepalive alone changes nothing.)
    """
    half = int((config.get_seconds("comm.timeouts.tcp") or 30.0) * 500)
    names = ("grpc.keepalive_time_ms", "grpc.keepalive_timeout_ms", "grpc.http2.ping_timeout_ms")
    return [(name, half) for name in names]
