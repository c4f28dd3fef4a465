"""What a server is, can and is called stands in its own folder; each folder has the same parts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import bottle_tls
import flask_tlsrun
import tlsrun
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


def _named(node: ast.expr) -> bool:
    """Whether it is a server's name, or several."""
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return any(map(_named, node.elts))
    return isinstance(node, ast.Constant) and node.value in SERVERS


def _by_name(tree: ast.AST) -> Iterator[int]:
    """The lines that do something else for a server because of its name."""
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    # Tables by the form of a file, of which one is that of uWSGI's protocol.
    forms = [node.value for node in assigned if ast.unparse(node.targets[0]) in ("FORMS", "BY_FORM", "RUNS")]
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            # A protocol, and the form of a file that goes with it, are called uwsgi too.
            of_a_form = any(re.search(r"(form|protocol)$", ast.unparse(side)) for side in sides)
            found = any(map(_named, sides)) and not of_a_form
        elif isinstance(node, ast.Dict) and node not in forms:
            found = any(key is not None and _named(key) for key in node.keys)
        elif isinstance(node, (ast.MatchValue, ast.Subscript)):
            found = _named(node.value if isinstance(node, ast.MatchValue) else node.slice)
        else:
            continue
        if found:
            yield node.lineno


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('server.name == "uwsgi"', True),
        ('name in ("granian", "hypercorn")', True),
        ('"granian" in sys.modules', True),
        ('x = {"gunicorn": 1}', True),
        ('facts["builtin"]', True),
        ('site.form == "uwsgi"', False),
        ('x = {"server": "gunicorn"}', False),
    ],
)
def test_a_branch_by_name_is_seen(line: str, found: bool) -> None:
    """The next test looks at something."""
    assert bool(list(_by_name(ast.parse(line)))) is found


#: Below the servers: an application is met there by a server that somebody else started, known by what it imported.
_MEETS = {"external.py"}


def test_nobody_else_knows_a_server_by_name() -> None:
    """What a server is and can stands in its own folder: elsewhere nothing asks which one it is."""
    packages = [Path(package.__file__).parent for package in (tlsrun, flask_tlsrun, bottle_tls) if package.__file__]
    files = [
        file
        for package in packages
        for file in package.rglob("*.py")
        if not file.is_relative_to(ROOM) and file.name not in _MEETS
    ]
    assert len(files) > 100
    found = {file: lines for file in files if (lines := list(_by_name(ast.parse(file.read_text()))))}
    assert found == {}
