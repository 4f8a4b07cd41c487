"""Addresses as users write them."""

from __future__ import annotations

import pytest

from dagrpc._common.addresses import listening_place, parse_address


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("127.0.0.1", "127.0.0.1:8786"),
        ("node7:9000", "node7:9000"),
        ("tcp://node_7.example-cluster.svc:9000/", "node_7.example-cluster.svc:9000"),
        ("tls://[::1]:9000", "[::1]:9000"),
        ("fe80::1%eth0", "[fe80::1%eth0]:8786"),
        ("bücher.example", "bücher.example:8786"),
    ],
)
def test_forms_of_addresses(written: str, meant: str) -> None:
    assert parse_address(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "",
        "tcp://",
        ":8786",
        "http://host",
        "host:port",
        "host:65536",
        "../../etc/passwd",
        "a host",
        "\0",
        "{",
        "a@b",
        "a,b",
    ],
)
def test_an_invalid_address_is_named(written: str) -> None:
    with pytest.raises(ValueError, match=r"Address .* (names no host|has scheme|has port)"):
        parse_address(written)


@pytest.mark.parametrize(
    ("host", "port", "place"),
    [
        ("127.0.0.1", None, ("127.0.0.1", None)),
        ("node7", 9000, ("node7", 9000)),
        ("tcp://127.0.0.1", None, ("127.0.0.1", None)),
        ("tls://127.0.0.1:9000", None, ("127.0.0.1", 9000)),
        ("127.0.0.1:9000", None, ("127.0.0.1", 9000)),
        ("::1", 9000, ("::1", 9000)),
        ("[::1]:9000", None, ("::1", 9000)),
        ("tcp://:9000", None, ("0.0.0.0", 9000)),
        ("0.0.0.0", 0, ("0.0.0.0", 0)),
    ],
)
def test_where_to_listen(host: str, port: int | None, place: tuple[str, int | None]) -> None:
    assert listening_place(host, port) == place


@pytest.mark.parametrize(
    ("host", "port"), [("tcp://127.0.0.1:9000", 9001), ("http://127.0.0.1", None), ("a host", None), ("a:b", None)]
)
def test_impossible_places_to_listen(host: str, port: int | None) -> None:
    with pytest.raises(ValueError, match=r"named twice|scheme 'http'|is not a host|a port is a number"):
        listening_place(host, port)
