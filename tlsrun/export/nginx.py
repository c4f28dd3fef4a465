"""nginx: it terminates TLS and passes requests to the application over HTTP or the uwsgi protocol."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tlsrun.certificates.identity import IdentitySources
from tlsrun.deciding.plan import Plan
from tlsrun.export import serving
from tlsrun.export.cells import FOREIGN, cells, read_when_told
from tlsrun.export.headers import SET, STRIPPED
from tlsrun.export.lists import EVERY_LIST
from tlsrun.export.material import key_path, path_of
from tlsrun.export.quoting import nginx
from tlsrun.export.site import Site, addresses, by_certificate, origin_port, server_names
from tlsrun.export.text import GROUPS, block, comment, duration, guideline

TITLE = "nginx"
FORMS = {"http": "HTTP, to gunicorn or Granian", "uwsgi": "uWSGI's own protocol"}
MAPPING = cells(FOREIGN, reload=read_when_told("at the start and at `nginx -s reload`"))
RUNS = {"uwsgi": "uwsgi"}
HTTP = ("2", "1.1")


def render(plan: Plan, site: Site) -> str:
    """A file for ``/etc/nginx/sites-enabled`` or ``conf.d``."""
    servers = [_redirect(plan, site), _default(plan, site) if plan.sni_strict else ""]
    servers.append(_https(plan, site, server_names(plan), [plan.sources]))
    for sources, names in by_certificate(plan).items():
        servers.append(_https(plan, site, tuple(names), list(sources)))
    return "\n".join(part for part in (_head(plan, site), _http_level(plan, site), *servers) if part)


def _head(plan: Plan, site: Site) -> str:
    how = "the uwsgi protocol" if site.form == "uwsgi" else "HTTP"
    return comment(
        f"nginx in front of {site.app}: TLS ends here, the application is asked over {how}.",
        *site.origin,
        f"Save it as /etc/nginx/sites-enabled/{site.name} (conf.d/{site.name}.conf where there is no such folder). "
        "Then:",
        "    nginx -t && systemctl reload nginx",
        "A renewed certificate is read at a reload: certbot renew --deploy-hook 'systemctl reload nginx'",
        *serving.side(plan, site, "nginx", proxy="nginx", protocol=site.form),
    )


def _http_level(plan: Plan, site: Site) -> str:
    server = f"unix:{site.socket}" if site.is_unix else site.socket
    text = f"upstream {site.name} {{\n" + block([f"server {server};"]) + "}\n"
    if site.form == "uwsgi":
        resumed = block(["r       Resumed;", "default Initial;"])
        text += f"\nmap $ssl_session_reused ${_word(site)}_resumed {{\n{resumed}}}\n"
    return text


def _word(site: Site) -> str:
    """The site's name, made fit for a variable's name."""
    return "".join(letter if letter.isalnum() else "_" for letter in site.name)


def _listen(plan: Plan, port: int, *words: str) -> list[str]:
    return [f"listen {' '.join((f'{address}:{port}', *words))};" for address in addresses(plan)]


def _redirect(plan: Plan, site: Site) -> str:
    if plan.redirect_port is None:
        return ""
    names = (*server_names(plan), *plan.sni)
    lines = [*_listen(plan, plan.redirect_port), f"server_name {' '.join(dict.fromkeys(names))};", ""]
    if plan.acme_webroot is not None:
        lines += [
            "# Challenges of Let's Encrypt, written by certbot --webroot.",
            "location ^~ /.well-known/acme-challenge/ {",
            f"    root {nginx(os.path.abspath(plan.acme_webroot))};",
            "}",
            "",
        ]
    target = f"https://$host{origin_port(plan.endpoint.port)}$request_uri"
    # 308 keeps the method and the body of a request (RFC 9110, section 15.4.9).
    lines += ["location / {", f"    return 308 {target};", "}"]
    return "# Plain HTTP is sent to HTTPS.\nserver {\n" + block(lines) + "}\n"


def _default(plan: Plan, site: Site) -> str:
    lines = [
        *_listen(plan, plan.endpoint.port, *_words(plan, site), "default_server"),
        "ssl_reject_handshake on;",
        "# Of all handshakes on this port, whatever the name: it is not known before.",
        f"client_header_timeout {duration(plan.handshake_timeout)};",
    ]
    return "# Names that no certificate is for are refused in the handshake.\nserver {\n" + block(lines) + "}\n"


def _http2(plan: Plan, site: Site) -> Iterator[str]:
    """The directive for HTTP/2, which nginx 1.25.1 introduced; before, it was a parameter of `listen`."""
    if "2" in plan.http and _newer(site):
        yield "http2 on;"
    elif "2" in plan.http:
        yield "# nginx 1.25.1 and later say `http2 on;` instead (--nginx-version 1.26), and warn of this form."


def _newer(site: Site) -> bool:
    return site.version is not None and site.version >= (1, 25, 1)


def _words(plan: Plan, site: Site) -> list[str]:
    """The parameters of `listen` after the port."""
    older = "2" in plan.http and not _newer(site)
    return ["ssl", *(["http2"] if older else []), *(["proxy_protocol"] if site.proxy_protocol_peers else [])]


def _https(plan: Plan, site: Site, names: tuple[str, ...], identities: list[IdentitySources]) -> str:
    lines = [*_http2(plan, site), *_listen(plan, plan.endpoint.port, *_words(plan, site))]
    lines.append(f"server_name {' '.join(names)};")
    lines += ["# PATH_INFO keeps empty segments.", "merge_slashes off;", ""] if site.form == "uwsgi" else [""]
    for sources in identities:
        lines.append(f"ssl_certificate     {nginx(path_of(sources.cert))};")
        lines.append(f"ssl_certificate_key {nginx(key_path(sources))};")
    lines += ["", *_policy(plan)]
    lines += _clients(plan)
    lines += _limits(plan)
    if plan.hsts:
        header = f'add_header Strict-Transport-Security "max-age={plan.hsts}" always;'
        lines += ["# One header, whatever the application sends.", header, ""]
    if site.proxy_protocol_peers:
        lines.append("# The client's address, from the PROXY protocol of these machines.")
        lines += [f"set_real_ip_from {one};" for one in site.proxy_protocol_peers]
        lines += ["real_ip_header proxy_protocol;", ""]
    lines += ["location / {", *(f"    {line}".rstrip() for line in _pass(plan, site)), "}"]
    return "server {\n" + block(lines) + "}\n"


def _policy(plan: Plan) -> Iterator[str]:
    policy = plan.policy
    yield f"# {guideline(plan)}."
    yield f"ssl_protocols {' '.join(f'TLSv{version}' for version in policy.versions)};"
    if "1.2" in policy.versions:
        yield f"ssl_ciphers {policy.ciphers};"
    yield "ssl_prefer_server_ciphers off;"
    if not policy.groups:
        yield "# With OpenSSL 3.5 and later, put X25519MLKEM768 in front."
    yield f"ssl_ecdh_curve {':'.join(policy.groups or GROUPS)};"
    yield "ssl_session_cache shared:TLS:10m;"
    yield "ssl_session_timeout 1d;"
    yield "ssl_session_tickets off;"
    yield ""


def _clients(plan: Plan) -> Iterator[str]:
    if plan.clients is None:
        return
    yield "# Clients show certificates that this authority has signed."
    yield f"ssl_client_certificate {nginx(path_of(plan.clients.ca))};"
    if plan.clients.crl is not None:
        yield EVERY_LIST
        yield f"ssl_crl {nginx(path_of(plan.clients.crl))};"
    yield f"ssl_verify_client {'on' if plan.clients.mode == 'required' else 'optional'};"
    yield "ssl_verify_depth 5;"
    yield ""


def _limits(plan: Plan) -> Iterator[str]:
    yield "# Slow clients wait here, not in the application: heads and bodies are taken whole before it is asked."
    yield f"client_header_timeout {duration(plan.handshake_timeout)};  # of the handshake, too"
    yield "client_body_timeout 30s;"
    yield f"keepalive_timeout {serving.KEEP_ALIVE}s;"
    yield "send_timeout 30s;"
    yield "client_max_body_size 16m;  # larger uploads are answered 413"
    yield ""


#: See `tlsrun.wsgi.events`.
_EVENTS = (
    "# Answers are buffered, but for those with X-Accel-Buffering: no. tlsrun says so of server-sent events",
    "# (text/event-stream); another stream that is not to be held back says it itself.",
)


def _pass(plan: Plan, site: Site) -> Iterator[str]:
    """The directives of ngx_http_uwsgi_module, or of ngx_http_proxy_module."""
    if site.form == "uwsgi":
        module = "uwsgi"
        yield f"uwsgi_pass {site.name};"
    else:
        module = "proxy"
        yield f"proxy_pass http://{site.name};"
        yield "proxy_http_version 1.1;"
        yield "proxy_redirect off;"
        yield "proxy_connect_timeout 5s;"
    yield f"{module}_read_timeout 60s;"
    yield f"{module}_buffers 16 16k;"
    yield f"{module}_buffer_size 16k;"
    yield from _EVENTS
    if plan.hsts:
        yield f"{module}_hide_header Strict-Transport-Security;"
    yield ""
    yield from _variables(plan, site) if site.form == "uwsgi" else _headers(plan)


def _variables(plan: Plan, site: Site) -> Iterator[str]:
    values = {
        "QUERY_STRING": "$query_string", "REQUEST_METHOD": "$request_method", "CONTENT_TYPE": "$content_type",
        "CONTENT_LENGTH": "$content_length", "REQUEST_URI": "$request_uri", "PATH_INFO": "$document_uri",
        "SERVER_PROTOCOL": "$server_protocol", "REMOTE_ADDR": "$remote_addr", "REMOTE_PORT": "$remote_port",
        "SERVER_ADDR": "$server_addr", "SERVER_PORT": "$server_port", "SERVER_NAME": "$server_name",
    }  # fmt: skip
    yield from _aligned("uwsgi_param", values)
    yield ""
    yield "# The connection, by mod_ssl's names. HTTPS and UWSGI_SCHEME make wsgi.url_scheme https."
    facts = {
        "HTTPS": "on", "UWSGI_SCHEME": "https", "SSL_PROTOCOL": "$ssl_protocol", "SSL_CIPHER": "$ssl_cipher",
        "SSL_SESSION_RESUMED": f"${_word(site)}_resumed", "SSL_TLS_SNI": "$ssl_server_name",
        "SSL_CLIENT_VERIFY": "$ssl_client_verify",
    }  # fmt: skip
    if plan.clients is not None:
        facts |= {
            "SSL_CLIENT_S_DN": "$ssl_client_s_dn", "SSL_CLIENT_I_DN": "$ssl_client_i_dn",
            "SSL_CLIENT_M_SERIAL": "$ssl_client_serial", "SSL_CLIENT_V_START": "$ssl_client_v_start",
            "SSL_CLIENT_V_END": "$ssl_client_v_end", "SSL_CLIENT_V_REMAIN": "$ssl_client_v_remain",
            "SSL_CLIENT_CERT": "$ssl_client_raw_cert",
        }  # fmt: skip
    yield from _aligned("uwsgi_param", facts)
    yield ""
    yield "# What a client says in these headers is not passed on; uWSGI would believe the scheme from anybody."
    said = {f"HTTP_{one.upper().replace('-', '_')}": '"" if_not_empty' for one in (*SET, *STRIPPED)}
    yield from _aligned("uwsgi_param", said)


def _headers(plan: Plan) -> Iterator[str]:
    yield "# Set, never appended to: what a client says in these headers is not passed on."
    said = {
        "Host": "$http_host", "Connection": '""', "X-Forwarded-For": "$remote_addr", "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "$http_host", "X-Forwarded-Port": "$server_port", **dict.fromkeys(STRIPPED, '""'),
    }  # fmt: skip
    if plan.clients is not None:
        said |= {"SSL-Client-Cert": "$ssl_client_escaped_cert", "SSL-Client-Verify": "$ssl_client_verify"}
    yield from _aligned("proxy_set_header", said)


def _aligned(directive: str, values: dict[str, str]) -> Iterator[str]:
    width = max(map(len, values))
    for name, value in values.items():
        yield f"{directive} {name:<{width}} {value};"
