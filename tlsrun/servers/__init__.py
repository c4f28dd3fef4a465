"""The servers, by name; each package is imported only when it is used."""

from __future__ import annotations

import importlib
import sys

from tlsrun.deciding.facts import ServerFacts
from tlsrun.servers.server import Server
from tlsrun.servers.stock import StockCommand
from tlsrun.settings.words import SERVERS
from tlsrun.wsgi.external import called_by


def load(name: str) -> Server:
    """Import and return the server called ``name``."""
    server: Server = importlib.import_module(f"tlsrun.servers.{name}").SERVER
    return server


def running() -> StockCommand | None:
    """The server whose own command started this process; None if this was some other command."""
    stocks = (load(name).stock for name in SERVERS)
    return next((stock for stock in stocks if stock is not None and _runs_us(stock.module)), None)


def _runs_us(module: str) -> bool:
    """Whether ``module`` belongs to a running server, and was not merely imported. (uWSGI's module has no file.)"""
    known = sys.modules.get(module)
    return known is not None and (not hasattr(known, "__file__") or called_by(module.partition(".")[0]))


def probe_all() -> dict[str, ServerFacts]:
    """Facts about every server on this machine, by name."""
    return {name: load(name).probe() for name in SERVERS}
