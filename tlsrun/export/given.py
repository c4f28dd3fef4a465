"""The settings that were given, as text for a file, and those that such a file cannot hold as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tlsrun.errors import Problem
from tlsrun.export.quoting import holds
from tlsrun.export.site import Site
from tlsrun.settings.as_text import as_text
from tlsrun.settings.layers import Resolution
from tlsrun.settings.table import SPECS, flag

#: The layers that do not reach the program that the file starts.
_HERE = ("command line", "environment")


def given(resolution: Resolution) -> dict[str, str]:
    """All settings that were given, except secrets, as values of environment variables.

    A value that cannot be written as text is empty.
    """
    return {
        name: as_text(name, getattr(resolution.settings, name)) or ""
        for name, spec in SPECS.items()
        if resolution.is_given(name) and not spec.secret and getattr(resolution.settings, name) != ()
    }


def given_here(resolution: Resolution) -> dict[str, str]:
    """The settings from the command line and the environment; the rest is in the application's own configuration."""
    return {name: text for name, text in given(resolution).items() if resolution.origins[name].layer in _HERE}


def unwritable(
    target: str, title: str, site: Site, said: Mapping[str, str], resolution: Resolution
) -> Iterator[Problem]:
    """Values that a file for ``target`` cannot hold.

    Arguments:
        title: the program's name in prose.
        said: the settings to be written, as returned by `given`.
    """
    if not holds(target, site.app):
        yield Problem(where=site.app, what=f"cannot be written down for {title}", remedy="Choose another name")
    for name, text in said.items():
        if not text:
            what = "no variable of the environment can say that"
        elif not holds(target, text):
            what = f"its value cannot be written down for {title}"
        else:
            continue
        where = resolution.spelling(name)
        instead = f"Put it into the application's configuration, or into a file ({flag(name)})"
        yield Problem(where=where, what=what, remedy=instead)
