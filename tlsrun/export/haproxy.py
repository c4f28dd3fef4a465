"""HAProxy: it terminates TLS, or passes it through to several machines with the PROXY protocol."""

from __future__ import annotations

from collections.abc import Iterator

from tlsrun.certificates.identity import IdentitySources
from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError
from tlsrun.export import serving
from tlsrun.export.cells import FOREIGN, OF_TLS, LeftOut, cells, no_option, read_when_told
from tlsrun.export.headers import STRIPPED
from tlsrun.export.material import key_path, path_of, quoted
from tlsrun.export.quoting import haproxy
from tlsrun.export.site import Site, addresses, by_certificate, origin_port
from tlsrun.export.text import block, comment, duration, guideline
from tlsrun.settings.mapping import Ours, Unsupported

TITLE = "HAProxy"
FORMS = {"http": "TLS ends here, HTTP goes on", "tls": "TLS is passed through, with the PROXY protocol"}
MAPPING = cells(
    FOREIGN,
    reload=read_when_told("at the start and at a reload"),
    handshake_timeout=LeftOut(
        "HAProxy ends a stalled handshake by `timeout client` alone, after 60 seconds; this bounds "
        "the head of a request",
        "Leave it at its default",
        accepts=(10.0,),
    ),
    acme_webroot=no_option("files to serve; let certbot answer itself (--standalone --http-01-port)", None),
)
_UNSEEN = Unsupported(
    "does not see what it passes through; set it on the machines behind it, where TLS ends", accepts=(None, "none", 0)
)
_ELSEWHERE = LeftOut("HAProxy does not see what it passes through", "Set it on the machines behind it, where TLS ends")
_OF_THE_MACHINES = (
    *OF_TLS, "workers", "threads", "hosts", "proxy", "redirect_exempt", "proxy_drops_underscores", "user", "group",
    "server_options",
)  # fmt: skip
#: If TLS is passed through, the file has only the port, the deadline, the redirect and the PROXY protocol.
BY_FORM = {
    "tls": {
        **dict.fromkeys(_OF_THE_MACHINES, _ELSEWHERE),
        **dict.fromkeys(("handshake_timeout", "redirect_port", "proxy_protocol"), Ours("in the file")),
        # These must not be ignored: security depends on them.
        **dict.fromkeys(("client_ca", "client_auth", "client_crl", "sni", "hsts"), _UNSEEN),
    }
}
RUNS = {"tls": "the machines' own"}
HTTP = ("2", "1.1")
NEEDS_CERTIFICATE = frozenset(("http",))

_GROUPS = "X25519:P-256:P-384"
#: X509_V_ERR_UNABLE_TO_GET_CRL, as a number: HAProxy before 2.8 does not take the name.
_NO_LIST = 3


def render(plan: Plan, site: Site) -> str:
    """``/etc/haproxy/haproxy.cfg``, whole.

    Raises:
        ConfigurationError: TLS is to be passed through, and no machine is named.
    """
    if site.form == "tls":
        _check_through(site)
        parts = (_head_through(plan, site), _global(plan), _defaults("tcp"), _redirect(plan), *_through(plan, site))
    else:
        parts = (_head(plan, site), _global(plan), _defaults("http"), _redirect(plan), *_ending(plan, site))
    return "\n".join(part for part in parts if part)


def _head(plan: Plan, site: Site) -> str:
    makes = [
        f"cat {quoted(path_of(one.cert))} {quoted(key_path(one))} > {quoted(file)}" for file, one in _files(plan, site)
    ]
    making = " && \\\n      ".join(makes)
    return comment(
        f"HAProxy in front of {site.app}: TLS ends here, the application is asked over HTTP.",
        *site.origin,
        "Save it as /etc/haproxy/haproxy.cfg. HAProxy wants certificate, chain and key in one file; made before the "
        "start, and after each renewal (certbot renew --deploy-hook FILE with these two lines):",
        f"    ( umask 077 && mkdir -p {quoted(site.certificates)} && {making} ) &&\n"
        "      haproxy -c -f /etc/haproxy/haproxy.cfg && systemctl reload haproxy",
        *serving.side(plan, site, "HAProxy", proxy="haproxy"),
    )


def _head_through(plan: Plan, site: Site) -> str:
    app = quoted(site.app) if site.app else "APP"
    return comment(
        f"HAProxy in front of {len(site.machines)} machines: TLS is passed through and ends there; the PROXY protocol "
        "tells them the client's address.",
        *site.origin,
        "Save it as /etc/haproxy/haproxy.cfg. Then:",
        "    haproxy -c -f /etc/haproxy/haproxy.cfg && systemctl reload haproxy",
        "The other side. Each machine must believe the PROXY protocol from this one's address and from nobody else's: "
        "a client who reaches it past HAProxy could say any address. One of these is started there:",
        f"    tlsrun run {app} --server gunicorn --proxy-protocol --trusted-proxies ADDRESS-OF-HAPROXY\n"
        f"    tlsrun export nginx {app} --proxy-protocol --trusted-proxies ADDRESS-OF-HAPROXY",
    )


def _files(plan: Plan, site: Site) -> Iterator[tuple[str, IdentitySources]]:
    """HAProxy's certificate files, the default first, and the files from which each is made."""
    yield f"{site.certificates}/{site.name}.pem", plan.sources
    for several, names in by_certificate(plan).items():
        for number, one in enumerate(several):
            stem = names[0].replace("*", "_")
            yield f"{site.certificates}/{site.name}-{stem}{f'-{number}' if number else ''}.pem", one


def _global(plan: Plan) -> str:
    lines = ["log stdout format raw local0 info", "maxconn 4000"]
    lines += ["# Buffers that hold a head with a large cookie.", "tune.bufsize 32768"]
    return "global\n" + block(lines)


def _defaults(mode: str) -> str:
    lines = [
        f"mode {mode}",
        "log global",
        "option httplog" if mode == "http" else "option tcplog",
        "option dontlognull",
        "retries 3",
        "timeout connect 5s",
        "timeout client 60s",
        "timeout server 60s",
    ]
    return "defaults\n" + block(lines)


def _bind(plan: Plan, port: int, words: str = "") -> list[str]:
    places = [f"{address.strip('[]')}:{port}{' v6only' if ':' in address else ''}" for address in addresses(plan)]
    return [f"bind {place}{words}" for place in places]


def _redirect(plan: Plan) -> str:
    if plan.redirect_port is None:
        return ""
    lines = [
        "mode http",
        "option httplog",
        *_bind(plan, plan.redirect_port),
        "timeout http-request 10s",
        # 308 keeps the method and the body of a request (RFC 9110, section 15.4.9).
        "http-request redirect location https://%[req.hdr(host),regsub(:[0-9]*$,)]"
        f"{origin_port(plan.endpoint.port)}%[capture.req.uri]"
        " code 308",
    ]
    return "# Plain HTTP is sent to HTTPS.\nfrontend plain\n" + block(lines)


def _ending(plan: Plan, site: Site) -> Iterator[str]:
    frontend = [
        *_policy(plan, site),
        *_proxy_protocol_peers(site),
        "",
        "# Slow clients wait here, not in the application.",
        f"timeout http-request {duration(plan.handshake_timeout)}",
        f"timeout http-keep-alive {serving.KEEP_ALIVE}s",
        "# A body that fits into the buffer is awaited, however slowly it comes; between two reads: `timeout client`.",
        "http-request wait-for-body time 10m",
        "",
        "# Set, never appended to: what a client says in these headers is not passed on.",
        *(f"http-request del-header {name}" for name in STRIPPED),
        "# X_Forwarded_For would be the same to the application.",
        "http-request del-header _ -m sub",
        "http-request set-header X-Forwarded-For %[src]",
        "http-request set-header X-Forwarded-Proto https",
        "http-request set-header X-Forwarded-Host %[req.hdr(host)]",
        "http-request set-header X-Forwarded-Port %[dst_port]",
    ]
    if plan.clients is not None:
        frontend += [
            "# The client's certificate, verified in the handshake (RFC 9440).",
            "http-request set-header Client-Cert :%[ssl_c_der,base64]: if { ssl_c_used } "
            f"{{ ssl_c_verify 0{f' {_NO_LIST}' if plan.clients.crl else ''} }}",
        ]
    if plan.hsts:
        header = f'http-response set-header Strict-Transport-Security "max-age={plan.hsts}"'
        frontend += ["", "# One header, whatever the application sends.", header]
    frontend += ["", f"default_backend {site.name}"]
    yield "frontend https\n" + block(frontend)
    address = f"unix@{site.socket}" if site.is_unix else site.socket
    yield f"backend {site.name}\n" + block([f"server {site.name} {address} check pool-purge-delay {serving.REUSE}s"])


def _proxy_protocol_peers(site: Site) -> Iterator[str]:
    """The senders of the PROXY protocol; their connections are closed if they do not begin with its header."""
    if site.proxy_protocol_peers:
        yield f"tcp-request connection expect-proxy layer4 if {{ src {' '.join(site.proxy_protocol_peers)} }}"


def _policy(plan: Plan, site: Site) -> Iterator[str]:
    policy = plan.policy
    words = [f"crt {file}" for file, _ in _files(plan, site)]
    words.append(f"alpn {','.join(policy.alpn)}")
    words.append(f"ssl-min-ver TLSv{policy.min_version}")
    if policy.max_version:
        words.append(f"ssl-max-ver TLSv{policy.max_version}")
    if "1.2" in policy.versions:
        words.append(f"ciphers {policy.ciphers}")
    words.append(f"curves {':'.join(policy.groups) or _GROUPS}")
    words.append("no-tls-tickets")
    if plan.sni_strict:
        words.append("strict-sni")
    if plan.clients is not None:
        words.append(f"ca-file {haproxy(path_of(plan.clients.ca))} verify {plan.clients.mode}")
        if plan.clients.crl is not None:
            words.append(f"crl-file {haproxy(path_of(plan.clients.crl))} ca-ignore-err {_NO_LIST}")
            yield f"# {_NO_LIST}: of an authority there need be no list. The one that signs the clients must have one."
    yield f"# {guideline(plan)}."
    if not policy.groups:
        yield "# With OpenSSL 3.5 and later, put X25519MLKEM768 in front of the curves."
    yield from _bind(plan, plan.endpoint.port, " ssl " + " ".join(words))


def _check_through(site: Site) -> None:
    if not site.machines:
        what, remedy = "no machine is named that TLS is passed through to", "Add --machine HOST:PORT, once for each"
        raise ConfigurationError.of(where="--upstream tls", what=what, remedy=remedy)


def _through(plan: Plan, site: Site) -> Iterator[str]:
    yield "frontend https\n" + block(
        [
            *_bind(plan, plan.endpoint.port),
            *_proxy_protocol_peers(site),
            "# The first record must be a ClientHello; who stays silent goes.",
            f"tcp-request inspect-delay {duration(plan.handshake_timeout)}",
            "tcp-request content accept if { req.ssl_hello_type 1 }",
            "tcp-request content reject",
            f"default_backend {site.name}",
        ]
    )
    yield f"backend {site.name}\n" + block(
        [
            "balance leastconn",
            "# A machine that goes takes no new connections; those that are open end there.",
            *(
                f"server machine{number} {machine} check send-proxy-v2 check-send-proxy"
                for number, machine in enumerate(site.machines, 1)
            ),
        ]
    )
