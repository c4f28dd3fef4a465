"""A compose file: the Dockerfile's image, its ports, and the certificate's folder as a volume."""

from __future__ import annotations

import json
import os
from pathlib import PurePosixPath

from tlsrun.deciding.plan import Plan
from tlsrun.export import serving
from tlsrun.export.cells import CONTAINER, cells, no_option
from tlsrun.export.dockerfile import ACCOUNT, PROBE
from tlsrun.export.material import key_path, path_of, quoted
from tlsrun.export.quoting import compose, yaml
from tlsrun.export.site import Site
from tlsrun.export.text import comment

TITLE = "A compose file"
DEFAULTS = {"host": "0.0.0.0", "port": 443}  # noqa: S104 -- text of a file
MAPPING = cells(
    CONTAINER,
    **dict.fromkeys(
        ("sni", "chain", "key_password_file"),
        no_option("folders mounted but those of the certificate, the key and what signs client certificates", None, ()),
    ),
)

#: certbot's folder. live/NAME has links into archive, so the whole folder must be mounted.
_CERTBOT = PurePosixPath("/etc/letsencrypt")

#: Docker's default since 20.10; other engines need it.
LOW_PORTS_FREE = """\
    sysctls:
      # The account of the image may listen on ports below 1024.
      net.ipv4.ip_unprivileged_port_start: 0
"""


def render(plan: Plan, site: Site) -> str:
    """A ``compose.yaml``."""
    cert, key = path_of(plan.sources.cert), key_path(plan.sources)
    said = serving.settings(
        plan,
        site,
        host="0.0.0.0",  # noqa: S104 -- text of a file
        cert=cert,
        key=key,
        redirect_port=plan.redirect_port,
        **serving.clients(plan, site, *_files_of_clients(plan)),
    )
    files = [cert, key, *filter(None, _files_of_clients(plan))]
    folders = dict.fromkeys(_folder(file) for file in files)
    if plan.acme_webroot is not None:
        said["TLSRUN_ACME_WEBROOT"] = os.path.abspath(plan.acme_webroot)
        folders[PurePosixPath(said["TLSRUN_ACME_WEBROOT"])] = None
    # The same ports inside and outside: the redirect names the one that it knows.
    ports = [port for port in (plan.endpoint.port, plan.redirect_port) if port is not None]
    # For HTTP/3: Docker publishes TCP only, unless told otherwise.
    published = [f"{port}:{port}" for port in ports]
    published[1:1] = [f"{published[0]}/udp"] if plan.by_udp else []
    probe = [word.format(port=plan.endpoint.port) for word in PROBE]
    head = comment(
        f"{site.app} over HTTPS in a container, under {site.server}. The image is that of the Dockerfile: tlsrun "
        f"export dockerfile {quoted(site.app)} -o Dockerfile",
        *site.origin,
        f"    docker compose {_told(site)}up --build --detach",
        f"The account {ACCOUNT} of the image must be able to read the key: chgrp {ACCOUNT} and chmod g+r, for the key "
        "and, with g+x, for its folders. A renewed certificate is served within seconds: whole folders are mounted, "
        "since a single file would stay the old one.",
    )
    environment = "".join(f"      {name}: {compose(value)}\n" for name, value in said.items())
    listed = "".join(f"      - {json.dumps(one)}\n" for one in published)
    low = LOW_PORTS_FREE if min(ports) < 1024 else ""
    mounted = "".join(f"      - {compose(f'{folder}:{folder}:ro')}\n" for folder in folders)
    return f"""{head}
name: {yaml(site.name)}

services:
  app:
    build: .
    restart: unless-stopped
    init: true
    ports:
{listed}    environment:
{environment}    volumes:
{mounted}    healthcheck:
      test: {json.dumps(["CMD", *probe])}
      interval: 10s
      timeout: 5s
      start_period: 10s
{low}    # Requests that are on their way at a stop are finished.
    stop_grace_period: 60s
    read_only: true
    tmpfs:
      - /tmp
    cap_drop:
      - ALL
    security_opt:
      - no-new-privileges:true
"""


def _told(site: Site) -> str:
    """``-f FILE``, unless compose finds the file by its name."""
    found = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
    return "" if site.file(found[0]) in found else f"-f {quoted(site.written)} "


def _files_of_clients(plan: Plan) -> tuple[str, str]:
    """The paths of the client CA and the revocation lists; empty for what is not a file."""
    sources = (plan.clients.ca, plan.clients.crl) if plan.clients else (None, None)
    ca, crl = (path_of(source) if source is not None and source.path is not None else "" for source in sources)
    return ca, crl


def _folder(file: str) -> PurePosixPath:
    path = PurePosixPath(file)
    return _CERTBOT if _CERTBOT in path.parents else path.parent
