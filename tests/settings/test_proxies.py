"""The settings about proxies: what they take, what they mean, and who is named where nobody says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.process import ROOT
from tlsrun.errors import ConfigurationError
from tlsrun.proxies.peers import read_peers
from tlsrun.settings.layers import environment_layer, flask_layer, resolve
from tlsrun.settings.proxies import CERTIFICATE_HEADERS, HEADERS, PRESETS, headers_of, presets_table, spell


def test_the_presets_in_docs_are_the_generated_ones() -> None:
    """The table of the how-to."""
    assert presets_table() in (ROOT / "docs/how-to/behind-a-proxy.md").read_text()


def test_presets() -> None:
    """Each names headers that there are, and no client certificates: those are named besides."""
    for preset in PRESETS.values():
        assert set(preset.headers) <= set(HEADERS)
        assert set(preset.headers).isdisjoint(CERTIFICATE_HEADERS)
        assert set(preset.certificates) <= set(HEADERS)
    assert set(PRESETS) == {
        "nginx", "apache", "haproxy", "caddy", "heroku", "cloudflare", "aws-alb", "traefik", "kubernetes-ingress",
    }  # fmt: skip
    assert spell("cf-connecting-ip") == "CF-Connecting-IP"


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (None, {"x-forwarded-for", "x-forwarded-proto"}),
        ("heroku", {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-port"}),
        ("Forwarded", {"forwarded"}),
        (["heroku", "Client-Cert"], {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "client-cert"}),
    ],
)
def test_what_is_believed(value: str | None, headers: set[str]) -> None:
    """The preset's headers, those that are named, or the two that practically every proxy sets."""
    resolution = resolve([flask_layer({"TLS_PROXY": value})])
    assert not resolution.problems
    assert headers_of(resolution.settings.proxy) == headers


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("TLS_PROXY", "squid"),
        ("TLS_PROXY", "x-real-ip"),
        ("TLS_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("TLS_TRUSTED_PROXIES", "proxy.example.org"),
        ("TLS_TRUSTED_PROXIES", "10.0.0.1:80"),
        ("TLS_TRUSTED_PROXIES", "@"),
        ("TLS_TRUSTED_PROXIES", 10),
        ("TLS_REDIRECT_EXEMPT", "healthz"),
        ("TLS_REDIRECT_EXEMPT", ""),
    ],
)
def test_what_cannot_be_used(key: str, value: object) -> None:
    """One line, with what was expected."""
    (problem,) = resolve([flask_layer({key: value})]).problems
    assert problem.code == "TLS202"
    assert "Expected" in problem.remedy


def test_who_is_trusted_where_nobody_says_so() -> None:
    """FORWARDED_ALLOW_IPS, below every setting of ours, wherever that stands."""
    environment = environment_layer({"FORWARDED_ALLOW_IPS": "10.0.0.1,10.0.0.2"})
    resolution = resolve([environment, flask_layer({})])
    assert resolution.settings.trusted_proxies == ("10.0.0.1", "10.0.0.2")
    assert resolution.origins["trusted_proxies"].spelling == "FORWARDED_ALLOW_IPS in the environment"
    resolution = resolve([environment, flask_layer({"TLS_TRUSTED_PROXIES": "192.0.2.1"})])
    assert resolution.settings.trusted_proxies == ("192.0.2.1",)
    assert resolve([environment_layer({"FORWARDED_ALLOW_IPS": ""})]).settings.trusted_proxies == ()


def test_a_file_of_addresses(tmp_path: Path) -> None:
    """As Cloudflare publishes them, with comments; every bad line is named."""
    path = tmp_path / "proxies.txt"
    path.write_text("# of Monday\n173.245.48.0/20\n\n2400:cb00::/32  # and more\n")
    peers = read_peers([f"@{path}", "unix"], "TLS_TRUSTED_PROXIES")
    assert all(peer in peers for peer in ("173.245.48.9", "2400:cb00::1", ""))
    assert "173.245.64.1" not in peers
    path.write_text("173.245.48.0/20\n<html>\nunix\n")
    with pytest.raises(ConfigurationError) as raised:
        read_peers([f"@{path}", f"@{tmp_path / 'none'}"], "TLS_TRUSTED_PROXIES")
    assert [problem.where for problem in raised.value.problems] == [
        f"{path}:2", f"{path}:3", f"TLS_TRUSTED_PROXIES (@{tmp_path / 'none'})",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "network"),
    [
        ("::ffff:10.0.0.5", "10.0.0.5/32"),
        ("::ffff:a00:5", "10.0.0.5/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("2001:db8::/32", "2001:db8::/32"),
    ],
)
def test_mapped_addresses(word: str, network: str, tmp_path: Path) -> None:
    """An IPv4 proxy as logs of a socket for both families show it is that proxy, in a file too."""
    (tmp_path / "proxies").write_text(word)
    for given in (word, f"@{tmp_path / 'proxies'}"):
        assert list(map(str, read_peers([given], "here").networks)) == [network]
    assert ("10.0.0.5" in read_peers([word], "here")) is not word.startswith("2001")
    assert ("::ffff:10.0.0.5" in read_peers([word], "here")) is not word.startswith("2001")


def test_everybody() -> None:
    """It is known as such: then a list of clients is believed at its end alone."""
    assert read_peers(["*"], "here").everybody
    assert read_peers(["::/0"], "here").everybody
    assert not read_peers(["10.0.0.0/8", "unix"], "here").everybody
