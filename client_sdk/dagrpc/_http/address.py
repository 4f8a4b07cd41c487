"""Where an HTTP port listens, as users write it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpAddress:
    """A host and a port to listen on."""

    host: str
    port: int


def http_address(text: str | int | None, default_host: str = "127.0.0.1", default_port: int = 0) -> HttpAddress:
    """Return the place that an option such as ``--dashboard-address`` names.

    Parameters
    ----------
    text : str, int or None
        ``":8787"``, ``"8787"``, ``8787``, ``"host:8787"``, ``"host"``, ``"[::1]:8787"``; port 0 is a free one. None or
        an empty text: the defaults.
    default_host : str
        Host if the text names none. Services bind to loopback unless told otherwise.
    default_port : int
        Port if the text names none.

    Raises
    ------
    ValueError
        If the text is not an address; the message shows it.

    Examples
    --------
    >>> http_address(":8787")
    HttpAddress(host='127.0.0.1', port=8787)
    >>> http_address("[::1]:0")
    HttpAddress(host='::1', port=0)
    """
    if text is None or text == "":
        return HttpAddress(default_host, default_port)
    value = str(text).removeprefix("http://").removeprefix("https://").removeprefix("tcp://").rstrip("/")
    host, port = _split(value)
    try:
        number = int(port) if port else default_port
    except ValueError:
        number = -1
    if not 0 <= number <= 65535:
        raise ValueError(f"dashboard address {text!r}: {port!r} is not a port; write host:port, :port or port")
    return HttpAddress(host or default_host, number)


def path_prefix(text: str) -> str:
    """Return a path in front of pages in the one form that links and routes can put before a path.

    Examples
    --------
    >>> path_prefix("clusters/one/"), path_prefix("/")
    ('/clusters/one', '')
    """
    inner = text.strip("/")
    return f"/{inner}" if inner else ""


def _split(value: str) -> tuple[str, str]:
    if value.startswith("["):
        host, _, rest = value[1:].partition("]")
        return host, rest.removeprefix(":")
    if value.isdigit():
        return "", value
    if value.count(":") > 1:
        # An IPv6 address without brackets has no port.
        return value, ""
    host, _, port = value.partition(":")
    return host, port
