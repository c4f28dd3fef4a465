"""Proxies and platforms: which headers each of them sets, by itself or as practically everybody configures it.

A header that a proxy does not set is one that it may pass on from anybody; so a preset names no more than that.
Client certificates are never part of a preset: who wants them names the header too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

#: Header -> what it says.
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

#: Those that say who the client is.
CERTIFICATE_HEADERS: tuple[str, ...] = (
    "client-cert", "ssl-client-cert", "x-ssl-client-cert", "x-forwarded-client-cert", "x-forwarded-tls-client-cert",
    "x-amzn-mtls-clientcert-leaf", "x-amzn-mtls-clientcert", "cf-client-cert-der-base64",
)  # fmt: skip

#: Believed of a trusted proxy of which nothing more is said: what practically every proxy sets.
DEFAULT = ("x-forwarded-for", "x-forwarded-proto")


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One proxy or platform.

    Arguments:
        title: as people write it.
        headers: which it sets, and which clients so cannot.
        certificates: the header to name as well where it hands over client certificates.
    """

    title: str
    headers: tuple[str, ...]
    certificates: tuple[str, ...]


_THREE = (*DEFAULT, "x-forwarded-host")
_FOUR = (*_THREE, "x-forwarded-port")

PRESETS: Mapping[str, Preset] = {
    "nginx": Preset(title="nginx", headers=DEFAULT, certificates=("ssl-client-cert",)),
    "apache": Preset(title="Apache", headers=_THREE, certificates=("x-ssl-client-cert",)),
    "haproxy": Preset(title="HAProxy", headers=DEFAULT, certificates=("client-cert",)),
    "caddy": Preset(title="Caddy", headers=_THREE, certificates=("client-cert",)),
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
    "kubernetes-ingress": Preset(title="ingress-nginx", headers=_FOUR, certificates=("ssl-client-cert",)),
}  # fmt: skip


def parse_word(word: str) -> str:
    """A preset's name, or a header's, in small letters.

    Raises:
        ValueError: it is neither.
    """
    word = word.strip().lower()
    if word not in PRESETS and word not in HEADERS:
        raise ValueError("no proxy and no header that is known")
    return word


def headers_of(words: Iterable[str]) -> frozenset[str]:
    """The headers that the setting ``proxy`` lets a trusted proxy speak by."""
    found: set[str] = set()
    for word in words:
        found.update(PRESETS[word].headers if word in PRESETS else (word,))
    return frozenset(found or DEFAULT)


def presets_table() -> str:
    """The presets, in Markdown."""
    rows = ["| `proxy` | headers that it sets, and that are believed | for client certificates, add |", "|---|---|---|"]
    for name, preset in PRESETS.items():
        headers = ", ".join(f"`{spell(header)}`" for header in preset.headers)
        more = ", ".join(f"`{header}`" for header in preset.certificates) or "-"
        rows.append(f"| `{name}` | {headers} | {more} |")
    return "\n".join(rows) + "\n"


def spell(header: str) -> str:
    """A header as people write it."""
    return "-".join(part.upper() if part == "cf" else part.capitalize() for part in header.split("-")).replace(
        "CF-Connecting-Ip", "CF-Connecting-IP"
    )
