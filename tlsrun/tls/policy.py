"""TLS versions, cipher suites and groups: Mozilla's guideline 6.0, and what overrides it."""

from __future__ import annotations

from dataclasses import dataclass

PROFILES = ("modern", "intermediate")
VERSIONS = ("1.2", "1.3")
CLIENT_AUTH_MODES = ("none", "optional", "required")

#: HTTP version -> its ALPN name (RFC 7301; RFC 9113, section 3.1; RFC 9114, section 3.1), the newest first.
HTTP_VERSIONS = {"3": "h3", "2": "h2", "1.1": "http/1.1"}

#: TLS 1.2 suites of the intermediate profile (wiki.mozilla.org/Security/Server_Side_TLS, guideline 6.0), with their
#: numbers (IANA, TLS Cipher Suites).
INTERMEDIATE_CIPHERS = {
    "ECDHE-ECDSA-AES128-GCM-SHA256": 0xC02B,
    "ECDHE-RSA-AES128-GCM-SHA256": 0xC02F,
    "ECDHE-ECDSA-AES256-GCM-SHA384": 0xC02C,
    "ECDHE-RSA-AES256-GCM-SHA384": 0xC030,
    "ECDHE-ECDSA-CHACHA20-POLY1305": 0xCCA9,
    "ECDHE-RSA-CHACHA20-POLY1305": 0xCCA8,
}

#: Key exchange groups of both profiles (the same guideline). The first one needs OpenSSL 3.5.
MOZILLA_GROUPS = ("X25519MLKEM768", "X25519", "prime256v1", "secp384r1")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is offered to all clients of an endpoint.

    Arguments:
        min_version: "1.2" or "1.3".
        max_version: "1.2" or "1.3"; None for the newest.
        ciphers: the TLS 1.2 cipher list in OpenSSL's notation (ciphers(1)); TLS 1.3's suites are fixed.
        groups: key exchange groups in order of preference; empty for the profile's if this Python can set a list,
            otherwise for OpenSSL's own.
        alpn: protocol names for ALPN (RFC 7301), in order of preference.
    """

    min_version: str = "1.2"
    max_version: str | None = None
    ciphers: str = ":".join(INTERMEDIATE_CIPHERS)
    groups: tuple[str, ...] = ()
    alpn: tuple[str, ...] = ("http/1.1",)

    @property
    def versions(self) -> tuple[str, ...]:
        """The TLS versions that are spoken, the oldest first."""
        return tuple(one for one in VERSIONS if self.min_version <= one <= (self.max_version or VERSIONS[-1]))
