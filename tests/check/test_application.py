"""Findings in applications: each in a small project that shows it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.check.examining import check, codes, only
from tlsrun.check.application import check_application
from tlsrun.check.code import Severity
from tlsrun.check.finding import Finding

FLASK = """\
from flask import Flask
app = Flask(__name__)
app.secret_key = "not a real one"
@app.get("/")
def index():
    return "hi"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def findings(target: str, *, framework: str = "", prepare: str = "") -> dict[str, Finding]:
    """What is found in an application, by code."""
    found = check_application(target, framework=framework, prepare=prepare).findings
    return {one.code.code: one for one in found}


def test_a_good_application_shows_nothing(project: Path) -> None:
    """With TLSRun around it there is nothing to say, and nothing of it comes into this process."""
    (project / "good.py").write_text(FLASK + "from flask_tlsrun import TLSRun\nTLSRun(app, port=8443)\n")
    seen = check_application("good:app")
    assert seen.findings == ()
    assert (seen.target, seen.framework) == ("good:app", "flask")
    assert seen.layers[0].given["port"].spelling == "TLS_PORT in app.config"
    assert "good" not in sys.modules


@pytest.mark.parametrize("framework", ["bottle", "wsgi"])
def test_other_applications(framework: str, project: Path) -> None:
    """Bottle's default application, and a plain WSGI callable."""
    (project / "other.py").write_text(
        {
            "bottle": "import bottle\n@bottle.route('/')\ndef index(): return 'hi'\nbottle.default_app()\n",
            "wsgi": "def app(environ, start_response): ...\n",
        }[framework]
    )
    seen = check_application("other")
    assert seen.findings == ()
    assert seen.framework == framework


def test_no_such_application(project: Path) -> None:
    """It is said what there is."""
    (project / "hello.py").write_text(FLASK)
    finding = findings("helo:app")["TLS501"]
    assert finding.where == "helo:app"
    assert "hello" in finding.what


def test_no_application_at_all(project: Path) -> None:
    """A check without one is a check of the rest."""
    assert only(check(), "TLS514").severity is Severity.INFO


def test_import_fails(project: Path) -> None:
    """The last line of the traceback, and where it stands in the user's files."""
    (project / "broken.py").write_text("import json\n\njson.loads('{')\n")
    finding = findings("broken:app")["TLS502"]
    assert "JSONDecodeError" in finding.what
    assert "broken.py, line 3" in finding.what


def test_import_exits(project: Path) -> None:
    """sys.exit() in a module's body, and os._exit(), which leaves no word."""
    (project / "leaving.py").write_text("import sys\nsys.exit('no database')\n")
    assert "SystemExit" in findings("leaving")["TLS502"].what
    (project / "gone.py").write_text("import os\nos._exit(3)\n")
    assert "code 3" in findings("gone")["TLS502"].what


def test_import_that_works_as_a_script_only(project: Path) -> None:
    """The usual one: `import models` in a package; the line, and what to write."""
    package = project / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "models.py").write_text("")
    (package / "main.py").write_text("import models\n" + FLASK + "if __name__ == '__main__':\n    app.run()\n")
    finding = findings("shop/main.py")["TLS502"]
    assert "models" in finding.what
    assert "from . import models" in finding.remedy


def test_script_fails(project: Path) -> None:
    """What fails as `python pkg/main.py` and not as a library: a line that reads the script's own name."""
    (project / "main.py").write_text("assert __name__ != '__main__'\n" + FLASK)
    finding = findings("main:app")["TLS503"]
    assert "AssertionError" in finding.what
    assert finding.where == "python main.py"
    assert finding.remedy == "Start it as: python -m main"


def test_relative_import_in_a_script(project: Path) -> None:
    """`from . import models` where the file is a script too: the line, and the command that works."""
    package = project / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "models.py").write_text("")
    (package / "main.py").write_text("from . import models\n" + FLASK + "if __name__ == '__main__':\n    app.run()\n")
    finding = findings("shop.main:app")["TLS504"]
    assert "main.py:1" in finding.where
    assert "python -m shop.main" in finding.remedy


def test_other_pages_as_a_script(project: Path) -> None:
    """A page that is registered one way only."""
    (project / "main.py").write_text(
        FLASK + "if __name__ != '__main__':\n    app.add_url_rule('/more', view_func=index)\n"
    )
    assert "/more" in findings("main:app")["TLS504"].what


def test_imported_twice(project: Path) -> None:
    """`from main import app` in models.py: two applications when main.py is the script."""
    (project / "models.py").write_text("from main import app\n@app.get('/models')\ndef models(): return ''\n")
    (project / "main.py").write_text(FLASK + "import models\nif __name__ == '__main__':\n    app.run()\n")
    found = findings("main:app")
    assert "models.py:1" in found["TLS505"].where
    assert "TLS504" not in found


def test_guarded_code_is_not_run(project: Path) -> None:
    """What stands under the guard is for the person who starts the script."""
    guarded = "if __name__ == '__main__':\n    open('ran', 'w').close()\n    app.run()\n"
    (project / "main.py").write_text(FLASK + guarded)
    assert findings("main:app").keys() == {"TLS510"}
    assert not (project / "ran").exists()


@pytest.mark.parametrize("call", ["app.run()", "from flask_tlsrun import TLSRun\nTLSRun(app)\napp.run()"])
def test_unguarded_run(call: str, project: Path) -> None:
    """app.run() at the end of a file; the line is named, and nothing is started."""
    (project / "main.py").write_text(f"{FLASK}{call}\n")
    finding = findings("main:app")["TLS506"]
    assert finding.where == f"main.py:{len((FLASK + call).splitlines())}"


def test_unguarded_run_of_bottle(project: Path) -> None:
    """bottle.run(), however it was imported."""
    (project / "main.py").write_text(
        "from bottle import route, run\n@route('/')\ndef i(): return ''\nrun(server='tls')\n"
    )
    assert findings("main")["TLS506"].where == "main.py:4"


def test_settings_given_to_run(project: Path) -> None:
    """They are named, as the flags that say the same; plain Flask's own run() is nobody's business."""
    bottle = "import bottle\n@bottle.route('/')\ndef index(): return ''\nif __name__ == '__main__':\n"
    (project / "main.py").write_text(bottle + "    bottle.run(server='tls-gunicorn', port=8443, certfile=bottle.x)\n")
    finding = findings("main")["TLS515"]
    assert finding.where == "main.py:5"
    assert finding.remedy.endswith("--server gunicorn --port 8443 --cert …")
    guarded = "if __name__ == '__main__':\n    app.run(port=8443)\n"
    (project / "flat.py").write_text(FLASK + guarded)
    assert "TLS515" not in findings("flat:app")
    (project / "ours.py").write_text(FLASK + "from flask_tlsrun import TLSRun\nTLSRun(app)\n" + guarded)
    assert findings("ours:app")["TLS515"].remedy.endswith("tlsrun check ours:app --port 8443")


def test_https_unseen(project: Path) -> None:
    """Middleware that says http."""
    (project / "main.py").write_text(
        FLASK + "inner = app.wsgi_app\n"
        "def liar(environ, start_response):\n"
        "    environ['wsgi.url_scheme'] = 'http'\n"
        "    return inner(environ, start_response)\n"
        "app.wsgi_app = liar\n"
    )
    assert "scheme http" in findings("main:app")["TLS507"].what


def test_middleware_that_answers_itself(project: Path) -> None:
    """Then nobody knows what the application would see."""
    (project / "main.py").write_text(
        FLASK + "app.wsgi_app = lambda environ, start_response: (start_response('200 OK', []), [b''])[1]\n"
    )
    assert findings("main:app")["TLS507"].severity is Severity.INFO


def test_headers_believed(project: Path) -> None:
    """ProxyFix, which does nothing here, and too much elsewhere."""
    (project / "main.py").write_text(
        FLASK + "from werkzeug.middleware.proxy_fix import ProxyFix\n"
        "app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)\n"
    )
    assert "ProxyFix" in findings("main:app")["TLS508"].what


def test_url_for_http(project: Path) -> None:
    """SERVER_NAME without PREFERRED_URL_SCHEME; the command `flask tlsrun` sets it."""
    (project / "main.py").write_text(FLASK + "app.config['SERVER_NAME'] = 'example.org'\n")
    assert "http://example.org" in findings("main:app")["TLS509"].what
    prepared = findings("main:app", framework="flask", prepare="flask_tlsrun.extension:prefer_https")
    assert not {"TLS509", "TLS510"} & prepared.keys()


def test_session_cookies(project: Path) -> None:
    """Not Secure, and readable by scripts; without a secret key there are no sessions."""
    (project / "main.py").write_text(FLASK + "app.config['SESSION_COOKIE_HTTPONLY'] = False\n")
    assert {"TLS510", "TLS511"} <= findings("main:app").keys()
    (project / "bare.py").write_text(FLASK.replace("app.secret_key", "# app.secret_key"))
    assert findings("bare:app") == {}


def test_set_cookie(project: Path) -> None:
    """The line that sets a cookie without secure=True; those that set it are passed over."""
    (project / "main.py").write_text(
        FLASK + "def pages(response, more):\n"
        "    response.set_cookie('a', 'b', secure=True)\n"
        "    response.set_cookie('a', 'b', **more)\n"
        "    response.set_cookie('a', 'b', secure=False)\n"
    )
    assert findings("main:app")["TLS512"].where == f"main.py:{len(FLASK.splitlines()) + 4}"


def test_import_hangs(project: Path) -> None:
    """It is ended, with what it has started."""
    (project / "main.py").write_text("import threading\nthreading.Event().wait()\n")
    seen = check_application("main:app", patience=1.0)
    assert [one.code.code for one in seen.findings] == ["TLS513"]


def test_what_it_prints_does_not_matter(project: Path) -> None:
    """Nor do the threads that it leaves running."""
    (project / "main.py").write_text(
        FLASK + "import sys, threading\nprint('{}')\nsys.stdout.flush()\n"
        "threading.Thread(target=threading.Event().wait).start()\n"
    )
    assert findings("main:app").keys() == {"TLS510", "TLS517"}


def test_threads_of_the_import(project: Path) -> None:
    """They are named, for they will not be in the workers; no threads, no word."""
    started = "import threading\nthreading.Thread(target=threading.Event().wait, name='my-scheduler').start()\n"
    (project / "main.py").write_text(FLASK + started)
    assert findings("main:app")["TLS517"].what.endswith(": my-scheduler")
    (project / "quiet.py").write_text(FLASK)
    assert "TLS517" not in findings("quiet:app")


def test_a_patched_application(project: Path) -> None:
    """gevent in the place of Python's threads and sockets is an error, for no server starts."""
    pytest.importorskip("gevent")
    (project / "main.py").write_text("from gevent import monkey\nmonkey.patch_all()\n" + FLASK)
    finding = findings("main:app")["TLS516"]
    assert (finding.where, finding.severity) == ("gevent", Severity.ERROR)


def test_debug_comes_from_the_application(project: Path) -> None:
    """app.debug = True, where others come."""
    (project / "main.py").write_text(FLASK + "app.debug = True\n")
    assert "the application" in only(check(application="main:app", host="192.0.2.1"), "TLS210").where


def test_settings_come_from_the_application(project: Path) -> None:
    """What its configuration says is checked, under the names that stand there."""
    (project / "main.py").write_text(FLASK + "app.config['TLS_CERT'] = 'no.pem'\napp.config['TLS_PROT'] = 1\n")
    report = check(application="main:app")
    assert only(report, "TLS101").where == "TLS_CERT in app.config"
    assert only(report, "TLS201").where == "TLS_PROT in app.config"
    assert report.settings["cert"]["origin"] == "app config: TLS_CERT in app.config"


def test_an_application_that_fails_does_not_end_the_check(project: Path) -> None:
    """The rest is looked at all the same."""
    (project / "main.py").write_text("import nowhere\n")
    assert {"TLS502", "TLS302"} <= codes(check(application="main:app"))
