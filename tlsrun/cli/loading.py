"""The application that a command names, or the end of the command with words."""

from __future__ import annotations

from tlsrun import apps
from tlsrun.cli.console import fail, fail_import
from tlsrun.errors import AppNotFound


def load_app(target: str | None) -> apps.App:
    """Import the application that was named, or end with words.

    Raises:
        SystemExit: there is no such application (2), or its import fails (1).
    """
    try:
        return apps.resolve(target)
    except AppNotFound as error:
        fail(error)
    except Exception as error:
        fail_import(error, target or "")
