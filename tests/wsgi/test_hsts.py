"""Strict-Transport-Security is sent where it is safe, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from tlsrun.wsgi.hsts import with_hsts


def _answer(environ: dict[str, Any], *, own: list[tuple[str, str]] | None = None) -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), *(own or [])])
        return [b""]

    def start_response(status: str, headers: list[tuple[str, str]], *error: Any) -> None:
        seen.extend(headers)

    with_hsts(application, 63072000)(environ, start_response)
    return [(name, value) for name, value in seen if name.lower().startswith("strict")]


@pytest.mark.parametrize("host", ["example.org", "example.org:8443", "EXAMPLE.org."])
def test_sent_over_tls(host: str) -> None:
    """A name of one's own gets it."""
    sent = _answer({"wsgi.url_scheme": "https", "HTTP_HOST": host})
    assert sent == [("Strict-Transport-Security", "max-age=63072000")]


@pytest.mark.parametrize(
    ("scheme", "host"),
    [
        ("http", "example.org"),
        ("https", "localhost:5000"),
        ("https", "app.localhost"),
        ("https", "127.0.0.1:8443"),
        ("https", "[::1]:8443"),
        ("https", ""),
    ],
)
def test_not_sent(scheme: str, host: str) -> None:
    """Not over plain HTTP (RFC 6797, section 7.2), not for localhost, not for an address."""
    assert not _answer({"wsgi.url_scheme": scheme, "HTTP_HOST": host})


def test_the_applications_own_header_stays() -> None:
    """An application that says it itself is not corrected."""
    own = [("strict-transport-security", "max-age=1")]
    assert _answer({"wsgi.url_scheme": "https", "HTTP_HOST": "example.org"}, own=own) == own


def test_a_list_that_the_application_keeps_stays_its_own() -> None:
    """One answer over TLS does not make later ones for localhost promise anything."""
    kept = [("Content-Type", "text/plain")]

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", kept)
        return [b""]

    promising = with_hsts(application, 63072000)
    promising({"wsgi.url_scheme": "https", "HTTP_HOST": "example.org"}, lambda status, headers: None)
    assert kept == [("Content-Type", "text/plain")]


def test_off_by_default() -> None:
    """0 seconds add no layer at all."""

    def application(environ: Any, start_response: Any) -> list[bytes]:
        return []

    assert with_hsts(application, 0) is application
