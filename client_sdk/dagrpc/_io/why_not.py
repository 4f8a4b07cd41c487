"""Why there is no connection: looks at what answers at an address, to tell a wrong certificate from a dead host."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from dagrpc._io.credentials import Credentials
from dagrpc._util.addresses import split_address

_PATIENCE = 2.0
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"


async def why_not(address: str, credentials: Credentials | None) -> str:
    """Return what is wrong with the security on one of the two sides; empty if it is not that.

    Takes two seconds at most.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            if credentials is None or credentials.channel is None:
                return await _without_tls(address)
            return await _with_tls(address, credentials)
    except (OSError, TimeoutError, ValueError):
        return ""


async def _without_tls(address: str) -> str:
    host, port = split_address(address)
    # Nothing is sent over it. The default one reads all authorities of the system, for a tenth of a second.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLError:
        # Something else, or a proxy whose service is yet to start.
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
        return f"its certificate is not accepted: {error.verify_message}"
    except ssl.SSLEOFError:
        return ""
    except ssl.SSLError as error:
        if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
            return "it does not speak TLS, and this side wants it"
        return f"the TLS handshake failed: {error.reason}"
    refused = f"it does not accept the certificate of this {credentials.role}: of another authority, or out of date"
    try:
        # With TLS 1.3 the other side looks at our certificate after the handshake. gRPC says nothing then, it hangs up.
        writer.write(_HELLO)
        return "" if await reader.read(16) else refused
    except (ssl.SSLError, ConnectionResetError):
        return refused
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
