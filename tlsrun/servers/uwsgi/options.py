"""The user's ``server_options`` for uWSGI: which there are, which are refused, and why."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError, Problem, did_you_mean
from tlsrun.servers.options import instead
from tlsrun.started import UWSGI_RELOADS

_HELP_SECONDS = 20
_TLS = ("tlsrun ends TLS itself, in front of uWSGI", instead("cert", "key"))
_LISTENS = ("tlsrun makes the sockets, and what comes past its own would be believed", instead("bind"))
_NAMES = ("names an application, and one is running already", "Leave it out")
_LIVE = ("would make each worker load an application, and one is running already", "Leave it out")
_FIXED = ("tlsrun sets it", "Leave it out")
_FILE = ("names a file of options, which could contradict ours", "Put its options into server_options")
_DAEMON = ("would change the process that is watched", "Use a service manager, such as systemd")
_PAST_US = (
    "would end requests that are on their way",
    "Send SIGHUP for a reload and SIGTERM for a stop, or use touch-reload",
)

#: option -> (why it is refused, what to do)
_REFUSED: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("socket", "uwsgi-socket", "shared-socket", "undeferred-shared-socket", "puwsgi-socket"), _LISTENS),
    **dict.fromkeys(("fastcgi-socket", "fastcgi-nph-socket", "scgi-socket", "scgi-nph-socket"), _LISTENS),
    **dict.fromkeys(("raw-socket", "protocol", "socket-protocol", "map-socket", "zerg", "zerg-server"), _LISTENS),
    **dict.fromkeys(("abstract-socket", "chmod-socket", "chmod", "chown-socket", "enable-proxy-protocol"), _LISTENS),
    **dict.fromkeys(("module", "wsgi", "wsgi-file", "file", "eval", "callable", "mount", "worker-mount"), _NAMES),
    **dict.fromkeys(("paste", "ini-paste", "ini-paste-logged", "pecan", "pump", "web3", "wsgi-lite"), _NAMES),
    **dict.fromkeys(("lazy", "lazy-apps", "worker-exec", "worker-exec2", "python-worker-override"), _LIVE),
    **dict.fromkeys(("master", "single-interpreter", "need-app", "die-on-term", "strict", "binary-path"), _FIXED),
    **dict.fromkeys(("no-orphans", "mule", "mules", "force-cwd", "no-server", "vacuum", "exit-on-reload"), _FIXED),
    **dict.fromkeys(("ini", "xml", "xmlconfig", "yaml", "yml", "json", "js", "config", "fallback-config"), _FILE),
    **dict.fromkeys(("include", "inherit", "inject-before", "inject-after"), _FILE),
    **dict.fromkeys(("daemonize", "daemonize2", "emperor", "refork", "re-fork"), _DAEMON),
    **dict.fromkeys(("master-fifo", "fs-reload", "fs-brutal-reload", "brutal-reload-on-fd", "reload-on-fd"), _PAST_US),
    "processes": ("tlsrun sets it", instead("workers")),
    "workers": ("tlsrun sets it", instead("workers")),
    "threads": ("tlsrun sets it", instead("threads")),
    "set": ("sets another option", "Give that option itself"),
}

#: Prefixes of refused options that are not listed above.
_REFUSED_FAMILIES = {"https": _TLS, "ssl": _TLS, "sni": _TLS, "http": _LISTENS}

#: Variables that uWSGI takes for options, and those that carry its own state over a reload.
_VARIABLES = "UWSGI_"
_INTERNAL = frozenset((UWSGI_RELOADS, "UWSGI_ORIGINAL_PROC_NAME"))

#: Flags that a user may set but not clear.
_MUST_BE_ON = frozenset(("enable-threads",))


@cache
def names() -> frozenset[str]:
    """The options that the installed uWSGI has; empty when it is not installed or does not list them.

    Another process is asked, because uWSGI exits after listing them.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_VARIABLES)}
    try:
        told = subprocess.run(  # noqa: S603 -- this interpreter
            [sys.executable, "-c", "import pyuwsgi; pyuwsgi.run(['--help'])"],
            capture_output=True,
            text=True,
            timeout=_HELP_SECONDS,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return frozenset()
    # "    -s|--socket      what it does"
    words = (line.split(maxsplit=1)[0] for line in told.stdout.splitlines() if line.startswith(" "))
    return frozenset(word.rpartition("--")[2] for word in words if "--" in word)


def has_ssl() -> bool:
    """Whether the installed uWSGI itself was built with TLS; PyPI's wheels are not, and ignore ``https`` in a file."""
    return "https" in names()


def where(name: str) -> str:
    """How an option is spelled in messages."""
    return f"server_options, uWSGI's {name}"


def read(plan: Plan) -> dict[str, Any]:
    """uWSGI's options from a plan: user and group, and the user's own; as `user_options`."""
    ours = {"uid": str(plan.account.uid), "gid": str(plan.account.gid)} if plan.account is not None else {}
    return ours | user_options(plan.server_options, names())


def user_options(
    given: Mapping[str, Any], known: frozenset[str], environ: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """``server_options`` under uWSGI's names: ``_`` is as good as ``-``.

    Arguments:
        known: uWSGI's options; empty when they are unknown.
        environ: uWSGI takes each ``UWSGI_NAME`` in it for an option too.

    Raises:
        ConfigurationError: with every option that uWSGI does not have, or that conflicts with ours.
    """
    options = {name if name in known else name.replace("_", "-"): value for name, value in given.items()}
    problems = [
        problem for name, value in options.items() if (problem := _problem(where(name), name, value, known)) is not None
    ]
    for variable in environ:
        if variable.startswith(_VARIABLES) and variable not in _INTERNAL:
            name = variable.removeprefix(_VARIABLES).lower().replace("_", "-")
            problem = _problem(f"{variable} in the environment", name, environ[variable], known)
            if problem is not None:
                problems.append(replace(problem, remedy=f"Unset it. {problem.remedy}"))
    if problems:
        raise ConfigurationError(problems)
    return options


def items(value: Any) -> tuple[Any, ...]:
    """The words of an option's value, one for each repetition; none for None and False."""
    if value is None or value is False:
        return ()
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _problem(spelled: str, name: str, value: Any, known: frozenset[str]) -> Problem | None:
    if refused := _refusal(name):
        return Problem(where=spelled, what=refused[0], remedy=refused[1])
    if name not in known and known:
        return Problem(where=spelled, what="uWSGI has no such option", remedy=_did_you_mean(name, known))
    if name in _MUST_BE_ON and not value:
        return Problem(where=spelled, what="must be on: an edge needs it", remedy="Leave it out")
    if not all(isinstance(item, (str, int, float, os.PathLike)) for item in items(value)):
        remedy = "Give a text, a number, true for a flag, or a list of them"
        return Problem(where=spelled, what=f"{value!r} cannot stand on a command line", remedy=remedy)
    return None


def _refusal(name: str) -> tuple[str, str] | None:
    if name in _REFUSED:
        return _REFUSED[name]
    return next((why for family, why in _REFUSED_FAMILIES.items() if name.startswith(family)), None)


def _did_you_mean(name: str, known: frozenset[str]) -> str:
    return did_you_mean(name.lower().lstrip("-"), known, "See `uwsgi --help` for the options")
