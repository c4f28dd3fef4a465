"""tlsrun.apps.two_ways: what is said of a project is what Python does with it, both ways."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.process import run
from tlsrun.apps import import_differences

MAIN = """
from bottle import Bottle
app = Bottle()
{imports}
print(len(routes) if "routes" in globals() else "")
if __name__ == "__main__":
    print("served")
"""

CASES: dict[str, tuple[dict[str, str], list[str], str]] = {
    "flat": ({"main.py": "import models", "models.py": "import os, bottle"}, [], "both"),
    "flat, a package beside": (
        {"main.py": "import parts.views", "parts/__init__.py": "", "parts/views.py": "from . import more",
         "parts/more.py": ""}, [], "both",
    ),
    "package, relative": (
        {"pkg/__init__.py": "", "pkg/main.py": "from . import models", "pkg/models.py": ""},
        ["{folder}/pkg/main.py:4: `from . import models`: works under flask, gunicorn and uWSGI, but not in: "
         "python pkg/main.py. Start the script in {folder} as: python -m pkg.main."], "library",
    ),
    "package, absolute": (
        {"pkg/__init__.py": "", "pkg/main.py": "from pkg import models", "pkg/models.py": ""},
        ["{folder}/pkg/main.py:4: `from pkg import models`: works under flask, gunicorn and uWSGI, but not in: "
         "python pkg/main.py. Start the script in {folder} as: python -m pkg.main."], "library",
    ),
    "package, neighbour": (
        {"pkg/__init__.py": "", "pkg/main.py": "import models", "pkg/models.py": "from views import x",
         "pkg/views.py": "x = 1"},
        ["{folder}/pkg/main.py:4: `import models`: finds models.py only when main.py runs as a script, not under "
         "flask, gunicorn or uWSGI. Write `from . import models`, and start the script as: python -m pkg.main.",
         "{folder}/pkg/models.py:1: `from views import x`: finds views.py only when main.py runs as a script, not "
         "under flask, gunicorn or uWSGI. Write `from .views import x`, and start the script as: python -m pkg.main."],
        "script",
    ),
    "second import": (
        {"main.py": "import models", "models.py": "def later(): import nothing\nfrom main import app"},
        ["{folder}/models.py:2: `from main import app`: makes a second application when main.py runs as a script, "
         "where only the first is served. Move the application into a file of its own that both import."], "both",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "said", "ways"), CASES.values(), ids=CASES.keys())
def test_differences(tmp_path: Path, files: dict[str, str], said: list[str], ways: str) -> None:
    """Each statement that works one way only is named with its line and a remedy, and Python agrees."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(MAIN.format(imports=text) if name.endswith("main.py") else text)
    main = next(tmp_path.rglob("main.py"))
    assert [str(problem) for problem in import_differences(main)] == [
        line.format(folder=tmp_path.resolve()) for line in said
    ]
    script = run([sys.executable, main], cwd=tmp_path)
    library = run([sys.executable, "-c", f"import {'pkg.main' if 'pkg' in main.parts else 'main'}"], cwd=tmp_path)
    assert (script.returncode == 0) is (ways != "library"), script.stderr
    assert (library.returncode == 0) is (ways != "script"), library.stderr


def test_what_is_no_script_need_not_work_as_one(tmp_path: Path) -> None:
    """Without a guard, relative imports and imports of the application are as they should be."""
    files = {"__init__.py": "", "main.py": "from . import views", "views.py": "from .main import app"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert import_differences(tmp_path / "main.py") == ()


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """A file that is no Python says nothing about its imports."""
    (tmp_path / "main.py").write_text("def f(:\nimport models")
    assert import_differences(tmp_path / "main.py") == ()
    assert import_differences(tmp_path / "none.py") == ()
