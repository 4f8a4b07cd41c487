"""The options of all channels and servers, in one module, so that both sides of a connection agree."""

from __future__ import annotations

from typing import TypeAlias

from dagrpc import config

Options: TypeAlias = list[tuple[str, int | str]]

CONTROL_MESSAGE_LIMIT = 64 * 2**20
"""Largest message on a control connection, in bytes. Messages of sessions are far smaller, since large ones are sent in
fragments; the limit bounds the result of a call of `run`."""
DATA_MESSAGE_LIMIT = 4 * 2**20
"""Largest message on a data connection, in bytes. A chunk is at most 2 MiB."""

# gRPC answers pings from its own threads, without the GIL. They detect dead hosts and networks, not busy programs.
_KEEPALIVE: Options = [
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]
# Traffic inside the cluster must not go to the HTTP proxy that the environment names.
_CHANNEL: Options = [
    *_KEEPALIVE,
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Despite its name, this option is also the timeout of an attempt to connect. Slow and distant hosts need less.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.dns_min_time_between_resolutions_ms", 2_000),
]

CONTROL_CHANNEL: Options = [
    *_CHANNEL,
    ("grpc.max_receive_message_length", CONTROL_MESSAGE_LIMIT),
    ("grpc.max_send_message_length", CONTROL_MESSAGE_LIMIT),
    # Gives the channel its own connection. By default all channels of a process to one target share a subchannel.
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
    # Otherwise two servers can bind the same port, and the kernel distributes connections between them.
    ("grpc.so_reuseport", 0),
]

_LEAST_MESSAGE_LIMIT = 4 * 2**20


def message_limit() -> int:
    """Return the configured size limit of messages on control connections; ValueError if it is too low."""
    limit = config.get_bytes("comm.limits.message-size")
    if limit < _LEAST_MESSAGE_LIMIT:
        raise ValueError(f"comm.limits.message-size must be at least {_LEAST_MESSAGE_LIMIT} bytes, not {limit}")
    return limit


def sized(given: Options) -> Options:
    """Return options in which the configured size limit of messages replaces the default limit."""
    limit = message_limit()
    return [(name, limit if value == CONTROL_MESSAGE_LIMIT else value) for name, value in given]


def server_options() -> Options:
    """Return the options of servers, with the configured limits."""
    metadata = config.get_bytes("comm.limits.metadata-size")
    return [
        *sized(SERVER),
        *keepalive(),
        # Between the two limits gRPC refuses calls at random, so both have the same value.
        ("grpc.max_metadata_size", metadata),
        ("grpc.absolute_max_metadata_size", metadata),
    ]


def keepalive() -> Options:
    """Return the options that detect silently dead connections within `comm.timeouts.tcp` seconds.

    gRPC sends a ping after half of this time without data, and waits for the answer during the other half. The ping
    timeout must be set as well: it is one minute by default, and the keepalive timeout alone has no effect.
    """
    half = int((config.get_seconds("comm.timeouts.tcp") or 30.0) * 500)
    names = ("grpc.keepalive_time_ms", "grpc.keepalive_timeout_ms", "grpc.http2.ping_timeout_ms")
    return [(name, half) for name in names]
