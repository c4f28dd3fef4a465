"""Proxies and platforms: the headers that each sets, by itself or in practically every configuration.

A preset contains no other headers, since a proxy may pass on from clients what it does not set. Headers about client
certificates are never part of a preset; they must be named as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tlsrun.errors import Problem

#: Header -> its meaning.
HEADERS: Mapping[str, str] = {
    "forwarded": "client, scheme and host (RFC 7239)",
    "x-forwarded-for": "the client's address",
    "x-forwarded-proto": "the client's scheme",
    "x-forwarded-host": "the host that the client asked for",
    "x-forwarded-port": "the port that the client asked",
    "x-forwarded-prefix": "the path below which the proxy has the application",
    "cf-connecting-ip": "the client's address, where X-Forwarded-For is missing",
    "cf-visitor": "the client's scheme",
    "client-cert": "the client's certificate (RFC 9440), with Client-Cert-Chain",
    "ssl-client-cert": "the client's certificate in escaped PEM; Ssl-Client-Verify can only refuse it",
    "x-ssl-client-cert": "the same; X-Ssl-Client-Verify can only refuse it",
    "x-forwarded-client-cert": "the certificate of the nearest proxy's client, as Envoy writes it (XFCC)",
    "x-forwarded-tls-client-cert": "the client's certificate and chain, as Traefik writes them",
    "x-amzn-mtls-clientcert-leaf": "the client's certificate, verified by the load balancer",
    "x-amzn-mtls-clientcert": "the client's chain, which nobody has verified",
    "cf-client-cert-der-base64": "the client's certificate; not verified, unless cf-cert-verified is named too",
    "cf-cert-verified": "whether Cloudflare has verified it",
}

#: The headers about client certificates.
CERTIFICATE_HEADERS: tuple[str, ...] = (
    "client-cert", "ssl-client-cert", "x-ssl-client-cert", "x-forwarded-client-cert", "x-forwarded-tls-client-cert",
    "x-amzn-mtls-clientcert-leaf", "x-amzn-mtls-clientcert", "cf-client-cert-der-base64",
)  # fmt: skip

#: Trusted if the setting ``proxy`` is not given: the headers that practically every proxy sets.
DEFAULT = ("x-forwarded-for", "x-forwarded-proto")


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One proxy or platform.

    Arguments:
        title: its name in prose.
        headers: the headers that it sets, so that clients cannot.
        certificates: the headers to name as well if it passes on client certificates.
        drops_underscores: whether headers with an underscore in their name are dropped: ``itself`` by default,
            ``exported`` by the file that `tlsrun export` writes, None not at all. Apache's mod_proxy (2.4.66) passes
            them on, and has no directive to drop them all.
    """

    title: str
    headers: tuple[str, ...]
    certificates: tuple[str, ...]
    drops_underscores: str | None = None


_THREE = (*DEFAULT, "x-forwarded-host")
_FOUR = (*_THREE, "x-forwarded-port")

PRESETS: Mapping[str, Preset] = {
    "nginx": Preset(
        title="nginx", headers=DEFAULT, certificates=("ssl-client-cert",), drops_underscores="itself"
    ),
    "apache": Preset(title="Apache", headers=_THREE, certificates=("x-ssl-client-cert",)),
    "haproxy": Preset(
        title="HAProxy", headers=DEFAULT, certificates=("client-cert",), drops_underscores="exported"
    ),
    "caddy": Preset(
        title="Caddy", headers=_THREE, certificates=("client-cert",), drops_underscores="exported"
    ),
    "heroku": Preset(title="Heroku", headers=(*DEFAULT, "x-forwarded-port"), certificates=()),
    "cloudflare": Preset(
        title="Cloudflare", headers=(*DEFAULT, "cf-connecting-ip", "cf-visitor"),
        certificates=("cf-client-cert-der-base64", "cf-cert-verified"),
    ),
    "aws-alb": Preset(
        title="AWS Application Load Balancer", headers=(*DEFAULT, "x-forwarded-port"),
        certificates=("x-amzn-mtls-clientcert-leaf",),
    ),
    "traefik": Preset(title="Traefik", headers=_FOUR, certificates=("x-forwarded-tls-client-cert",)),
    "kubernetes-ingress": Preset(
        title="ingress-nginx", headers=_FOUR, certificates=("ssl-client-cert",), drops_underscores="itself"
    ),
}  # fmt: skip


def parse_word(word: str) -> str:
    """The name of a preset or a header, in lower case.

    Raises:
        ValueError: it is neither.
    """
    word = word.strip().lower()
    if word not in PRESETS and word not in HEADERS:
        raise ValueError("no proxy and no header that is known")
    return word


def headers_of(words: Iterable[str]) -> frozenset[str]:
    """The headers that are trusted according to the setting ``proxy``."""
    found: set[str] = set()
    for word in words:
        found.update(PRESETS[word].headers if word in PRESETS else (word,))
    return frozenset(found or DEFAULT)


def dropping(words: Iterable[str]) -> Preset | None:
    """The named proxy that drops headers with underscores, preferably by default; None if there is none."""
    named = [PRESETS[word] for word in words if word in PRESETS]
    return next((one for how in ("itself", "exported") for one in named if one.drops_underscores == how), None)


def mixed_up(title: str, where: str) -> Problem:
    """The problem that a server confuses underscores and hyphens in header names (CVE-2015-0219).

    Arguments:
        title: the server's name in prose.
        where: the setting that names the proxy.
    """
    return Problem(
        where=where,
        what=f"{title} takes a header X_Forwarded_For for X-Forwarded-For, so a client's own can stand beside the "
        "proxy's, or in its place: address, scheme, host, certificate",
        remedy="Have the proxy drop names with underscores, and say so by TLS_PROXY_DROPS_UNDERSCORES = yes "
        "(--proxy-drops-underscores), or by TLS_PROXY (--proxy) if it is nginx; or use another server, which drops "
        "them here",
        code="TLS221",
    )


def may_be_nginx(words: Iterable[str]) -> bool:
    """Whether the proxy may be nginx: it is named, or no proxy is."""
    presets = [word for word in words if word in PRESETS]
    return not presets or not {"nginx", "kubernetes-ingress"}.isdisjoint(presets)


def presets_table() -> str:
    """The presets, in Markdown."""
    rows = ["| `proxy` | headers that it sets, and that are believed | for client certificates, add |", "|---|---|---|"]
    for name, preset in PRESETS.items():
        headers = ", ".join(f"`{spell(header)}`" for header in preset.headers)
        more = ", ".join(f"`{header}`" for header in preset.certificates) or "-"
        rows.append(f"| `{name}` | {headers} | {more} |")
    return "\n".join(rows) + "\n"


def spell(header: str) -> str:
    """A header in its usual capitalisation."""
    return "-".join(part.upper() if part == "cf" else part.capitalize() for part in header.split("-")).replace(
        "CF-Connecting-Ip", "CF-Connecting-IP"
    )
