"""tlsrun.apps.resolve: from a name to the application, for Flask, Bottle and any WSGI callable."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import bottle
import pytest
from flask import Flask

from tests.support.process import ROOT
from tlsrun.apps import App, describe, resolve
from tlsrun.errors import AppNotFound
from tlsrun.wsgi import application as with_facts

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write files of a project (``main="…"``, ``pkg__main="…"``) and work in its folder; its modules are forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before, stack = set(sys.modules), list(bottle.default_app)

    def write(**files: str) -> Path:
        for name, text in files.items():
            file = tmp_path.joinpath(*name.replace("__init__", "@").split("__")).with_suffix(".py")
            file = file.with_name(file.name.replace("@", "__init__"))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text))
        return tmp_path

    yield write
    bottle.default_app[:] = stack
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def message(target: str | None) -> str:
    """What is said when ``target`` is not found; one line."""
    with pytest.raises(AppNotFound) as caught:
        resolve(target)
    said = str(caught.value)
    assert "\n" not in said
    return said


FLASK = "from flask import Flask\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("app = Flask(__name__); other = Flask('other')", "main:app"),
        ("application = Flask(__name__)", "main:application"),
        ("web = Flask(__name__)", "main:web"),
        ("web = Flask(__name__); alias = web", "main:web"),
        ("def create_app(): return Flask(__name__)", "main:create_app()"),
        ("def make_app(debug=False): return Flask(__name__)", "main:make_app()"),
        ("def app(environ, start_response): ...\nweb = Flask(__name__)", "main:web"),
    ],
)
def test_flask_without_a_name(write: Write, text: str, found: str) -> None:
    """Flask's order: app or application, the only instance, create_app or make_app."""
    write(main=FLASK + text)
    app = resolve("main")
    assert isinstance(app.application, Flask)
    assert (app.framework, app.name, app.target) == ("flask", "main", found)
    assert app.config is app.application.config


@pytest.mark.parametrize(
    ("target", "found", "config"),
    [
        ("pkg.main:create_app", "pkg.main:create_app()", ("none", False)),
        ("pkg.main:create_app()", "pkg.main:create_app()", ("none", False)),
        ("pkg/main.py:create_app('x')", "pkg.main:create_app('x')", ("x", False)),
        ('pkg.main:create_app("x", debug=True)', 'pkg.main:create_app("x", debug=True)', ("x", True)),
        ("pkg.main:Maker.make()", "pkg.main:Maker.make()", ("none", False)),
        ("pkg.main:Maker.make", "pkg.main:Maker.make()", ("none", False)),
    ],
)
def test_factories(write: Write, target: str, found: str, config: tuple[str, bool]) -> None:
    """A factory is called, with the arguments that are given."""
    write(
        pkg____init__="",
        pkg__main=FLASK
        + """
def create_app(name="none", debug=False):
    app = Flask(__name__)
    app.config.update(NAME=name, WITH_DEBUG=debug)
    return app
class Maker:
    @staticmethod
    def make(): return create_app()
""",
    )
    app = resolve(target)
    assert app.target == found
    assert app.config is not None
    assert (app.config["NAME"], app.config["WITH_DEBUG"]) == config


def test_bottle_default_app(write: Write) -> None:
    """A module that only registers routes is served by a default application of its own, and stays the default."""
    before = bottle.default_app()
    write(main="from bottle import route, run\n@route('/')\ndef index(): return 'x'\nrun()")
    app = resolve("main")
    assert isinstance(app.application, bottle.Bottle)
    assert (app.framework, app.name, app.target) == ("bottle", "main", "main")
    assert app.config is app.application.config
    assert app.application is not before
    assert bottle.default_app() is app.application


@pytest.mark.parametrize(
    ("text", "target", "found"),
    [
        ("from bottle import *\n@route('/')\ndef index(): ...", "main", "main"),
        ("from bottle import *\n@route('/')\ndef index(): ...", "main:app", "main:app()"),
        ("from bottle import *\n@route('/')\ndef index(): ...", "main:default_app()", "main:default_app()"),
        ("import bottle\napp = bottle.default_app()\napp.route('/')(lambda: '')", "main", "main:app"),
        ("import bottle\nweb = bottle.Bottle()", "main", "main:web"),
        ("import bottle\napp = bottle.Bottle()\nother = bottle.Bottle()", "main", "main:app"),
        ("import bottle\nweb = bottle.Bottle()\nother = bottle.Bottle()", "main:web", "main:web"),
        ("import bottle\ndef create_app(): return bottle.Bottle()", "main", "main:create_app()"),
    ],
)
def test_bottle(write: Write, text: str, target: str, found: str) -> None:
    """Bottle's rules, and what a Flask user would expect besides."""
    write(main=text)
    app = resolve(target)
    assert isinstance(app.application, bottle.Bottle)
    assert (app.framework, app.target) == ("bottle", found)


def test_bottle_is_left_as_it_was(write: Write) -> None:
    """An import leaves neither another default application nor NORUN behind, unless that application is served."""
    before = list(bottle.default_app)
    write(main=FLASK + "import bottle\napp = Flask(__name__)\n@bottle.route('/x')\ndef x(): ...")
    resolve("main")
    assert bottle.default_app == before
    assert bottle.NORUN is False


def test_a_module_that_was_imported_before(write: Write) -> None:
    """A second look finds the default application that the import has filled."""
    write(main="from bottle import route\n@route('/')\ndef index(): return 'x'")
    first = resolve("main")
    assert resolve("main").application is first.application


@pytest.mark.parametrize(
    ("text", "target", "found"),
    [
        ("def application(environ, start_response): ...", "main", "main:application"),
        ("def app(environ, start_response): ...", "main", "main:app"),
        ("def app(e, s): ...\ndef application(e, s): ...", "main", "main:application"),
        ("def serve(environ, start_response): ...", "main:serve", "main:serve"),
        ("def serve(*args): ...", "main:serve", "main:serve"),
        ("class App:\n def __call__(self, e, s): ...\napp = App()", "main", "main:app"),
        ("class App:\n def __init__(self, e, s): ...\n def __iter__(self): ...\napp = App", "main", "main:app"),
        ("def build(): return print", "main:build", "main:build()"),
        ("def build(x=1, y=2): return print", "main:build", "main:build()"),
        ("def make_app(config, mode): return print", "main:make_app('a', 'b')", "main:make_app('a', 'b')"),
        ("from functools import partial\napp = partial(lambda x, e, s: ..., 1)", "main:app", "main:app"),
    ],
)
def test_any_wsgi_callable(write: Write, text: str, target: str, found: str) -> None:
    """`application`, then `app`; a function is an application or a factory by what it can be called with."""
    write(main=text)
    app = resolve(target)
    assert callable(app.application)
    assert (app.framework, app.target, app.config, app.name) == ("wsgi", found, None, "main")


def test_middleware_around_an_application() -> None:
    """The framework and its configuration are found inside middleware; the outermost callable is served."""
    from werkzeug.middleware.proxy_fix import ProxyFix

    flask, plain = Flask("inside"), bottle.Bottle()
    for outer in (with_facts(flask), ProxyFix(flask), ProxyFix(with_facts(flask.wsgi_app)), flask.wsgi_app):
        app = describe(outer, "main:application")
        assert (app.framework, app.config, app.application, app.name) == ("flask", flask.config, outer, "inside")
    app = describe(with_facts(plain), "main:application")
    assert (app.framework, app.config, app.name) == ("bottle", plain.config, "main")
    unknown = ProxyFix(lambda environ, start_response: [])
    assert describe(unknown, "main:application") == App(
        application=unknown, framework="wsgi", name="main", target="main:application"
    )


@pytest.mark.parametrize(
    ("environment", "files", "found"),
    [
        ({}, ["wsgi", "app"], "wsgi:app"),
        ({}, ["app"], "app:app"),
        ({}, ["app____init__"], "app:app"),
        ({"FLASK_APP": "main.py"}, ["wsgi", "main"], "main:app"),
        ({"FLASK_APP": "wsgi", "TLSRUN_APP": "main:app"}, ["wsgi", "main"], "main:app"),
        ({"FLASK_APP": ""}, ["app"], "app:app"),
    ],
)
def test_without_a_target(
    write: Write, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], files: list[str], found: str
) -> None:
    """TLSRUN_APP, FLASK_APP, wsgi.py, app.py, in this order."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    write(**{file: FLASK + "app = Flask(__name__)" for file in files})
    assert resolve().target == found


def test_nothing_to_find(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name and without the usual files, what there is is said, and what to type."""
    folder = write(hello="", main="")
    assert message(None) == (
        f"No application is named: {folder} has neither wsgi.py nor app.py. There is hello.py, main.py. "
        "Type module:name, a file, or module:factory(arguments)."
    )
    monkeypatch.setenv("FLASK_APP", "helo:app")
    assert message(None).startswith("FLASK_APP=helo:app in the environment: there is no module 'helo' in ")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("mian:app", "mian:app: there is no module 'mian' in {folder}. Did you mean main:app?"),
        ("nothing", "nothing: there is no module 'nothing' in {folder}. There is main, pkg. Type module:name, a file,"),
        ("pkg.mian:app", "there is no module 'mian' in {folder}/pkg. Did you mean pkg.main:app?"),
        ("pkg.sub.x", "there is no module 'x' in {folder}/pkg/sub. Type module:name"),
        ("pgk.main", "there is no module 'pgk' in {folder}. Did you mean pkg?"),
        ("main.app", "{folder}/main.py is a module, not a package, so there is no main.app. Type main:app."),
        ("main.py.app", "{folder}/main.py is a module, not a package"),
        ("main:ap", "there is no 'ap' in module main ({folder}/main.py), but app, create_apps. Did you mean main:app?"),
        ("main:xyz", "but app, create_apps. Type main:app."),
        ("main:app.wsgi", "there is no 'wsgi' in an object of type Flask. Name the application, as main:app."),
        ("main:app()", "main:app is the application itself, not a factory. Type main:app."),
        ("main:number", "number is 7, not a WSGI application. Name one, as main:app."),
        ("main:number()", "main:number is 7 and cannot be called. Type main:number."),
        ("main:os", "os is the module os, not a WSGI application"),
        ("main:create_apps('a', 'b', 'c')", "cannot be called with the arguments given: too many positional"),
        ("main:needs", "the factory main:needs cannot be called with no arguments: missing a required argument: "
                       "'config'; it takes (config). Type them as literals, all in quotes: \"main:needs('…')\"."),
        ("main:none()", "none() is None, not a WSGI application"),
        ("main:asgi", "asgi is asynchronous (ASGI); what is served here is WSGI. Start it with an ASGI server."),
        ("main:asgi_app", "asgi_app is asynchronous (ASGI)"),
        ("main:asgi()", "the factory main:asgi cannot be called with no arguments"),
        ("pkg", "module pkg ({folder}/pkg/__init__.py) has no application under a usual name (app, application, "
                "create_app, make_app). Name the application, as pkg:name."),
        ("pkg.two", "module pkg.two has several Flask applications: one, two. Say which: pkg.two:one."),
        ("pkg.odd", "but my_app. Say which: pkg.odd:my_app."),
        ("pkg.main", "the factory pkg.main:create_app cannot be called with no arguments"),
    ],
)  # fmt: skip
def test_what_is_not_found(write: Write, target: str, said: str) -> None:
    """One line: what was looked for, what there is, and what to type."""
    folder = write(
        main=FLASK
        + """
import os
app = Flask(__name__)
number = 7
def create_apps(config="x", mode=1): return app
def needs(config): return app
def none(): return None
async def asgi(scope, receive, send): ...
class Asgi:
    async def __call__(self, scope, receive, send): ...
asgi_app = Asgi()
""",
        pkg____init__="",
        pkg__main="def create_app(config): ...",
        pkg__two=FLASK + "one = Flask('one'); two = Flask('two')",
        pkg__odd="def my_app(environ, start_response): ...",
        pkg__sub____init__="",
    )
    assert said.format(folder=folder.resolve()) in message(target)


def test_a_name_that_is_taken(write: Write) -> None:
    """A file called like a module that is loaded already cannot be imported, and that is said."""
    write(select="app = 1", sys="app = 1")
    assert "the name select belongs to another module already (" in message("select.py:app")
    assert message("sys.py") == (
        "sys.py: the name sys belongs to another module already (built into Python). Give sys.py another name."
    )


BROKEN = {
    "import no_such_thing": "No module named 'no_such_thing'",
    "import main.sub": "No module named 'main.sub'; 'main' is not a package",
    "raise ModuleNotFoundError(\"No module named 'main'\", name='main')": "No module named 'main'",
    "from os import no_such_thing": "cannot import name 'no_such_thing'",
    "1/0": "division by zero",
    "def f(:": "invalid syntax",
    "raise SystemExit(3)": "3",
}


@pytest.mark.parametrize(("text", "said"), BROKEN.items())
def test_an_import_that_fails_is_the_users_own(write: Write, text: str, said: str) -> None:
    """What a module raises while it is imported comes through untouched, with its traceback."""
    write(main=f"import os\n{text}")
    with pytest.raises(BaseException, match=said.partition(";")[0]) as caught:
        resolve("main:app")
    assert not isinstance(caught.value, AppNotFound)
    if not isinstance(caught.value, SyntaxError):
        assert caught.traceback[-1].path.name in ("main.py", "<frozen importlib._bootstrap>")
    assert os.environ.get("FLASK_RUN_FROM_CLI") is None


def test_an_error_in_a_factory_is_the_users_own(write: Write) -> None:
    """A TypeError raised inside a factory is not taken for a wrong call."""
    write(main="def create_app(): return len(1)")
    with pytest.raises(TypeError, match="has no len"):
        resolve("main")


@pytest.mark.parametrize("runs", ["app.run()", "bottle.run(port=1)", "bottle.run(app, server='wsgiref')"])
def test_an_unguarded_run_starts_nothing(write: Write, capfd: pytest.CaptureFixture[str], runs: str) -> None:
    """A module that calls run() without a guard is imported like any other, once."""
    folder = write(
        main=f"""
        import bottle
        from flask import Flask
        app = Flask(__name__)
        imports = open("imports", "a")
        imports.write(__name__ + " ")
        {runs}
        imports.write("done ")
        imports.close()
        """
    )
    assert resolve("main").framework == "flask"
    assert (folder / "imports").read_text() == "main done "
    assert "Running on" not in capfd.readouterr().out


def test_the_folder_is_first_on_the_path(write: Write) -> None:
    """A module beside the application wins over one of the same name elsewhere."""
    folder = write(plain__main="import bottle, helper\napp = bottle.Bottle()", plain__helper="", helper="1/0")
    sys.path.append(str(folder))
    assert resolve("plain/main.py").target == "main:app"
    assert sys.path[0] == str(folder / "plain")
    assert sys.modules["helper"].__file__ == str(folder / "plain" / "helper.py")


def test_neither_framework_is_needed(tmp_path: Path) -> None:
    """Without Flask and Bottle installed, a plain application is found; with Flask's hint, Bottle is not imported."""
    (tmp_path / "main.py").write_text("def application(environ, start_response): ...")
    program = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('flask', 'bottle', 'werkzeug'): raise ModuleNotFoundError(name, name=name)\n"
        "import tlsrun.apps, importlib.util\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'bottle' else found(name, *rest)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "print(tlsrun.apps.resolve('main').target)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)  # fmt: skip
    assert (done.stdout, done.stderr) == ("main:application\n", "")
    program = "import sys, tlsrun.apps as a; a.resolve('main', framework='flask'); print('bottle' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)  # fmt: skip
    assert (done.stdout, done.stderr) == ("False\n", "")
