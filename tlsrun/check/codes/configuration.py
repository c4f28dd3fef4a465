"""Findings in the settings: what they say, and whether it can be honoured."""

from __future__ import annotations

from tlsrun.check.code import error, info, warning

CODES = (
    error(
        "TLS201",
        "unknown-setting",
        "A key looks like a setting, and there is none of this name",
        "A slip of the pen: what was meant is not in force.",
        "Correct the name. `tlsrun settings table` lists them all.",
    ),
    error(
        "TLS202",
        "bad-value",
        "A setting has a value that cannot be used",
        "The server does not start with it.",
        "Give a value of the kind that the message names; `tlsrun settings table` has an example for each.",
    ),
    error(
        "TLS203",
        "unsupported",
        "The server cannot honour a setting",
        "It would be ignored, and people would rely on it: so the server does not start.",
        "Leave the setting out, or use one of the servers that the message names.",
    ),
    error(
        "TLS204",
        "contradiction",
        "Two settings contradict each other",
        "Both cannot be in force.",
        "Leave one of them out.",
    ),
    error(
        "TLS205",
        "without-effect",
        "A setting needs another one, which is not set",
        "Alone it has no effect, and people would rely on it.",
        "Set the other one too, or leave this one out.",
    ),
    error(
        "TLS206",
        "ciphers-unknown",
        "The cipher list names no suite that this OpenSSL has",
        "No TLS 1.2 connection could be made.",
        "Leave TLS_CIPHERS (`--ciphers`) out for the profile's suites; `openssl ciphers -v` lists the names.",
    ),
    warning(
        "TLS207",
        "ciphers-weak",
        "The cipher list allows weak suites",
        "Without forward secrecy, who gets the key later can read what was recorded today; without authenticated "
        "encryption (CBC), padding attacks have worked again and again (RFC 9325, section 4.2).",
        "Leave TLS_CIPHERS (`--ciphers`) out for the profile's suites.",
    ),
    error(
        "TLS208",
        "nothing-in-common",
        "Versions, suites and the kind of key leave nothing in common with clients",
        "A suite such as ECDHE-ECDSA-… needs an ECDSA key, ECDHE-RSA-… an RSA key: handshakes fail with "
        '"no shared cipher".',
        "Add suites for the kind of key that you have, or leave TLS_CIPHERS (`--ciphers`) out.",
    ),
    warning(
        "TLS209",
        "development-certificate-public",
        "A development certificate on an address that others can reach",
        "Others do not know this machine's CA: they get a warning, and learn to click it away.",
        "Set TLS_CERT and TLS_KEY (`--cert` and `--key`), or listen on 127.0.0.1.",
    ),
    error(
        "TLS210",
        "debug-public",
        "Debug mode on an address that others can reach",
        "Pages of errors show the source and its variables, and the debugger lets whoever gets to it run code.",
        "Turn it off: `--no-debug`, FLASK_DEBUG=0, no `app.debug = True`; or listen on 127.0.0.1.",
    ),
    error(
        "TLS211",
        "port-taken",
        "Another program listens on the port",
        "Only one can.",
        "Find it: `ss -ltnp` (macOS: `lsof -nP -iTCP -sTCP:LISTEN`; Windows: `netstat -ano`). Stop it, or "
        "choose another port. On macOS, AirPlay Receiver has port 5000: `--port 5001`.",
    ),
    error(
        "TLS212",
        "port-forbidden",
        "This user may not listen on the port",
        "Ports below 1024 take a right of their own.",
        "Choose a port from 1024 up, or start with the right (CAP_NET_BIND_SERVICE).",
    ),
    error(
        "TLS213",
        "address-unusable",
        "The address cannot be listened on",
        "It is not this machine's, or the name does not lead to it.",
        "Use 127.0.0.1 for this machine only, or 0.0.0.0 for all its addresses.",
    ),
    error(
        "TLS214",
        "webroot-missing",
        "The folder for ACME challenges does not exist",
        "A renewal by webroot would fail, usually weeks from now.",
        "Name the folder that certbot gets with `--webroot-path`.",
    ),
    error(
        "TLS215",
        "context-hook",
        "The function that adapts TLS contexts cannot be imported",
        "The server does not start without it.",
        "Write it as `module:function`, importable from where the server starts.",
    ),
    info(
        "TLS216",
        "hsts-off",
        "Browsers are not told to stay with HTTPS",
        "Who types the name without https:// comes over plain HTTP first, where anybody on the way can answer. With "
        "HSTS a browser that has been there once never does (RFC 6797). It takes HSTS for a grade of A+.",
        "When every page works over HTTPS: TLS_HSTS = 63072000 (`--hsts 63072000`).",
    ),
    info(
        "TLS217",
        "reload-off",
        "Renewed certificates are not served without a restart",
        "Certificates live shorter and shorter. The one in memory expires, though a new one lies on the disk.",
        "Leave TLS_RELOAD out, or restart the server after each renewal.",
    ),
    error(
        "TLS218",
        "server-option",
        "The server has no such option, or does not take its value",
        "`server_options` are handed to the server as they are.",
        "Correct it; the server's own manual lists them.",
    ),
    error(
        "TLS219",
        "http3-key",
        "HTTP/3 cannot be served with this kind of key",
        "Hypercorn's HTTP/3 (aioquic) has no signature for ECDSA on P-521, for keys for RSASSA-PSS alone, nor for "
        "ML-DSA: clients would refuse the handshake. Over TCP, OpenSSL signs with the first two.",
        "Set TLS_HTTP (`--http`) to `2,1.1`, or have a certificate issued for an ECDSA P-256 key.",
    ),
    error(
        "TLS221",
        "underscores",
        "Behind a proxy, the server takes names with underscores for the proxy's headers",
        "`X_Forwarded_For` and `X-Forwarded-For` are one variable to an application, and Granian does not tell them "
        "apart. A proxy that passes the first one on lets any client's word stand beside the proxy's: the address, "
        "the scheme, the host, the client's certificate.",
        "Have the proxy drop such names: nginx does, HAProxy with `http-request del-header _ -m sub`, Caddy with "
        "`request_header -*_*`. Then say so: TLS_PROXY_DROPS_UNDERSCORES = yes (`--proxy-drops-underscores`). Or use "
        "another server: they drop them here.",
    ),
    error(
        "TLS222",
        "lists-incomplete",
        "The server cannot go by these revocation lists",
        "Granian looks up every authority on a client's path, and refuses clients below one that has no list; lists of "
        "version 1, which `openssl ca` makes unless it is told otherwise, it cannot read. nginx, for which `tlsrun "
        "export` writes a file, wants a list of every authority, too. Elsewhere the authority that signs the clients "
        "needs a list, and every other one that is there is honoured.",
        "Add the list of every authority, of version 2: `openssl ca -gencrl -crlexts EXT`. Or use another server.",
    ),
)
