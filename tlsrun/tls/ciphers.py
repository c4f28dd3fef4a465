"""How this OpenSSL interprets a list of cipher suites."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from tlsrun.certificates.names import words_of
from tlsrun.tls.policy import Policy


def cipher_facts(ciphers: str | None) -> dict[str, Any]:
    """``ciphers_usable``: False if OpenSSL has none of them; ``weak_cipher``: one that is not safe. Empty without a
    list.

    Arguments:
        ciphers: a list for TLS 1.2 in OpenSSL's notation (ciphers(1)).
    """
    if ciphers is None:
        return {}
    suites = _suites(ciphers)
    if suites is None:
        return {"ciphers_usable": False}
    return {"weak_cipher": next((suite["name"] for suite in suites if not _is_safe(suite)), None)}


#: Kind of key -> ``auth`` in OpenSSL's description of a TLS 1.2 suite (RFC 8422, section 5.1.1); ML-DSA has none.
_AUTHENTICATION = {
    "RSA": "auth-rsa",
    "ECDSA": "auth-ecdsa",
    "Ed25519": "auth-ecdsa",
    "Ed448": "auth-ecdsa",
    "RSASSA-PSS": "auth-rsa",
}


def nothing_in_common(names: Sequence[str], kind: str, policy: Policy) -> tuple[str, str] | None:
    """Why TLS 1.2 clients, or all clients if nothing newer is spoken, cannot connect with a kind of key, and what to
    do.

    Arguments:
        names: the names in its certificate.
        kind: the kind of key, as in `Identity.key_type`.

    Returns:
        None if they can connect, or TLS 1.2 is not spoken.
    """
    wanted = _AUTHENTICATION.get(kind.partition(" ")[0])
    if policy.min_version != "1.2" or (wanted is None and policy.max_version != "1.2"):
        return None
    suites = _suites(policy.ciphers)
    if not suites or any(suite["auth"] in (wanted, "auth-any") for suite in suites):
        return None
    who = "clients can connect" if policy.max_version == "1.2" else "clients of TLS 1.2 can connect"
    what = f"no suite of {policy.ciphers!r} works with a key of the kind {kind} "
    what += f"(the certificate for {words_of(names, 3)}): no {who}"
    if wanted is None:
        return what, "Leave TLS_MAX_VERSION (--max-version) out: no suite of TLS 1.2 works with it"
    adding = f"Add suites for it, as ECDHE-{wanted[5:].upper()}-AES128-GCM-SHA256"
    return what, f"{adding}, or leave TLS_CIPHERS (--ciphers) out"


def _suites(ciphers: str) -> list[Mapping[str, Any]] | None:
    """The TLS 1.2 suites in a list; None if OpenSSL does not accept it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError:
        return None
    return [suite for suite in context.get_ciphers() if suite["protocol"] != "TLSv1.3"]


def _is_safe(suite: Mapping[str, Any]) -> bool:
    """Whether it has forward secrecy and authenticated encryption, as RFC 9325, section 4.2, requires."""
    return bool(suite["aead"]) and suite["kea"] in ("kx-ecdhe", "kx-dhe") and suite["auth"] != "auth-null"
