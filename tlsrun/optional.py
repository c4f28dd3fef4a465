"""Optional packages: imported late; the message for a missing one says how to install it here."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from tlsrun.errors import Problem, ServerUnavailable


@dataclass(frozen=True, kw_only=True)
class Here:
    """What determines whether pip can install a package with compiled parts.

    Arguments:
        python: major and minor version.
        free_threaded: whether this Python is built without the GIL.
        system: ``sys.platform``.
        machine: ``platform.machine()``.
        builds: whether there is a C compiler, and the headers of this Python.
    """

    python: tuple[int, int]
    free_threaded: bool
    system: str
    machine: str
    builds: bool

    @classmethod
    def look(cls) -> Here:
        """This interpreter, on this machine."""
        header = os.path.join(sysconfig.get_path("include"), "Python.h")
        return cls(
            python=sys.version_info[:2],
            free_threaded=bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
            system=sys.platform,
            machine=platform.machine(),
            builds=any(map(shutil.which, ("cc", "gcc", "clang"))) and os.path.exists(header),
        )

    @property
    def title(self) -> str:
        """A description for messages."""
        version = ".".join(map(str, self.python)) + ("t" if self.free_threaded else "")
        return f"Python {version} on {platform_title(self)}"


def platform_title(here: Here) -> str:
    """System and machine, such as ``Linux (x86_64)``."""
    names = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}
    return f"{names.get(here.system, here.system)} ({here.machine})"


def how_to_install(
    extra: str, here: Here | None = None, *, has_wheel: Callable[[Here], bool] = lambda here: True
) -> str:
    """How to install ``extra`` of tlsrun on this Python and machine.

    Arguments:
        here: the Python and machine; None for this interpreter.
        has_wheel: whether PyPI has wheels of all its packages.
    """
    command = f'pip install "tlsrun[{extra}]"'
    here = here or Here.look()
    if here.builds or has_wheel(here):
        return f"Run: {command}"
    headers = f" and python{here.python[0]}.{here.python[1]}-dev" if here.system == "linux" else ""
    return (
        f"PyPI has no wheel of it for {here.title}: install a C compiler{headers}, then run: {command}; "
        "or choose another server"
    )


def is_installed(module: str) -> bool:
    """Whether ``module`` (a top-level name) can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def version_of(distribution: str) -> str | None:
    """The installed version of a distribution; None if it is not installed."""
    # Imported here: it takes as long as all our own modules, and only a start needs it.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def require(module: str, *, extra: str, wanted_by: str) -> ModuleType:
    """Import ``module``.

    Arguments:
        extra: the extra of tlsrun that installs it.
        wanted_by: what the user asked for, as the user spelled it.

    Raises:
        ServerUnavailable: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise ServerUnavailable([_missing(module, extra, wanted_by)]) from error


def _missing(module: str, extra: str, wanted_by: str) -> Problem:
    remedy = how_to_install(extra)
    return Problem(where=wanted_by, what=f"{module} is not installed", remedy=remedy, code="TLS301")
