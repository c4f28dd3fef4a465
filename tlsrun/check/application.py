"""The application: findings from importing it as a module and as a script, and from what it sees of HTTPS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tlsrun
from tlsrun.apps.statements import has_guard
from tlsrun.apps.target import locate
from tlsrun.check.app.task import ImportTask
from tlsrun.check.code import Severity
from tlsrun.check.finding import Finding, found, from_problem
from tlsrun.errors import Problem
from tlsrun.settings.layers import Given, Layer

#: Time limit for an import, in seconds.
PATIENCE = 20.0


@dataclass(frozen=True, kw_only=True)
class ApplicationFacts:
    """What is known of the application.

    Arguments:
        target: its name for a server (``module:name``); None if it could not be imported.
        framework: ``flask``, ``bottle`` or ``wsgi``.
        layers: the settings in its own configuration.
        debug: whether it is in debug mode.
        file: the file of its module.
        findings: the findings so far.
    """

    target: str | None = None
    framework: str = "wsgi"
    layers: tuple[Layer, ...] = ()
    debug: bool = False
    file: Path | None = None
    findings: tuple[Finding, ...] = field(default=())


def check_application(
    target: str, *, framework: str = "", prepare: str = "", patience: float = PATIENCE
) -> ApplicationFacts:
    """Import the application in separate processes and report the findings.

    Arguments:
        target: its name; empty for wsgi.py or app.py in the current folder.
        framework: the framework to look for first in the module; empty for any.
        prepare: ``module:function`` that the command which would serve the application calls with it; empty for none.
        patience: time limit for each import, in seconds.
    """
    library = _import(ImportTask(way="library", target=target, framework=framework, prepare=prepare), patience)
    if library is None:
        return ApplicationFacts(findings=(_hangs(target, patience),))
    if "not_found" in library:
        where, _, what = library["not_found"].partition(": ")
        return ApplicationFacts(findings=(found("app-not-found", where, what),))
    if "failed" in library:
        return ApplicationFacts(findings=(_fails("import-fails", target, library["failed"]),))
    script = _as_script(library, patience)
    return ApplicationFacts(
        target=library["target"],
        framework=library["framework"],
        layers=tuple(_layer(one) for one in library["layers"]),
        debug=library["debug"],
        file=Path(library["file"]) if library["file"] else None,
        findings=(*_both_ways(library, script), *_runs(library), *_at_import(library), *_sight(library)),
    )


def check_hook(reference: str, where: str, file: Path | None) -> tuple[Finding, ...]:
    """Import the setting ``context_hook`` in a separate process.

    Arguments:
        reference: ``module:function``.
        where: how it was given.
        file: the application's file, whose folder is on the import path.
    """
    root = locate(str(file))[1] if file is not None else Path.cwd()
    answer = _import(ImportTask(way="hook", target=reference, folder=str(root)), PATIENCE)
    error = None if answer is None else answer.get("error") or answer.get("failed", {}).get("error")
    if answer is not None and error is None:
        return ()
    return (found("context-hook", where, f"{reference} cannot be imported: {error or 'its import does not end'}"),)


def _import(task: ImportTask, patience: float) -> dict[str, Any] | None:
    """The child's answer; None if it does not end in time.

    Whatever the import starts or changes in its process is gone when the child ends.
    """
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(Path(tlsrun.__file__).parents[1])]))
    command = [sys.executable, "-m", "tlsrun.check.app.child", task.as_argument()]
    with subprocess.Popen(  # noqa: S603 -- this interpreter, and our own module
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    ) as child:
        try:
            answer, _ = child.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            _end(child)
            return None
    try:
        result: dict[str, Any] = json.loads(answer)
    except ValueError:  # os._exit() in the application, or a crash of the interpreter
        error = f"the process that imports it ended with the code {child.returncode}, without a word"
        return {"failed": {"error": error, "file": "", "line": 0, "hint": None}}
    return result


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child and the processes that it started."""
    if hasattr(os, "killpg"):
        os.killpg(child.pid, 9)
    else:
        child.kill()
    child.communicate()


def _as_script(library: Mapping[str, Any], patience: float) -> dict[str, Any] | None:
    """Import it as a script, if the file can be run as one."""
    file = Path(library["file"] or "")
    if file.suffix != ".py" or file.name == "__init__.py":
        return None
    if locate(str(file))[1] != file.parent and not has_guard(file):
        return None
    name = library["target"].partition(":")[2]
    return _import(ImportTask(way="script", target=f"{file}::{name}"), patience)


def _hangs(target: str, patience: float) -> Finding:
    return found("import-hangs", target or "the application", f"its import has not ended after {patience:g} s")


def _fails(slug: str, target: str, failed: Mapping[str, Any], remedy: str | None = None) -> Finding:
    place = f" in {failed['file']}, line {failed['line']}" if failed["file"] else ""
    return found(slug, target or "the application", f"{failed['error']}{place}", failed["hint"] or remedy)


def _layer(answer: Mapping[str, Any]) -> Layer:
    return Layer(
        name=answer["name"],
        given={name: Given(**one) for name, one in answer["given"].items()},
        problems=tuple(Problem(**one) for one in answer["problems"]),
        warnings=tuple(Problem(**one) for one in answer["warnings"]),
    )


def _both_ways(library: Mapping[str, Any], script: Mapping[str, Any] | None) -> Iterator[Finding]:
    problems = [Problem(**one) for one in library["differences"]]
    twice = [one for one in (library["twice"], (script or {}).get("twice")) if one is not None]
    problems += [Problem(**one) for one in twice]
    # The same line may have been found in the source and seen at run time; report it once.
    told = {problem.where: problem for problem in problems}
    for problem in told.values():
        yield from_problem(problem, "imports-differ")
    if script is None or problems:
        return
    if "failed" in script:
        remedy = f"Start it as: {script['as_module']}"
        yield _fails("script-fails", f"python {_short(library['file'])}", script["failed"], remedy)
    elif script["routes"] is not None and script["routes"] != library["routes"]:
        yield _missing_pages(library, script["routes"])


def _missing_pages(library: Mapping[str, Any], in_script: list[str]) -> Finding:
    only_library = [page for page in library["routes"] if page not in in_script]
    only_script = [page for page in in_script if page not in library["routes"]]
    parts = [
        f"{', '.join(pages[:5])}{' and more' if len(pages) > 5 else ''} {where}"
        for pages, where in ((only_library, "only as a library"), (only_script, "only as a script"))
        if pages
    ]
    what = "the application has other pages as a script and as a library: " + "; ".join(parts)
    return found("imports-differ", _short(library["file"]), what)


def _runs(library: Mapping[str, Any]) -> Iterator[Finding]:
    for run in library["runs"]:
        yield found(
            "run-unguarded",
            f"{_short(run['file'])}:{run['line']}",
            f"{run['call']} is called while the module is imported",
        )
    for call in library["keywords"]:
        where = f"{_short(call['file'])}:{call['line']}"
        command = f"tlsrun check {library['target']} {' '.join(call['flags'])}"
        yield found("run-keywords", where, "settings are given to run() itself", f"Check with them: {command}")
    for call in library["cookies"]:
        where = f"{_short(call['file'])}:{call['line']}"
        yield found("set-cookie", where, "set_cookie() is called without secure=True")


def _at_import(library: Mapping[str, Any]) -> Iterator[Finding]:
    if library["patched"] is not None:
        yield from_problem(Problem(**library["patched"]), "patched")
    if library["threads"]:
        what = f"its import starts threads, which are not in workers that are forked: {', '.join(library['threads'])}"
        yield found("import-threads", library["target"], what)


def _sight(library: Mapping[str, Any]) -> Iterator[Finding]:
    request_view, name = library["request_view"], library["target"]
    if request_view is None:
        return
    if "error" in request_view:
        yield found("https-unseen", name, f"it could not be asked: {request_view['error']}", severity=Severity.INFO)
        return
    plain, forged = request_view["plain"], request_view["forged"]
    if plain["scheme"] != "https":
        what = f"over TLS it sees the scheme {plain['scheme']}, so it makes links and redirects with it"
        yield found("https-unseen", name, what)
    changed = [key for key in ("scheme", "host", "address") if forged.get(key) != plain.get(key)]
    if changed:
        what = f"a client's own X-Forwarded headers change what it sees: {', '.join(changed)}"
        yield found("headers-believed", name, what)
    elif plain.get("proxy_fix"):
        yield found("headers-believed", name, "it is wrapped in werkzeug's ProxyFix")
    yield from _session(request_view, plain, name)


def _session(request_view: Mapping[str, Any], plain: Mapping[str, Any], name: str) -> Iterator[Finding]:
    if request_view.get("server_name") and request_view["preferred_scheme"] == "http":
        what = f"outside of requests, url_for(_external=True) makes http://{request_view['server_name']}/…"
        yield found("url-for-http", f"PREFERRED_URL_SCHEME of {name}", what)
    if request_view.get("sessions") and not plain["cookie_secure"]:
        yield found("cookie-insecure", name, "its session cookie is not Secure, even over TLS")
    if request_view.get("remember_insecure"):
        what = "Flask-Login's remember-me cookie is not Secure"
        yield found("cookie-insecure", name, what, "Set REMEMBER_COOKIE_SECURE = True")
    if request_view.get("sessions") and not request_view["httponly"]:
        yield found("cookie-scripts", name, "SESSION_COOKIE_HTTPONLY is off")


def _short(file: str) -> str:
    """A path relative to the current folder, if it is below it."""
    relative = os.path.relpath(file)
    return file if relative.startswith(os.pardir) else relative
