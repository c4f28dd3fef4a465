"""Optional packages: imported late, and their absence said with the command that installs them."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

from tlsrun.errors import Problem, ServerUnavailable


def install_command(extra: str) -> str:
    """The command that installs what the extra ``extra`` of tlsrun needs."""
    return f'pip install "tlsrun[{extra}]"'


def is_installed(module: str) -> bool:
    """Whether ``module`` (a top-level name) can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def version_of(distribution: str) -> str | None:
    """The installed version of a distribution, or None when it is not installed."""
    # Here, since it takes as long to import as all of ours, and only a start needs it.
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
    remedy = f"Run: {install_command(extra)}"
    return Problem(where=wanted_by, what=f"{module} is not installed", remedy=remedy, code="TLS301")
