"""What each kind of value takes and refuses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tlsrun.settings import kinds


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (kinds.integer(0, 65535), "8443", 8443),
        (kinds.integer(0, 65535), 443, 443),
        (kinds.SECONDS, "2.5", 2.5),
        (kinds.SECONDS, "10s", 10.0),
        (kinds.SECONDS, 3, 3.0),
        (kinds.BOOLEAN, "yes", True),
        (kinds.BOOLEAN, "off", False),
        (kinds.BOOLEAN, True, True),
        (kinds.VERSION, 1.2, "1.2"),
        (kinds.VERSION, "TLSv1.3", "1.3"),
        (kinds.choice("builtin", "gunicorn"), "Gunicorn", "gunicorn"),
        (kinds.HTTP, "1.1, 2", ("2", "1.1")),
        (kinds.HTTP, ["h3", "HTTP/1.1"], ("3", "1.1")),
        (kinds.HTTP, 2, ("2",)),
        (kinds.HTTP, [1.1, 2], ("2", "1.1")),
        (kinds.PEM, Path("a.pem"), "a.pem"),
        (kinds.PEM, b"-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----"),
        (kinds.CHAIN, "a.pem", ("a.pem",)),
        (kinds.CHAIN, f"a.pem{os.pathsep}b.pem", ("a.pem", "b.pem")),
        (kinds.CHAIN, ["a.pem", Path("b.pem"), "a.pem"], ("a.pem", "b.pem")),
        (kinds.CHAIN, ("a.pem", f"b.pem{os.pathsep}c.pem"), ("a.pem", "b.pem", "c.pem")),
        (kinds.CHAIN, "a: b\n-----BEGIN CERTIFICATE-----", ("a: b\n-----BEGIN CERTIFICATE-----",)),
        (kinds.CIPHERS, ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE+AESGCM"], "ECDHE-RSA-AES128-GCM-SHA256:ECDHE+AESGCM"),
        (kinds.LIST, "a.test, *.b.test c.test", ("a.test", "*.b.test", "c.test")),
        (kinds.LIST, "X25519:secp384r1", ("X25519", "secp384r1")),
        (kinds.LIST, ("X25519:secp384r1", "X448"), ("X25519", "secp384r1", "X448")),
        (kinds.LIST, "localhost ::1 127.0.0.1", ("localhost", "::1", "127.0.0.1")),
        (kinds.LIST, ["a.test", "::1", "a.test"], ("a.test", "::1")),
        (kinds.HOSTS, "bücher.example, *.Bücher.example a.test", (
            "xn--bcher-kva.example", "*.xn--bcher-kva.example", "a.test",
        )),
    ],
)  # fmt: skip
def test_takes(kind: kinds.Kind, given: Any, value: Any) -> None:
    """Python values and their text mean the same."""
    assert kind.parse(given) == value


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (kinds.integer(0, 65535), "80x"),
        (kinds.integer(0, 65535), 65536),
        (kinds.integer(1, 9), 0),
        (kinds.integer(0, 1), True),
        (kinds.LIST, ","),
        (kinds.HOSTS, "grüße.example"),
        (kinds.HOSTS, "ü..example"),
        (kinds.LIST, []),
        (kinds.LIST, 5),
        (kinds.integer(0, 9), 1.5),
        (kinds.SECONDS, 0),
        (kinds.SECONDS, -1),
        (kinds.SECONDS, "inf"),
        (kinds.SECONDS, "nan"),
        (kinds.SECONDS, True),
        (kinds.BOOLEAN, "maybe"),
        (kinds.VERSION, "1.1"),
        (kinds.HTTP, "4"),
        (kinds.HTTP, "1.0"),
        (kinds.HTTP, ""),
        (kinds.HTTP, []),
        (kinds.HTTP, True),
        (kinds.VERSION, "SSLv3"),
        (kinds.choice("builtin", "gunicorn"), "apache"),
        (kinds.CHAIN, []),
        (kinds.CHAIN, ""),
        (kinds.CHAIN, [7]),
        (kinds.TEXT, ""),
        (kinds.TEXT, "  "),
        (kinds.PEM, 5),
    ],
)
def test_refuses(kind: kinds.Kind, given: Any) -> None:
    """What cannot be meant is refused."""
    with pytest.raises((ValueError, TypeError)):
        kind.parse(given)
