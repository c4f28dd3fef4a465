"""gunicorn by its own command."""

from __future__ import annotations

from tlsrun.servers.stock import ENTRY, Application, StockCommand

#: Longer than a front keeps a connection (`tlsrun.export.serving`), so that none is closed with a request on its way.
_KEEP_ALIVE = 75


def _command(environment: str, socket: str, workers: int, threads: int) -> list[str]:
    return [
        f"{environment}/bin/gunicorn", "--bind", f"unix:{socket}" if socket.startswith("/") else socket,
        "--workers", str(workers), "--worker-class", "gthread", "--threads", str(threads),
        "--keep-alive", str(_KEEP_ALIVE), "--no-control-socket", ENTRY,
    ]  # fmt: skip


def _around(application: Application, framework: str) -> Application:
    from tlsrun.servers.gunicorn.body import with_bodies

    return with_bodies(application, framework)


STOCK = StockCommand(command=_command, module="gunicorn.http", around=_around, takes_sockets=True, notifies=True)
