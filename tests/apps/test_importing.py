"""tlsrun.apps.importing: a module that is imported starts nothing; a script does. Each way to start is real."""

from __future__ import annotations

import os
import signal
import sys
import threading
import timeit
import weakref
from pathlib import Path
from textwrap import dedent

import bottle
import pytest

from tests.support.clients import free_port
from tests.support.process import Server, handles, run
from tlsrun.apps import ImportSite, importing_only, is_library_import, library_import

#: pytest imports this module as a library.
AT_IMPORT = library_import()

ASK = """\
from tlsrun.apps import library_import
site = library_import()
print(site.module if site else 'script', end=' ')
"""

FILES = {
    "main.py": ASK,
    "imports_main.py": "import main",
    "calls.py": f"def serve():\n{''.join(f'    {line}{chr(10)}' for line in ASK.splitlines())}",
    "script.py": "import sys\nfrom calls import serve\nsys.exit(serve())",
    "guarded.py": "from calls import serve\nif __name__ == '__main__':\n    serve()",
    "pkg/__init__.py": "",
    "pkg/__main__.py": "from calls import serve\nserve()",
    "pkg/main.py": ASK,
    "pkg/imports.py": "from . import main",
    "run_as_script.py": "import runpy\nrunpy.run_path('main.py', run_name='__main__')",
    "imports_runner.py": "import run_as_script",
    "run_path.py": "import runpy\nrunpy.run_path('main.py')",
    "run_module.py": "import runpy\nrunpy.run_module('main')",
    "executes.py": "exec(open('main.py').read(), {})\nexec(open('main.py').read(), {'__name__': 'config'})",
    "executes_as_script.py": "exec(open('main.py').read(), {'__name__': '__main__'})",
    "console.py": "import code\ncode.InteractiveConsole().runsource(open('main.py').read(), symbol='exec')",
    "loads.py": dedent("""
        import importlib.util
        spec = importlib.util.spec_from_file_location("by_path", "main.py")
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
        """),
    "thread.py": dedent("""
        import threading
        from calls import serve
        thread = threading.Thread(target=serve)
        thread.start()
        thread.join()
        """),
    "imports_thread.py": "import thread",
    # As PyCharm's debugger does: it is the script, gives that name away, and executes the user's script under it.
    "debugger.py": dedent("""
        import sys, types
        def main():
            sys.modules["debugger"] = sys.modules["__main__"]
            sys.modules["debugger"].__name__ = "debugger"
            module = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(open("main.py").read(), "main.py", "exec"), module.__dict__)
        if __name__ == "__main__":
            main()
        """),
    "spawns.py": ASK
    + dedent("""
        import multiprocessing, sys
        if __name__ == "__main__":
            sys.stdout.flush()
            child = multiprocessing.get_context("spawn").Process(target=print)
            child.start()
            child.join()
        """),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with scripts and modules that print ``script``, or the module that is being imported."""
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("main.py", "script"),
        ("-m main", "script"),
        ("-m pkg", "script"),
        ("-m pkg.main", "script"),
        ("script.py", "script"),
        ("guarded.py", "script"),
        ("-c|import main", "main"),
        ("-c|import guarded", ""),
        ("-c|import calls; calls.serve()", "script"),
        ("imports_main.py", "main"),
        ("-m pkg.imports", "pkg.main"),
        ("run_as_script.py", "script"),
        ("imports_runner.py", "script"),
        ("run_path.py", "<run_path>"),
        ("run_module.py", "main"),
        ("loads.py", "by_path"),
        ("executes.py", "script script"),
        ("executes_as_script.py", "script"),
        ("console.py", "script"),
        ("thread.py", "script"),
        ("imports_thread.py", "script"),
        ("debugger.py", "script"),
        ("spawns.py", "script __mp_main__"),
        ("-m cProfile -o out main.py", "script"),
        ("-m trace --count -C counts main.py", "script"),
        ("-m pdb -c continue -c quit main.py", "script"),
    ],
)
def test_script_or_library(project: Path, command: str, said: str) -> None:
    """A script is what Python was told to run, however it was told; what `import` runs is a library."""
    words = command.split("|") if "|" in command else command.split()
    done = run([sys.executable, *words], cwd=project)
    assert done.stdout.replace("\n", " ").split()[: len(said.split()) or 1] == said.split(), done.stderr


WSGI = (
    ASK
    + """
import sys
sys.stdout.flush()
def application(environ, start_response):
    start_response("200 OK", [])
    return [b""]
"""
)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["gunicorn", "-b", "127.0.0.1:{port}", "hello"], "hello"),
        (["gunicorn", "--preload", "-b", "127.0.0.1:{port}", "hello"], "hello"),
        (["uwsgi", "--need-app", "--die-on-term", "--http-socket", "127.0.0.1:{port}", "--wsgi-file", "hello.py"],
         "uwsgi_file_hello"),
        (["uwsgi", "--need-app", "--die-on-term", "--http-socket", "127.0.0.1:{port}", "--module", "hello"], "hello"),
    ],
    ids=["gunicorn", "gunicorn --preload", "uwsgi --wsgi-file", "uwsgi --module"],
)  # fmt: skip
def test_servers_import_a_library(tmp_path: Path, command: list[str], said: str) -> None:
    """gunicorn and uWSGI import an application as a library."""
    program = Path(sys.executable).parent / command[0]
    if not program.exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)('Run: pip install "tlsrun[all]"')
    (tmp_path / "hello.py").write_text(WSGI)
    port = free_port()
    with Server([program, *(word.format(port=port) for word in command[1:])], cwd=tmp_path) as server:
        server.until_listening(("127.0.0.1", port))
        server.until_logged(f"{said} ")
        server.wait_for(lambda: handles(server.pid, signal.SIGTERM), what="a handler of SIGTERM")
        assert "script " not in server.log()


def test_here() -> None:
    """A test runs after its module was imported, and in no other's import."""
    assert AT_IMPORT is not None
    assert AT_IMPORT[:2] == (__name__, __file__)
    assert not is_library_import()


def test_the_line_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Module, file and line of the statement that led here."""
    (tmp_path / "named_line.py").write_text("from tlsrun.apps import library_import\n\nsite = library_import()\n")
    monkeypatch.syspath_prepend(tmp_path)
    import named_line  # type: ignore[import-not-found]

    assert named_line.site == ImportSite("named_line", str(tmp_path / "named_line.py"), 3)


class Watched:
    """Something that can be seen to go."""


def test_no_frame_is_kept() -> None:
    """What the callers hold is free as soon as they return, without a garbage collection."""

    def caller() -> weakref.ref[Watched]:
        held = Watched()
        is_library_import()
        library_import()
        return weakref.ref(held)

    assert caller()() is None


def test_it_costs_nothing_to_speak_of() -> None:
    """Asking from a stack of ordinary depth takes microseconds."""
    assert min(timeit.repeat(is_library_import, number=100, repeat=20)) / 100 < 200e-6


@pytest.mark.parametrize("before", [None, "true", "false"])
def test_importing_only(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    """Inside the block both switches are set; afterwards they are as before, also after an error."""
    monkeypatch.delenv("FLASK_RUN_FROM_CLI", raising=False)
    if before is not None:
        monkeypatch.setenv("FLASK_RUN_FROM_CLI", before)

    def failing_import() -> None:
        assert (os.environ["FLASK_RUN_FROM_CLI"], bottle.NORUN) == ("true", True)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), importing_only():
        failing_import()
    assert os.environ.get("FLASK_RUN_FROM_CLI") == before
    assert bottle.NORUN is False


def test_importing_only_without_bottle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Bottle nothing is imported."""
    monkeypatch.delitem(sys.modules, "bottle")
    with importing_only():
        assert "bottle" not in sys.modules


def test_other_threads_do_not_matter() -> None:
    """A thread has a stack of its own."""
    seen: list[bool] = []
    thread = threading.Thread(target=lambda: seen.append(is_library_import()))
    thread.start()
    thread.join()
    assert seen == [False]
