"""gunicorn by its own command: a gunicorn.conf.py that serves all connections from one SSL context."""

from __future__ import annotations

from tlsrun.certificates.identity import IdentitySources
from tlsrun.deciding.plan import Plan
from tlsrun.export import serving
from tlsrun.export.cells import FOREIGN, cells, no_option, read_when_told
from tlsrun.export.material import key_path, path_of, quoted
from tlsrun.export.site import THREADS, Site, sockets
from tlsrun.export.text import comment, guideline
from tlsrun.servers.stock import ENTRY
from tlsrun.settings.mapping import Ours, Unsupported

TITLE = "gunicorn's own command"
DEFAULTS = {"host": "::", "port": 443}
MAPPING = cells(
    FOREIGN,
    proxy_protocol=Unsupported(
        "reads the PROXY protocol after the handshake; `tlsrun run --server gunicorn` does before", accepts=(False,)
    ),
    context_hook=Unsupported("has a hook of its own, which this file uses", accepts=(None,)),
    groups=no_option("option for key exchange groups that every Python can set", ()),
    redirect_port=no_option("listener for plain HTTP beside that of HTTPS", None),
    acme_webroot=no_option("listener for plain HTTP beside that of HTTPS", None),
    hosts=no_option("listener for plain HTTP beside that of HTTPS", ()),
    handshake_timeout=no_option("deadline for handshakes; `tlsrun run --server gunicorn` has one"),
    reload=read_when_told("at the start and at a reload (SIGHUP)"),
    user=Ours("user"),
    group=Ours("group"),
)
RUNS = {"": "gunicorn"}
HTTP = ("1.1",)

_CONTEXT = '''
# --- TLS ---

# gunicorn asks that these be set; the context below is what is used.
certfile = {cert!r}
keyfile = {key!r}


def {made}(*pairs):
    """{guideline}."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv{minimum}
{maximum}    context.set_ciphers({ciphers!r})
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    for cert, key in pairs:
        context.load_cert_chain(cert, key)
{clients}    return context

{looked_up}
# Made once, before the workers fork, not for every connection as gunicorn does by default: all workers share its
# session tickets. SIGHUP reads this file, and with it the certificates, again.
_default = _context((certfile, keyfile))
{sni}

def ssl_context(config, default_ssl_context_factory):
    return _default
'''


#: With revocation lists.
_LOOKED_UP = """
def _context(*pairs):
    # Clients are looked up in the list of who signed them, which must be there, and authorities in those that are. The
    # ssl module by itself would want a list of every authority.
    return ask_clients(lambda: _made(*pairs), ca={ca!r}, crl={crl!r}, mode={mode!r})

"""


_FORK = """

def post_fork(server, worker):
    # gunicorn sets user and group, and would keep root's further groups; with `initgroups` it would not set the group.
    if os.geteuid() == 0:
        os.initgroups({name!r}, {gid})

"""


def render(plan: Plan, site: Site) -> str:
    """A ``gunicorn.conf.py``."""
    head = comment(
        f"gunicorn serving {site.app} over HTTPS, by gunicorn's own command.",
        *site.origin,
        f"    cd {quoted(str(site.folder))} && {quoted(f'{site.environment}/bin/gunicorn')} "
        f"-c {quoted(site.file('gunicorn.conf.py'))}",
        "A renewed certificate is read at a reload: certbot renew --deploy-hook 'systemctl reload NAME' (kill -HUP).",
        "What `tlsrun run --server gunicorn` does besides, and this file cannot: clients that stall in the handshake "
        "or in the head of a request hold no thread, and renewed certificates are served without a reload.",
    )
    return head + "\n" + "\n".join(_settings(plan, site)) + "\n" + _tls(plan)


def _settings(plan: Plan, site: Site) -> list[str]:
    variables = dict(one.split("=", 1) for one in serving.variables(plan, site, carried=True))
    binds = [f"{address}:{plan.endpoint.port}" for address in sockets(plan)]
    lines = ["import os", "import ssl", ""]
    if plan.clients is not None and plan.clients.crl is not None:
        lines += ["from tlsrun.tls.asking import ask_clients", ""]
    lines += [f"os.environ.setdefault({name!r}, {value!r})" for name, value in variables.items()]
    lines += [
        f"chdir = {str(site.folder)!r}",
        f"wsgi_app = {ENTRY!r}",
        f"bind = {binds!r}",
        f"workers = {plan.workers}",
        'worker_class = "gthread"',
        f"threads = {plan.threads or THREADS}",
        "# Seconds: of a request, of those in flight at a stop, of an idle connection.",
        "timeout = 60",
        "graceful_timeout = 30",
        "keepalive = 5",
        "# The scheme is that of the connection, whatever a client's header says.",
        'forwarded_allow_ips = ""',
        "# Its path would be the same for every gunicorn of this user, and the next one takes it over.",
        "control_socket_disable = True",
    ]
    if plan.account is not None:
        account = plan.account
        lines += [f"user = {account.uid}", f"group = {account.gid}"]
        lines += _FORK.format(name=account.user, gid=account.gid).splitlines()
    return lines


def _tls(plan: Plan) -> str:
    policy = plan.policy
    newest = policy.max_version and policy.max_version.replace(".", "_")
    clients = looked_up = ""
    if plan.clients is not None:
        mode = "CERT_REQUIRED" if plan.clients.mode == "required" else "CERT_OPTIONAL"
        clients = f"    context.load_verify_locations({path_of(plan.clients.ca)!r})\n"
        clients += f"    context.verify_mode = ssl.{mode}\n"
    if plan.clients is not None and plan.clients.crl is not None:
        ca, crl = path_of(plan.clients.ca), path_of(plan.clients.crl)
        clients, looked_up = "", _LOOKED_UP.format(ca=ca, crl=crl, mode=plan.clients.mode)
    return _CONTEXT.format(
        cert=path_of(plan.sources.cert),
        key=key_path(plan.sources),
        guideline=guideline(plan),
        minimum=policy.min_version.replace(".", "_"),
        maximum=f"    context.maximum_version = ssl.TLSVersion.TLSv{newest}\n" if newest else "",
        ciphers=policy.ciphers,
        clients=clients,
        made="_made" if looked_up else "_context",
        looked_up=looked_up,
        sni=_sni(plan) if plan.sni else "",
    )


_SNI = """
# The certificate that the name asked for has, exactly or by a wildcard for its first label.
_named = {{
{table}}}


def _choose(connection, name, context):
    name = (name or "").lower()
    chosen = _named.get(name) or _named.get("*." + name.partition(".")[2])
    if chosen is not None:
        connection.context = chosen
    {otherwise}


_default.sni_callback = _choose
"""
_LENIENT = "return None"
_STRICT = """elif name:
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    return None"""


def _sni(plan: Plan) -> str:
    table = "".join(f"    {name!r}: _context({_pairs(several)}),\n" for name, several in plan.sni.items())
    if plan.sni_strict:
        table += "".join(f"    {name!r}: _default,\n" for name in plan.identity.names)
    return _SNI.format(table=table, otherwise=_STRICT if plan.sni_strict else _LENIENT)


def _pairs(several: tuple[IdentitySources, ...]) -> str:
    return ", ".join(f"({path_of(one.cert)!r}, {key_path(one)!r})" for one in several)
