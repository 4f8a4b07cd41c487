"""TLS of HTTP ports, by the settings ``scheduler.dashboard.tls.*``."""

from __future__ import annotations

import ssl

from dagrpc import config


def tls_context() -> ssl.SSLContext | None:
    """Return what HTTPS needs; None if no certificate is configured.

    With ``scheduler.dashboard.tls.ca-file``, viewers have to show a certificate of that authority.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If there is a key without a certificate.
    """
    certificate, key = config.get("scheduler.dashboard.tls.cert"), config.get("scheduler.dashboard.tls.key")
    authority = config.get("scheduler.dashboard.tls.ca-file")
    if not certificate:
        if key or authority:
            raise ValueError("scheduler.dashboard.tls.cert is missing: a key or an authority alone makes no HTTPS port")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key or None)
    if authority:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
