"""Responses to ACME's HTTP challenges (RFC 8555, section 8.3), from files that another program puts into a webroot."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

#: The path that a certificate authority requests.
PREFIX = "/.well-known/acme-challenge/"

#: The largest challenge file, in bytes; a key authorization has less than 200.
MAX_SIZE = 64 * 1024

# RFC 8555, section 8.3: only the base64url alphabet; 255 is the longest file name.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,255}")


class NotServed(LookupError):
    """There is no file that may be served; the message is for the operator only.

    Attributes:
        is_odd: whether the file exists and has a fault that the operator can fix.
    """

    def __init__(self, why: str, *, is_odd: bool = False) -> None:
        super().__init__(why)
        self.is_odd = is_odd


def is_challenge(path: str) -> bool:
    """Whether a request's path, with its query, is that of a challenge."""
    return path.startswith(PREFIX)


def read_challenge(webroot: Path, path: str) -> bytes:
    """The content of the file that answers the challenge at ``path``.

    Arguments:
        webroot: the webroot that was given to an ACME client such as certbot.
        path: a request's path for which `is_challenge` holds; its query is ignored.

    Raises:
        NotServed: the token is invalid, or its file is missing, unreadable, too large, not a regular file, or a link
            that leads out of the folder of challenges.
    """
    token = path.removeprefix(PREFIX).partition("?")[0]
    if _TOKEN.fullmatch(token) is None:
        raise NotServed("it names no token")
    file = Path(webroot, PREFIX.strip("/"), token)
    try:
        return _read_regular(_open(webroot, file), file)
    except FileNotFoundError:
        raise NotServed(f"{file} does not exist") from None
    except OSError as error:
        raise NotServed(f"{file} cannot be read: {error.strerror}", is_odd=True) from error


def _open(webroot: Path, file: Path) -> int:
    root = Path(os.path.realpath(webroot, strict=True))
    folder = Path(os.path.realpath(file.parent, strict=True))
    target = Path(os.path.realpath(file, strict=True))
    if not (folder.is_relative_to(root) and target.is_relative_to(folder) and target != folder):
        raise NotServed(f"{file} is a link that leads out of its folder", is_odd=True)
    return _open_below(root, target.relative_to(root).parts)


def _open_below(root: Path, names: tuple[str, ...]) -> int:
    """Open a file below ``root`` without following links, not even one made since the names were resolved.

    Windows cannot open files relative to a folder; there links are looked for, and making one needs a privilege.
    """
    if os.open not in os.supports_dir_fd:
        if _is_linked(root.joinpath(*names)):
            raise NotServed(f"{root.joinpath(*names)} has become a link", is_odd=True)
        return os.open(root.joinpath(*names), os.O_RDONLY | getattr(os, "O_BINARY", 0))
    # O_PATH (open(2), Linux) needs no permission to list the folder.
    folder_flags = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY
    with contextlib.ExitStack() as stack:
        folder = os.open(root, folder_flags)
        stack.callback(os.close, folder)
        for name in names[:-1]:
            folder = os.open(name, folder_flags | os.O_NOFOLLOW, dir_fd=folder)
            stack.callback(os.close, folder)
        # O_NONBLOCK: opening a FIFO would wait for its writer.
        return os.open(names[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)


def _is_linked(path: Path) -> bool:
    return os.path.normcase(os.path.realpath(path, strict=True)) != os.path.normcase(path)


def _read_regular(descriptor: int, file: Path) -> bytes:
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotServed(f"{file} is not a regular file", is_odd=True)
        with open(descriptor, "rb", closefd=False) as opened:
            content = opened.read(MAX_SIZE + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_SIZE:
        raise NotServed(f"{file} is larger than {MAX_SIZE} bytes", is_odd=True)
    return content
