"""What somebody gave, as text for a file; and what no text, or no text of such a file, can say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tlsrun.errors import Problem
from tlsrun.export.quoting import holds
from tlsrun.export.site import Site
from tlsrun.settings.as_text import as_text
from tlsrun.settings.layers import Resolution
from tlsrun.settings.table import SPECS, flag

#: The layers that whoever starts the file's program does not have.
_HERE = ("command line", "environment")


def given(resolution: Resolution) -> dict[str, str]:
    """All settings that somebody gave, but for secrets: what an environment has to hold for the same settings.

    One that no text can say is empty.
    """
    return {
        name: as_text(name, getattr(resolution.settings, name)) or ""
        for name, spec in SPECS.items()
        if resolution.is_given(name) and not spec.secret and getattr(resolution.settings, name) != ()
    }


def given_here(resolution: Resolution) -> dict[str, str]:
    """What the command line and the environment give: the application's own configuration has the rest."""
    return {name: text for name, text in given(resolution).items() if resolution.origins[name].layer in _HERE}


def unwritable(
    target: str, title: str, site: Site, said: Mapping[str, str], resolution: Resolution
) -> Iterator[Problem]:
    """What cannot stand in a file for ``target``.

    Arguments:
        title: the program, as people write it.
        said: the settings that are to stand there, as `given` has them.
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
