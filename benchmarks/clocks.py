"""Whose the processor time of a new connection under gunicorn is: the client's, Flask's, gunicorn's, TLS's or ours."""

from __future__ import annotations

import http.client
import json
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.certificates import KEY_TYPES, new_authority, write_pair
from benchmarks.contenders import GTHREAD, OUR_GTHREAD, OUR_SYNC, SYNC, WORKERS, Contender
from benchmarks.loads import new_connections
from benchmarks.outputs import Unreadable
from benchmarks.programs import Running, client_context, free_port, serving

_APPLICATION = "benchmarks.apps.clocked:app"
#: Ours, and what it is compared with.
PAIRS = ((OUR_GTHREAD, GTHREAD), (OUR_SYNC, SYNC))
#: Kinds of connections, by the type of the key and whether clients resume.
KINDS = {"new": ("ecdsa", False), "new-rsa": ("rsa", False), "resumed": ("ecdsa", True)}
_TRIES = 50
_AT_ONCE = 4 * int(WORKERS)

#: By the title of a server, by the kind of connection, by the part: seconds for one connection, a number a round.
Clocks: TypeAlias = dict[str, dict[str, dict[str, list[float]]]]


def measure(
    rounds: int,
    *,
    seconds: float,
    say: Callable[[str], None],
    pairs: Sequence[tuple[Contender, Contender]] = PAIRS,
) -> Clocks:
    """All parts, for ours and the bare servers; all are up at once, and take turns.

    Arguments:
        rounds: how often each is repeated.
        seconds: of each load.
        say: told what is done.
        pairs: ours, and what it is compared with.

    Raises:
        Unreadable: a load failed, or not all workers are there.
    """
    found: Clocks = {one.title: {kind: {} for kind in KINDS} for pair in pairs for one in pair}
    authority = new_authority()
    for key in KEY_TYPES:
        with tempfile.TemporaryDirectory(prefix="tlsrun-bench-") as name, ExitStack() as stack:
            files = write_pair(authority, Path(name), "localhost", key=key)
            servers: dict[str, Running] = {}
            for one in (one for pair in pairs for one in pair if one.missing is None):
                port = free_port()
                command = one.command(files, port, _APPLICATION)
                servers[one.title] = stack.enter_context(serving(command, port, Path(name), one.environment))
            for kind, (of_key, resume) in KINDS.items():
                for _ in range(rounds if key == of_key else 0):
                    for title, parts in _parts(servers, resume=resume, seconds=seconds).items():
                        for part, spent in parts.items():
                            found[title][kind].setdefault(part, []).append(spent)
                        say(f"  {kind:10} {title:40} {sum(parts.values()) * 1e6:12.1f}")
    return found


def _parts(servers: dict[str, Running], *, resume: bool, seconds: float) -> dict[str, dict[str, float]]:
    """What one connection costs each server, part by part, and its client."""
    before = {title: _read(server) for title, server in servers.items()}
    loads = new_connections(list(servers.values()), resume=resume, seconds=seconds)
    found = {}
    for (title, server), load in zip(servers.items(), loads, strict=True):
        then, now = before[title], _read(server)
        made = sum(now[worker]["connections"] - then[worker]["connections"] for worker in then)
        spent = {
            part: sum(now[worker]["spent"][part] - then[worker]["spent"][part] for worker in then) / made
            for part in next(iter(now.values()))["spent"]
        }
        found[title] = {"client": load.spent_by_client, **spent}
    return found


def _read(server: Running) -> dict[int, dict[str, Any]]:
    """What the clocks of all workers show, by worker.

    Several ask at once: of workers that are all idle, the kernel may wake the same one first, time after time.
    """
    found: dict[int, dict[str, Any]] = {}
    with ThreadPoolExecutor(_AT_ONCE) as askers:
        for _ in range(_TRIES):
            for told in askers.map(_ask, [server.port] * _AT_ONCE):
                found[told["worker"]] = told
            if len(found) == int(WORKERS):
                return found
    raise Unreadable(f"/clocks: only {len(found)} of {WORKERS} workers answer")


def _ask(port: int) -> dict[str, Any]:
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=client_context())
    try:
        connection.request("GET", "/clocks", headers={"Connection": "close"})
        told: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return told
