"""The extension: `TLSRun(app)` makes `app.run()` serve HTTPS, and provides the WSGI entry point."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from flask.cli import load_dotenv
from flask.helpers import get_debug_flag, get_load_dotenv
from werkzeug.local import LocalProxy

from tlsrun.settings.words import ADHOC
from tlsrun.wsgi import TLSInfo
from tlsrun.wsgi import application as with_facts
from tlsrun.wsgi.external import front_from

if TYPE_CHECKING:
    from tlsrun.settings.layers import Layer
    from tlsrun.status import ProcessStatus

#: The TLS connection of the current request: `tls.version`, `tls.cipher`, `tls.sni`, `tls.client.subject`, …
tls: TLSInfo = LocalProxy(lambda: TLSInfo(request.environ))  # type: ignore[assignment] # a proxy stands for it


class TLSRun:
    """HTTPS for a Flask application.

    ``TLSRun(app)``, or ``TLSRun().init_app(app)`` in a factory. Then ``app.run()`` serves HTTPS with the configured
    server, the application sees ``https`` for TLS connections under any server, and `application` is the WSGI entry
    point for servers that are started by their own command.

    Arguments:
        options: settings by their names (``cert="fullchain.pem"``), written into ``app.config``.
    """

    def __init__(self, app: Flask | None = None, **options: Any) -> None:
        self._options = _by_key(options) if options else {}
        self._application: Callable[..., Any] | None = None
        if app is not None:
            self.init_app(app)
            self._application = app

    def init_app(self, app: Flask) -> None:
        """Prepare ``app``. State lives in the application, so one TLSRun may serve several."""
        app.config.update(self._options)
        if "tlsrun" not in app.extensions:
            app.extensions["tlsrun"] = self
            prefer_https(app)
            vars(app)["wsgi_app"] = with_facts(app.wsgi_app, front_from(lambda: app_layers(app)))
            vars(app)["run"] = functools.partial(_run, app)

    @property
    def application(self) -> Callable[..., Any]:
        """The WSGI entry point of the application given to ``TLSRun(app)``.

        Raises:
            RuntimeError: no application was given; with a factory, the application that it returns is the entry point.
        """
        if self._application is None:
            raise RuntimeError(
                "TLSRun() was given no application. With init_app(app), use `application = app` in the module that "
                "the server imports."
            )
        return self._application

    def status(self) -> list[ProcessStatus]:
        """The certificates that this server's processes serve, when they were loaded, and the last failures."""
        from tlsrun.status import current

        return current()


def _by_key(options: Mapping[str, Any]) -> dict[str, Any]:
    """Settings under their keys in ``app.config``; raises TypeError for an unknown one."""
    from tlsrun.settings.table import SPECS, flask_key

    unknown = sorted(set(options) - set(SPECS))
    if unknown:
        known = ", ".join(SPECS)
        raise TypeError(f"TLSRun() has no option {unknown[0]!r}; the options are the settings: {known}")
    return {flask_key(name): value for name, value in options.items()}


def prefer_https(app: Flask) -> None:
    """Make session cookies Secure over TLS, and URLs outside of requests https, unless ``app`` is configured otherwise.

    Safe to call twice.
    """
    if app.config["PREFERRED_URL_SCHEME"] == "http":
        app.config["PREFERRED_URL_SCHEME"] = "https"
    interface = app.session_interface
    if "get_cookie_secure" in vars(interface):
        return
    configured = interface.get_cookie_secure
    vars(interface)["get_cookie_secure"] = lambda app: configured(app) or TLSInfo(request.environ).secure


def _run(
    app: Flask,
    host: str | None = None,
    port: int | None = None,
    debug: bool | None = None,
    load_dotenv: bool = True,
    **options: Any,
) -> None:
    """`Flask.run` over HTTPS. It takes the arguments of `Flask.run`, and every setting by its name.

    Raises:
        SystemExit: with the server's exit code at the end, unless it is 0; with 2 before the start, if something that
            was given cannot be served.
    """
    from tlsrun.apps import library_import

    site = library_import()
    if site is not None:
        from tlsrun.cli.console import say_ignored

        say_ignored("app.run()", site)
        return
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
        # Like Flask's own: a server must not block a `flask` command.
        from tlsrun.cli.console import say

        say(" * app.run() is ignored: the `flask` command is running. Use `flask tlsrun` to serve.")
        return
    _load_environment(app, load_dotenv)
    if debug is not None:
        app.debug = bool(debug)
    from tlsrun.cli.launching import serve_or_exit

    code = serve_or_exit(_job(app, {"host": host, "port": port, **options}))
    app._got_first_request = False
    if code:
        raise SystemExit(code)


def _load_environment(app: Flask, wanted: bool) -> None:
    if get_load_dotenv(wanted):
        load_dotenv()
        if "FLASK_DEBUG" in os.environ:
            app.debug = get_debug_flag()


def _job(app: Flask, options: dict[str, Any]) -> Any:
    from tlsrun.apps import second_import_warning
    from tlsrun.cli.launching import Job
    from tlsrun.deciding.plan import Development
    from tlsrun.settings.layers import keyword_layer

    debug, threaded = app.debug, options.pop("threaded", True)
    development = Development(
        reload=options.pop("use_reloader", None),
        debugger=options.pop("use_debugger", None),
        debug=debug,
        extra_files=tuple(options.pop("extra_files", None) or ()),
        exclude_patterns=tuple(options.pop("exclude_patterns", None) or ()),
    )
    options |= _ssl_context_keywords(options.pop("ssl_context", None))
    theirs = {_WERKZEUG_OPTIONS[name]: options.pop(name) for name in _WERKZEUG_OPTIONS if name in options}
    if theirs:
        options["server_options"] = {**(options.get("server_options") or {}), **theirs}
    if not threaded:
        options.setdefault("threads", 1)
    warning = second_import_warning(app.import_name)
    return Job(
        application=app,
        framework="flask",
        layers=[keyword_layer(options, "app.run()"), *app_layers(app), *server_name_layers(app.config)],
        name=app.name,
        development=development,
        warnings=(warning,) if warning else (),
    )


#: Options that `Flask.run` passes to Werkzeug -> options of the built-in server.
_WERKZEUG_OPTIONS = {
    "reloader_interval": "reloader_interval",
    "reloader_type": "reloader_type",
    "use_evalex": "evalex",
}


def _ssl_context_keywords(ssl_context: Any) -> dict[str, Any]:
    """Settings for Flask's own argument: a pair of files, or ``"adhoc"``."""
    if ssl_context is None:
        return {}
    if ssl_context == ADHOC:
        return {"cert": ADHOC}
    if isinstance(ssl_context, tuple):
        return dict(zip(("cert", "key"), (value for value in ssl_context if value is not None), strict=False))
    raise TypeError(
        "app.run(ssl_context=…): give the files, as ssl_context=(cert, key) or in TLS_CERT and TLS_KEY; "
        "a ready-made SSLContext can be neither checked nor renewed while it runs"
    )


def app_layers(app: Flask) -> list[Layer]:
    """The environment, and the application's configuration."""
    from tlsrun.settings.layers import environment_layer, flask_layer

    return [environment_layer(), flask_layer(app.config)]


def server_name_layers(config: Mapping[str, Any]) -> list[Layer]:
    """Host and port from ``SERVER_NAME``, which `Flask.run` uses as defaults."""
    from tlsrun.settings.layers import default_layer

    host, _, port = (config.get("SERVER_NAME") or "").partition(":")
    found = {name: value for name, value in (("host", host), ("port", port)) if value}
    return [default_layer(found, "SERVER_NAME in app.config")] if found else []
