"""What a server is: one interface, which each folder of this package fills."""

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
    """A server: ``SERVER`` of its folder, which has besides, each imported only when it is asked for:

    - ``options``: ``names()``, the options that the installed server has; ``read(plan)``, those of a plan, checked;
    - ``launch``: ``launch(plan, application)``.

    Arguments:
        facts: what is known of it on every machine.
        package: the distribution that has its version; None where it is part of tlsrun.
        needs: what has to be importable besides.
        needed_for: HTTP version -> what has to be importable for it.
        forks: whether its workers are forked.
        unfit: why a version will not do, and what to do; None where it will.
        remark: what `tlsrun check` says of the installed one: the finding's name, and the words.
        has_wheel: whether PyPI had wheels of all that it needs for such a Python and machine, at this release.
        notifies_by_child: whether it is not the started process that tells systemd that it serves.
        misses_sigterm: whether it ignores SIGTERM for a moment when it starts; SIGINT stops it as well.
        stock: the same server by its own command; None where that stands behind no front.
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
        """What is known of the server on this machine; nothing of it is imported."""
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
        """A command that works on this Python and machine, or what it takes; see `tlsrun.optional.how_to_install`."""
        return how_to_install(self.facts.name, here, has_wheel=self.has_wheel)

    def option_names(self) -> frozenset[str]:
        """The options that the installed server has; empty where they are unknown.

        Raises:
            ServerUnavailable: it is not installed.
        """
        names: frozenset[str] = self._part("options").names()
        return names

    def read_options(self, plan: Plan) -> Any:
        """``server_options`` as the start reads them, with what tlsrun sets; the server must be installed.

        Raises:
            ConfigurationError: with every option that it has not or cannot take, or that fights with ours.
        """
        try:
            return self._part("options").read(plan)
        except ConfigurationError as error:
            raise ConfigurationError([replace(one, code=one.code or "TLS218") for one in error.problems]) from error

    def launch(self, plan: Plan, application: Callable[..., Any]) -> int:
        """Serve ``application`` until the server is told to stop; running requests finish first.

        SIGHUP loads everything anew (`tlsrun.reloading`). To be called in the main thread; where the server forks, with
        no other thread running.

        Returns:
            the exit code. In workers that are forked from here, SystemExit may pass through.

        Raises:
            ConfigurationError: an option cannot be used, a port not be bound, or a certificate not be served.
        """
        code: int = self._part("launch").launch(plan, application)
        return code

    def _part(self, name: str) -> Any:
        return importlib.import_module(f"tlsrun.servers.{self.facts.name}.{name}")
