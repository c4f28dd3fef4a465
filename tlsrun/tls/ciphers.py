"""What this OpenSSL makes of a list of cipher suites."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any


def cipher_facts(ciphers: str | None) -> dict[str, Any]:
    """``ciphers_usable``, whether it has one of them, and ``weak_cipher``, one that is not safe; empty without a list.

    Arguments:
        ciphers: a list for TLS 1.2, as OpenSSL writes it (ciphers(1)).
    """
    if ciphers is None:
        return {}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError:
        return {"ciphers_usable": False}
    weak = (suite["name"] for suite in context.get_ciphers() if not _is_safe(suite))
    return {"weak_cipher": next(weak, None)}


def _is_safe(suite: Mapping[str, Any]) -> bool:
    """Forward secrecy and authenticated encryption, as RFC 9325, section 4.2, asks."""
    if suite["protocol"] == "TLSv1.3":
        return True
    return bool(suite["aead"]) and suite["kea"] in ("kx-ecdhe", "kx-dhe") and suite["auth"] != "auth-null"
