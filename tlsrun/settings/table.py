"""THE TABLE: every setting, declared once; keys, flags, variables, help and the reference are derived from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tlsrun.settings.bind_kind import BIND
from tlsrun.settings.kinds import (
    BOOLEAN,
    CHAIN,
    CIPHERS,
    HOSTS,
    HTTP,
    KEY_MATERIAL,
    LIST,
    PATH,
    PEM,
    REFERENCE,
    SECONDS,
    TEXT,
    VERSION,
    Kind,
    choice,
    integer,
)
from tlsrun.settings.mapping_kinds import CERTIFICATES, MAPPING
from tlsrun.settings.proxy_kinds import PATHS, PEERS, PROXY
from tlsrun.settings.words import ADHOC, AUTO, SERVERS
from tlsrun.tls.policy import CLIENT_AUTH_MODES, PROFILES


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The declaration of a setting, besides its name, type and default.

    Arguments:
        kind: the kind of value.
        help: one or two sentences for ``--help`` and the reference.
        example: a value as one would write it.
        secret: never shown, and not accepted on the command line, which ``ps`` shows.
        short: a one-letter flag.
        flag: the flag's name, if the setting's own is taken (`flask run` has a ``--reload``).
        nested: whether Bottle's flattened names (``tls.server_options.NAME``) are parts of its value.
    """

    kind: Kind
    help: str
    example: str
    secret: bool = False
    short: str | None = None
    flag: str | None = None
    nested: bool = False


def _setting(default: Any, kind: Kind, help: str, example: str, **more: Any) -> Any:
    spec = Spec(kind=kind, help=help, example=example, **more)
    if isinstance(default, dict):
        return field(default_factory=dict, metadata={"spec": spec})
    return field(default=default, metadata={"spec": spec})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings, with their defaults. None means "not given"."""

    # A table: default, kind, help and example of each setting.
    # fmt: off
    cert: str | None = _setting(
        None, KEY_MATERIAL, "The certificate, with its chain behind it: a file in PEM, DER or PKCS #12 (`.p12`, "
        "`.pfx`), a folder that holds one with its key, or the PEM text itself. Without one, or with `adhoc`, a "
        "local development certificate is used.",
        "fullchain.pem",
    )
    key: str | None = _setting(
        None, KEY_MATERIAL, "The private key of the certificate: a file in PEM, DER or PKCS #12, or the PEM text "
        "itself. Not needed when the certificate's file holds it too.", "privkey.pem",
    )
    key_password: str | None = _setting(
        None, TEXT, "The password of an encrypted key or PKCS #12 file. Without one, and at a terminal, it is asked "
        "for.",
        "correct horse", secret=True,
    )
    key_password_file: str | None = _setting(
        None, PATH, "A file whose first line is the password of an encrypted key.", "/run/secrets/key-password",
    )
    key_password_command: str | None = _setting(
        None, TEXT, "A program that prints the password of an encrypted key, with its arguments. It is started without "
        "a shell, and has 10 seconds.", "pass show tls/key",
    )
    chain: tuple[str, ...] = _setting(
        (), CHAIN, "Intermediate certificates that the certificate's own file does not hold, in one file or several; "
        "sent behind the leaf, in the right order.", "chain.pem",
    )
    server: str = _setting(
        "builtin", choice(*SERVERS, AUTO), "The server that runs the application; `auto` takes the best that is "
        "installed and can do what the other settings ask for.", "gunicorn",
    )
    host: str = _setting(
        "127.0.0.1", TEXT, "The address or name to listen on; 0.0.0.0 for every IPv4 address of the machine.",
        "0.0.0.0", short="h",  # noqa: S104 -- an example in the reference
    )
    port: int = _setting(
        5000, integer(0, 65535), "The TCP port to listen on; 0 for a free one. "
        "Bottle's own default, 8080, stays under `bottle.run()`.", "8443", short="p",
    )
    bind: tuple[str, ...] = _setting(
        (), BIND, "Where to listen, in place of `host` and `port`: several addresses with their ports, Unix sockets, "
        "sockets that systemd hands over. Without it, and started by systemd with sockets, those are used.",
        "0.0.0.0:443, [::]:443, unix:/run/hello.sock?mode=660&group=www-data",
    )
    workers: int = _setting(1, integer(1, 1024), "Worker processes.", "4")
    threads: int | None = _setting(
        None, integer(1, 4096), "Threads of each worker process: how many requests it answers at once. "
        "Without it: 4, and under the built-in server no limit.", "8",
    )
    http: tuple[str, ...] = _setting(
        (), HTTP, "The HTTP versions to speak; without it, those that the chosen server does well.", "2, 1.1",
    )
    profile: str = _setting(
        "intermediate", choice(*PROFILES), "Mozilla's TLS profile (guideline 6.0): `modern` speaks TLS 1.3 only, "
        "`intermediate` TLS 1.2 too.", "modern",
    )
    min_version: str = _setting("1.2", VERSION, "The oldest TLS version to speak.", "1.3")
    max_version: str | None = _setting(
        None, VERSION, "The newest TLS version to speak; without it, the newest there is.", "1.3",
    )
    ciphers: str | None = _setting(
        None, CIPHERS, "Cipher suites of TLS 1.2 in OpenSSL's notation, in place of the profile's. "
        "TLS 1.3's own suites stay as they are.", "ECDHE+AESGCM",
    )
    groups: tuple[str, ...] = _setting(
        (), LIST, "Key exchange groups in order of preference: one elliptic curve before Python 3.15, any number of "
        "any kind since; without it, those that OpenSSL prefers, X25519MLKEM768 first from OpenSSL 3.5 on.",
        "prime256v1",
    )
    context_hook: Any = _setting(
        None, REFERENCE, "A function that is called with the settings and a function that makes the default "
        "`SSLContext`, whenever a context is made; it returns the context, changed as it likes.", "pkg.tls:adapt",
    )
    reload: bool = _setting(
        True, BOOLEAN, "Serve a renewed certificate within seconds of its files changing, without a restart.",
        "no", flag="reload-certificates",
    )
    sni: Any = _setting(
        None, CERTIFICATES, "More certificates, chosen by the name that the client asks for (SNI): a mapping of host "
        "names and wildcards to `cert`, `key` and `chain` (a list of them puts RSA beside ECDSA), or a folder with "
        "`NAME/fullchain.pem` and `NAME/privkey.pem`, or `NAME.crt` and `NAME.key`, or as certbot, lego, acme.sh, "
        "dehydrated, mkcert, Caddy or Kubernetes fills it.", "/etc/tlsrun/sites", nested=True,
    )
    sni_strict: bool = _setting(
        False, BOOLEAN, "Refuse names that no certificate is for (alert `unrecognized_name`), "
        "instead of answering with the default certificate.", "yes",
    )
    client_ca: str | None = _setting(
        None, PEM, "The authorities that sign client certificates: a PEM file, a folder of them, or the PEM text; "
        "`cloudflare` for Cloudflare's, who pulls from this server (Authenticated Origin Pulls).",
        "clients-ca.pem",
    )
    client_auth: str | None = _setting(
        None, choice(*CLIENT_AUTH_MODES), "Whether clients show certificates. Without it: `required` when `client_ca` "
        "is set, else `none`.", "optional",
    )
    client_crl: str | None = _setting(
        None, PEM, "Revocation lists for client certificates: a PEM file, or the PEM text.", "clients-crl.pem",
    )
    client_facts: bool = _setting(
        True, BOOLEAN, "Whether the application is to learn who the client is, by its certificate. Only `no` lets a "
        "server verify client certificates that cannot tell the application of them.", "no",
    )
    redirect_port: int | None = _setting(
        None, integer(1, 65535), "A port that answers plain HTTP with a redirect to https.", "80",
    )
    hosts: tuple[str, ...] = _setting(
        (), HOSTS, "Host names that plain HTTP is redirected for; without it, the names in the certificates.",
        "example.org, www.example.org",
    )
    acme_webroot: str | None = _setting(
        None, PATH, "The folder whose `.well-known/acme-challenge/` the redirect port serves (certbot's webroot).",
        "/var/www/acme",
    )
    hsts: int = _setting(
        0, integer(0, 10 * 365 * 86400), "Seconds for which browsers shall use https only (Strict-Transport-Security); "
        "0 sends nothing. It is never sent for localhost or an address.", "63072000",
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (), PEERS, "The proxies in front, whose word on the client is believed: addresses, networks, `unix` for a Unix "
        "socket, `@/path` for a file with one a line, `*` for whoever connects. `::ffff:10.0.0.5` is 10.0.0.5. Without "
        "it `FORWARDED_ALLOW_IPS` counts. Forwarded headers of anybody else are removed.",
        "127.0.0.1, 10.0.0.0/8, unix",
    )
    proxy: tuple[str, ...] = _setting(
        (), PROXY, "Which proxy that is, and so which headers it sets; names of headers can be added. Without it, "
        "`X-Forwarded-For` and `X-Forwarded-Proto` are believed.", "nginx",
    )
    redirect_exempt: tuple[str, ...] = _setting(
        (), PATHS, "Paths that are served over plain HTTP too when a trusted proxy says that its client came so; "
        "all others are redirected to https. `/*` redirects nothing.", "/healthz, /.well-known/*",
    )
    proxy_drops_underscores: bool = _setting(
        False, BOOLEAN, "Whether the proxy drops headers whose name has an underscore. Granian takes "
        "`X_Forwarded_For` for `X-Forwarded-For`: behind a proxy it starts with this alone, or where `proxy` names one "
        "that drops them (nginx, ingress-nginx; HAProxy and Caddy as exported). The other servers drop them.", "yes",
    )
    proxy_protocol: bool = _setting(
        False, BOOLEAN, "Whether trusted proxies pass TLS through, and say before it who the client is, by the PROXY "
        "protocol (version 1 or 2). A connection of theirs that does not begin so is closed; at `redirect_port` it "
        "need not.", "yes",
    )
    user: str | None = _setting(
        None, TEXT, "Who the server runs as, once root has read the keys and bound the ports: a name or a number.",
        "www-data",
    )
    group: str | None = _setting(
        None, TEXT, "The group that it runs as; without it, the user's own.", "www-data",
    )
    handshake_timeout: float = _setting(
        10.0, SECONDS, "Seconds a client has for its whole TLS handshake.", "5",
    )
    server_options: Mapping[str, Any] = _setting(
        {}, MAPPING, "Handed to the server untouched, under the server's own names "
        "(gunicorn's `max_requests`, uWSGI's `harakiri`, …).", "max_requests=1000", nested=True,
    )
    # fmt: on

    @property
    def names_certificate(self) -> bool:
        """Whether a certificate is given, so that no development certificate is used."""
        return self.cert not in (None, ADHOC)


#: Name -> declaration, in the order of the table.
SPECS: Mapping[str, Spec] = {item.name: item.metadata["spec"] for item in fields(Settings)}
DEFAULTS = Settings()


def flask_key(name: str) -> str:
    """The key in Flask's ``app.config``."""
    return f"TLS_{name.upper()}"


def bottle_key(name: str) -> str:
    """The key in Bottle's ``app.config``; in an ini file, the name inside the section ``[tls]``."""
    return f"tls.{name}"


def environment_variable(name: str) -> str:
    """The environment variable."""
    return f"TLSRUN_{name.upper()}"


def option_name(name: str) -> str:
    """click's name for the option: the flag without its dashes."""
    return (SPECS[name].flag or name).replace("-", "_")


def flag(name: str) -> str | None:
    """The flag on the command line; None for a secret, which the process list would show."""
    spec = SPECS[name]
    return None if spec.secret else f"--{spec.flag or name.replace('_', '-')}"
