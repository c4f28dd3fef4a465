"""Every setting reaches every server, or is refused: there is a cell for each, and each target exists."""

from __future__ import annotations

import pytest

from tlsrun import servers
from tlsrun.settings.mapping import Ours, To, Unsupported
from tlsrun.settings.table import SPECS
from tlsrun.settings.words import SERVERS


@pytest.mark.parametrize("name", SERVERS)
def test_there_is_a_cell_for_each_setting(name: str) -> None:
    """No setting is forgotten, and none is mapped that does not exist."""
    mapping = servers.load(name).facts.mapping
    assert set(mapping) == set(SPECS)
    assert all(isinstance(cell, (To, Ours, Unsupported)) for cell in mapping.values())


@pytest.mark.parametrize("name", SERVERS)
def test_each_target_is_an_option_of_the_installed_server(name: str) -> None:
    """A server that renames an option is noticed here, not by a user."""
    server = servers.load(name)
    targets = {cell.name for cell in server.facts.mapping.values() if isinstance(cell, To)}
    assert targets <= server.option_names()


@pytest.mark.parametrize("name", SERVERS)
def test_probe(name: str) -> None:
    """Each installed server is found, with its version."""
    facts = servers.load(name).probe()
    assert facts.name == name
    assert facts.missing is None
    assert facts.version
