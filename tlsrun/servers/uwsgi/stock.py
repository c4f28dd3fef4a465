"""uWSGI by its own command."""

from __future__ import annotations

from tlsrun.servers.stock import ENTRY, Application, StockCommand, for_framework


def over_uwsgi(environment: str, socket: str, workers: int, threads: int) -> list[str]:
    """The command of uWSGI behind a front that speaks its protocol; arguments as `tlsrun.servers.stock.Command`."""
    # Without binary-path a reload would look for the interpreter outside of the virtual environment. Without
    # post-buffering the connection is reset, and a front answers 502, when an application leaves a body unread.
    return [
        f"{environment}/bin/uwsgi", "--master", "--strict", "--need-app", "--die-on-term",
        "--binary-path", f"{environment}/bin/python", "--processes", str(workers), "--threads", str(threads),
        "--socket", socket, "--chmod-socket=660", "--buffer-size=65535", "--post-buffering=65536",
        "--module", ENTRY,
    ]  # fmt: skip


def _over_http(environment: str, socket: str, workers: int, threads: int) -> list[str]:
    words = over_uwsgi(environment, socket, workers, threads)
    return ["--http-socket" if word == "--socket" else word for word in words]


def _around(application: Application, framework: str) -> Application:
    from tlsrun.servers.uwsgi.wanted import except_taken_back

    return for_framework(except_taken_back(application), framework)


# Asked over HTTP, no edge of ours drops such names.
STOCK = StockCommand(command=_over_http, module="uwsgi", around=_around, takes_sockets=True, mixes_up_underscores=True)
