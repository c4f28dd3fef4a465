"""tlsrun.wsgi.events: which answers nginx is told not to hold back, behind whom."""

from __future__ import annotations

from typing import Any

import pytest

from tlsrun.settings.layers import environment_layer
from tlsrun.wsgi import application
from tlsrun.wsgi.events import with_events
from tlsrun.wsgi.external import front_of

EVENTS = ("Content-Type", "text/event-stream")
NO = ("X-Accel-Buffering", "no")


def answered(headers: list[tuple[str, str]], wrap: Any) -> list[tuple[str, str]]:
    """The headers that a server is given."""
    found: list[tuple[str, str]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", headers)
        return []

    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_HOST": "localhost", "wsgi.url_scheme": "http"}
    list(wrap(app)(environ, lambda status, headers: found.extend(headers)))
    return found


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ([EVENTS], True),
        ([("content-type", "Text/Event-Stream; charset=utf-8"), ("X-Other", "1")], True),
        ([("Content-Type", "text/html")], False),
        ([("X-Type", "text/event-stream")], False),
        ([EVENTS, ("x-accel-buffering", "yes")], False),
        ([], False),
    ],
)
def test_which_answers(headers: list[tuple[str, str]], told: bool) -> None:
    """Events, unless the application has said itself what nginx is to do; its own list stays what it is."""
    given = list(headers)
    assert answered(given, with_events) == ([*headers, NO] if told else headers)
    assert given == headers


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, False),
        ({"TRUSTED_PROXIES": "10.0.0.1"}, True),
        ({"TRUSTED_PROXIES": "10.0.0.1", "PROXY": "nginx,ssl-client-cert"}, True),
        ({"TRUSTED_PROXIES": "10.0.0.1", "PROXY": "kubernetes-ingress"}, True),
        ({"TRUSTED_PROXIES": "10.0.0.1", "PROXY": "x-forwarded-for"}, True),
        ({"TRUSTED_PROXIES": "10.0.0.1", "PROXY": "caddy"}, False),
        ({"TRUSTED_PROXIES": "10.0.0.1", "PROXY": "heroku"}, False),
    ],
)
def test_behind_whom(settings: dict[str, str], told: bool) -> None:
    """Where a proxy stands in front that may be nginx."""
    front = front_of([environment_layer({f"TLSRUN_{name}": value for name, value in settings.items()})])
    assert (NO in answered([EVENTS], lambda app: application(app, front))) is told


def test_a_slip_in_a_variable_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Under a server's own command nobody else would say that a trusted proxy is not trusted."""
    front_of([environment_layer({"TLSRUN_TRUSTED_PROXIE": "127.0.0.1"})])
    assert "Did you mean TLSRUN_TRUSTED_PROXIES?" in caplog.text
