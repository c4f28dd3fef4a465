"""What this OpenSSL makes of a list of cipher suites."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from tlsrun.tls.policy import Policy


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


#: What a key is called in OpenSSL's description of a suite of TLS 1.2 (RFC 8422, section 5.1.1); ML-DSA has none.
_AUTHENTICATION = {
    "RSA": "auth-rsa",
    "ECDSA": "auth-ecdsa",
    "Ed25519": "auth-ecdsa",
    "Ed448": "auth-ecdsa",
    "RSASSA-PSS": "auth-rsa",
}


def nothing_in_common(names: Sequence[str], kind: str, policy: Policy) -> tuple[str, str] | None:
    """Why clients of TLS 1.2, or all where nothing newer is spoken, cannot shake hands with a key, and what to do.

    Arguments:
        names: of its certificate.
        kind: as `Identity.key_type` has it.

    Returns:
        None when they can, or no TLS 1.2 is spoken.
    """
    wanted = _AUTHENTICATION.get(kind.partition(" ")[0])
    if policy.min_version != "1.2" or (wanted is None and policy.max_version != "1.2"):
        return None
    suites = _suites(policy.ciphers)
    if not suites or any(suite["auth"] in (wanted, "auth-any") for suite in suites):
        return None
    who = "clients can connect" if policy.max_version == "1.2" else "clients of TLS 1.2 can connect"
    what = f"no suite of {policy.ciphers!r} works with a key of the kind {kind} "
    what += f"(the certificate for {', '.join(names[:3]) or 'no name'}): no {who}"
    if wanted is None:
        return what, "Leave TLS_MAX_VERSION (--max-version) out: no suite of TLS 1.2 works with it"
    adding = f"Add suites for it, as ECDHE-{wanted[5:].upper()}-AES128-GCM-SHA256"
    return what, f"{adding}, or leave TLS_CIPHERS (--ciphers) out"


def _suites(ciphers: str) -> list[Mapping[str, Any]]:
    """The TLS 1.2 suites of a list; none when OpenSSL does not take it, which is said elsewhere."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError:
        return []
    return [suite for suite in context.get_ciphers() if suite["protocol"] != "TLSv1.3"]


def _is_safe(suite: Mapping[str, Any]) -> bool:
    """Forward secrecy and authenticated encryption, as RFC 9325, section 4.2, asks."""
    if suite["protocol"] == "TLSv1.3":
        return True
    return bool(suite["aead"]) and suite["kea"] in ("kx-ecdhe", "kx-dhe") and suite["auth"] != "auth-null"
