"""The cause of a failed connection, from the answers at its address.

`why_not` finds causes that do not pass, such as a wrong certificate, so that no caller waits for them. `what_answers`
describes the other causes for the error after a timeout.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

from dagrpc._auth.credentials import Credentials
from dagrpc._common.addresses import split_address

_PATIENCE = 2.0
_SETTINGS = b"\x04"
"""The type of the first frame of an HTTP/2 server."""
_OTHER_NAME = (62, 64)
"""OpenSSL's codes for a certificate of another host name or IP address."""
_REMEDY = (
    "; if it belongs to this cluster all the same, say what name it has: "
    "Security(..., extra_conn_args={'server_hostname': name}), or the setting comm.tls.server-name"
)
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"


async def why_not(address: str, credentials: Credentials | None) -> str:
    """Return why the two sides cannot agree on TLS; empty if TLS is not the cause. Takes at most two seconds."""
    try:
        async with asyncio.timeout(_PATIENCE):
            if credentials is None or credentials.channel is None:
                return await _without_tls(address)
            return await _with_tls(address, credentials)
    except (OSError, TimeoutError, ValueError):
        return ""


async def what_answers(address: str, service: str) -> str:
    """Return a description of the server at an address where no service answered. Takes at most two seconds."""
    try:
        async with asyncio.timeout(_PATIENCE):
            host, port = split_address(address)
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(_HELLO)
                found = await reader.read(16)
            finally:
                writer.close()
    except socket.gaierror as error:
        return f"the name {host!r} does not resolve ({error.strerror})"
    except ConnectionRefusedError:
        return f"no dagrpc {service} answers there: nothing listens at this port"
    except TimeoutError:
        return f"no dagrpc {service} answers there: it stays silent"
    except (OSError, ValueError) as error:
        return f"no dagrpc {service} answers there ({error})"
    if found[3:4] == _SETTINGS:
        return f"no dagrpc {service} answers there, but another server that speaks HTTP/2, or one that wants TLS"
    if found:
        kind = "HTTP, " if found.startswith(b"HTTP/") else ""
        return f"no dagrpc {service} answers there, but a server of another kind ({kind}no gRPC)"
    return f"no dagrpc {service} answers there: whatever listens at this port hangs up"


async def _without_tls(address: str) -> str:
    host, port = split_address(address)
    # No verification is needed: no data is sent. The default context reads all authorities, which takes 0.1 s.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLError:
        # Another kind of server, or a proxy whose service has not started.
        return ""
    writer.close()
    return "it wants TLS, and this side has no certificate: give security=, or set comm.tls"


async def _with_tls(address: str, credentials: Credentials) -> str:
    host, port = split_address(address)
    security = credentials.security
    context = security.get_connection_args(credentials.role)["ssl_context"]
    context.check_hostname = True
    context.set_alpn_protocols(["h2"])
    try:
        reader, writer = await asyncio.open_connection(
            host, port, ssl=context, server_hostname=security.server_name or host
        )
    except ssl.SSLCertVerificationError as error:
        remedy = _REMEDY if error.verify_code in _OTHER_NAME else ""
        return f"its certificate is not accepted: {error.verify_message.rstrip('.')}{remedy}"
    except ssl.SSLEOFError:
        return ""
    except ssl.SSLError as error:
        if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
            return "it does not speak TLS, and this side wants it"
        return f"the TLS handshake failed: {error.reason}"
    refused = f"it does not accept the certificate of this {credentials.role}: of another authority, or out of date"
    try:
        # With TLS 1.3 the server checks this side's certificate after the handshake; gRPC closes the connection then.
        writer.write(_HELLO)
        return "" if await reader.read(16) else refused
    except (ssl.SSLError, ConnectionResetError):
        return refused
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
