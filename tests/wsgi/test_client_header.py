"""Client certificates in headers: the same facts from every proxy's spelling, none from what is malformed."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.certs import Authority, Pair
from tlsrun.settings.proxies import CERTIFICATE_HEADERS, HEADERS, PRESETS, headers_of
from tlsrun.wsgi.client_header import COMPANIONS, certificate_facts

NONE = {"SSL_CLIENT_VERIFY": "NONE"}


@pytest.fixture(scope="module")
def pair(ca: Authority) -> Pair:
    """A client's certificate."""
    return ca.leaf(("jo.test", "jo@jo.test"), client=True)


def b64(pair: Pair) -> str:
    """DER in base64."""
    return base64.b64encode(pair.der).decode()


def escaped(pem: bytes, safe: str = "") -> str:
    """As nginx's ``$ssl_client_escaped_cert``; AWS leaves some characters alone."""
    return quote(pem.decode(), safe=safe)


def bare(pem: bytes) -> str:
    """PEM without its first and last lines and line ends."""
    return "".join(line for line in pem.decode().splitlines() if "-----" not in line)


#: header -> how a proxy writes a certificate into it
WRITERS: dict[str, Callable[[Pair], str]] = {
    "client-cert": lambda pair: f":{b64(pair)}:",
    "ssl-client-cert": lambda pair: escaped(pair.cert_pem),
    "x-ssl-client-cert": lambda pair: pair.cert_pem.decode().replace("\n", " "),
    "x-forwarded-client-cert": lambda pair: f'Hash=ab12;Cert="{escaped(pair.cert_pem)}";Subject="CN=jo,O=\\"x\\"";URI=',
    "x-forwarded-tls-client-cert": lambda pair: bare(pair.cert_pem),
    "x-amzn-mtls-clientcert-leaf": lambda pair: escaped(pair.cert_pem, safe="+=/"),
    "x-amzn-mtls-clientcert": lambda pair: escaped(pair.cert_pem, safe="+=/"),
    "cf-client-cert-der-base64": b64,
}

every = pytest.mark.parametrize("header", CERTIFICATE_HEADERS)


@every
def test_each_header(header: str, pair: Pair) -> None:
    """mod_ssl's facts, whoever wrote the header."""
    facts = certificate_facts({header: WRITERS[header](pair)})
    assert facts["SSL_CLIENT_S_DN"] == "CN=jo.test"
    assert facts["SSL_CLIENT_I_DN"] == "CN=tlsrun test root intermediate 1"
    assert int(facts["SSL_CLIENT_M_SERIAL"], 16) == pair.certificate.serial_number
    assert facts["SSL_CLIENT_SAN_Email_0"] == "jo@jo.test"
    assert facts["SSL_CLIENT_CERT"].encode() == pair.cert_pem
    verified = header not in ("x-amzn-mtls-clientcert", "cf-client-cert-der-base64")
    assert facts["SSL_CLIENT_VERIFY"] == ("SUCCESS" if verified else "GENEROUS")


@pytest.mark.parametrize(
    "values",
    [
        {"ssl-client-cert": "\t".join(["-----BEGIN CERTIFICATE-----", "{lines}", "-----END CERTIFICATE-----"])},
        {"x-ssl-client-cert": "-----BEGIN%20CERTIFICATE-----%0A{escaped}%0A-----END%20CERTIFICATE-----%0A"},
        {"x-forwarded-tls-client-cert": "{quoted}"},
        {"x-forwarded-client-cert": 'By=spiffe://a;Subject="";Hash=0, By=x;Cert="{pem}"'},
        {"x-forwarded-client-cert": "Hash=0;Chain={pem}"},
        {"cf-client-cert-der-base64": "{lines}", "cf-cert-verified": "true", "cf-cert-revoked": "false"},
    ],
)
def test_other_spellings(values: dict[str, str], pair: Pair) -> None:
    """Tabs in place of line ends, escaped base64, several elements, a chain only."""
    forms = {
        "{lines}": bare(pair.cert_pem),
        "{escaped}": quote(bare(pair.cert_pem), safe=""),
        "{quoted}": quote(bare(pair.cert_pem), safe=""),
        "{pem}": escaped(pair.cert_pem),
    }
    for form, text in forms.items():
        values = {name: value.replace(form, text) for name, value in values.items()}
    facts = certificate_facts(values)
    assert (facts["SSL_CLIENT_S_DN"], facts["SSL_CLIENT_VERIFY"]) == ("CN=jo.test", "SUCCESS")


def test_chain(pair: Pair) -> None:
    """The certificates behind the leaf, by mod_ssl's names; a chain that is malformed is no certificate at all."""
    chain = {"client-cert": f":{b64(pair)}:", "client-cert-chain": f":{b64(pair)}:, :{b64(pair)}:"}
    facts = certificate_facts(chain)
    assert facts["SSL_CLIENT_CERT_CHAIN_0"] == facts["SSL_CLIENT_CERT_CHAIN_1"] == facts["SSL_CLIENT_CERT"]
    assert certificate_facts({**chain, "client-cert-chain": "nonsense"}) == NONE
    whole = escaped(pair.fullchain_pem)
    assert "SSL_CLIENT_CERT_CHAIN_0" in certificate_facts({"x-amzn-mtls-clientcert": whole})
    assert len(certificate_facts({**chain, "client-cert-chain": ", ".join([f":{b64(pair)}:"] * 40)})) < 30


@pytest.mark.parametrize(
    ("word", "verify"),
    [
        ("SUCCESS", "SUCCESS"),
        ("", "SUCCESS"),
        ("NONE", "NONE"),
        ("GENEROUS", "GENEROUS"),
        ("FAILED:expired", "FAILED:expired"),
        ("FAILED", "FAILED:FAILED"),
        ("whatever", "FAILED:whatever"),
    ],
)
def test_nginx_verdict(pair: Pair, word: str, verify: str) -> None:
    """What nginx says against a certificate counts (``optional_no_ca`` hands over those that nobody has verified)."""
    facts = certificate_facts({"ssl-client-cert": escaped(pair.cert_pem), "ssl-client-verify": word})
    assert facts["SSL_CLIENT_VERIFY"] == verify
    assert verify != "NONE" or facts == NONE


@pytest.mark.parametrize(
    ("more", "verify"),
    [
        ({}, "GENEROUS"),
        ({"cf-cert-verified": "true"}, "SUCCESS"),
        ({"cf-cert-verified": "false"}, "GENEROUS"),
        ({"cf-cert-verified": "true", "cf-cert-revoked": "true"}, "FAILED:certificate revoked"),
    ],
)
def test_cloudflare_verdict(pair: Pair, more: dict[str, str], verify: str) -> None:
    """Cloudflare hands certificates over whatever came of their verification."""
    assert certificate_facts({"cf-client-cert-der-base64": b64(pair), **more})["SSL_CLIENT_VERIFY"] == verify


@every
@pytest.mark.parametrize("value", ["", " ", "(null)", "-", "<no value>"])
def test_no_certificate(header: str, value: str) -> None:
    """What proxies write where there is none."""
    assert certificate_facts({header: value}) == NONE
    assert certificate_facts({}) == NONE


HOSTILE = [
    "x",
    ":",
    "::",
    ":=:",
    ":AAAA:",
    ":MIIB:",
    "%",
    "%zz",
    "%00",
    "é",
    "-----BEGIN CERTIFICATE-----",
    "-----BEGIN CERTIFICATE----- -----END CERTIFICATE-----",
    "-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----",
    "-----BEGIN CERTIFICATE-----MIIB%ff-----END CERTIFICATE-----",
    'Cert="',
    "Cert=",
    'Cert="%41"',
    "Hash=1;Cert",
    ",,,",
    ";;;",
    "=",
    "Cert=a;Cert=b",
    "A" * 60000,
    ":" + "A" * 60000 + ":",
    "MA==",
    ":MIAAAA==:",
    "MIIC" + "/" * 100,
    base64.b64encode(b"\x30\x84\xff\xff\xff\xff").decode(),
    base64.b64encode(b"\x30\x80" * 5000).decode(),
]


@every
@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_malformed_is_no_fact_and_no_error(header: str, value: str) -> None:
    """Whatever a value holds, it ends as no certificate."""
    assert certificate_facts({header: value}) == NONE


@every
def test_damaged_certificates(header: str, pair: Pair) -> None:
    """Cut off or changed somewhere: perhaps no certificate, never an error."""
    whole, chooser = WRITERS[header](pair), random.Random(9440)  # noqa: S311 -- the same damage each time
    for _ in range(150):
        at = chooser.randrange(len(whole))
        for damaged in (whole[:at], whole[:at] + chooser.choice('A%:;"\\=, ') + whole[at + 1 :]):
            facts: dict[str, Any] = certificate_facts({header: damaged})
            assert facts == NONE or "SSL_CLIENT_CERT" in facts
    cut = pair.der[:-20]
    assert certificate_facts({"client-cert": f":{base64.b64encode(cut).decode()}:"}) == NONE


def test_presets_name_headers_that_are_known() -> None:
    """And none that says who somebody is: that must be asked for."""
    for preset in PRESETS.values():
        assert set(preset.headers) <= set(HEADERS)
        assert set(preset.headers).isdisjoint(CERTIFICATE_HEADERS)
        assert set(preset.certificates) <= set(HEADERS)
    assert headers_of([]) == {"x-forwarded-for", "x-forwarded-proto"}
    assert headers_of(["heroku", "client-cert"]) == {*headers_of([]), "x-forwarded-port", "client-cert"}
    assert set(COMPANIONS) <= set(CERTIFICATE_HEADERS) <= set(HEADERS)
