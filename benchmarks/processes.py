"""Memory and processor time of a server and of all processes that it started, as Linux counts them (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path

_KIB = 1024
_TICKS = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """``pid`` and every process of its session."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(entry.name))
        if fields and int(fields[3]) == pid and fields[0] not in "ZX":
            found.append(int(entry.name))
    return found


def processor_time(pid: int) -> float:
    """Seconds that a session has run, in the kernel or not, with all threads that there ever were.

    Those of processes that have ended are missing. Unlike a rate, it hardly depends on what else the machine does.
    """
    return sum(int(fields[11]) + int(fields[12]) for one in family(pid) if (fields := _stat(one))) / _TICKS


def proportional(pid: int) -> int:
    """Bytes that a process needs: a page that several share is divided by their number (Pss)."""
    return _field(Path(f"/proc/{pid}/smaps_rollup"), "Pss:")


def total(pid: int) -> int:
    """Bytes of a whole session; what several processes share is counted once."""
    return sum(proportional(one) for one in family(pid))


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none for a process that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _field(path: Path, name: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) * _KIB for line in lines if line.startswith(name)), 0)
