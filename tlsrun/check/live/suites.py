"""Cipher suites up to TLS 1.2 by number (IANA, TLS Cipher Suites), grouped by their faults."""

from __future__ import annotations

from collections.abc import Mapping

from tlsrun.tls.policy import INTERMEDIATE_CIPHERS

#: The suites of Mozilla's intermediate profile (guideline 6.0).
GOOD: Mapping[int, str] = {number: name for name, number in INTERMEDIATE_CIPHERS.items()}

#: Sound, but not in the profile.
OTHER: Mapping[int, str] = {
    0x009E: "DHE-RSA-AES128-GCM-SHA256",
    0x009F: "DHE-RSA-AES256-GCM-SHA384",
    0xCCAA: "DHE-RSA-CHACHA20-POLY1305",
    0xC09E: "DHE-RSA-AES128-CCM",
    0xC0AC: "ECDHE-ECDSA-AES128-CCM",
    0xC0AD: "ECDHE-ECDSA-AES256-CCM",
    0xC05C: "ECDHE-ECDSA-ARIA128-GCM-SHA256",
    0xC060: "ECDHE-ARIA128-GCM-SHA256",
}

_OPEN: Mapping[int, str] = {
    0x0000: "NULL-NULL",
    0x0001: "NULL-MD5",
    0x0002: "NULL-SHA",
    0x003B: "NULL-SHA256",
    0xC006: "ECDHE-ECDSA-NULL-SHA",
    0xC010: "ECDHE-RSA-NULL-SHA",
    0x0003: "EXP-RC4-MD5",
    0x0008: "EXP-DES-CBC-SHA",
    0x0014: "EXP-DHE-RSA-DES-CBC-SHA",
    0x0034: "ADH-AES128-SHA",
    0x003A: "ADH-AES256-SHA",
    0x006C: "ADH-AES128-SHA256",
    0x00A6: "ADH-AES128-GCM-SHA256",
    0x00A7: "ADH-AES256-GCM-SHA384",
    0xC018: "AECDH-AES128-SHA",
    0xC019: "AECDH-AES256-SHA",
}
_RC4: Mapping[int, str] = {
    0x0004: "RC4-MD5", 0x0005: "RC4-SHA", 0xC007: "ECDHE-ECDSA-RC4-SHA", 0xC011: "ECDHE-RSA-RC4-SHA",
}  # fmt: skip
_TRIPLE_DES: Mapping[int, str] = {
    0x000A: "DES-CBC3-SHA",
    0x0016: "DHE-RSA-DES-CBC3-SHA",
    0xC008: "ECDHE-ECDSA-DES-CBC3-SHA",
    0xC012: "ECDHE-RSA-DES-CBC3-SHA",
}
_STATIC: Mapping[int, str] = {
    0x009C: "AES128-GCM-SHA256",
    0x009D: "AES256-GCM-SHA384",
    0xC09C: "AES128-CCM",
    0xC09D: "AES256-CCM",
    0x002F: "AES128-SHA",
    0x0035: "AES256-SHA",
    0x003C: "AES128-SHA256",
    0x003D: "AES256-SHA256",
    0x0041: "CAMELLIA128-SHA",
    0x0084: "CAMELLIA256-SHA",
    0x0096: "SEED-SHA",
    0x0007: "IDEA-CBC-SHA",
}
_CBC: Mapping[int, str] = {
    0xC009: "ECDHE-ECDSA-AES128-SHA",
    0xC00A: "ECDHE-ECDSA-AES256-SHA",
    0xC013: "ECDHE-RSA-AES128-SHA",
    0xC014: "ECDHE-RSA-AES256-SHA",
    0xC023: "ECDHE-ECDSA-AES128-SHA256",
    0xC024: "ECDHE-ECDSA-AES256-SHA384",
    0xC027: "ECDHE-RSA-AES128-SHA256",
    0xC028: "ECDHE-RSA-AES256-SHA384",
    0x0033: "DHE-RSA-AES128-SHA",
    0x0039: "DHE-RSA-AES256-SHA",
    0x0067: "DHE-RSA-AES128-SHA256",
    0x006B: "DHE-RSA-AES256-SHA256",
    0xC072: "ECDHE-ECDSA-CAMELLIA128-SHA256",
    0xC076: "ECDHE-RSA-CAMELLIA128-SHA256",
}

#: Fault -> the suites, the worst first.
WEAK: Mapping[str, Mapping[int, str]] = {
    "no encryption or no authentication": _OPEN,
    "RC4": _RC4,
    "3DES": _TRIPLE_DES,
    "no forward secrecy": _STATIC,
    "CBC": _CBC,
}

#: Suites to offer with old versions of TLS.
FOR_OLD_VERSIONS: tuple[int, ...] = (*_CBC, *_STATIC, *_TRIPLE_DES, *_RC4)

NAMES: Mapping[int, str] = {number: name for group in (GOOD, OTHER, *WEAK.values()) for number, name in group.items()}
