"""Makes an interpreter on Linux look like one on macOS: what that has not is gone; multiprocessing spawns there.

A folder for PYTHONPATH. What is compiled (Granian, pyuwsgi, uvloop) is that of Linux and knows of nothing. There is no
kqueue(2) here: where the selectors module has it, a selector stands that has a descriptor of its own, as kqueue has,
and tells nothing else.
"""

from __future__ import annotations

import builtins
import ctypes.util
import errno
import io
import os
import pathlib
import platform
import resource
import select
import signal
import socket
import sys
import sysconfig
import time
import urllib.request
from typing import Any

_PRELOADED = (ctypes.util, urllib.request)  # they would want modules that only macOS has


def _hide() -> None:
    modules = {"os": os, "socket": socket, "signal": signal, "select": select, "resource": resource}
    modules["time"] = time
    text = pathlib.Path(__file__).with_name("absent.txt").read_text(encoding="ascii")
    for line in text.splitlines()[1:]:
        name, _, absent = line.partition(":")
        for one in absent.split():
            if hasattr(modules[name], one):
                delattr(modules[name], one)


def _without_proc(function: Any) -> Any:
    """The same function, for which there is no /proc."""

    def found(path: Any = ".", *args: Any, **keywords: Any) -> Any:
        if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(_PROC):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", os.fspath(path))
        return function(path, *args, **keywords)

    return found


def _with_kqueue(epoll: Any) -> None:
    """Give the selectors module what it has on macOS, made of Linux's."""
    import selectors

    class Queue:
        """epoll(7) as select.poll() looks, with milliseconds."""

        def __init__(self) -> None:
            self._epoll = epoll()
            self.register, self.unregister, self.modify = (
                self._epoll.register,
                self._epoll.unregister,
                self._epoll.modify,
            )
            self.fileno, self.close = self._epoll.fileno, self._epoll.close

        def poll(self, milliseconds: float | None = None) -> Any:
            return self._epoll.poll(None if milliseconds is None else milliseconds / 1000)

    class KqueueSelector(selectors.PollSelector):
        _selector_cls = Queue

        def fileno(self) -> int:
            return self._selector.fileno()

        def close(self) -> None:
            self._selector.close()
            super().close()

    selectors.KqueueSelector = selectors.DefaultSelector = KqueueSelector  # type: ignore[misc, assignment]


_PROC = "/proc"
_EPOLL = select.epoll

sysconfig.get_config_vars()
_hide()
for _name in ("stat", "lstat", "open", "listdir", "scandir", "readlink"):
    setattr(os, _name, _without_proc(getattr(os, _name)))
builtins.open = io.open = _without_proc(io.open)
platform.system = lambda: "Darwin"
sys.platform = "darwin"
for _name in ("selectors", "socketserver", "asyncio", "subprocess", "tempfile", "multiprocessing"):
    sys.modules.pop(_name, None)  # to be imported as there
_with_kqueue(_EPOLL)
