"""The environ that Flask gets is the one that Werkzeug's server makes."""

from __future__ import annotations

from http.client import HTTPMessage
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler

from tests.servers.builtin.site import serving
from tests.support.certs import Paths
from tests.support.talk import Talk
from tlsrun.servers.builtin.with_werkzeug import WerkzeugHandler

_PAIRS: list[tuple[dict[str, Any], dict[str, Any]]] = []


class _Both(WerkzeugHandler):
    """Has both make an environ of the same request."""

    def make_environ(self) -> dict[str, Any]:
        ours = super().make_environ()
        self.headers = HTTPMessage()
        for name, value in self._head.fields.lines:
            self.headers[name.decode("ascii")] = value.decode("latin-1")
        _PAIRS.append((dict(ours), WSGIRequestHandler.make_environ(self)))
        return ours


@pytest.mark.parametrize(
    "target",
    [
        "/", "/environ", "/a/b.c-d_e~f?x=1&y=a/b", "/?", "/a?b?c", "/caf%C3%A9?q=%C3%A9+x", "/a%2Fb", "/a%20b%", "/%zz",
        "//evil.example/x", "///x", "/a;b=c", "/a:b@c", "http://other.example:8/p%41?q",
        "/+x", "/a%0d%0ab", "/'\"<>",
    ],
)  # fmt: skip
def test_as_werkzeug_makes_it(target: str, localhost_cert: Paths, ca_file: Path) -> None:
    """For every kind of target, and for headers that come twice."""
    _PAIRS.clear()
    with serving(localhost_cert, _Both) as (address, _), Talk(address, ca_file) as talk:
        # Twice on one connection: of the first request nothing is left in the second.
        talk.get("/other", "X-First: only").answer()
        talk.get(target, "X-Two: a", "x-two: b", "Content-Type: text/x", "Content-Length: 0", "Accept:").answer()
    _, (ours, theirs) = _PAIRS
    # The body comes later; a port is text, as PEP 3333 has it.
    del theirs["wsgi.input"]
    theirs["REMOTE_PORT"] = str(theirs["REMOTE_PORT"])
    assert ours == theirs


def test_a_url_without_a_path(localhost_cert: Paths, ca_file: Path) -> None:
    """Its path is ``/`` (RFC 9110, section 4.2.3), as behind every other server; Werkzeug's own leaves it empty."""
    _PAIRS.clear()
    with serving(localhost_cert, _Both) as (address, _), Talk(address, ca_file) as talk:
        talk.get("https://other.example").answer()
    assert [(ours["PATH_INFO"], ours["HTTP_HOST"]) for ours, _ in _PAIRS] == [("/", "other.example")]
