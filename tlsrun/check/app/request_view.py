"""What the application sees of a request over TLS; none of its views runs.

The innermost function, which would dispatch the request to a view, is replaced by one that records the request. All
middleware around it (ours, the application's own, ProxyFix) is real.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from wsgiref.util import setup_testing_defaults

from tlsrun.apps.app import App, recognise
from tlsrun.wsgi import application as with_facts
from tlsrun.wsgi.facts import ConnectionFacts, Untold

#: An address for documentation (RFC 5737), which no proxy has, and headers that any client can send.
_CLIENT = "192.0.2.1"
_FORGED = {
    "HTTP_X_FORWARDED_PROTO": "http",
    "HTTP_X_FORWARDED_HOST": "forged.invalid",
    "HTTP_X_FORWARDED_FOR": "203.0.113.7",
}


def request_view(app: App) -> dict[str, Any] | None:
    """What a view would see over TLS, and what it would see if a client forged headers.

    Returns:
        None for an application without a framework, since its dispatching function is not known.
    """
    framework, inside = recognise(app.application)
    look = {"flask": _look_in_flask, "bottle": _look_in_bottle}.get(framework)
    if look is None:
        return None
    seen: list[dict[str, Any]] = []
    try:
        look(inside, seen)
        for forged in ({}, _FORGED):
            _ask(with_facts(app.application), _environ(_host(framework, inside), forged))
    except Exception as error:  # noqa: BLE001 -- the application's own middleware may raise anything
        return {"error": f"{type(error).__name__}: {error}"}
    if len(seen) < 2:
        return {"error": "the application's middleware answered without it"}
    return {"plain": seen[0], "forged": seen[1], **(_cookies(inside) if framework == "flask" else {})}


def _environ(host: str, more: dict[str, str]) -> dict[str, Any]:
    facts = ConnectionFacts(
        HTTPS="on", SSL_PROTOCOL="TLSv1.3", SSL_CIPHER="TLS_AES_256_GCM_SHA384", SSL_CLIENT_VERIFY="NONE"
    )
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_HOST": host, "SERVER_NAME": host, "SERVER_PORT": "443",
        "REMOTE_ADDR": _CLIENT, "wsgi.url_scheme": "https", "tlsrun.socket": Untold(facts), **more,
    }  # fmt: skip
    setup_testing_defaults(environ)
    return environ


def _host(framework: str, inside: Any) -> str:
    """A host name that the application accepts."""
    if framework != "flask":
        return "localhost"
    trusted = inside.config.get("TRUSTED_HOSTS") or ["localhost"]
    return str(inside.config.get("SERVER_NAME") or trusted[0].lstrip("."))


def _ask(application: Callable[..., Any], environ: dict[str, Any]) -> None:
    answer = application(environ, lambda status, headers, *error: lambda data: None)
    for _ in answer:
        pass
    if hasattr(answer, "close"):
        answer.close()


def _look_in_flask(app: Any, seen: list[dict[str, Any]]) -> None:
    def look(*_: Any) -> Any:
        from flask import request

        seen.append(
            {
                "scheme": request.scheme,
                "host": request.host,
                "address": request.remote_addr,
                "cookie_secure": bool(app.session_interface.get_cookie_secure(app)),
                "proxy_fix": "werkzeug.proxy_fix.orig" in request.environ,
            }
        )
        return app.response_class(b"")

    vars(app)["full_dispatch_request"] = look


def _look_in_bottle(app: Any, seen: list[dict[str, Any]]) -> None:
    bottle: Any = sys.modules["bottle"]

    def look(environ: dict[str, Any]) -> bytes:
        request = bottle.LocalRequest(environ)
        bottle.response.bind()
        seen.append({"scheme": request.urlparts.scheme})
        return b""

    vars(app)["_handle"] = look


def _cookies(app: Any) -> dict[str, Any]:
    config = app.config
    remember = "flask_login" in sys.modules and not config.get("REMEMBER_COOKIE_SECURE")
    return {
        "sessions": bool(app.secret_key),
        "httponly": bool(config.get("SESSION_COOKIE_HTTPONLY", True)),
        "remember_insecure": remember,
        "preferred_scheme": config.get("PREFERRED_URL_SCHEME"),
        "server_name": config.get("SERVER_NAME"),
    }
