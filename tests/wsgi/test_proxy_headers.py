"""The one table of what only proxies may say: for environ, and for the edge."""

from __future__ import annotations

import pytest

from tlsrun.edge.names import rule_for
from tlsrun.proxies.peers import read_peers
from tlsrun.wsgi import application
from tlsrun.wsgi.front import Front
from tlsrun.wsgi.proxy_headers import ALL, PROXY_VARIABLES, variable, variables_to_remove

NAMES = [
    "X-Forwarded-For", "X-Forwarded-Foo", "Forwarded", "CF-Ray", "Fastly-Client-IP", "X-Azure-FDID", "X-Envoy-Foo",
    "X-Original-URL", "X-Rewrite-URL", "Script-Name", "Remote-User", "Client-Cert-Foo", "SSL-Foo", "X-TLS-Foo",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_of_clients(name: str) -> None:
    """Taken out of environ, and not handed on by the edge."""
    assert variables_to_remove(["PATH_INFO", variable(name)]) == {variable(name)}
    assert rule_for(name.encode()) is None


@pytest.mark.parametrize("name", NAMES)
def test_of_trusted_proxies(name: str) -> None:
    """Handed on by the edge; of them, those that are read are taken out, and the others left as they are."""
    assert rule_for(name.encode(), trusted=True)
    read = {variable(name)} & PROXY_VARIABLES
    assert variables_to_remove([variable(name)], trusted=True) == read
    seen: dict[str, object] = {}
    front = Front(peers=read_peers(("192.0.2.1",), "here"))
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_HOST": "x", "REMOTE_ADDR": "192.0.2.1", variable(name): "a",
        "wsgi.url_scheme": "https",
    }  # fmt: skip
    application(lambda environ, start: seen.update(environ) or [], front)(environ, lambda *_: None)
    assert (variable(name) in seen) is not bool(read)


@pytest.mark.parametrize("name", ["X-Mine", "Via", "Host", "Clients", "X-Forward", "Cfx", "TLSX", "Origin"])
def test_others(name: str) -> None:
    """No header that is anybody's."""
    assert not variables_to_remove([variable(name)])


def test_all_are_found() -> None:
    """Each name of the table, among others."""
    assert variables_to_remove([*ALL, "PATH_INFO"]) == ALL
