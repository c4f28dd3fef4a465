"""The account that a server runs as: found by name, and switched to when ports are bound and keys are read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tlsrun.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Account:
    """A user and a group.

    Arguments:
        user: the user's name.
        uid: the user's number.
        gid: the group's number.
    """

    user: str
    uid: int
    gid: int

    def may_read(self, path: Path) -> bool:
        """Whether this account may read ``path``; False if it does not exist."""
        try:
            return path.exists() and self.obstacle(path) is None
        except OSError:
            return False

    def obstacle(self, path: Path) -> Path | None:
        """The first folder in ``path`` that this account may not enter, or the file that it may not read.

        Returns:
            None if there is no obstacle, or it cannot be found out.
        """
        real = Path(os.path.realpath(path))
        for step, right in [*((folder, 0o1) for folder in reversed(real.parents)), (real, 0o4)]:
            try:
                if not self._may(step.stat(), right):
                    return step
            except OSError:
                return None
        return None

    def _may(self, found: os.stat_result, right: int) -> bool:
        """The kernel's decision (path_resolution(7)): only the first matching class of permissions counts."""
        if self.uid == 0:
            return True
        if found.st_uid == self.uid:
            return bool(found.st_mode & right << 6)
        shift = 3 if found.st_gid in {self.gid, *_groups(self)} else 0
        return bool(found.st_mode & right << shift)


def _groups(account: Account) -> list[int]:
    try:
        return os.getgrouplist(account.user, account.gid)
    except (KeyError, OSError):
        return []


def find_account(user: str | None, group: str | None, *, where: str) -> Account | None:
    """The account of the settings ``user`` and ``group``: names, or numbers.

    Arguments:
        where: the settings as the user spelled them, for messages.

    Returns:
        None if neither is given.

    Raises:
        ConfigurationError: see `look_up`; or only root could switch to it.
    """
    if user is None and group is None:
        return None
    account = look_up(user, group, where=where)
    if os.geteuid() != 0 and (account.uid, account.gid) != (os.getuid(), os.getgid()):
        raise _refused(where, f"only root can become {account.user}", "Start as root, or leave it out")
    return account


def look_up(user: str | None, group: str | None, *, where: str) -> Account:
    """The account with these names or numbers; by default this process's user, and the user's primary group.

    Arguments:
        where: the settings as the user spelled them, for messages.

    Raises:
        ConfigurationError: there is no such user or group, or this system has none at all.
    """
    try:
        import grp
        import pwd
    except ImportError:
        raise _refused(where, "this system has no users to change to", "Leave it out") from None
    wanted = str(os.getuid()) if user is None else user
    try:
        entry = pwd.getpwuid(int(wanted)) if wanted.isdecimal() else pwd.getpwnam(wanted)
    except (KeyError, OverflowError):
        raise _refused(where, f"there is no user {wanted}", "See `getent passwd` for those there are") from None
    gid = entry.pw_gid
    if group is not None:
        try:
            gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
        except KeyError:
            raise _refused(where, f"there is no group {group}", "See `getent group` for those there are") from None
    return Account(user=entry.pw_name, uid=entry.pw_uid, gid=gid)


def become(account: Account) -> None:
    """Switch from root to ``account``: the groups first and the user last, since that gives up the right to.

    Raises:
        PermissionError: this process runs neither as root nor as that account.
    """
    if os.geteuid() != 0 and (os.getuid(), os.getgid()) == (account.uid, account.gid):
        return  # it has done so before it was executed again
    os.initgroups(account.user, account.gid)
    os.setgid(account.gid)
    os.setuid(account.uid)


def _refused(where: str, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError.of(where=where, what=what, remedy=remedy)
