"""Apache: mod_ssl terminates TLS; the application runs in mod_wsgi's daemon processes or behind mod_proxy_http."""

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
from tlsrun.export.quoting import apache
from tlsrun.export.site import THREADS, Site, addresses, by_certificate, origin_port, server_names
from tlsrun.export.text import GROUPS, block, comment, guideline
from tlsrun.settings.mapping import Unsupported

TITLE = "Apache"
FORMS = {"wsgi": "mod_wsgi, in its daemon processes", "proxy": "mod_proxy_http, to gunicorn or Granian"}
MAPPING = cells(
    FOREIGN,
    proxy_protocol=Unsupported(
        "believes the PROXY protocol from everybody who connects, not from some", accepts=(False,)
    ),
    reload=read_when_told("at the start and at `apachectl graceful`"),
    sni_strict=Unsupported("answers unknown names with the certificate of its first virtual host", accepts=(False,)),
)
RUNS = {"wsgi": "mod_wsgi"}
HTTP = ("2", "1.1")


def render(plan: Plan, site: Site) -> str:
    """A file for ``/etc/apache2/sites-available``."""
    parts = [_head(plan, site), _listens(plan)]
    if site.form == "wsgi":
        parts.append(_daemons(plan, site))
    parts.append(_redirect(plan))
    parts.append(_https(plan, site, server_names(plan), [plan.sources]))
    parts += [_https(plan, site, tuple(names), list(several)) for several, names in by_certificate(plan).items()]
    return "\n".join(part for part in parts if part)


def _head(plan: Plan, site: Site) -> str:
    modules = "ssl headers rewrite reqtimeout" + (" http2" if "2" in plan.http else "")
    enable = f"    a2enmod {modules}{'' if site.form == 'wsgi' else ' proxy_http'} && a2ensite {site.name} && "
    paragraphs = [
        f"Apache in front of {site.app}: TLS ends here, "
        + ("the application runs in mod_wsgi." if site.form == "wsgi" else "the application is asked over HTTP."),
        *site.origin,
        f"Save it as /etc/apache2/sites-available/{site.name}.conf. Then:",
        f"{enable}apachectl configtest && systemctl reload apache2",
        "A renewed certificate is read at a reload: certbot renew --deploy-hook 'systemctl reload apache2'",
    ]
    if site.form == "wsgi":
        paragraphs += [
            f"The application's side is the file {site.folder}/wsgi.py:",
            f'    import os\n    os.environ["TLSRUN_APP"] = {site.app!r}\n    from tlsrun.entry import application',
            "mod_wsgi must be made for the Python of the virtual environment. Where that is not the system's: "
            f"{site.environment}/bin/pip install mod_wsgi, and let Apache load it by the line that this prints:",
            f"    {site.environment}/bin/mod_wsgi-express module-config | head -1",
        ]
    else:
        paragraphs += serving.side(plan, site, "Apache", proxy="apache")
    return comment(*paragraphs)


def _listens(plan: Plan) -> str:
    """`Listen` for ports that Apache's own files do not have; listening twice on one port is an error."""
    ports = [port for port in (plan.redirect_port, plan.endpoint.port) if port is not None]
    lines = [f"Listen {address}:{port}\n" for port in ports if port not in (80, 443) for address in addresses(plan)]
    usual = [str(port) for port in ports if port in (80, 443)]
    if usual:
        lines.insert(0, f"# `Listen {' and '.join(usual)}` stands in Apache's own files (ports.conf, httpd.conf).\n")
    return "".join(lines)


def _daemons(plan: Plan, site: Site) -> str:
    lines = [
        "# The application's processes, with the virtual environment; each has an interpreter of its own.",
        f"WSGIDaemonProcess {site.name} processes={plan.workers} threads={plan.threads or THREADS} \\",
        f"    python-home={site.environment} python-path={site.folder} home={site.folder} \\",
        "    display-name=%{GROUP} request-timeout=60 shutdown-timeout=30"
        + (f" user={plan.account.user}" if plan.account else ""),
    ]
    return "\n".join(lines) + "\n"


def _host(plan: Plan, port: int) -> str:
    host = plan.endpoint.host
    return f"<VirtualHost {'*' if plan.endpoint.is_wildcard else addresses(plan)[0]}:{port}>\n" if host else ""


def _names(names: tuple[str, ...]) -> list[str]:
    plain = [name for name in names if not name.startswith("*.")] or [names[0].replace("*.", "any.", 1)]
    rest = [name for name in names if name != plain[0]]
    return [f"ServerName {plain[0]}", *([f"ServerAlias {' '.join(rest)}"] if rest else [])]


def _redirect(plan: Plan) -> str:
    if plan.redirect_port is None:
        return ""
    lines = [*_names(tuple(dict.fromkeys((*server_names(plan), *plan.sni)))), ""]
    path = "^"
    if plan.acme_webroot is not None:
        challenges = apache(f"{os.path.abspath(plan.acme_webroot)}/.well-known/acme-challenge/")
        path = r"^/(?!\.well-known/acme-challenge/)"
        lines += [
            "# Challenges of Let's Encrypt, written by certbot --webroot.",
            f'Alias "/.well-known/acme-challenge/" {challenges}',
            f"<Directory {challenges}>",
            "    Require all granted",
            "</Directory>",
            "",
        ]
    lines += [*_as_sent("NoDecode"), "RewriteEngine On"]
    lines.append(
        "# The path as it stands in the request: what Apache has of it is decoded. The query is added by itself;"
    )
    lines.append("# one in the target would have Apache 2.4.60 and later refuse a path with %3F.")
    lines.append(r'RewriteCond %{THE_REQUEST} "^\S+ (?:[Hh][Tt][Tt][Pp]://[^/?\s]*)?(/[^?\s]*)"')
    # 308 keeps the method and the body of a request (RFC 9110, section 15.4.9).
    lines.append(f"RewriteRule {path} https://%{{SERVER_NAME}}{origin_port(plan.endpoint.port)}%1 [R=308,NE,L]")
    return "# Plain HTTP is sent to HTTPS.\n" + _host(plan, plan.redirect_port) + block(lines) + "</VirtualHost>\n"


def _https(plan: Plan, site: Site, names: tuple[str, ...], identities: list[IdentitySources]) -> str:
    lines = [*_names(names), "", "SSLEngine on"]
    for one in identities:
        lines.append(f"SSLCertificateFile {apache(path_of(one.cert))}")
        lines.append(f"SSLCertificateKeyFile {apache(key_path(one))}")
    lines += ["", *_policy(plan), *_clients(plan, site), *_limits(plan)]
    if plan.hsts:
        lines += [
            "# One header, whatever the application sends.",
            "Header onsuccess unset Strict-Transport-Security",
            f'Header always set Strict-Transport-Security "max-age={plan.hsts}"',
            "",
        ]
    lines += [
        "# Paths reach the application as they were sent.",
        *_as_sent("On" if site.form == "wsgi" else "NoDecode"),
        "",
    ]
    lines += _wsgi(site) if site.form == "wsgi" else _proxy(plan, site)
    return _host(plan, plan.endpoint.port) + block(lines) + "</VirtualHost>\n"


def _as_sent(slashes: str) -> Iterator[str]:
    """Accept %2F in paths and keep empty segments: the application decides what a path means.

    Arguments:
        slashes: ``On`` decodes %2F, for an application that gets the path decoded; ``NoDecode`` leaves it.
    """
    yield f"AllowEncodedSlashes {slashes}"
    yield "MergeSlashes Off"


def _policy(plan: Plan) -> Iterator[str]:
    policy = plan.policy
    yield f"# {guideline(plan)}."
    yield f"SSLProtocol -all {' '.join(f'+TLSv{version}' for version in policy.versions)}"
    if "1.2" in policy.versions:
        yield f"SSLCipherSuite {policy.ciphers}"
    yield "SSLHonorCipherOrder off"
    if not policy.groups:
        yield "# With OpenSSL 3.5 and later, put X25519MLKEM768 in front."
    yield f"SSLOpenSSLConfCmd Curves {':'.join(policy.groups or GROUPS)}"
    yield "SSLSessionTickets off"
    yield f"Protocols {'h2 ' if '2' in plan.http else ''}http/1.1"
    yield ""


def _clients(plan: Plan, site: Site) -> Iterator[str]:
    if plan.clients is None:
        return
    yield "# Clients show certificates that this authority has signed."
    yield f"SSLCACertificateFile {apache(path_of(plan.clients.ca))}"
    if plan.clients.crl is not None:
        if site.unlisted:
            yield f"# No list is of {', '.join(site.unlisted)}: whoever that has signed itself is not looked up."
        else:
            yield EVERY_LIST
        yield f"SSLCARevocationFile {apache(path_of(plan.clients.crl))}"
        yield f"SSLCARevocationCheck chain{' no_crl_for_cert_ok' if site.unlisted else ''}"
    yield f"SSLVerifyClient {'require' if plan.clients.mode == 'required' else 'optional'}"
    yield "SSLVerifyDepth 5"
    yield ""


def _limits(plan: Plan) -> Iterator[str]:
    yield "# Slow clients: seconds for the handshake, for the head and for the body, then bytes a second."
    handshake = max(1, round(plan.handshake_timeout))
    yield f"RequestReadTimeout handshake={handshake} header=10-20,MinRate=500 body=30,MinRate=500"
    yield "Timeout 60"
    yield f"KeepAliveTimeout {serving.KEEP_ALIVE}"
    yield "# Larger uploads are answered 413."
    yield "LimitRequestBody 16777216"
    yield ""


def _wsgi(site: Site) -> Iterator[str]:
    yield "# The connection, by mod_ssl's names, is in the application's environ."
    yield "SSLOptions +StdEnvVars +ExportCertData"
    yield "# What a client says in these headers is not passed on."
    for name in (*SET, *STRIPPED):
        yield f"RequestHeader unset {name}"
    yield ""
    yield f"WSGIProcessGroup {site.name}"
    yield "WSGIApplicationGroup %{GLOBAL}"
    yield "WSGIPassAuthorization On"
    yield f'WSGIScriptAlias / "{site.folder}/wsgi.py"'
    yield f'<Directory "{site.folder}">'
    yield "    <Files wsgi.py>"
    yield "        Require all granted"
    yield "    </Files>"
    yield "</Directory>"


def _proxy(plan: Plan, site: Site) -> Iterator[str]:
    yield "# Set, never appended to: what a client says in these headers is not passed on."
    yield "ProxyAddHeaders Off"
    for name in STRIPPED:
        yield f"RequestHeader unset {name}"
    yield 'RequestHeader set X-Forwarded-For "expr=%{REMOTE_ADDR}"'
    yield 'RequestHeader set X-Forwarded-Proto "https"'
    yield 'RequestHeader set X-Forwarded-Host "expr=%{HTTP_HOST}"'
    yield f'RequestHeader set X-Forwarded-Port "{plan.endpoint.port}"'
    if plan.clients is not None:
        shown = "\"expr=%{SSL_CLIENT_VERIFY} == 'SUCCESS'\""
        yield f'RequestHeader set X-SSL-Client-Cert "expr=%{{escape:%{{SSL_CLIENT_CERT}}}}" {shown}'
        yield 'RequestHeader set X-SSL-Client-Verify "%{SSL_CLIENT_VERIFY}s"'
    yield ""
    upstream = f"unix:{site.socket}|http://{site.name}" if site.is_unix else f"http://{site.socket}"
    yield "ProxyRequests Off"
    yield "ProxyPreserveHost On"
    options = f"nocanon enablereuse=on ttl={serving.REUSE} timeout=60 retry=0"
    yield "# ProxyPass takes several slashes at the begin for one; ProxyPassMatch cannot hand on the shortest paths."
    yield f'ProxyPassMatch "^/(..+)$" "{upstream}/$1" {options}'
    yield f'ProxyPass "/" "{upstream}/" {options}'
