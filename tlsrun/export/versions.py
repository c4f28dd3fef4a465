"""The version of nginx that a file is for, as its syntax changed: the one that is given, or the installed one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TypeAlias

from tlsrun.errors import ConfigurationError

Version: TypeAlias = tuple[int, ...]

#: Folders of system programs that are often only on root's PATH.
_PLACES = ("/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/local/nginx/sbin")


def nginx_version(target: str, given: str | None) -> Version | None:
    """The version of nginx that the file is for; None if none is given and none is installed.

    Arguments:
        target: the target of the export.
        given: the value of ``--nginx-version``.

    Raises:
        ConfigurationError: ``given`` is not a version, or the target is not nginx.
    """
    if target != "nginx":
        if given is not None:
            raise _mistake(given, f"{target} is no file of nginx", "Leave it out")
        return None
    if given is None:
        return _installed()
    if not re.fullmatch(r"\d{1,4}(\.\d{1,4}){1,3}", given, re.ASCII):
        raise _mistake(given, "is no version of nginx", "Write it as `nginx -v` does, such as 1.26.3")
    return _read(given)


def _mistake(given: str, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError.of(where=f"--nginx-version {given}", what=what, remedy=remedy)


def _installed() -> Version | None:
    program = shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_PLACES)))
    if program is None:
        return None
    try:
        # It prints the version to standard error (nginx.org, "Command-line parameters").
        done = subprocess.run([program, "-v"], capture_output=True, timeout=5, check=False)  # noqa: S603 -- no shell
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"/(\d+\.\d+(?:\.\d+)*)", done.stderr.decode("latin-1"), re.ASCII)
    return _read(found[1]) if found else None


def _read(text: str) -> Version:
    return tuple(map(int, text.split(".")))
