"""Who a server runs as: a user and a group, found by name, and become once the ports and keys of root are held."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tlsrun.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Account:
    """A user and a group.

    Arguments:
        user: the name, as people say it.
        uid: of the user.
        gid: of the group.
    """

    user: str
    uid: int
    gid: int

    def may_read(self, path: Path) -> bool:
        """Whether this account may read ``path``; False too when that is not there."""
        try:
            return path.exists() and self.obstacle(path) is None
        except OSError:
            return False

    def obstacle(self, path: Path) -> Path | None:
        """The first thing on the way to ``path``, its links followed, that this account may not enter or read.

        Returns:
            None when nothing stands there, or it cannot be told.
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
        """As the kernel decides (path_resolution(7)): the first class that fits counts, and no other."""
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
        None when neither is given.

    Raises:
        ConfigurationError: there is no such user or group, this system has none, or it takes root to become one.
    """
    if user is None and group is None:
        return None
    try:
        import grp
        import pwd
    except ImportError:
        raise _refused(where, "this system has no users to change to", "Leave it out") from None
    wanted = str(os.getuid()) if user is None else user
    try:
        entry = pwd.getpwuid(int(wanted)) if wanted.isdecimal() else pwd.getpwnam(wanted)
    except KeyError:
        raise _refused(where, f"there is no user {wanted}", "See `getent passwd` for those there are") from None
    gid = entry.pw_gid
    if group is not None:
        try:
            gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
        except KeyError:
            raise _refused(where, f"there is no group {group}", "See `getent group` for those there are") from None
    account = Account(user=entry.pw_name, uid=entry.pw_uid, gid=gid)
    if os.geteuid() != 0 and (account.uid, account.gid) != (os.getuid(), os.getgid()):
        raise _refused(where, f"only root can become {account.user}", "Start as root, or leave it out")
    return account


def become(account: Account) -> None:
    """Give up root for ``account``: its groups first, the user last, since afterwards there is no right to.

    Raises:
        PermissionError: this process is not root's, and not that account's.
    """
    if os.geteuid() != 0 and (os.getuid(), os.getgid()) == (account.uid, account.gid):
        return  # it has become so before: it was executed anew since
    os.initgroups(account.user, account.gid)
    os.setgid(account.gid)
    os.setuid(account.uid)


def _refused(where: str, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError.of(where=where, what=what, remedy=remedy)
