"""The built-in server: run as a program it serves; imported it serves in this process."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.applications.builtin import ENTERED, RELEASED, application
from tests.support.certs import Paths
from tests.support.clients import Address
from tests.support.plans import make_plan
from tests.support.process import ROOT
from tlsrun.deciding.plan import Development
from tlsrun.endpoint import Endpoint
from tlsrun.listening.address import Listener
from tlsrun.listening.opening import open_all
from tlsrun.servers import builtin
from tlsrun.servers.builtin.options import BuiltinOptions
from tlsrun.servers.builtin.server import BuiltinServer
from tlsrun.servers.builtin.work import Work
from tlsrun.servers.certificates import certificates_of
from tlsrun.wsgi import application as with_facts


@contextlib.contextmanager
def serving(
    paths: Paths,
    handler: Any,
    *,
    host: str = "127.0.0.1",
    threads: int | None = None,
    app: Callable[..., Any] = application,
    handshake_timeout: float = 10,
    **options: Any,
) -> Iterator[tuple[Address, BuiltinServer]]:
    """Serve in this process, by the server itself; yields its address."""
    endpoint = Endpoint(host=host, port=0)
    plan = make_plan("builtin", paths.fullchain, paths.key, host=host, port=0, handshake_timeout=handshake_timeout)
    certificates = certificates_of(plan)
    chosen = BuiltinOptions(**options)
    sock = open_all([Listener(place=endpoint)], backlog=chosen.backlog).sockets[0]
    server = BuiltinServer([sock], certificates.context, with_facts(app), handler, options=chosen, work=Work(threads))
    address = sock.getsockname()[:2]
    server.start()
    # Stands for the main thread of a program.
    main = threading.Thread(target=server.work.attend, name="main-of-the-test")
    main.start()
    try:
        yield address, server
    finally:
        RELEASED.set()
        server.close()
        server.finish(5)
        server.work.wake()
        main.join()
        ENTERED.clear()
        RELEASED.clear()


def command(paths: Paths, port: int, *more: str) -> list[str]:
    """The command that serves this site as a program."""
    return [sys.executable, "-m", __name__, str(paths.fullchain), str(paths.key), str(port), *more]


def main() -> int:
    """Serve `application`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cert", type=Path)
    parser.add_argument("key", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--framework", default="wsgi")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--reload", action="store_true")
    parser.add_argument("--debugger", action="store_true")
    parser.add_argument("--watch")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--option", action="append", default=[])
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
    plan = make_plan(
        "builtin",
        given.cert,
        given.key,
        host=given.host,
        port=given.port,
        framework=given.framework,
        threads=given.threads,
        quiet=given.quiet,
        server_options=dict(option.split("=") for option in given.option),
        development=Development(
            reload=given.reload, debugger=given.debugger, extra_files=(given.watch,) if given.watch else ()
        ),
    )
    return builtin.SERVER.launch(plan, with_facts(application))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
