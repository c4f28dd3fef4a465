"""What is said about an optional package that is not there: a command that works on this Python and machine."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.process import run
from tlsrun.optional import Here
from tlsrun.servers import load

LINUX = Here(python=(3, 14), free_threaded=False, system="linux", machine="x86_64", builds=False)

#: Python 3.15 without a compiler, in which pyuwsgi is not installed.
NEWEST = """
import dataclasses, shutil, sys
sys.modules["pyuwsgi"] = None
which = shutil.which
shutil.which = lambda name, *more, **named: None if name in ("cc", "gcc", "clang") else which(name, *more, **named)
import tlsrun.optional
look = tlsrun.optional.Here.look
tlsrun.optional.Here.look = classmethod(lambda cls: dataclasses.replace(look(), python=(3, 15)))
"""


@pytest.mark.parametrize("extra", ["gunicorn", "uwsgi", "granian", "hypercorn"])
def test_a_command_where_there_are_wheels(extra: str) -> None:
    """Nothing but the command."""
    assert load(extra).how_to_install(LINUX) == f'Run: pip install "tlsrun[{extra}]"'


@pytest.mark.parametrize(
    ("extra", "here", "title"),
    [
        ("uwsgi", replace(LINUX, python=(3, 15)), "Python 3.15 on Linux (x86_64)"),
        ("uwsgi", replace(LINUX, free_threaded=True), "Python 3.14t on Linux (x86_64)"),
        ("uwsgi", replace(LINUX, machine="riscv64"), "Python 3.14 on Linux (riscv64)"),
        ("granian", replace(LINUX, system="win32", machine="ARM64"), "Python 3.14 on Windows (ARM64)"),
    ],
)
def test_no_wheel_and_no_compiler(extra: str, here: Here, title: str) -> None:
    """What is missing is said before the command; with a compiler the command works as it is."""
    assert not load(extra).has_wheel(here)
    said = load(extra).how_to_install(here)
    assert f"no wheel of it for {title}" in said
    assert "install a C compiler" in said
    assert said.index("C compiler") < said.index("pip install")
    assert load(extra).how_to_install(replace(here, builds=True)) == f'Run: pip install "tlsrun[{extra}]"'


def test_the_server_says_so(tmp_path: Path) -> None:
    """``--server uwsgi`` on such a Python: one line, exit code 2, and nothing is started."""
    (tmp_path / "sitecustomize.py").write_text(NEWEST)
    (tmp_path / "hello.py").write_text("def app(environ, start_response): ...\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "tlsrun", "run", "hello:app", "--server", "uwsgi"]
    done = run(command, cwd=tmp_path, env={"PYTHONPATH": path})
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert "pyuwsgi is not installed. PyPI has no wheel of it for Python 3.15" in line


def test_all_leaves_out_what_has_no_wheel() -> None:
    """As pip reads it: the markers are in what was built."""
    needed = importlib.metadata.requires("tlsrun") or []
    (uwsgi,) = (one for one in needed if one.startswith("pyuwsgi") and "extra == 'all'" in one.replace('"', "'"))
    assert "python_version < '3.15'" in uwsgi.replace('"', "'")
    assert "win32" in uwsgi
