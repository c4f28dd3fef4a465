"""A Dockerfile: an image that serves the application over HTTPS with a mounted certificate."""

from __future__ import annotations

import json

from tlsrun.deciding.plan import Plan
from tlsrun.export import serving
from tlsrun.export.cells import CONTAINER, OURS, LeftOut, cells, no_option
from tlsrun.export.material import quoted
from tlsrun.export.quoting import docker
from tlsrun.export.site import Site
from tlsrun.export.text import after_options, comment

TITLE = "A Dockerfile"
DEFAULTS = {"host": "0.0.0.0", "port": 8443}  # noqa: S104 -- text of a file
_MOUNTED = LeftOut("the image finds it in the folder that is mounted, under the name that the comment on top says")
MAPPING = cells(
    CONTAINER,
    host=OURS["host"],
    cert=_MOUNTED,
    key=_MOUNTED,
    **dict.fromkeys(
        ("sni", "chain", "key_password_file", "acme_webroot"),
        no_option("files of this machine but the certificate, the key and what signs client certificates", None, ()),
    ),
)
NEEDS_CERTIFICATE: frozenset[str] = frozenset()

#: Where certificate and key are mounted, with the file names of a Kubernetes TLS secret.
MOUNTED = "/etc/tls"
#: The account in the image, as a number: Kubernetes can then verify that it is not root (runAsNonRoot).
ACCOUNT = 10001

#: Checks that the port is open. Without a TLS handshake it does not depend on the certificate's names.
PROBE = ("python", "-c", "import socket; socket.create_connection(('127.0.0.1', {port}), 3)")


def _held(plan: Plan) -> str:
    more = ["clients-ca.pem"] if plan.clients and plan.clients.ca.path else []
    more += ["clients-crl.pem"] if plan.clients and plan.clients.crl and plan.clients.crl.path else []
    return ", ".join(["tls.crt (the certificate with its chain)", "tls.key", *more])


def _told(site: Site) -> str:
    """``-f FILE``, unless Docker finds the file by its name."""
    return "" if site.file("Dockerfile") == "Dockerfile" else f"-f {quoted(site.written)} "


def _published(plan: Plan) -> str:
    """The options ``-p``. With a redirect the ports outside and inside are the same: it names the one inside."""
    ports = ["443" if plan.redirect_port is None else str(plan.endpoint.port)]
    ports[0] += f":{plan.endpoint.port}"
    if plan.by_udp:  # for HTTP/3; the default is TCP
        ports.append(f"{ports[0]}/udp")
    if plan.redirect_port is not None:
        ports.insert(0, f"{plan.redirect_port}:{plan.redirect_port}")
    return " ".join(f"-p {port}" for port in ports)


def render(plan: Plan, site: Site) -> str:
    """A ``Dockerfile``."""
    said = serving.settings(
        plan,
        site,
        cert=f"{MOUNTED}/tls.crt",
        key=f"{MOUNTED}/tls.key",
        **serving.clients(plan, site, f"{MOUNTED}/clients-ca.pem", f"{MOUNTED}/clients-crl.pem"),
    )
    head = comment(
        f"{site.app} over HTTPS, under {site.server}. Requirements are those of requirements.txt.",
        *site.origin,
        f"    docker build {_told(site)}-t {site.name} .\n"
        f"    docker run {_published(plan)} -v /path/to/certificates:{MOUNTED}:ro {site.name}",
        f"The folder holds {_held(plan)}, which the account {ACCOUNT} must be able to read. A renewed "
        "certificate is served within seconds.",
    )
    variables = " \\\n    ".join(f"{name}={docker(value)}" for name, value in said.items())
    exposed = [str(plan.endpoint.port), *([f"{plan.endpoint.port}/udp"] if plan.by_udp else [])]
    exposed += [] if plan.redirect_port is None else [str(plan.redirect_port)]
    probe = json.dumps([word.format(port=plan.endpoint.port) for word in PROBE])
    return f"""{head}
FROM python:3.13-slim AS build
WORKDIR /app
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
# Requirements first: they change less often than the application.
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt "tlsrun[{site.server}]"

FROM python:3.13-slim
RUN useradd --uid {ACCOUNT} --no-create-home --shell /usr/sbin/nologin app
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
ENV PATH=/venv/bin:$PATH \\
    PYTHONUNBUFFERED=1 \\
    {variables}
USER {ACCOUNT}
EXPOSE {" ".join(exposed)}
# gunicorn, uWSGI, Granian and Hypercorn finish what they are at on SIGTERM, which is what `docker stop` sends.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD {probe}
CMD {json.dumps(["tlsrun", "run", *after_options(site.app)])}
"""
