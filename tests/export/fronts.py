"""The programs in front, started with a file as it was exported, and the application's side as its comment says."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clients import Address, curl
from tests.support.process import Server, run

_PLACES = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin:/sbin"


#: The programs in front of an application.
FRONTS = ("nginx", "apache", "haproxy", "caddy")

#: Each of them, and what it hands requests to.
CASES = (
    ("nginx", "http"), ("nginx", "uwsgi"), ("apache", "wsgi"), ("apache", "proxy"), ("haproxy", "http"),
    ("caddy", "http"),
)  # fmt: skip


def need(name: str, package: str) -> str:
    """The program, or a skip with the command that installs it; in CI that is a failure."""
    found = shutil.which(name, path=_PLACES)
    if found is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"Run: apt-get install {package}")
    return str(found)


def export(folder: Path, target: str, *words: str | Path, ok: bool = True) -> str:
    """`tlsrun export`, in ``folder``."""
    done = run([sys.executable, "-m", "tlsrun", "export", target, *words], cwd=folder)
    assert (done.returncode == 0) is ok, done.stderr
    return done.stdout if ok else done.stderr


#: An address of this machine that is no proxy's: where clients of a test come from.
CLIENT = "127.0.0.2"


def seen_by(port: int, ca: Path, *words: str | Path) -> dict[str, str]:
    """What the application sees of a client at `CLIENT` that asks for localhost.

    Arguments:
        words: curl's own.
    """
    answer = curl(f"https://localhost:{port}/?a=b", ca, "--resolve", f"localhost:{port}:127.0.0.1",
                  "--interface", CLIENT, *map(str, words))  # fmt: skip
    assert answer.status == 200, answer
    told: dict[str, str] = json.loads(answer.body)
    return told


def commands(text: str) -> list[str]:
    """The indented lines of the comment on top, one string for each paragraph, without what makes them a comment."""
    head = "\n".join(line[2:] for line in _head(text))
    return [
        re.sub(r"^ {4}", "", one, flags=re.MULTILINE).strip("\n") for one in re.findall(r"(?:^ {4}.*\n?)+", head, re.M)
    ]


def _head(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not line.startswith("#"):
            return
        yield line


def application_side(text: str) -> str:
    """The command that starts the application, as the comment has it."""
    return next(one for one in commands(text) if one.startswith("cd "))


@contextlib.contextmanager
def application(text: str, socket: Path) -> Iterator[Server]:
    """Start the application's side of an exported file."""
    with Server(["sh", "-c", application_side(text).replace("\n", "\nexec env ", 1)]) as server:
        server.wait_for(socket.exists, what=str(socket))
        yield server


def nginx_words(folder: Path, text: str) -> list[str | Path]:
    """nginx's command line with the file as one of its sites, once `nginx -t` has taken it."""
    program = need("nginx", "nginx-light")
    (folder / "site.conf").write_text(text)
    user = "user root;\n" if os.geteuid() == 0 else ""
    temporary = " ".join(f"{one}_temp_path {folder};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/pid;\nerror_log stderr warn;\nevents {{}}\n"
        f"http {{ access_log off; {temporary} include {folder}/site.conf; }}\n"
    )
    words = [program, "-p", folder, "-c", folder / "nginx.conf"]
    tested = run([*words, "-t"])
    assert tested.returncode == 0, tested.stderr
    assert [line for line in tested.stderr.splitlines() if "warn" in line] == []
    return words


@contextlib.contextmanager
def nginx(folder: Path, text: str, address: Address, *, introduced: bool = False) -> Iterator[Server]:
    """Start it.

    Arguments:
        introduced: whether it waits for the PROXY protocol, and shakes no hands before.
    """
    with Server(nginx_words(folder, text)) as server:
        (server.until_listening if introduced else server.until_tls)(address)
        yield server


_MODULES = Path("/usr/lib/apache2/modules")


def apache_words(folder: Path, text: str, *, wsgi: bool) -> list[str | Path]:
    """Apache's command line with the file as one of its sites, once `apache2 -t` has taken it."""
    program = need("apache2", "apache2-bin")
    names = ["mpm_event", "authz_core", "ssl", "headers", "rewrite", "reqtimeout", "http2", "socache_shmcb", "alias"]
    names += ["env"] if wsgi else ["proxy", "proxy_http"]
    lines = [f"LoadModule {name}_module {_MODULES}/mod_{name}.so" for name in names]
    if wsgi:
        lines += [_mod_wsgi(), f"WSGISocketPrefix {folder}/wsgi"]
    (folder / "site.conf").write_text(text)
    (folder / "apache2.conf").write_text(
        f"ServerName localhost\nServerRoot {folder}\nPidFile {folder}/pid\nMutex file:{folder}\n"
        f"DefaultRuntimeDir {folder}\nErrorLog /dev/stderr\nStartServers 1\nServerLimit 1\nThreadsPerChild 8\n"
        "MaxRequestWorkers 8\n" + "\n".join(lines) + f"\nInclude {folder}/site.conf\n"
    )  # fmt: skip
    words = [*_unprivileged(folder), program, "-f", folder / "apache2.conf", "-D", "FOREGROUND"]
    tested = run([*words, "-t"])
    assert tested.returncode == 0, tested.stderr
    return words


def _mod_wsgi() -> str:
    """The line that loads it, as the comment says to get it."""
    program = Path(sys.executable).parent / "mod_wsgi-express"
    if not program.exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(
            "Run: pip install mod_wsgi (needs apache2-dev)"
        )
    return run([program, "module-config"]).stdout.splitlines()[0]


def _unprivileged(folder: Path) -> list[str]:
    """Apache runs no application as root. Who tests as root may have a Python that only root may reach."""
    if os.geteuid() != 0:
        return []
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 65534, 65534)
    rights = "+dac_override"
    return ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps", rights, "--ambient-caps",
            rights]  # fmt: skip


def haproxy_words(folder: Path, text: str) -> list[str | Path]:
    """HAProxy's command line with the file, once its own certificate file is made, and `haproxy -c` has taken it."""
    program = need("haproxy", "haproxy")
    (folder / "haproxy.cfg").write_text(text)
    making = [one for one in commands(text) if "cat " in one]
    for one in making:
        made = run(["sh", "-c", one.partition("haproxy -c")[0].rstrip().removesuffix("&&")])
        assert made.returncode == 0, made.stderr
    words = [program, "-f", folder / "haproxy.cfg"]
    tested = run([*words, "-c"])
    assert tested.returncode == 0, tested.stderr
    assert "WARNING" not in tested.stdout + tested.stderr
    return words


@contextlib.contextmanager
def haproxy(folder: Path, text: str, address: Address) -> Iterator[Server]:
    """Start it."""
    with Server([*haproxy_words(folder, text), "-db"]) as server:
        server.until_listening(address)
        yield server


def caddy_words(folder: Path, text: str) -> list[str | Path]:
    """Caddy's words with the file, once `caddy validate` has taken it.

    Its port for commands, which is the same for every Caddy, is off.
    """
    program = need("caddy", "caddy")
    (folder / "Caddyfile").write_text(text.replace("\n{\n", "\n{\n\tadmin off\n", 1))
    words = ["--config", folder / "Caddyfile", "--adapter", "caddyfile"]
    tested = run([program, "validate", *words], env=_caddy_home(folder))
    assert tested.returncode == 0, tested.stderr
    assert "not formatted" not in tested.stderr
    return [program, "run", *words]


def _caddy_home(folder: Path) -> dict[str, str]:
    return {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}


def front_words(
    target: str, form: str, text: str, folder: Path, project: Path
) -> tuple[list[str | Path], dict[str, str]]:
    """The command line and the environment of a front with its file.

    Arguments:
        folder: for its files.
        project: the application's; mod_wsgi reads a file there.
    """
    if target == "nginx":
        return nginx_words(folder, text), {}
    if target == "haproxy":
        return [*haproxy_words(folder, text), "-db"], {}
    if target == "caddy":
        return caddy_words(folder, text), _caddy_home(folder)
    if form == "wsgi":
        script = next(one for one in commands(text) if one.startswith("import os"))
        (project / "wsgi.py").write_text(script)
    return apache_words(folder, text, wsgi=form == "wsgi"), {}


@contextlib.contextmanager
def front(target: str, form: str, text: str, folder: Path, project: Path, port: int) -> Iterator[Server]:
    """A front, and the application's side as the comment on top of its file says: its socket is ``s`` in the folder.

    Arguments:
        folder, project: see `front_words`.
    """
    with contextlib.ExitStack() as stack:
        if form != "wsgi":
            stack.enter_context(application(text, folder / "s"))
        words, env = front_words(target, form, text, folder, project)
        server = stack.enter_context(Server(words, env=env))
        server.until_tls(("127.0.0.1", port))
        yield server
