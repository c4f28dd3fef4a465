"""Makes an interpreter on Linux look like one on Windows: what that has not is gone, what it does otherwise is done so.

A folder for PYTHONPATH. The standard library and click are imported first, as they are: they ask for the platform when
they are imported and would then want modules that only Windows has. What is imported afterwards (this project, Flask,
Bottle, Werkzeug) finds a Windows. What cannot be had here: paths with drives and backslashes, other line ends, rights
that are access lists, the console.
"""

from __future__ import annotations

import _thread
import asyncio
import ctypes
import errno
import fcntl
import getpass
import logging.handlers
import multiprocessing.heap
import multiprocessing.sharedctypes
import multiprocessing.synchronize
import os
import pathlib
import platform
import select
import selectors
import shutil
import signal
import socket
import socketserver
import ssl
import stat
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
import types
import webbrowser
from typing import Any

import click
import cryptography.hazmat.bindings._rust

_PRELOADED = (asyncio, ctypes, getpass, logging.handlers, multiprocessing.sharedctypes, socketserver, ssl, webbrowser)
_PRELOADED += (click, cryptography, tempfile)

_replace, _unlink, _open, _stat = os.replace, os.unlink, os.open, os.stat
_select, _signal, _kill = select.select, signal.signal, os.kill
_pthread_sigmask, _SIG_UNBLOCK = signal.pthread_sigmask, signal.SIG_UNBLOCK
_F_OFD_SETLK = 37
#: For modules of the standard library that were imported as those of Linux, and remove what they have open.
_LINUX = types.SimpleNamespace(**vars(os))
_SIGBREAK = signal.SIGTTIN  # 21, the number that SIGBREAK has
_SIGNALS = {signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGINT, signal.SIGSEGV, signal.SIGTERM, _SIGBREAK}
_raise = signal.raise_signal
_sleep = time.sleep  # noqa: TID251 -- it is what is replaced
_shutdown, _bind = socket.socket.shutdown, socket.socket.bind
_SIGKILL, _Popen_init = signal.SIGKILL, subprocess.Popen.__init__


def _hide() -> None:
    sysconfig.get_config_vars()  # kept, for they are read from elsewhere there
    modules = {"os": os, "socket": socket, "signal": signal, "select": select, "selectors": selectors}
    text = pathlib.Path(__file__).with_name("absent.txt").read_text(encoding="ascii")
    for line in text.splitlines()[1:]:
        name, _, absent = line.partition(":")
        for one in absent.split():
            if name == "modules":
                sys.modules[one] = None  # type: ignore[assignment]
            elif hasattr(modules[name], one):
                delattr(modules[name], one)
    for one in ("recvmsg", "recvmsg_into", "sendmsg", "sendmsg_afalg"):
        setattr(socket.socket, one, property(_no_such_method))
    selectors.DefaultSelector = selectors.SelectSelector
    os.supports_dir_fd = os.supports_fd = os.supports_follow_symlinks = set()
    shutil._use_fd_functions = False
    if hasattr(shutil, "_winapi"):  # from Python 3.12 on, which() asks it
        shutil._winapi = types.SimpleNamespace(NeedCurrentDirectoryForExePath=lambda _: False)
    multiprocessing.heap.os = subprocess.os = tempfile._os = _LINUX


def _no_such_method(_: object) -> Any:
    raise AttributeError("not on Windows")


def _where_open(path: object) -> bool:
    """Whether some process has a file open: Windows neither removes nor replaces it then."""
    try:
        found = _stat(path)  # type: ignore[arg-type]
    except OSError:
        return False
    if not stat.S_ISREG(found.st_mode):
        return False
    for process in os.listdir("/proc"):
        if process.isdecimal():
            try:
                for number in os.listdir(f"/proc/{process}/fd"):
                    other = _stat(f"/proc/{process}/fd/{number}")
                    if (other.st_dev, other.st_ino) == (found.st_dev, found.st_ino):
                        return True
            except OSError:
                continue
    return False


def _sharing_violation(*paths: object) -> None:
    for path in paths:
        if _where_open(path):
            raise PermissionError(errno.EACCES, "[WinError 32] used by another process", str(path))


def _windows_replace(src: Any, dst: Any, **other: Any) -> None:
    _sharing_violation(src, dst)
    _replace(src, dst, **_no_folder(other))


def _windows_rename(src: Any, dst: Any, **other: Any) -> None:
    if os.path.lexists(dst):
        raise FileExistsError(errno.EEXIST, "[WinError 183] exists", str(dst))
    _windows_replace(src, dst, **other)


def _windows_unlink(path: Any, **other: Any) -> None:
    _sharing_violation(path)
    _unlink(path, **_no_folder(other))


def _windows_open(path: Any, flags: int, mode: int = 0o777, **other: Any) -> int:
    if os.path.isdir(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))
    return _open(path, flags, mode, **_no_folder(other))


def _no_folder(other: dict[str, Any]) -> dict[str, Any]:
    if any(value is not None for name, value in other.items() if name.endswith("dir_fd")):
        raise NotImplementedError("dir_fd unavailable on this platform")
    return {}


def _windows_symlink(src: Any, dst: Any, *_: Any, **__: Any) -> None:
    raise OSError(errno.EPERM, "[WinError 1314] a required privilege is not held by the client", str(dst))


def _windows_kill(pid: int, number: int) -> None:
    """TerminateProcess, whatever the number; 0 and 1 are the console's events, for a whole group of processes."""
    if number in (0, 1):
        raise AssertionError("os.kill(pid, 0) is Ctrl-C for the console on Windows")
    _kill(pid, _SIGKILL)


def _windows_select(reading: Any, writing: Any, failing: Any, timeout: float | None = None) -> Any:
    every = [*reading, *writing, *failing]
    if not every:
        raise OSError(errno.EINVAL, "[WinError 10022] an invalid argument was supplied")
    if max(len(reading), len(writing), len(failing)) > 512:
        raise ValueError("too many file descriptors in select()")
    for one in every:
        number = one if isinstance(one, int) else one.fileno()
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            raise OSError(errno.ENOTSOCK, "[WinError 10038] not a socket")
    return _select(reading, writing, failing, timeout)


def _windows_signal(number: int, handler: Any) -> Any:
    if number not in _SIGNALS:
        raise ValueError("invalid signal value")
    return _signal(number, handler)


def _windows_popen(self: Any, *args: Any, **keywords: Any) -> None:
    for name in ("pass_fds", "preexec_fn", "user", "group", "extra_groups", "process_group"):
        if keywords.get(name):
            raise ValueError(f"{name} is not supported on Windows platforms")
    _Popen_init(self, *args, **{**keywords, "start_new_session": False})


def _popen_kill(self: subprocess.Popen[Any]) -> None:
    if self.poll() is None:
        _kill(self.pid, _SIGKILL)


def _popen_send_signal(self: subprocess.Popen[Any], number: int) -> None:
    if number not in (signal.SIGTERM, 0, 1):
        raise ValueError(f"Unsupported signal: {number}")
    _popen_kill(self)


def _windows_shutdown(self: socket.socket, how: int) -> None:
    """Shutting the reading side down wakes no thread of the same process there."""
    if how != socket.SHUT_RD:
        _shutdown(self, how)


def _windows_raise(number: int) -> None:
    """Its handler runs before this returns, whatever the thread has blocked here."""
    _pthread_sigmask(_SIG_UNBLOCK, [number])
    _raise(number)


def _windows_sleep(seconds: float) -> None:
    """The one wait of the main thread that Ctrl-C does end there."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        _sleep(min(left, 0.05))


def _windows_bind(self: socket.socket, address: Any) -> None:
    """A port that was in use a moment ago is free, without an option."""
    self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _bind(self, address)


def _windows_socketpair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection, as the standard library has it there."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    return one, other


def _interrupt_nobody() -> None:
    """Ctrl-C and Ctrl-Break interrupt no select() or lock of the main thread: another thread takes the signal here."""
    _thread.start_new_thread(_lie_waiting, ())
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, _SIGBREAK])


def _lie_waiting() -> None:
    _pthread_sigmask(_SIG_UNBLOCK, [signal.SIGINT, _SIGBREAK])
    lock = _thread.allocate_lock()
    lock.acquire()
    lock.acquire()


def _locking(descriptor: int, mode: int, length: int) -> None:
    """_locking() of Microsoft's runtime: bytes from where the file stands; LK_LOCK gives up after ten seconds."""
    kind = fcntl.F_UNLCK if mode == 0 else fcntl.F_WRLCK
    for left in range(9, -1, -1):
        try:
            # Like those of Windows, these belong to the open file and not to the process (fcntl(2)).
            fcntl.fcntl(descriptor, _F_OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_CUR, 0, length, 0))
            return
        except BlockingIOError:
            if mode == 2:
                raise PermissionError(errno.EACCES, "Permission denied") from None
            if not left:
                raise OSError(errno.EDEADLK, "Resource deadlock avoided") from None
            _select([], [], [], 1)


def _behave() -> None:
    msvcrt = types.ModuleType("msvcrt")
    vars(msvcrt).update(locking=_locking, LK_UNLCK=0, LK_LOCK=1, LK_NBLCK=2, LK_RLCK=3, LK_NBRLCK=4)
    sys.modules["msvcrt"] = msvcrt
    os.replace, os.rename, os.unlink, os.remove = _windows_replace, _windows_rename, _windows_unlink, _windows_unlink
    os.open, os.symlink, os.kill = _windows_open, _windows_symlink, _windows_kill
    select.select, signal.signal = _windows_select, _windows_signal
    selectors.SelectSelector._select = lambda self, r, w, _, timeout=None: _windows_select(r, w, [], timeout)
    time.sleep = _windows_sleep  # noqa: TID251 -- it is what is replaced
    signal.raise_signal = _windows_raise
    socket.socketpair = _windows_socketpair
    socket.socket.shutdown = _windows_shutdown  # type: ignore[method-assign]
    subprocess.Popen.__init__ = _windows_popen
    subprocess.Popen.kill = subprocess.Popen.terminate = _popen_kill
    subprocess.Popen.send_signal = _popen_send_signal
    subprocess._USE_POSIX_SPAWN = False
    socket.socket.bind = _windows_bind  # type: ignore[method-assign]
    pathlib.Path.__new__.__globals__["WindowsPath"] = pathlib.PosixPath
    # pathlib of Python 3.10 keeps these functions of os where it was imported.
    for name in ("replace", "rename", "unlink", "symlink"):
        if hasattr(accessor := getattr(pathlib, "_normal_accessor", None), name):
            setattr(accessor, name, getattr(os, name))
    platform.system = lambda: "Windows"
    os.name, sys.platform = "nt", "win32"
    os.O_BINARY = os.O_NOINHERIT = 0
    signal.SIGBREAK = _SIGBREAK
    signal.CTRL_C_EVENT, signal.CTRL_BREAK_EVENT = 0, 1


_interrupt_nobody()
_hide()
_behave()
