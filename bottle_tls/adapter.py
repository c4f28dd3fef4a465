"""The server adapters for `bottle.run(server=…)`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import bottle

from tlsrun.settings.words import SERVERS
from tlsrun.started import BOTTLE_CHILD

if TYPE_CHECKING:
    from tlsrun.settings.layers import Layer

#: What `bottle.run()` and `python -m bottle` pass if no address was given.
_DEFAULT_HOSTS = ("127.0.0.1", "localhost")
_DEFAULT_PORT = 8080


class TLSServer(bottle.ServerAdapter):  # type: ignore[misc] # bottle ships no types
    """``bottle.run(server="tls")``: HTTPS by the server in the settings.

    Arguments:
        options: settings by their names, or by the names that Bottle's own adapters use (``certfile``, ``keyfile``,
            ``chainfile``).
    """

    server: str | None = None

    def __init__(self, host: str = "127.0.0.1", port: int = _DEFAULT_PORT, **options: Any) -> None:
        super().__init__(host, port, **options)
        self._quiet_asked: bool | None = None

    @property
    def quiet(self) -> bool:
        """True as soon as `bottle.run()` has passed its own ``quiet``: Bottle's banner would show http://."""
        return self._quiet_asked is not None

    @quiet.setter
    def quiet(self, asked: bool) -> None:
        self._quiet_asked = asked

    def run(self, handler: Callable[..., Any]) -> None:
        """Serve ``handler`` until the server stops; called by `bottle.run()`.

        Raises:
            SystemExit: with the server's exit code unless it is 0; with 2 if something that was given cannot be served.
        """
        from tlsrun.apps import library_import, second_import_warning

        site = library_import()
        if site is not None:
            from tlsrun.cli.console import say_ignored

            say_ignored("bottle.run()", site)
            return
        from tlsrun.cli.launching import Job, serve_or_exit
        from tlsrun.deciding.plan import Development

        warning = second_import_warning("__main__")
        job = Job(
            application=handler,
            framework="bottle",
            name=_program(),
            layers=self._layers(getattr(handler, "config", {})),
            development=Development(reload=True if BOTTLE_CHILD in os.environ else None),
            quiet=bool(self._quiet_asked),
            warnings=(warning,) if warning else (),
        )
        code = serve_or_exit(job)
        if code:
            raise SystemExit(code)

    def _layers(self, config: Mapping[str, Any]) -> list[Layer]:
        from tlsrun.settings.layers import bottle_layer, default_layer, environment_layer, keyword_layer

        said: dict[str, Any] = dict(self.options)
        unsaid: dict[str, Any] = {}
        (unsaid if self.host in _DEFAULT_HOSTS else said)["host"] = self.host
        (unsaid if self.port == _DEFAULT_PORT else said)["port"] = self.port
        if self.server is not None:
            said.setdefault("server", self.server)
        return [
            keyword_layer(said, "bottle.run()"),
            environment_layer(),
            bottle_layer(config),
            default_layer(unsaid, "bottle.run()"),
        ]


def _program() -> str:
    """A name for the banner: Bottle's applications have none, so the script's."""
    main: str | None = getattr(sys.modules.get("__main__"), "__file__", None)
    if main is None or main == bottle.__file__:  # interactive, or started by `python -m bottle`
        return "a Bottle application"
    return os.path.basename(main)


def _named(name: str) -> type[TLSServer]:
    return type(f"TLS{name.capitalize()}Server", (TLSServer,), {"server": name, "__module__": __name__})


#: Server -> the adapter that always uses it.
NAMED_ADAPTERS = {name: _named(name) for name in SERVERS}
