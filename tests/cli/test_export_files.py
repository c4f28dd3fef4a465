"""Where `tlsrun export` writes, what the comments on top say of that, and the examples that people copy."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flask_tlsrun.tls_commands import export_command as flask_export
from tests.support.certs import Paths
from tests.support.process import ROOT, run
from tlsrun import export
from tlsrun.cli.export import export_command
from tlsrun.cli.main import tlsrun

BIN = Path(sys.executable).parent
_CERTIFICATE = ("--cert", "fullchain.pem", "--key", "privkey.pem")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, localhost_cert: Paths) -> Path:
    """A folder with an application and a certificate, as the working folder."""
    (tmp_path / "hello.py").write_text("from flask import Flask\n\napp = Flask(__name__)\n")
    (tmp_path / "fullchain.pem").write_bytes(localhost_cert.fullchain.read_bytes())
    (tmp_path / "privkey.pem").write_bytes(localhost_cert.key.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(*words: str | Path) -> Result:
    """`tlsrun export` with words."""
    return CliRunner().invoke(tlsrun, ["export", *map(str, words)])


def head(text: str) -> str:
    """The comment on top, each paragraph a line."""
    lines = [line.lstrip("#;").strip() for line in text.splitlines() if line.startswith(("#", ";"))]
    return re.sub(r"(?<=\S)\n(?=\S)", " ", "\n".join(lines)).replace("\\ ", "")


# -- where it writes -------------------------------------------------------------------------------------------------


def test_a_folder_that_is_not_there(project: Path) -> None:
    """Is made for files that are several."""
    done = typed("systemd", "hello:app", *_CERTIFICATE, "-o", "units")
    assert done.exit_code == 0, done.stderr
    assert sorted(one.name for one in (project / "units").iterdir()) == ["hello.service", "hello.socket"]
    assert f"Wrote {Path('units', 'hello.service')}\n" in done.stderr
    assert typed("systemd", "hello:app", *_CERTIFICATE, "-o", "units").exit_code == 0


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("no/units", "-o no/units: the folder cannot be made: No such file or directory. Name one that is there."),
        ("hello.service", "-o hello.service: A systemd service has several files. Name a folder, such as /etc/systemd"),
        ("hello.py", "-o hello.py: A systemd service has several files. Name a folder"),
    ],
)
def test_no_folder(project: Path, place: str, said: str) -> None:
    """One line, and nothing is written."""
    before = sorted(project.rglob("*"))
    done = typed("systemd", "hello:app", *_CERTIFICATE, "-o", place)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {said}"), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(project.rglob("*")) == before


@pytest.mark.parametrize(
    ("target", "usual", "told"),
    [
        ("hypercorn-toml", "-c hypercorn.toml", "-c 'my conf/out'"),
        ("gunicorn-conf", "-c gunicorn.conf.py", "-c 'my conf/out'"),
        ("uwsgi-ini", "--ini hello.ini", "--ini '{folder}/my conf/out'"),
        ("dockerfile", "docker build -t", "docker build -f 'my conf/out' -t"),
        ("compose", "docker compose up", "docker compose -f 'my conf/out' up"),
        ("kubernetes", "kubectl apply -f FILE", "kubectl apply -f 'my conf/out'"),
    ],
)
def test_commands_name_the_file(project: Path, target: str, usual: str, told: str) -> None:
    """By the path that it was written to."""
    words = ["--hosts", "example.org"] if target == "kubernetes" else [] if target == "dockerfile" else _CERTIFICATE
    assert usual in head(typed(target, "hello:app", *words).stdout)
    (project / "my conf").mkdir()
    done = typed(target, "hello:app", *words, "-o", "my conf/out")
    assert done.exit_code == 0, done.stderr
    text = head((project / "my conf" / "out").read_text())
    assert told.format(folder=project) in text
    assert usual not in text


def test_the_usual_names_need_no_word(project: Path) -> None:
    """Docker and compose find them by themselves."""
    typed("dockerfile", "hello:app", "-o", "Dockerfile")
    typed("compose", "hello:app", *_CERTIFICATE, "-o", "compose.yaml")
    assert "docker build -t hello ." in (project / "Dockerfile").read_text()
    assert "docker compose up --build" in (project / "compose.yaml").read_text()


# -- what people type -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "target"),
    [
        ("heroku", "procfile"), ("Heroku", "procfile"), ("docker", "dockerfile"), ("k8s", "kubernetes"),
        ("docker-compose", "compose"), ("httpd", "apache"), ("gunicorn", "gunicorn-conf"), ("uwsgi", "uwsgi-ini"),
        ("hypercorn", "hypercorn-toml"), ("ngnix", "nginx"), ("hapoxy", "haproxy"),
    ],
)  # fmt: skip
def test_what_it_is_called_here(word: str, target: str) -> None:
    """A name that others use leads to ours."""
    done = typed(word, "hello:app")
    assert (done.exit_code, done.stderr) == (2, f"Error: {word}: no such target. Did you mean {target}?\n")


@pytest.mark.parametrize("target", export.TARGETS)
def test_titles_are_singular(target: str) -> None:
    """They begin sentences: "… needs a certificate", "… has no option"."""
    assert not re.search(r"s'|units$|objects$", export.load(target).title)


def examples() -> list[str]:
    """Every command of `export` in the pages and in the help."""
    pages = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    texts = [text for page in pages for text in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.M | re.S)]
    helps = [command.help or "" for command in (export_command, flask_export)]
    texts += [re.sub(r"(?<=\S) {3,}\S.*$", "", text, flags=re.MULTILINE) for text in helps]
    return [
        line.partition(" #")[0].strip()
        for text in texts
        for line in re.sub(r"\\\n\s*", "", text).splitlines()
        if re.match(r"\s*(tlsrun|flask .*tls) export ", line)
    ]


@pytest.mark.parametrize("line", examples())
def test_examples_work(line: str, project: Path, ca_file: Path) -> None:
    """As they are written, in a folder with an application and a certificate: none leaves out what it needs."""
    (project / "app.py").write_text("from hello import app\n")  # what `flask` finds without a word
    (project / "clients-ca.pem").write_bytes(ca_file.read_bytes())
    for usual, here in ((r"/etc/letsencrypt/live/[\w.]+/", ""), (r" (?:-o|>) \S+", ""), (r"shop:create_app", "hello"),
                        (r"\bcert.pem --key key.pem", "fullchain.pem --key privkey.pem")):  # fmt: skip
        line = re.sub(usual, here, line)
    words = shlex.split(line)
    done = typed(*words[2:]) if words[0] == "tlsrun" else run([BIN / words[0], *words[1:]], cwd=project)
    code = done.exit_code if isinstance(done, Result) else done.returncode
    assert code == 0, done.stderr
