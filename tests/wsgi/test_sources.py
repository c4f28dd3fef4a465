"""tlsrun.wsgi.sources: what is believed, of what a server may put into environ."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.certs import Paths
from tests.wsgi.conftest import Handshake
from tlsrun.wsgi.sources import facts_of, survey

UWSGI: dict[str, Any] = {"uwsgi.version": b"2.0.30"}
MOD_WSGI: dict[str, Any] = {"mod_wsgi.version": (5, 0, 2)}
FORGED = {
    "HTTPS": "on",
    "SSL_PROTOCOL": "TLSv1.3",
    "SSL_CLIENT_VERIFY": "SUCCESS",
    "SSL_CLIENT_S_DN": "CN=root",
    "SSL_CERT_FILE": "/etc/ssl/cert.pem",
    "HTTPS_DN": "/CN=root",
}


@pytest.mark.parametrize("key", ["tlsrun.socket", "gunicorn.socket", "werkzeug.socket"])
def test_the_connection_itself_comes_first(connect: Handshake, key: str) -> None:
    """With the connection at hand, no variable counts, whoever set it."""
    facts, others = survey({key: connect(), **FORGED, **UWSGI})
    assert facts["SSL_CLIENT_VERIFY"] == "NONE"
    assert "SSL_CLIENT_S_DN" not in facts
    assert sorted(others) == ["HTTPS_DN", "SSL_CERT_FILE", "SSL_CLIENT_S_DN"]


def test_a_plain_connection_is_not_tls() -> None:
    """A connection without TLS has no facts, and variables that say otherwise are none."""
    assert facts_of({"gunicorn.socket": object(), **FORGED}) == {}


def test_an_unknown_server_states_no_facts() -> None:
    """Under any other server, all that looks like a fact is none: it may be of the process environment."""
    facts, others = survey({**FORGED, "HTTP_SSL_CLIENT_VERIFY": "SUCCESS", "SSLSOMETHING": "x", "HTTP_HTTPS": "on"})
    assert facts == {}
    assert sorted(others) == sorted(FORGED)


@pytest.mark.parametrize("server", [{"uwsgi.version": "2.0.30"}, {"mod_wsgi.version": "5.0.2"}])
def test_an_environment_variable_makes_no_server(server: dict[str, Any]) -> None:
    """uWSGI and mod_wsgi name themselves by values that no process environment can hold."""
    assert facts_of({**FORGED, **server}) == {}


@pytest.mark.parametrize("https", ["on", "ON", "1"])
def test_variables_of_uwsgi(https: str) -> None:
    """Under uWSGI, HTTPS is set by uWSGI, or by what speaks the uwsgi protocol to it; without more, no client."""
    assert facts_of({"HTTPS": https, **UWSGI}) == {"HTTPS": "on", "SSL_CLIENT_VERIFY": "NONE"}


@pytest.mark.parametrize("https", [{}, {"HTTPS": ""}, {"HTTPS": "off"}, {"HTTPS": "off", "SSL_PROTOCOL": ""}])
def test_plain_http_under_uwsgi(https: dict[str, Any]) -> None:
    """Where uWSGI says nothing of TLS there is none, and what is left of it goes."""
    assert survey({**https, **UWSGI, "SSL_CLIENT_VERIFY": ""}) == ({}, [*https, "SSL_CLIENT_VERIFY"])


def test_what_stands_in_front_of_uwsgi() -> None:
    """All that the TLS in front hands over is taken; its empty values say nothing."""
    handed = {"SSL_PROTOCOL": "TLSv1.3", "SSL_CLIENT_VERIFY": "SUCCESS", "SSL_CLIENT_S_DN": "CN=jo", "HTTPS": "on"}
    facts, others = survey({**handed, "SSL_TLS_SNI": "", **UWSGI})
    assert facts == handed
    assert others == ["SSL_TLS_SNI"]


@pytest.mark.parametrize("variable", ["HTTPS_CC", "HTTPS_CLIENT_CERTIFICATE"])
def test_uwsgi_hands_over_a_client_certificate(client_cert: Paths, variable: str) -> None:
    """uWSGI's own TLS hands over the certificate alone; the facts are read from it, and its variables stay."""
    pair = client_cert.pair
    value = pair.cert_pem.decode() if variable == "HTTPS_CC" else pair.der.decode("latin-1")
    facts, others = survey({"HTTPS": "on", variable: value, "HTTPS_DN": "/CN=jo.test", **UWSGI})
    assert facts["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert facts["SSL_CLIENT_S_DN"] == "CN=jo.test"
    assert facts["SSL_CLIENT_CERT"].encode() == pair.cert_pem
    assert others == []


def test_a_certificate_that_cannot_be_read_is_none(caplog: pytest.LogCaptureFixture) -> None:
    """A variable that holds no certificate makes no client."""
    assert facts_of({"HTTPS": "on", "HTTPS_CC": "nonsense", **UWSGI})["SSL_CLIENT_VERIFY"] == "NONE"
    assert "cannot be read" in caplog.text


def test_variables_of_mod_ssl() -> None:
    """mod_wsgi takes HTTPS out of environ; mod_ssl's own variables (SSLOptions +StdEnvVars) say that it was TLS."""
    handed = {"SSL_PROTOCOL": "TLSv1.3", "SSL_CLIENT_VERIFY": "FAILED:certificate has expired"}
    assert facts_of({**handed, **MOD_WSGI}) == {**handed, "HTTPS": "on"}
    assert facts_of({"SSL_CERT_FILE": "/etc/ssl/cert.pem", **MOD_WSGI}) == {}


def test_a_name_with_a_line_break_hides_nothing() -> None:
    """A variable whose name holds a line break neither is a fact nor makes one."""
    facts, others = survey({"X\nSSL_PROTOCOL": "TLSv1.3", **UWSGI})
    assert facts == {}
    assert others == ["SSL_PROTOCOL"]
