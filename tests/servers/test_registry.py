"""What a server is, can and is called stands in its own folder; each folder has the same parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tlsrun import servers
from tlsrun.servers.server import Server
from tlsrun.settings.words import SERVERS

ROOM = Path(servers.__file__).parent


def test_each_folder_is_in_the_registry() -> None:
    """And the registry has no server without a folder."""
    assert sorted(path.parent.name for path in ROOM.glob("*/__init__.py")) == sorted(SERVERS)


@pytest.mark.parametrize("name", SERVERS)
def test_siblings_have_the_same_parts(name: str) -> None:
    """Under the same names, so that whoever knows one server finds his way in another."""
    folder = ROOM / name
    assert {"__init__.py", "mapping.py", "options.py", "launch.py"} <= {path.name for path in folder.iterdir()}
    server = servers.load(name)
    assert isinstance(server, Server)
    assert server.facts.name == name
    assert "def names() -> frozenset[str]:" in (folder / "options.py").read_text()
    assert "def read(plan: " in (folder / "options.py").read_text()
    assert "def launch(plan: " in (folder / "launch.py").read_text()


def test_auto_has_an_order() -> None:
    """No two servers have the same place, and what is for development comes last."""
    ranked = sorted((servers.load(name).facts for name in SERVERS), key=lambda facts: facts.rank)
    assert [facts.rank for facts in ranked] == list(range(1, len(SERVERS) + 1))
    assert [facts.for_development for facts in ranked] == [False] * (len(SERVERS) - 1) + [True]
