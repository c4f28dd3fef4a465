"""What looks like Windows: every command works, and what cannot be is refused in a line."""

from __future__ import annotations

import http.client

from tests.support.certs import Paths
from tests.support.clients import free_port
from tests.support.systems import Shell
from tlsrun.export import TARGETS

#: Command -> the exit code, and what is said.
COMMANDS = {
    "flask --help": (0, "Serve the application over HTTPS."),
    "flask --app hello routes": (0, "/size"),
    "flask tlsrun --help": (0, "--cert"),
    "flask tls --help": (0, "trust"),
    "tlsrun --help": (0, "status"),
    "tlsrun settings show": (0, "handshake_timeout"),
    "tlsrun settings support": (0, "gunicorn"),
    "tlsrun status": (2, "No server"),
    "tlsrun check --list": (0, "TLS301"),
    "tlsrun cert make localhost": (0, "localhost-key.pem"),
    "tlsrun cert show localhost.pem": (0, "localhost"),
    "tlsrun cert bundle localhost.pem --output whole.pem": (0, ""),
    "tlsrun trust --check": (1, "NOT TRUSTED  Trusted Root Certification Authorities (Windows)"),
    "tlsrun trust --by-hand": (0, "certutil"),
    # The application is looked at in a process of its own.
    "tlsrun check hello:app --cert localhost.pem --key localhost-key.pem --port 8443": (0, "0 errors"),
    "flask --app hello tls check": (0, "0 errors"),
}

#: Flags of `tlsrun run` -> how the only line begins.
REFUSED = {
    "--server gunicorn": "gunicorn: it needs fork(2), which this system has not",
    "--server uwsgi": "uwsgi: it needs fork(2)",
    "--server granian": "granian: it needs fork(2)",
    "--server hypercorn": "hypercorn: it needs fork(2)",
    "--workers 2": "--workers: the built-in server runs in one process. Leave it out. [",
    "--http 2": "--http: the built-in server speaks HTTP/1.1 only. Leave it out. [",
    "--user nobody": "--user: this system has no users to change to",
    "--group nogroup": "--group: this system has no users to change to",
    "--bind unix:app.sock": "--bind (unix:app.sock): this system has no Unix sockets",
    "--bind systemd": "--bind (systemd): this system has no Unix sockets",
    "--bind fd://3": "--bind (fd://3): this system has no Unix sockets",
}


def test_commands(windows: Shell) -> None:
    """None needs what is not there."""
    for done in windows.each(*COMMANDS):
        code, said = COMMANDS[done.command]
        assert (done.code, "Traceback" in done.err) == (code, False), done
        assert said in done.out + done.err, done
        assert done.command.endswith("--list") or "TLS514" not in done.out, done  # no application was found


def test_flask_run(windows: Shell) -> None:
    """Flask's own server, over HTTP: nothing of ours is in its way."""
    port = free_port()
    with windows.start("-m", "flask", "--app", "hello", "run", "--port", str(port)) as server:
        server.until_listening(("127.0.0.1", port))
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"hello http"
        connection.close()


def test_what_cannot_be_is_refused(windows: Shell) -> None:
    """One line, with the reason, before anything is started."""
    for done in windows.each(*(f"tlsrun run hello:app {flags}" for flags in REFUSED)):
        assert (done.code, done.out) == (2, ""), done
        assert len(done.err.splitlines()) == 1, done
        why = REFUSED[done.command.removeprefix("tlsrun run hello:app ")]
        assert done.err.startswith(f"Error: {why}"), done


def test_exports(windows: Shell, localhost_cert: Paths) -> None:
    """Files for other machines are written here, or refused as everywhere."""
    cert = f"--cert {localhost_cert.fullchain} --key {localhost_cert.key}"
    for done in windows.each(*(f"tlsrun export {target} hello:app {cert}" for target in TARGETS)):
        assert (done.code in (0, 2), "Traceback" in done.err) == (True, False), done
        assert done.out if done.code == 0 else "[TLS203]" in done.err, done
