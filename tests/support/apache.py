"""A real Apache with mod_ssl, which says what it knows of a client certificate."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.support.clients import Address, client_context, free_port, tls_connect
from tests.support.process import Server

_MODULES = Path("/usr/lib/apache2/modules")

#: What is asked of it, unless told otherwise.
CLIENT_FACTS = (
    "SSL_CLIENT_VERIFY", "SSL_CLIENT_S_DN", "SSL_CLIENT_I_DN", "SSL_CLIENT_M_SERIAL", "SSL_CLIENT_V_START",
    "SSL_CLIENT_V_END", "SSL_CLIENT_V_REMAIN", "SSL_CLIENT_SAN_DNS_0", "SSL_CLIENT_SAN_DNS_1",
    "SSL_CLIENT_SAN_Email_0", "SSL_CLIENT_SAN_Email_1", "SSL_CLIENT_CERT",
)  # fmt: skip

_CONFIGURATION = """
ServerName localhost
ServerRoot {folder}
PidFile {folder}/pid
Mutex file:{folder}
ErrorLog {folder}/log
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule ssl_module {modules}/mod_ssl.so
LoadModule headers_module {modules}/mod_headers.so
StartServers 1
ThreadsPerChild 4
MaxRequestWorkers 4
ServerLimit 1
SSLSessionCache none
SSLEngine on
SSLCertificateFile {cert}
SSLCertificateKeyFile {key}
SSLCACertificateFile {ca}
SSLVerifyClient optional
SSLVerifyDepth 5
SSLOptions +StdEnvVars +ExportCertData
{headers}
"""


@contextlib.contextmanager
def apache(folder: Path, *, cert: Path, key: Path, ca: Path, facts: Iterable[str] = CLIENT_FACTS) -> Iterator[Address]:
    """An Apache that answers with mod_ssl's variables as headers, between brackets.

    Arguments:
        folder: for its own files.
        ca: whose client certificates it takes; a client may show none.
        facts: the variables.
    """
    program = shutil.which("apache2", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None or not (_MODULES / "mod_ssl.so").exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("Run: apt install apache2-bin")
    port = free_port()
    (folder / "conf").write_text(
        _CONFIGURATION.format(
            folder=folder, port=port, modules=_MODULES, cert=cert, key=key, ca=ca,
            headers="\n".join(f'Header always set X-{one} "[%{{{one}}}s]"' for one in facts),
        )
    )  # fmt: skip
    with Server([program, "-f", folder / "conf", "-D", "FOREGROUND"], env={"APACHE_RUN_DIR": str(folder)}) as server:
        server.until_tls(("127.0.0.1", port))
        yield "127.0.0.1", port


def said_by_apache(address: Address, cert: Path | None, key: Path | None) -> dict[str, str]:
    """mod_ssl's variables for a client with that certificate, as WSGI would hand them over."""
    with tls_connect(address, None, context=client_context(None, cert=cert, key=key)) as tls:
        tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
        head = b"".join(iter(lambda: tls.recv(65536), b"")).partition(b"\r\n\r\n")[0].decode("latin-1")
    headers = dict(re.findall(r"(?:^|\r\n)X-(\w+): \[([^\r]*)\]", head))
    return {one: value for one, value in headers.items() if value != "(null)"}
