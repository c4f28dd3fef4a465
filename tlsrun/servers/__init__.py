"""The servers, by name; each module is imported only when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

from tlsrun.deciding.facts import ServerFacts
from tlsrun.deciding.plan import Plan
from tlsrun.settings.mapping import Cell
from tlsrun.settings.words import SERVERS


class Server(Protocol):
    """What each module of this package offers.

    Attributes:
        HTTP: the versions that it speaks well with all that its extra installs, the newest first.
    """

    NAME: str
    TITLE: str
    EXTRA: str | None
    HTTP: tuple[str, ...]
    MAPPING: Mapping[str, Cell]

    def probe(self) -> ServerFacts:
        """What is known of it on this machine."""

    def option_targets(self) -> frozenset[str]:
        """The names of the options that the installed server knows."""

    def launch(self, plan: Plan, application: Callable[..., Any]) -> int:
        """Serve ``application`` until the server is told to stop; returns the exit code."""


def load(name: str) -> Server:
    """The server called ``name``."""
    return cast(Server, importlib.import_module(f"tlsrun.servers.{name}"))


def probe_all() -> dict[str, ServerFacts]:
    """What is known of every server here, by name."""
    return {name: load(name).probe() for name in SERVERS}
