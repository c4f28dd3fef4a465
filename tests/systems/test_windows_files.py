"""What looks like Windows: files that somebody has open are not replaced, and locks are those of the C runtime."""

from __future__ import annotations

from tests.support.systems import Shell

_REPLACES = """
import pathlib, threading
from tlsrun.files import write_atomic

path = pathlib.Path("state.json")
write_atomic(path, b"first")
reader = path.open("rb")
threading.Timer(0.2, reader.close).start()
write_atomic(path, b"second")
print(path.read_bytes().decode())
with path.open("rb"):
    try:
        write_atomic(path, b"third")
    except PermissionError:
        print("given up")
print(path.read_bytes().decode(), len(list(pathlib.Path().glob(".state*"))))
"""

_LOCKS = """
import pathlib, sys, threading
from tlsrun.development.locking import only_one

with only_one(pathlib.Path("lock")):
    print("held", flush=True)
    threading.Event().wait(float(sys.argv[1]))
"""


def test_file_that_is_read(windows: Shell) -> None:
    """Is replaced as soon as its reader has closed it; else the old one stays, whole, and nothing lies about."""
    done = windows.run("-c", _REPLACES)
    assert (done.stdout.split("\n"), done.stderr) == (["second", "given up", "second 0", ""], "")


def test_lock(windows: Shell) -> None:
    """One process holds it at a time; it ends with the process, however that ends."""
    with windows.start("-c", _LOCKS, "60") as first:
        first.until_logged("held")
        with windows.start("-c", _LOCKS, "0") as second:
            waits = "from tlsrun.locks import try_lock; import os; print(try_lock(os.open('lock', os.O_RDWR)))"
            assert windows.run("-c", waits).stdout == "False\n"
            assert "held" not in second.log()
            first.process.kill()
            second.until_logged("held")
