"""tlsrun.apps.hints, tlsrun.apps.twice: what a failed or doubled import is explained with. All in real processes."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.process import ROOT, run
from tlsrun.apps import import_hint
from tlsrun.apps.hints import command

#: Resolves the target that is given as the first argument, and prints what the command line would.
PROGRAM = """
import sys, traceback
from tlsrun import apps
from tlsrun.errors import AppNotFound
sys.path.insert(0, "")
try:
    print("found", apps.resolve(sys.argv[1]).target)
except AppNotFound as error:
    print("not found", error)
except Exception as error:
    traceback.print_exception(error.with_traceback(apps.user_traceback(error)))
    print(apps.import_hint(error, sys.argv[1]))
"""

APP = "from bottle import Bottle\napp = Bottle()\n"
GUARDED = 'if __name__ == "__main__":\n    print("served")\n'


def project(folder: Path, files: dict[str, str]) -> None:
    """Write the files of a project."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text))


def resolve(target: str, cwd: Path, env: dict[str, str] | None = None) -> tuple[str, str]:
    """What is printed for ``target`` in ``cwd``: the result or hint, and the traceback."""
    done = run([sys.executable, "-c", PROGRAM, target], cwd=cwd, env=env)
    return done.stdout.strip(), done.stderr


def works(line: str, cwd: Path) -> bool:
    """Whether the command that a hint ends with finds the application, or runs the script."""
    words = shlex.split(line.rpartition("un: ")[2])
    env = {}
    if words[0] == "cd":
        cwd, words = cwd / words[1], words[3:]
    if "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        env[name] = str((cwd / value).resolve())
    if words[0] == "python":
        return "served" in run([sys.executable, *words[1:]], cwd=cwd).stdout
    assert words[:2] == ["tlsrun", "run"]
    path = os.pathsep.join([str(ROOT), *env.values()])
    return resolve(words[2], cwd, {"PYTHONPATH": path})[0].startswith("found ")


PACKAGE = {"pkg/__init__.py": "", "pkg/models.py": "x = y = 1"}

CASES = {
    "a neighbour in a package, with a guard": (
        {**PACKAGE, "pkg/main.py": f"{APP}import models\n{GUARDED}"},
        ".", "pkg.main:app",
        "pkg/main.py:3: `import models` finds models only when the file runs as a script, for pkg is a package. "
        "Write `from . import models`, or run: python pkg/main.py",
    ),
    "a neighbour in a package, without a guard": (
        {**PACKAGE, "pkg/main.py": f"from models import x, y as z\n{APP}"},
        ".", "pkg/main.py",
        "pkg/main.py:1: `from models import x, y as z` finds models only when the file runs as a script, for pkg is a "
        "package. Write `from .models import x, y as z`, or run: PYTHONPATH=pkg tlsrun run pkg.main",
    ),
    "a neighbour's neighbour": (
        {**PACKAGE, "pkg/main.py": f"from . import views\n{APP}", "pkg/views.py": "import models"},
        ".", "pkg.main:app",
        "pkg/views.py:1: `import models` finds models only when the file runs as a script, for pkg is a package. "
        "Write `from . import models`, or run: PYTHONPATH=pkg tlsrun run pkg.main:app",
    ),
    "relative, without a package": (
        {"pkg/main.py": f"from . import models\n{APP}", "pkg/models.py": ""},
        ".", "pkg/main.py:app",
        "pkg/main.py:1: `from . import models` works in a package only. Without a package, write `import models` "
        "instead. In one, run: tlsrun run pkg.main:app",
    ),
    "relative, from the folder itself": (
        {"pkg/main.py": f"from .models import x\n{APP}", "pkg/models.py": "x = 1"},
        "pkg", "main",
        "main.py:1: `from .models import x` works in a package only. Without a package, write `from models import "
        "x` instead. In one, run: cd {folder} && tlsrun run pkg.main",
    ),
    "relative, beyond the package": (
        {"shop/web/__init__.py": "", "shop/web/main.py": f"from ..models import x\n{APP}", "shop/models.py": "x = 1"},
        ".", "shop/web/main.py",
        "shop/web/main.py:1: `from ..models import x` works in a package only. In one, run: tlsrun run "
        "shop.web.main",
    ),
    "absolute, from the folder itself": (
        {"pkg/main.py": f"from pkg import models\n{APP}", "pkg/models.py": ""},
        "pkg", "main:app",
        "main.py:1: `from pkg import models` needs {folder} as the folder to import from. "
        "Run: cd {folder} && tlsrun run pkg.main:app",
    ),
    "absolute, by file": (
        {"shop/web/main.py": f"import shop.models\n{APP}", "shop/models.py": ""},
        "shop", "web/main.py",
        "web/main.py:1: `import shop.models` needs {folder} as the folder to import from. "
        "Run: cd {folder} && tlsrun run shop.web.main",
    ),
    "in a circle": (
        {"main.py": f"import models\n{APP}", "models.py": "from main import app"},
        ".", "main:app",
        "models.py:1: `from main import app` asks for app while main.py:1 is still importing models. Move line 1 of "
        "main.py below the one that makes app",
    ),
    "in a circle in a package": (
        {"pkg/__init__.py": f"from pkg import views\n{APP}", "pkg/views.py": "import os\nfrom pkg import app"},
        ".", "pkg",
        "pkg/views.py:2: `from pkg import app` asks for app while pkg/__init__.py:1 is still importing views. Move "
        "line 1 of __init__.py below the one that makes app",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "cwd", "target", "hint"), CASES.values(), ids=CASES.keys())
def test_layout_mistakes(tmp_path: Path, files: dict[str, str], cwd: str, target: str, hint: str) -> None:
    """The user's traceback is whole, the hint names the line, and the command that it ends with works."""
    project(tmp_path, files)
    said, trace = resolve(target, tmp_path / cwd)
    assert said == hint.format(folder=tmp_path.resolve())
    assert trace.startswith("Traceback (most recent call last):\n  File ")
    assert "tlsrun/apps" not in trace
    assert "Error: " in trace
    if "un: " in hint:
        assert works(said, tmp_path / cwd), said


@pytest.mark.parametrize(
    "files",
    [
        {"main.py": f"import no_such_package\n{APP}"},
        {"main.py": f"from models import nothing\n{APP}", "models.py": ""},
        {"main.py": f"1/0\n{APP}"},
        {"main.py": "def f(:"},
        {"main.py": "import models", "models.py": "import numppy"},
        {"main.py": "raise ImportError('by hand')"},
        {"main.py": "from .. import x"},
    ],
)
def test_other_errors_have_no_hint(tmp_path: Path, files: dict[str, str]) -> None:
    """What the layout does not explain is left to the traceback."""
    project(tmp_path, files)
    said, trace = resolve("main:app", tmp_path)
    assert said == "None"
    assert "main.py" in trace


SCRIPT = """
import sys
from tlsrun.apps import import_hint
sys.excepthook = lambda kind, error, trace: print(import_hint(error, sys.argv[0], script=True))
"""


@pytest.mark.parametrize(
    ("statement", "cwd", "hint"),
    [
        ("from . import models", ".", "pkg/main.py:5: `from . import models` works in a package only. Without a "
         "package, write `import models` instead. In one, run: python -m pkg.main"),
        ("from pkg import models", "pkg", "main.py:5: `from pkg import models` needs {folder} as the folder to import "
         "from. Run: cd {folder} && python -m pkg.main"),
        ("import models", ".", ""),
    ],
)  # fmt: skip
def test_a_script_that_fails(tmp_path: Path, statement: str, cwd: str, hint: str) -> None:
    """For what runs as a script the command is Python's, and it works."""
    project(tmp_path, {**PACKAGE, "pkg/main.py": f"{SCRIPT}{statement}\n{GUARDED}"})
    done = run([sys.executable, os.path.relpath(tmp_path / "pkg/main.py", tmp_path / cwd)], cwd=tmp_path / cwd)
    assert done.stdout.strip() == (hint.format(folder=tmp_path.resolve()) or "served"), done.stderr
    if hint:
        assert works(done.stdout.strip(), tmp_path / cwd)


def test_an_error_of_flask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flask wraps the error that an import raises; the hint is the same, with Flask's command."""
    from flask.cli import NoAppException, ScriptInfo

    project(tmp_path, {**PACKAGE, "pkg/main.py": "import models"})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(NoAppException) as caught:
        ScriptInfo(app_import_path="pkg.main").load_app()
    sys.modules.pop("pkg", None)
    monkeypatch.setenv("FLASK_RUN_FROM_CLI", "true")
    hint = import_hint(caught.value, "pkg.main")
    assert hint is not None
    assert hint.startswith("pkg/main.py:1: `import models` finds models only when")
    assert hint.endswith("or run: PYTHONPATH=pkg flask --app pkg.main tlsrun")


def test_the_command_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who came by Flask's command line stays with it."""
    assert command("main:app") == "tlsrun run main:app"
    monkeypatch.setenv("FLASK_RUN_FROM_CLI", "true")
    assert command("main:app") == "flask --app main:app tlsrun"


#: What `app.run()` does first in a script.
RUN = """
if __name__ == "__main__":
    from tlsrun.apps import second_import_warning
    print(second_import_warning("__main__"))
"""

SAID_TWICE = (
    "{folder}/{importer}: {folder}/{main} runs as a script and is imported again, as {name}: there are two "
    "applications, and only the first is served. Move the application into a file of its own, which {files} can import."
)


@pytest.mark.parametrize(
    ("files", "words", "said"),
    [
        (
            {"main.py": f"{APP}import models{RUN}", "models.py": "import os\nfrom main import app"}, ["main.py"],
            {"importer": "models.py:2: `from main import app`", "main": "main.py", "name": "main",
             "files": "main.py and models.py"},
        ),
        (
            {"pkg/__init__.py": "", "pkg/main.py": f"{APP}from . import views{RUN}",
             "pkg/views.py": "from .main import app"},
            ["-m", "pkg.main"],
            {"importer": "pkg/views.py:1: `from .main import app`", "main": "pkg/main.py", "name": "pkg.main",
             "files": "main.py and views.py"},
        ),
        (
            {"pkg/__init__.py": "", "pkg/__main__.py": f"{APP}from pkg import views{RUN}",
             "pkg/views.py": "def later(): ...\nfrom pkg import __main__ as main"},
            ["-m", "pkg"],
            {"importer": "pkg/views.py:2: `from pkg import __main__ as main`", "main": "pkg/__main__.py",
             "name": "pkg.__main__", "files": "__main__.py and views.py"},
        ),
        ({"main.py": f"{APP}import models{RUN}", "models.py": ""}, ["main.py"], None),
        ({"main.py": f"{APP}{RUN}"}, ["-m", "main"], None),
        ({"main.py": "", "other/main.py": f"import sys\nsys.path.pop(0)\nimport main{RUN}"}, ["other/main.py"], None),
        ({"main.py": ""}, ["-c", RUN], None),
    ],
)  # fmt: skip
def test_a_second_import(tmp_path: Path, files: dict[str, str], words: list[str], said: dict[str, str] | None) -> None:
    """When another file imports app from the script that runs, both files and the remedy are named."""
    project(tmp_path, files)
    done = run([sys.executable, *words], cwd=tmp_path, env={"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])})
    assert done.stdout.strip() == (SAID_TWICE.format(folder=tmp_path, **said) if said else "None"), done.stderr


def test_a_second_import_of_a_library(tmp_path: Path) -> None:
    """It is noticed for an application that was imported, too: here as pkg.main and as main."""
    files = {"pkg/__init__.py": "", "pkg/main.py": f"{APP}import views", "pkg/views.py": "from main import app"}
    project(tmp_path, files)
    program = "import pkg.main; from tlsrun.apps import second_import_warning as w; print(w('pkg.main'))"
    path = os.pathsep.join([str(ROOT), str(tmp_path / "pkg")])
    done = run([sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": path})
    assert f"{tmp_path}/pkg/main.py is imported as pkg.main and is imported again, as main" in done.stdout, done.stderr
