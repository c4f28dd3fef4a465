"""How this program was started, to start it so again: its command line, its folder, its environment."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tlsrun import deferred_signals, started
from tlsrun.handover import VARIABLE, Handover

#: Begins the names under which systemd's variables are kept from a server (`tlsrun.listening.inherited`).
_KEPT = "_TLSRUN_"
#: What our own programs, or a server's, have put into the environment to tell themselves something.
_OURS = ("_TLSRUN_", "UWSGI_RELOADS", "UWSGI_ORIGINAL_PROC_NAME", "GUNICORN_FD", "GUNICORN_PID", "GUNICORN_REDIRECT")
#: What was asked of a person at the terminal, and is not asked again.
_ASKED = ("TLSRUN_KEY_PASSWORD",)
#: What a program that uWSGI executes anew needs; Python itself adds the last one.
_STAYS = ("_TLSRUN_", "UWSGI_", *_ASKED, "LC_CTYPE")
#: In the environment: JSON, the number of a process and the names that were added in it.
ADDED = "_TLSRUN_ADDED"


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program as it was started.

    Arguments:
        command: the interpreter and its arguments.
        folder: where.
        environ: with what environment.
    """

    command: tuple[str, ...]
    folder: str
    environ: Mapping[str, str]

    def environ_with(self, handover: Handover) -> dict[str, str]:
        """The environment that carries ``handover``, written by this process."""
        return {**self.environ, VARIABLE: handover.to_text()}

    def execute(self, handover: Handover) -> str:
        """Run it anew in this process, with what is handed over; in the main thread. Never returns when it works.

        Returns:
            why that cannot be done.
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
    """This program; or in words, why it cannot be run again."""
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
    """What an interpreter with these arguments runs: a path, ``-m`` or ``-c``; None for nothing (python(1))."""
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
    """The working folder in which this program was started; there the words of its command line mean what they say.

    The application may have left it since (``os.chdir`` at import).
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
    """Before uWSGI runs, whose own reload hands on the environment as it is then: note what is to be left out."""
    names = [name for name in os.environ if name not in _at_the_start() and not name.startswith(_STAYS)]
    os.environ[ADDED] = json.dumps([os.getpid(), names])


def start_clean() -> None:
    """In a program that uWSGI has executed anew: execute it once more, without what the one before had added."""
    pid, names = json.loads(os.environ.pop(ADDED))
    if names and pid == os.getpid() and "UWSGI_RELOADS" in os.environ:
        environ = {name: value for name, value in os.environ.items() if name not in names}
        environ[ADDED] = json.dumps([pid, []])
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environ)  # noqa: S606 -- itself
    if pid == os.getpid() and "UWSGI_RELOADS" in os.environ:
        deferred_signals.record()


def _at_the_start() -> dict[str, str]:
    return dict(os.fsdecode(item).split("=", 1) for item in started.ENVIRONMENT.split(b"\0") if b"=" in item)


def _environ() -> dict[str, str]:
    """As it was at the start: what the application, or a .env file, has added since is added anew."""
    found = _at_the_start() or dict(os.environ)
    found |= {name.removeprefix(_KEPT): value for name, value in found.items() if name.startswith(f"{_KEPT}LISTEN_")}
    found |= {name: os.environ[name] for name in _ASKED if name in os.environ}
    return {name: value for name, value in found.items() if not name.startswith(_OURS)}
