"""Findings on file permissions: a key that others can read, files that the workers cannot."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tlsrun.account import Account, look_up
from tlsrun.certificates.sources import Source
from tlsrun.check.finding import Finding, found
from tlsrun.errors import ConfigurationError


def account(user: str | int, group: str | int | None = None) -> Account | None:
    """The account that a server is to switch to; None if it does not exist.

    Arguments:
        user: a name or a number.
        group: a name or a number; None for the user's primary group.
    """
    try:
        return look_up(str(user), None if group is None else str(group), where="user")
    except ConfigurationError:
        return None


def exposed_key(source: Source) -> Finding | None:
    """A finding if every user of this machine may read or change the key's file."""
    if source.path is None or sys.platform == "win32":
        return None
    try:
        mode = os.stat(source.path).st_mode
    except OSError:
        return None
    rights = [word for bit, word in ((stat.S_IROTH, "read"), (stat.S_IWOTH, "change")) if mode & bit]
    if not rights or _is_shut_off(source.path):
        return None
    return found(
        "key-readable-by-others",
        source.given_by,
        f"every user of this machine may {' and '.join(rights)} the private key in {source.name} "
        f"(mode {stat.S_IMODE(mode):04o})",
        f"chmod o-rwx {source.argument}",
    )


def _is_shut_off(path: Path) -> bool:
    """Whether a folder in the path keeps others out."""
    return any(not os.stat(folder).st_mode & stat.S_IXOTH for folder in Path(os.path.realpath(path)).parents)


def unreadable(sources: Iterable[Source], workers: Account) -> Iterator[Finding]:
    """A finding for each file that the workers' account may not read."""
    for source in sources:
        obstacle = None if source.path is None else workers.obstacle(source.path)
        if source.path is None or obstacle is None:
            continue
        closed = "" if str(obstacle) == os.path.realpath(source.path) else f": {obstacle} is closed to it"
        yield found(
            "file-unreadable-by-workers",
            source.given_by,
            f"the workers run as {workers.user}, which may not read {source.name}{closed}",
            f"Let a group of {workers.user} read it: chgrp GROUP {source.argument} && chmod 640 {source.argument}"
            + (f", and chmod g+x {obstacle}" if closed else "")
            + "; or hand it over by systemd's LoadCredential=",
        )
