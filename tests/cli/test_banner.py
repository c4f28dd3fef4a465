"""The start-up banner."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest

from tests.support.certs import Authority
from tlsrun.certificates.identity import IdentitySources, Source
from tlsrun.cli.banner import banner_lines
from tlsrun.deciding.facts import ServerFacts
from tlsrun.deciding.plan import Plan
from tlsrun.endpoint import Endpoint
from tlsrun.renewal.reload import identity_origin

GUNICORN = ServerFacts(name="gunicorn", title="gunicorn", version="27.0.1", missing=None, mapping={})


@pytest.fixture(scope="module")
def plan(ca: Authority) -> Plan:
    """A plan for gunicorn."""
    pair = ca.leaf(["example.org", "www.example.org"])
    sources = IdentitySources(
        cert=Source(given_by="TLS_CERT", text=pair.fullchain_pem), key=Source(given_by="TLS_KEY", text=pair.key_pem)
    )
    return Plan(
        server="gunicorn",
        framework="flask",
        endpoint=Endpoint(host="0.0.0.0", port=443),  # noqa: S104 -- shown, not bound
        default=sources,
        readings={sources: identity_origin(sources).read()},
        workers=2,
        development_ca=Path("/home/jo/rootCA.pem"),
    )


def test_it_says_where_to_click_and_what_is_served(plan: Plan) -> None:
    """URL, server with version, names, days left, TLS versions, and where the development CA is."""
    lines = list(banner_lines(plan, GUNICORN, datetime.datetime.now(datetime.timezone.utc), "hello:app"))
    assert "hello:app on gunicorn 27.0.1, 2 workers" in lines[0]
    assert lines[1].startswith("https://127.0.0.1, on every address")
    assert "example.org, www.example.org; ECDSA P-256; 29 days left" in lines[2]
    assert lines[3].endswith("`flask tls trust` has browsers trust the CA: /home/jo/rootCA.pem")
    assert lines[4] == "TLS 1.2 and 1.3, profile intermediate; HTTP/1.1"
    assert lines[5] == "Plain HTTP: visitors of this port are sent to https"
    assert not any("http://" in line for line in lines)


def test_links_that_open_without_a_complaint(plan: Plan) -> None:
    """On every address, the names of the certificate; they would be strange for a development certificate."""
    served = dataclasses.replace(plan, development_ca=None, endpoint=Endpoint(host="::", port=8443))
    lines = list(banner_lines(served, GUNICORN, datetime.datetime.now(datetime.timezone.utc), ""))
    assert lines[1].startswith("https://[::1]:8443, on every address")
    assert lines[2] == "By name: https://example.org:8443, https://www.example.org:8443"


def test_where_plain_http_goes(plan: Plan) -> None:
    """To the redirect port, else to this one, where the server answers it."""

    def said(plan: Plan, server: ServerFacts) -> str:
        return list(banner_lines(plan, server, datetime.datetime.now(datetime.timezone.utc), ""))[-1]

    assert said(dataclasses.replace(plan, redirect_port=80), GUNICORN) == "Plain HTTP: port 80 sends visitors to https"
    silent = dataclasses.replace(GUNICORN, name="granian", redirects_plain_http=False)
    assert said(plan, silent).startswith("Plain HTTP: not answered; with --redirect-port 80")
