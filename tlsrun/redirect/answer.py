"""Responses to plain HTTP: a redirect to https, an ACME challenge, or a refusal.

The redirect is the same on the plain-HTTP port, on the TLS port (`tlsrun.redirect.plain`) and behind a proxy
(`tlsrun.wsgi.to_https`); each decides which requests to redirect, and only to hosts that are allowed. Responses must
not be stored (``no-store``): browsers keep a permanent redirect long after the port got another use. Sites that want
browsers to remember https set HSTS.
"""

from __future__ import annotations

import email.utils
import html
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tlsrun.http1.head import Head
from tlsrun.http1.refusal import Refused, phrase
from tlsrun.redirect.challenge import NotServed, is_challenge, read_challenge
from tlsrun.redirect.request import Request, request_of

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>This site is on https</title>
<p>This site is served over HTTPS. The page is at <a href="{link}">{name}</a>.</p>
</html>
"""


@dataclass(frozen=True, kw_only=True)
class Redirect:
    """Where requests on the plain-HTTP port are redirected.

    Arguments:
        https_port: the port at which clients reach HTTPS.
        allowed: whether a host (lower case, no port, no brackets) is served here; called in the listener's thread.
        acme_webroot: the folder from which ``/.well-known/acme-challenge/`` is served, for any host; None for none.

    Raises:
        ValueError: ``https_port`` is not a TCP port.
    """

    https_port: int
    allowed: Callable[[str], bool]
    acme_webroot: Path | None = None

    def __post_init__(self) -> None:
        if not 0 < self.https_port < 65536:
            raise ValueError(f"https_port is {self.https_port}, which is no TCP port")

    def origin(self, host: str) -> str:
        """The https origin of ``host`` (RFC 6454, section 6.2), without port 443."""
        name = f"[{host}]" if ":" in host else host
        return f"https://{name}" + ("" if self.https_port == 443 else f":{self.https_port}")


@dataclass(frozen=True, kw_only=True)
class PlainHttpResponse:
    """A response, after which the connection closes.

    Arguments:
        status: the status code.
        body: the body, which is not sent in response to HEAD.
        content_type: the type of ``body``.
        location: the target of a redirect.
        with_body: whether to send ``body``.
        note: a line for the log, which may quote the client; empty for none.
        level: the logging level of ``note``.
    """

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    location: str | None = None
    with_body: bool = True
    note: str = ""
    level: int = logging.INFO

    def fields(self) -> list[tuple[str, str]]:
        """The header fields, except Date and Connection, which the server adds."""
        return [
            ("Content-Type", self.content_type),
            ("Content-Length", str(len(self.body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            *([("Location", self.location)] if self.location is not None else []),
        ]

    def render(self) -> bytes:
        """The response as bytes."""
        fields = [*self.fields(), ("Date", email.utils.formatdate(usegmt=True)), ("Connection", "close")]
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        head = f"HTTP/1.1 {self.status} {phrase(self.status)}\r\n{lines}\r\n".encode("ascii")
        return head + self.body if self.with_body else head


def to_https(location: str, *, status: int = 308, head_only: bool) -> PlainHttpResponse:
    """The redirect to a page on https.

    Arguments:
        location: the page's URL.
        status: 308 keeps method and body (RFC 9110, section 15.4.9).
        head_only: whether the request was HEAD.
    """
    origin = "/".join(location.split("/", 3)[:3])
    return PlainHttpResponse(
        status=status,
        body=_PAGE.format(link=html.escape(location), name=html.escape(origin)).encode("ascii", "replace"),
        content_type="text/html; charset=utf-8",
        location=location,
        with_body=not head_only,
    )


def misdirected(*, head_only: bool, note: str = "") -> PlainHttpResponse:
    """The response to a request for a host that is not served."""
    words = "This server does not serve the host that was asked for."
    return in_words(421, words, head_only=head_only, note=note)


def in_words(
    status: int, text: str, *, head_only: bool = False, note: str = "", level: int = logging.INFO
) -> PlainHttpResponse:
    """A refusal in plain text."""
    return PlainHttpResponse(
        status=status, body=f"{text}\n".encode("ascii"), with_body=not head_only, note=note, level=level
    )


def too_slow(seconds: float) -> PlainHttpResponse:
    """The response to a client whose request head was not complete within ``seconds``."""
    return in_words(408, f"The request did not arrive within {seconds:g} seconds.")


def refused(refusal: Refused, *, head_only: bool) -> PlainHttpResponse:
    """The response to a request that is malformed, or not for this port.

    Arguments:
        head_only: whether it begins like a HEAD request, whose response has no body.
    """
    return in_words(refusal.status, refusal.words, head_only=head_only)


def respond(head: Head, redirect: Redirect) -> PlainHttpResponse:
    """The response to a request.

    Raises:
        Refused: it is not one for this port.
    """
    request = request_of(head)
    if redirect.acme_webroot is not None and is_challenge(request.path):
        return _challenge(request, redirect.acme_webroot)
    return _redirect(request, redirect)


def _redirect(request: Request, redirect: Redirect) -> PlainHttpResponse:
    head_only = request.method == "HEAD"
    if request.host is None:
        return in_words(400, "The request has no Host header.", head_only=head_only)
    if not redirect.allowed(request.host):
        return misdirected(head_only=head_only, note=f"not redirected: {request.host} is not a host that is served")
    return to_https(redirect.origin(request.host) + request.path, head_only=head_only)


def _challenge(request: Request, webroot: Path) -> PlainHttpResponse:
    head_only = request.method == "HEAD"
    try:
        if request.method not in ("GET", "HEAD"):
            raise NotServed(f"{request.method} is no way to ask for one")
        content = read_challenge(webroot, request.path)
    except NotServed as why:
        return in_words(
            404,
            "There is no such challenge here.",
            head_only=head_only,
            note=f"ACME challenge for {request.host or 'no host'} not answered: {why}",
            level=logging.WARNING if why.is_odd else logging.INFO,
        )
    # The type of RFC 8555, section 8.3; browsers do not render it as a page.
    return PlainHttpResponse(status=200, body=content, content_type="application/octet-stream", with_body=not head_only)
