"""The servers, by name; each folder is imported only when it is asked for."""

from __future__ import annotations

import importlib

from tlsrun.deciding.facts import ServerFacts
from tlsrun.servers.server import Server
from tlsrun.settings.words import SERVERS


def load(name: str) -> Server:
    """The server called ``name``."""
    server: Server = importlib.import_module(f"tlsrun.servers.{name}").SERVER
    return server


def probe_all() -> dict[str, ServerFacts]:
    """What is known of every server here, by name."""
    return {name: load(name).probe() for name in SERVERS}
