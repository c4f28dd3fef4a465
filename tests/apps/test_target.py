"""tlsrun.apps.target: names of applications, taken apart without importing anything."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from flask.cli import prepare_import

from tlsrun.apps.target import parse
from tlsrun.errors import AppNotFound


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with ``main.py`` and the packages ``pkg`` and ``pkg.sub``."""
    for name in ("main.py", "pkg/__init__.py", "pkg/main.py", "pkg/sub/__init__.py", "pkg/sub/views.py", "plain/x.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "module", "root"),
    [
        ("main", "main", "."),
        ("main.py", "main", "."),
        ("./main.py", "main", "."),
        ("pkg", "pkg", "."),
        ("pkg/", "pkg", "."),
        ("pkg/__init__.py", "pkg", "."),
        ("pkg.main", "pkg.main", "."),
        ("pkg/main.py", "pkg.main", "."),
        ("pkg/main", "pkg.main", "."),
        ("pkg/sub/views.py", "pkg.sub.views", "."),
        ("plain/x.py", "x", "plain"),
        ("no.such.module", "no.such.module", "."),
    ],
)
def test_where_a_module_is_imported_from(project: Path, text: str, module: str, root: str) -> None:
    """A file belongs to the packages around it; the folder above the outermost is the one to import from."""
    target = parse(text)
    assert (target.module, target.root) == (module, (project / root).resolve())
    assert target.expression is None


@pytest.mark.parametrize("folder", [".", "pkg", "pkg/sub"])
@pytest.mark.parametrize("text", ["main", "main.py", "pkg.main", "pkg", "sub/__init__.py", "no.such"])
def test_flask_reads_names_alike(project: Path, monkeypatch: pytest.MonkeyPatch, folder: str, text: str) -> None:
    """Module and folder are those that Flask would use, also inside a package."""
    monkeypatch.chdir(project / folder)
    monkeypatch.setattr(sys, "path", ["elsewhere"])
    module = prepare_import(text)
    if not text.endswith(".py") or Path(text).exists():
        target = parse(text)
        assert (target.module, [str(target.root)]) == (module, sys.path[:1])


@pytest.mark.parametrize(
    ("text", "path", "called", "args", "kwargs"),
    [
        ("main:app", ("app",), False, (), {}),
        ("main: app ", ("app",), False, (), {}),
        ("main:tls.application", ("tls", "application"), False, (), {}),
        ("main:create_app()", ("create_app",), True, (), {}),
        ('main:create_app("x", debug=True)', ("create_app",), True, ("x",), {"debug": True}),
        ("main.py:create_app({'a': [1, 2.5]}, None)", ("create_app",), True, ({"a": [1, 2.5]}, None), {}),
        ("main:make.app(-1)", ("make", "app"), True, (-1,), {}),
        ("main:create_app('a:b')", ("create_app",), True, ("a:b",), {}),
    ],
)
def test_expressions(
    project: Path, text: str, path: tuple[str, ...], called: bool, args: tuple[object, ...], kwargs: dict[str, object]
) -> None:
    """Behind the colon stands a name, or a call with literal arguments."""
    expression = parse(text).expression
    assert expression is not None
    assert (expression.path, expression.called) == (path, called)
    assert (expression.args, expression.kwargs) == (args, kwargs)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("main:", "main:: nothing stands behind the colon. Type module:name"),
        (":app", ":app: no module is named. Type module:name"),
        ("main:1+1", "'1+1' is neither a name nor a call of one"),
        ("main:app[0]", "neither a name nor a call"),
        ("main:app; import os", "neither a name nor a call"),
        ("main:create_app()()", "neither a name nor a call"),
        ("main:create_app(x)", "the arguments in 'create_app(x)' are not literal values. Write strings in quotes"),
        ("main:create_app(open('x'))", "not literal values"),
        ("main:create_app(*[1])", "not literal values"),
        ("main:create_app(**{'a': 1})", "not literal values"),
        ("main:create_app({[]: 1})", "not literal values"),
        ("main:__import__('os').system('x')", "neither a name nor a call"),
        ("mian.py", "there is no file {folder}/mian.py. There is main.py. Type module:name, a file, or"),
        ("none/main.py:app", "there is no file {folder}/none/main.py. Type module:name"),
    ],
)
def test_what_is_no_name(project: Path, text: str, what: str) -> None:
    """Anything else is refused with what was written, what is wrong and what to type; nothing is evaluated."""
    with pytest.raises(AppNotFound) as caught:
        parse(text)
    assert what.format(folder=project.resolve()) in str(caught.value)
    assert str(caught.value).startswith(f"{text}: ")
    assert "\n" not in str(caught.value)


def test_a_drive_is_no_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """The colon of C:\\project\\main.py separates nothing."""
    assert parse(r"C:\project\main:app").expression is not None
    assert parse(r"C:\project\main").expression is None
