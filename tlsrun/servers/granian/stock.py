"""Granian's own command, for deployments where a proxy in front terminates TLS."""

from __future__ import annotations

from tlsrun.servers.stock import ENTRY, StockCommand


def _command(environment: str, socket: str, workers: int, threads: int) -> list[str]:
    host, _, port = socket.rpartition(":")
    place = ["--uds", socket] if socket.startswith("/") else ["--host", host.strip("[]"), "--port", port]
    return [
        f"{environment}/bin/granian", "--interface", "wsgi", *place,
        "--workers", str(workers), "--blocking-threads", str(threads), ENTRY,
    ]  # fmt: skip


STOCK = StockCommand(command=_command, module="granian", mixes_up_underscores=True)
