"""The interface to a server, which each package in this folder implements."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import tlsrun
from tlsrun.deciding.choosing import ServerFacts
from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.optional import Here, how_to_install, is_installed, version_of
from tlsrun.servers.stock import StockCommand
from tlsrun.system import FORKS


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server: the constant ``SERVER`` of its package. The package has two more modules, imported only when needed:

    - ``options``: ``names()`` returns the options of the installed server, ``read(plan)`` the checked ones of a plan;
    - ``launch``: ``launch(plan, application)`` serves.

    Arguments:
        facts: what is true of it on every machine.
        package: the distribution whose version is the server's; None for the part of tlsrun itself.
        needs: other packages that must be installed.
        needed_for: HTTP version -> package that must be installed for it.
        forks: whether it forks its workers.
        unfit: returns why a version cannot be used and what to do about it; None if it can be used.
        remark: returns a finding about the installed version for `tlsrun check`: its name and its text.
        has_wheel: whether PyPI had wheels of all dependencies for this Python and machine when tlsrun was released.
        notifies_by_child: whether a child process, not the one that was started, sends READY=1 to systemd.
        misses_sigterm: whether it ignores SIGTERM for a moment while it starts; SIGINT stops it too.
        stock: the server started by its own command; None if that cannot run behind a front.
    """

    facts: ServerFacts
    package: str | None
    needs: tuple[str, ...] = ()
    needed_for: Mapping[str, str] = field(default_factory=dict)
    forks: bool = True
    unfit: Callable[[str], tuple[str, str] | None] | None = None
    remark: Callable[[], tuple[str, str]] | None = None
    has_wheel: Callable[[Here], bool] = lambda here: True
    notifies_by_child: bool = False
    misses_sigterm: bool = False
    stock: StockCommand | None = None

    def probe(self) -> ServerFacts:
        """Return the facts about the server on this machine, without importing it."""
        http = tuple(one for one in self.facts.http if is_installed(self.needed_for.get(one, "tlsrun")))
        version = tlsrun.__version__ if self.package is None else version_of(self.package)
        elsewhere = self.forks and not FORKS
        return replace(
            self.facts, version=version, http=http, elsewhere=elsewhere, missing=self._missing(version, elsewhere)
        )

    def _missing(self, version: str | None, elsewhere: bool) -> Problem | None:
        name = self.facts.name
        if elsewhere:
            why = ("it needs fork(2), which this system has not", "Leave it out, for the built-in server")
        elif version is None or not all(map(is_installed, self.needs)):
            subject = "it" if self.package == name else self.package
            why = (f"{subject} is not installed", self.how_to_install())
        elif self.unfit is None or (found := self.unfit(version)) is None:
            return None
        else:
            why = found
        return Problem(where=name, what=why[0], remedy=why[1], code="TLS301")

    def how_to_install(self, here: Here | None = None) -> str:
        """Return a command that works on this Python and machine, or what it would take; see `tlsrun.optional`."""
        return how_to_install(self.facts.name, here, has_wheel=self.has_wheel)

    def option_names(self) -> frozenset[str]:
        """Return the options of the installed server; empty if they cannot be known.

        Raises:
            ServerUnavailable: it is not installed.
        """
        names: frozenset[str] = self._part("options").names()
        return names

    def read_options(self, plan: Plan) -> Any:
        """Return ``server_options`` as for a start, merged with what tlsrun sets. The server must be installed.

        Raises:
            ConfigurationError: options are unknown, have bad values or conflict with ours; reports all of them at once.
        """
        try:
            return self._part("options").read(plan)
        except ConfigurationError as error:
            raise ConfigurationError([replace(one, code=one.code or "TLS218") for one in error.problems]) from error

    def launch(self, plan: Plan, application: Callable[..., Any]) -> int:
        """Serve ``application`` until the server is told to stop; requests in flight finish first.

        SIGHUP reloads everything (`tlsrun.reloading`). Call this in the main thread; if the server forks, no other
        thread may be running.

        Returns:
            the exit code. In workers forked from this process, SystemExit may propagate.

        Raises:
            ConfigurationError: an option cannot be used, a port cannot be bound, or a certificate cannot be served.
        """
        code: int = self._part("launch").launch(plan, application)
        return code

    def _part(self, name: str) -> Any:
        return importlib.import_module(f"tlsrun.servers.{self.facts.name}.{name}")
