"""Instructions for what `tlsrun trust` does not reach: programs with their own roots, containers, phones."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tlsrun.trust.java import PASSWORD
from tlsrun.trust.machine import Machine
from tlsrun.trust.macos import KEYCHAIN
from tlsrun.trust.root import Root


@dataclass(frozen=True, kw_only=True)
class Hint:
    """How to have a program or device trust the root.

    Arguments:
        title: the program or device.
        lines: commands to type, or steps in prose.
        urgent: whether this machine seems to need it.
    """

    title: str
    lines: tuple[str, ...]
    urgent: bool = False


def hints(machine: Machine, root: Root, bundle: Path | None) -> Iterator[Hint]:
    """All instructions.

    Arguments:
        bundle: the system's file of all roots, if the root is in it.
    """
    path, name = shlex.quote(str(root.path)), shlex.quote(root.names[0])
    roots = path if bundle is None else shlex.quote(str(bundle))
    alone = "    # trusts this CA alone" if bundle is None else ""
    yield Hint(
        title="Windows, from WSL: its browsers read Windows' store",
        lines=(f'certutil.exe -user -addstore Root "$(wslpath -w {path})"',),
        urgent=machine.wsl,
    )
    yield Hint(
        title="Python's requests, httpx and pip, which bring roots of their own",
        lines=(f"export REQUESTS_CA_BUNDLE={roots}{alone}", f"export SSL_CERT_FILE={roots}{alone}"),
    )
    yield Hint(title="Node.js, which brings roots of its own", lines=(f"export NODE_EXTRA_CA_CERTS={path}",))
    yield Hint(
        title="curl, wget, git and OpenSSL, where they do not read the system's store",
        lines=(
            f"export CURL_CA_BUNDLE={roots}{alone}",
            f"export SSL_CERT_FILE={roots}{alone}",
            f"curl --cacert {path} https://localhost:5000/",
        ),
    )
    yield Hint(
        title="Java, with a store of its own",
        lines=(f"keytool -importcert -cacerts -storepass {PASSWORD} -noprompt -alias {name} -file {path}",),
    )
    yield from _elsewhere(name)


def _elsewhere(name: str) -> Iterator[Hint]:
    yield Hint(
        title="Everything below needs the certificate as a file",
        lines=("tlsrun trust --export ca.pem",),
    )
    yield Hint(
        title="Firefox, by hand",
        lines=("Settings, Privacy & Security, View Certificates, Authorities, Import: ca.pem, for websites",),
    )
    yield Hint(
        title="macOS",
        lines=(f"sudo security add-trusted-cert -d -r trustRoot -k {KEYCHAIN} ca.pem",),
    )
    yield Hint(title="Windows", lines=("certutil -user -addstore Root ca.pem",))
    yield Hint(
        title="Debian, Ubuntu, Alpine",
        lines=("sudo install -m 0644 ca.pem /usr/local/share/ca-certificates/ca.crt", "sudo update-ca-certificates"),
    )
    yield Hint(
        title="A container, in its Dockerfile (Debian, Ubuntu, Alpine)",
        lines=("COPY ca.pem /usr/local/share/ca-certificates/ca.crt", "RUN update-ca-certificates"),
    )
    yield Hint(
        title="Fedora, RHEL",
        lines=("sudo install -m 0644 ca.pem /etc/pki/ca-trust/source/anchors/ca.pem", "sudo update-ca-trust extract"),
    )
    yield Hint(
        title="An NSS database that was not found: a browser's profile elsewhere",
        lines=(f"certutil -A -d sql:FOLDER -t C,, -n {name} -i ca.pem",),
    )
    yield Hint(
        title="iPhone, iPad",
        lines=(
            "Send ca.pem there, and install the profile that it becomes.",
            "Then Settings, General, About, Certificate Trust Settings: turn it on.",
        ),
    )
    yield Hint(
        title="Android",
        lines=("Settings, Security, Encryption & credentials, Install a certificate, CA certificate: ca.pem",),
    )
