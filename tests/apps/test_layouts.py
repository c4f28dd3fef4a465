"""Project layouts × ways to start: each application is imported once and serves, or the hint's command does."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.certs import Paths
from tests.support.clients import Address, free_port, https_get
from tests.support.process import Server, run

#: Each file notes its own import. The route's text comes from models.py, which proves that the right one was imported.
COUNT = 'import os\nwith open(os.environ["IMPORTS"], "a") as imports:\n    imports.write(f"{__name__} ")\n'

MODELS = COUNT + 'TEXT = "from the model"\n'

MAIN = (
    COUNT
    + """
from flask import Flask, request
from flask_tlsrun import TLSRun
STATEMENT

def make():
    app = Flask(__name__)
    app.config.update(TLS_CERT=os.environ["CERT"], TLS_KEY=os.environ["KEY"], TLS_PORT=int(os.environ["PORT"]))
    if "SERVER" in os.environ:
        app.config["TLS_SERVER"] = os.environ["SERVER"]
    TLSRun(app)

    @app.get("/")
    def index():
        return {"text": models.TEXT, "scheme": request.scheme}

    return app
"""
)

FLAT_APP = "\napp = application = make()\nif __name__ == '__main__':\n    app.run()\n"
UNGUARDED = "\napp = application = make()\napp.run()\n"
FACTORY = "\ndef create_app(prefix=''):\n    return make()\nif __name__ == '__main__':\n    create_app().run()\n"

BOTTLE = (
    COUNT
    + """
from bottle import default_app, request, route, run
import bottle_tls
import models

@route("/")
def index():
    return {"text": models.TEXT, "scheme": request.urlparts.scheme}

config = default_app().config
config.update({"tls.cert": os.environ["CERT"], "tls.key": os.environ["KEY"], "tls.port": os.environ["PORT"]})
config["tls.server"] = os.environ.get("SERVER", "builtin")
application = bottle_tls.application()
run(server="tls")
"""
)


def package(statement: str, rest: str = FLAT_APP) -> dict[str, str]:
    """``pkg/__init__.py``, ``pkg/main.py``, ``pkg/models.py``."""
    return {"pkg/__init__.py": "", "pkg/main.py": MAIN.replace("STATEMENT", statement) + rest, "pkg/models.py": MODELS}


LAYOUTS: dict[str, dict[str, str]] = {
    "flat": {"main.py": MAIN.replace("STATEMENT", "import models") + FLAT_APP, "models.py": MODELS},
    "flat, unguarded": {"main.py": MAIN.replace("STATEMENT", "import models") + UNGUARDED, "models.py": MODELS},
    "flat, bottle": {"main.py": BOTTLE, "models.py": MODELS},
    "relative": package("from . import models"),
    "absolute": package("from pkg import models"),
    "neighbour": package("import models"),
    "factory": package("from pkg import models", FACTORY),
}

#: The ways that are ours: the words after ``python``, and the folder.
OURS = {
    "python main.py": ["main.py"],
    "python -m main": ["-m", "main"],
    "flask --app main": ["-m", "flask", "--app", "main", "tlsrun"],
    "tlsrun run main.py": ["-m", "tlsrun", "run", "main.py"],
    "tlsrun run main:app": ["-m", "tlsrun", "run", "main:application"],
    "python pkg/main.py": ["pkg/main.py"],
    "python -m pkg.main": ["-m", "pkg.main"],
    "flask --app pkg.main": ["-m", "flask", "--app", "pkg.main", "tlsrun"],
    "flask --app pkg/main.py": ["-m", "flask", "--app", "pkg/main.py", "tlsrun"],
    "flask --app pkg.main:create_app": ["-m", "flask", "--app", "pkg.main:create_app('x')", "tlsrun"],
    "tlsrun run pkg.main": ["-m", "tlsrun", "run", "pkg.main"],
    "tlsrun run pkg/main.py": ["-m", "tlsrun", "run", "pkg/main.py"],
    "tlsrun run pkg.main:create_app": ["-m", "tlsrun", "run", "pkg.main:create_app('x')"],
}


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project on disk and what its programs are given."""

    folder: Path
    env: Mapping[str, str]
    address: Address
    ca: Path

    def imports(self) -> list[str]:
        """The modules that were imported, in order, each as often as it was."""
        file = Path(self.env["IMPORTS"])
        return file.read_text().split() if file.exists() else []

    def answer(self) -> Any:
        """What the application says over HTTPS."""
        url = f"https://localhost:{self.address[1]}/"
        answer = https_get(url, self.ca, address=self.address)
        assert answer.status == 200, answer.text
        return json.loads(answer.body)


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path, localhost_cert: Paths, ca_file: Path) -> Project:
    """The layout that the test asks for."""
    for name, text in LAYOUTS[request.param].items():
        file = tmp_path / "project" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    port = free_port()
    env = {
        "CERT": str(localhost_cert.fullchain), "KEY": str(localhost_cert.key), "PORT": str(port),
        "IMPORTS": str(tmp_path / "imports"), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    return Project(folder=tmp_path / "project", env=env, address=("127.0.0.1", port), ca=ca_file)


@contextmanager
def serving(project: Project, command: list[str | Path], **env: str) -> Iterator[Server]:
    """A program that serves the project."""
    with Server(command, cwd=project.folder, env={**project.env, **env}) as program:
        program.until_tls(project.address)
        yield program


def check(project: Project, main: str, models: str) -> None:
    """It answers, over https, and each file was imported once, under the name expected."""
    assert project.answer() == {"scheme": "https", "text": "from the model"}
    assert sorted(project.imports()) == sorted([main, models])


WORKS = [
    ("flat", "python main.py", "__main__", "models"),
    ("flat", "python -m main", "__main__", "models"),
    ("flat", "flask --app main", "main", "models"),
    ("flat", "tlsrun run main.py", "main", "models"),
    ("flat", "tlsrun run main:app", "main", "models"),
    ("flat, unguarded", "python main.py", "__main__", "models"),
    ("flat, unguarded", "flask --app main", "main", "models"),
    ("flat, unguarded", "tlsrun run main.py", "main", "models"),
    ("flat, bottle", "python main.py", "__main__", "models"),
    ("flat, bottle", "tlsrun run main.py", "main", "models"),
    ("flat, bottle", "tlsrun run main:app", "main", "models"),
    ("relative", "python -m pkg.main", "__main__", "pkg.models"),
    ("relative", "flask --app pkg.main", "pkg.main", "pkg.models"),
    ("relative", "flask --app pkg/main.py", "pkg.main", "pkg.models"),
    ("relative", "tlsrun run pkg.main", "pkg.main", "pkg.models"),
    ("relative", "tlsrun run pkg/main.py", "pkg.main", "pkg.models"),
    ("absolute", "python -m pkg.main", "__main__", "pkg.models"),
    ("absolute", "flask --app pkg.main", "pkg.main", "pkg.models"),
    ("absolute", "tlsrun run pkg/main.py", "pkg.main", "pkg.models"),
    ("neighbour", "python pkg/main.py", "__main__", "models"),
    ("factory", "python -m pkg.main", "__main__", "pkg.models"),
    ("factory", "flask --app pkg.main", "pkg.main", "pkg.models"),
    ("factory", "flask --app pkg.main:create_app", "pkg.main", "pkg.models"),
    ("factory", "tlsrun run pkg.main", "pkg.main", "pkg.models"),
    ("factory", "tlsrun run pkg.main:create_app", "pkg.main", "pkg.models"),
]


@pytest.mark.representatives("project", "way")
@pytest.mark.parametrize(("project", "way", "main", "models"), WORKS, indirect=["project"])
def test_works(project: Project, way: str, main: str, models: str) -> None:
    """The built-in server serves the project, and nothing is imported twice."""
    with serving(project, [sys.executable, *OURS[way]]):
        check(project, main, models)


FORKING = [one for one in WORKS if one[:2] in {
    ("flat", "python main.py"), ("flat", "flask --app main"), ("flat, unguarded", "tlsrun run main.py"),
    ("flat, bottle", "python main.py"), ("relative", "tlsrun run pkg.main"), ("absolute", "python -m pkg.main"),
    ("factory", "flask --app pkg.main:create_app"), ("neighbour", "python pkg/main.py"),
}]  # fmt: skip


@pytest.mark.representatives("project", "way", "server")
@pytest.mark.parametrize("server", ["gunicorn", "uwsgi"])
@pytest.mark.parametrize(("project", "way", "main", "models"), FORKING, indirect=["project"])
def test_works_in_workers(project: Project, server: str, way: str, main: str, models: str) -> None:
    """gunicorn and uWSGI serve the very object from all their workers: still one import."""
    need("gunicorn" if server == "gunicorn" else "uwsgi")
    with serving(project, [sys.executable, *OURS[way]], SERVER=server, TLSRUN_WORKERS="2"):
        for _ in range(4):
            check(project, main, models)


@pytest.mark.representatives("main")
@pytest.mark.parametrize(
    ("project", "arguments", "main", "models"),
    [
        ("flat", ["main:application"], "main", "models"),
        ("flat, unguarded", ["main:application"], "main", "models"),
        ("flat, bottle", ["main:application"], "main", "models"),
        ("relative", ["pkg.main:application"], "pkg.main", "pkg.models"),
        ("absolute", ["pkg.main:application"], "pkg.main", "pkg.models"),
        ("neighbour", ["--chdir", "pkg", "main:application"], "main", "models"),
        ("factory", ["pkg.main:create_app()"], "pkg.main", "pkg.models"),
    ],
    indirect=["project"],
)
def test_gunicorn_by_itself(project: Project, arguments: list[str], main: str, models: str) -> None:
    """gunicorn's own command imports the project once, also where run() is not guarded."""
    bind = f"{project.address[0]}:{project.address[1]}"
    files = ["--certfile", project.env["CERT"], "--keyfile", project.env["KEY"]]
    with serving(project, [need("gunicorn"), "-b", bind, *files, *arguments]):
        check(project, main, models)


UWSGI_SSL = os.environ.get("TLSRUN_TEST_UWSGI_SSL", "")


@pytest.mark.representatives("main")
@pytest.mark.parametrize(
    ("project", "arguments", "main", "models"),
    [
        ("flat", ["--module", "main:application"], "main", "models"),
        ("flat", ["--wsgi-file", "main.py"], "uwsgi_file_main", "models"),
        ("flat, unguarded", ["--wsgi-file", "main.py"], "uwsgi_file_main", "models"),
        ("flat, bottle", ["--wsgi-file", "main.py"], "uwsgi_file_main", "models"),
        ("relative", ["--module", "pkg.main:application"], "pkg.main", "pkg.models"),
        ("absolute", ["--wsgi-file", "pkg/main.py"], "uwsgi_file_pkg_main", "pkg.models"),
        ("factory", ["--module", "pkg.main:create_app()"], "pkg.main", "pkg.models"),
    ],
    indirect=["project"],
)
def test_uwsgi_by_itself(project: Project, arguments: list[str], main: str, models: str) -> None:
    """uWSGI's own command imports the project once, also where run() is not guarded."""
    if not UWSGI_SSL:
        complaint = "TLSRUN_TEST_UWSGI_SSL names no uWSGI with SSL. Run: pip install --no-binary=pyuwsgi pyuwsgi"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(complaint)
    https = f"{project.address[0]}:{project.address[1]},{project.env['CERT']},{project.env['KEY']},HIGH"
    command = [UWSGI_SSL, "--https", https, "--pythonpath", ".", "--need-app", "--die-on-term", "--master", *arguments]
    with serving(project, command):
        check(project, main, models)


@pytest.mark.parametrize(
    ("project", "way", "line", "works"),
    [
        (
            "neighbour", "flask --app pkg.main",
            "pkg/main.py:7: `import models` finds models only when the file runs as a script, for pkg is a package. "
            "Write `from . import models`, or run: ", "python pkg/main.py",
        ),
        (
            "neighbour", "tlsrun run pkg/main.py",
            "pkg/main.py:7: `import models` finds models only when the file runs as a script, for pkg is a package. "
            "Write `from . import models`, or run: ", "python pkg/main.py",
        ),
    ],
    indirect=["project"],
)  # fmt: skip
def test_what_python_does_not_permit(project: Project, way: str, line: str, works: str) -> None:
    """The user's traceback is whole, the error names the import line, and the command that it gives works."""
    done = run([sys.executable, *OURS[way]], cwd=project.folder, env=project.env)
    assert done.returncode != 0
    assert re.search(r'File ".*pkg/main.py", line 7, in <module>\n    import models\n', done.stderr), done.stderr
    assert f"{line}{works}" in done.stderr
    assert project.imports() == ["pkg.main"]
    Path(project.env["IMPORTS"]).unlink()
    with serving(project, [sys.executable, *OURS[works]]):
        check(project, "__main__", "models")


def need(program: str) -> Path:
    """A server's program beside this Python; without it the test is skipped, or fails in CI."""
    path = Path(sys.executable).parent / program
    if not path.exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)('Run: pip install "tlsrun[all]"')
    return path
