"""Caddy: it terminates TLS, with the certificate that is set or one that it obtains; HTTP goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tlsrun.certificates.identity import IdentitySources
from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.export import serving
from tlsrun.export.cells import FOREIGN, cells, no_option, read_when_told
from tlsrun.export.headers import STRIPPED
from tlsrun.export.material import key_path, path_of
from tlsrun.export.quoting import caddy
from tlsrun.export.site import Site, by_certificate, origin_port, server_names
from tlsrun.export.text import GROUPS, block, comment, guideline
from tlsrun.settings.mapping import Ours, Unsupported
from tlsrun.tls.policy import INTERMEDIATE_CIPHERS

TITLE = "Caddy"
FORMS = {"http": "HTTP, to gunicorn or Granian"}
MAPPING = cells(
    FOREIGN,
    proxy_protocol=Unsupported(
        "speaks the PROXY protocol since 2.7 only, which this file does not ask for", accepts=(False,)
    ),
    reload=read_when_told("that are files at the start and at `caddy reload --force`"),
    client_crl=no_option("revocation lists", None),
    acme_webroot=Unsupported("answers ACME challenges itself", accepts=(None,)),
    sni_strict=Ours("names without a certificate are refused in the handshake"),
)
#: Without a certificate Caddy obtains its own.
NEEDS_CERTIFICATE: frozenset[str] = frozenset()

#: OpenSSL's names of suites and groups -> Caddy's, which are Go's.
_SUITES = {
    one: "TLS_"
    + one.replace("-CHACHA20-POLY1305", "_WITH_CHACHA20_POLY1305_SHA256")
    .replace("-AES128-GCM", "_WITH_AES_128_GCM").replace("-AES256-GCM", "_WITH_AES_256_GCM").replace("-", "_")
    for one in INTERMEDIATE_CIPHERS
}  # fmt: skip
_GROUPS = {
    "X25519MLKEM768": "x25519mlkem768", "X25519": "x25519", "prime256v1": "secp256r1", "P-256": "secp256r1",
    "secp384r1": "secp384r1", "P-384": "secp384r1", "secp521r1": "secp521r1", "P-521": "secp521r1",
}  # fmt: skip
_TAKES = {"1.1": "h1", "2": "h2", "3": "h3"}


def render(plan: Plan, site: Site) -> str:
    """A Caddyfile, whole.

    Raises:
        ConfigurationError: suites or groups that Caddy has no name for; no certificate, and no names to obtain one for.
    """
    problems = list(_problems(plan, site))
    if problems:
        raise ConfigurationError(problems)
    # `caddy fmt` wants no empty line before the global options.
    parts = [_head(plan, site) + _global(plan), _redirect(plan), _site(plan, site, server_names(plan), plan.sources)]
    for several, names in by_certificate(plan).items():
        parts.append(_site(plan, site, tuple(names), several[0]))
    return "\n".join(part for part in parts if part)


def _problems(plan: Plan, site: Site) -> Iterator[Problem]:
    unknown = [suite for suite in plan.policy.ciphers.split(":") if suite not in _SUITES]
    if unknown:
        remedy = f"Name some of {', '.join(_SUITES)}, with a colon between them"
        yield Problem(where="ciphers", what=f"Caddy has no cipher suite called {unknown[0]}", remedy=remedy)
    for group in plan.policy.groups:
        if group not in _GROUPS:
            remedy = f"Name some of {', '.join(_GROUPS)}"
            yield Problem(where="groups", what=f"Caddy has no key exchange group called {group}", remedy=remedy)
    if not site.has_certificate and not plan.hosts:
        what = "no certificate is set, and no names for which Caddy could obtain one"
        remedy = "Set TLS_HOSTS (--hosts example.org), or TLS_CERT and TLS_KEY"
        yield Problem(where="hosts", what=what, remedy=remedy, code="TLS205")
    for names in (names for several, names in by_certificate(plan).items() if len(several) > 1):
        what = f"Caddy is told one certificate for {names[0]}, and several are set"
        yield Problem(where="sni", what=what, remedy="Keep one of them, ECDSA")


def _head(plan: Plan, site: Site) -> str:
    whose, renewed = "Caddy obtains and renews the certificate", []
    if site.has_certificate:
        whose = "the certificate is that of the files named below"
        reload = "caddy reload --force --config /etc/caddy/Caddyfile"
        renewed = [f"A renewed certificate is read by: certbot renew --deploy-hook '{reload}'"]
    return comment(
        f"Caddy in front of {site.app}: TLS ends here, and {whose}; the application is asked over HTTP.",
        *site.origin,
        "Save it as /etc/caddy/Caddyfile. Then:",
        "    caddy validate --config /etc/caddy/Caddyfile --adapter caddyfile && systemctl reload caddy",
        *renewed,
        *serving.side(plan, site, "Caddy", proxy="caddy"),
    )


def _global(plan: Plan) -> str:
    lines = []
    if plan.redirect_port is not None:
        lines.append(f"http_port {plan.redirect_port}")
    lines += [
        f"https_port {plan.endpoint.port}",
        "servers {",
        f"    protocols {' '.join(_TAKES[one] for one in reversed(plan.http))}",
        "    # Clients that are slow in the handshake or the head wait here, not in the application.",
        "    timeouts {",
        f"        read_header {plan.handshake_timeout:g}s",
        "        # For a whole body: Caddy has no time between two reads. The largest that is taken needs 4.7 kB/s.",
        "        read_body 1h",
        f"        idle {serving.KEEP_ALIVE}s",
        "    }",
        "}",
    ]
    if not plan.endpoint.is_wildcard:
        lines.append(f"default_bind {plan.endpoint.host}")
    # Caddy's own redirects always lead to port 443.
    lines.append("auto_https disable_redirects")
    return "{\n" + _tabbed(lines) + "}\n"


def _tabbed(lines: list[str]) -> str:
    """A block indented by tabs, as `caddy fmt` writes it."""
    return block((re.sub(r"^(?: {4})+", lambda found: "\t" * (len(found[0]) // 4), one) for one in lines), indent="\t")


def _redirect(plan: Plan) -> str:
    if plan.redirect_port is None:
        return ""
    port = "" if plan.redirect_port == 80 else f":{plan.redirect_port}"
    names = dict.fromkeys((*server_names(plan), *plan.sni))
    # Caddy's {host} lacks the brackets of an IPv6 address.
    hosts = {name: f"[{name}]" if ":" in name else "{host}" for name in names}
    parts = []
    for host in dict.fromkeys(hosts.values()):
        shown = ", ".join(f"http://{_host(name)}{port}" for name in names if hosts[name] == host)
        # 308 keeps the method and the body of a request (RFC 9110, section 15.4.9).
        target = f"redir https://{host}{origin_port(plan.endpoint.port)}{{uri}} 308"
        parts.append(f"{shown} {{\n" + block([target], indent="\t") + "}\n")
    return "# Plain HTTP is sent to HTTPS.\n" + "\n".join(parts)


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _site(plan: Plan, site: Site, names: tuple[str, ...], sources: IdentitySources) -> str:
    shown = ", ".join(f"https://{_host(name)}{origin_port(plan.endpoint.port)}" for name in names)
    lines = [
        *_tls(plan, site, sources),
        "",
        "request_body {",
        "    # Larger uploads are answered 413.",
        "    max_size 16MB",
        "}",
        "",
    ]
    if plan.hsts:
        lines += [
            "# One header, whatever the application sends: it is set when the answer is written.",
            "header {",
            "    defer",
            f'    Strict-Transport-Security "max-age={plan.hsts}"',
            "}",
            "",
        ]
    lines += [
        "# In this order. X-Forwarded-For, -Proto and -Host are Caddy's own; what a client says is dropped.",
        "route {",
        *(f"    request_header -{name}" for name in STRIPPED),
        "    # X_Forwarded_For would be the same to the application.",
        "    request_header -*_*",
    ]
    if plan.clients is not None:
        lines += [
            "    # The client's certificate, verified in the handshake (RFC 9440).",
            "    @shown expression {http.request.tls.client.subject} != null",
            "    request_header @shown Client-Cert :{http.request.tls.client.certificate_der_base64}:",
        ]
    upstream = f"unix/{site.socket}" if site.is_unix else site.socket
    lines += [
        f"    reverse_proxy {upstream} {{",
        f"        header_up X-Forwarded-Port {plan.endpoint.port}",
        "        transport http {",
        "            dial_timeout 5s",
        "            response_header_timeout 60s",
        f"            keepalive {serving.REUSE}s",
        "        }",
        "    }",
        "}",
    ]
    return f"{shown} {{\n" + _tabbed(lines) + "}\n"


def _tls(plan: Plan, site: Site, sources: IdentitySources) -> Iterator[str]:
    policy = plan.policy
    files = f" {caddy(path_of(sources.cert))} {caddy(key_path(sources))}" if site.has_certificate else ""
    yield f"# {guideline(plan)}."
    yield f"tls{files} {{"
    # Both: with one alone, which is the oldest, TLS 1.3 stays the newest.
    yield f"    protocols tls{policy.versions[0]} tls{policy.versions[-1]}"
    if "1.2" in policy.versions:
        yield f"    ciphers {' '.join(_SUITES[one] for one in policy.ciphers.split(':'))}"
    yield f"    curves {' '.join(_GROUPS[one] for one in policy.groups or GROUPS)}"
    if plan.clients is not None:
        mode = "require_and_verify" if plan.clients.mode == "required" else "verify_if_given"
        yield "    client_auth {"
        yield f"        mode {mode}"
        yield f"        trusted_ca_cert_file {caddy(path_of(plan.clients.ca))}"
        yield "    }"
    yield "}"
