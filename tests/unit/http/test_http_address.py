"""Addresses of HTTP ports, as users write them."""

from __future__ import annotations

import pytest

from dagrpc._http.address import HttpAddress, http_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ("127.0.0.1", 0)),
        ("", ("127.0.0.1", 0)),
        (8787, ("127.0.0.1", 8787)),
        ("8787", ("127.0.0.1", 8787)),
        (":8787", ("127.0.0.1", 8787)),
        (":0", ("127.0.0.1", 0)),
        ("0.0.0.0:8787", ("0.0.0.0", 8787)),
        ("localhost", ("localhost", 0)),
        ("http://localhost:8787/", ("localhost", 8787)),
        ("[::1]:8787", ("::1", 8787)),
        ("[::1]", ("::1", 0)),
        ("::1", ("::1", 0)),
    ],
)
def test_addresses(text: str | int | None, expected: tuple[str, int]) -> None:
    assert http_address(text) == HttpAddress(*expected)


def test_missing_parts_have_the_default() -> None:
    assert http_address("other", "host", 1234) == HttpAddress("other", 1234)
    assert http_address(":5", "host", 1234) == HttpAddress("host", 5)


@pytest.mark.parametrize("text", [":http", "host:65536", "host:-1", "[::1]:x"])
def test_an_invalid_port_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a port; write host:port"):
        http_address(text)
