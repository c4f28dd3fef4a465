"""How this program was started, so that it can be started again: command line, folder, environment."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tlsrun import deferred_signals, started
from tlsrun.handover import VARIABLE, Handover

#: Prefix under which systemd's variables are hidden from a server (`tlsrun.listening.inherited`).
_KEPT = "_TLSRUN_"
#: Variables that our programs, or a server, have set for themselves.
_OURS = (
    "_TLSRUN_",
    started.UWSGI_RELOADS,
    "UWSGI_ORIGINAL_PROC_NAME",
    started.GUNICORN_SOCKETS,
    "GUNICORN_PID",
    "GUNICORN_REDIRECT",
)
#: Variables with what the user entered at the terminal, which is not asked again.
_ASKED = ("TLSRUN_KEY_PASSWORD",)
#: Variables that a program needs that uWSGI executes again; Python itself adds the last one.
_STAYS = ("_TLSRUN_", "UWSGI_", *_ASKED, "LC_CTYPE")
#: Environment variable with JSON: the number of a process, and the names that were added in it.
ADDED = "_TLSRUN_ADDED"


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program as it was started.

    Arguments:
        command: the interpreter and its arguments.
        folder: its working folder.
        environ: its environment.
    """

    command: tuple[str, ...]
    folder: str
    environ: Mapping[str, str]

    def environ_with(self, handover: Handover) -> dict[str, str]:
        """The environment with ``handover``, written by this process."""
        return {**self.environ, VARIABLE: handover.to_text()}

    def execute(self, handover: Handover) -> str:
        """Execute it in this process, in the main thread. Returns only if that fails.

        Returns:
            the reason.
        """
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        here = os.getcwd()
        deferred_signals.block()
        try:
            for number in handover.descriptors:
                os.set_inheritable(number, True)
            os.chdir(self.folder)
            os.execve(self.command[0], self.command, self.environ_with(handover))  # noqa: S606 -- itself
        except OSError as error:
            os.chdir(here)
            for number in handover.descriptors:
                os.set_inheritable(number, False)
            deferred_signals.unblock()
            return f"{self.command[0]} cannot be executed: {error.strerror or error}"


def find_program() -> Program | str:
    """This program, or the reason why it cannot be run again."""
    if not sys.executable or not sys.orig_argv:
        return "nobody knows by which interpreter it was started"
    words = list(sys.orig_argv[1:])
    if script_of(words) is None:
        return "it was typed in, or came from standard input"
    folder = start_folder()
    try:
        os.stat(os.path.join(folder, ""))
    except PermissionError:
        return f"its working folder {folder} is closed to the user {os.geteuid()}"
    except OSError:
        return f"its working folder {folder} is gone"
    return Program(command=(sys.executable, *words), folder=folder, environ=_environ())


def script_of(words: Sequence[str]) -> str | None:
    """What an interpreter with these arguments runs: a path, ``-m`` or ``-c``; None for standard input (python(1))."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "-":
            return None
        if not word.startswith("-"):
            return word
        if word.startswith("--"):
            rest = rest[1:] if word == "--check-hash-based-pycs" else rest
            continue
        for position, letter in enumerate(word[1:], 2):
            if letter in "mc":
                return f"-{letter}"
            if letter in "WX":
                rest = rest if word[position:] else rest[1:]
                break
    return None


def start_folder() -> str:
    """The working folder in which this program was started, to which paths in its command line are relative.

    The application may have changed it since (``os.chdir`` at import).
    """
    main = getattr(sys.modules.get("__main__"), "__file__", None) or ""
    script = script_of(sys.orig_argv[1:])
    if script is not None and not script.startswith("-") and not os.path.isabs(script):
        script = os.path.normpath(script)
        if main.endswith(os.sep + script):
            return main[: -len(script) - 1] or os.sep
    if script == "-m" and os.path.isabs(sys.path[0]) and main.startswith(sys.path[0] + os.sep):
        return sys.path[0]
    return started.FOLDER or os.getcwd()


def remember_what_was_added() -> None:
    """Note which variables were added, before uWSGI runs: its own reload passes on the environment of that time."""
    names = [name for name in os.environ if name not in _at_the_start() and not name.startswith(_STAYS)]
    os.environ[ADDED] = json.dumps([os.getpid(), names])


def start_clean() -> None:
    """In a program that uWSGI has executed again: execute it once more, without the variables that were added."""
    pid, names = json.loads(os.environ.pop(ADDED))
    if names and pid == os.getpid() and started.UWSGI_RELOADS in os.environ:
        environ = {name: value for name, value in os.environ.items() if name not in names}
        environ[ADDED] = json.dumps([pid, []])
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environ)  # noqa: S606 -- itself
    if pid == os.getpid() and started.UWSGI_RELOADS in os.environ:
        deferred_signals.record()


def _at_the_start() -> dict[str, str]:
    return dict(os.fsdecode(item).split("=", 1) for item in started.ENVIRONMENT.split(b"\0") if b"=" in item)


def _environ() -> dict[str, str]:
    """The environment at the start; what the application or a .env file has added since will be added again."""
    found = _at_the_start() or dict(os.environ)
    found |= {name.removeprefix(_KEPT): value for name, value in found.items() if name.startswith(f"{_KEPT}LISTEN_")}
    found |= {name: os.environ[name] for name in _ASKED if name in os.environ}
    return {name: value for name, value in found.items() if not name.startswith(_OURS)}
