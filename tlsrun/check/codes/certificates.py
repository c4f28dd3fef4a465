"""Findings in certificates: what clients will say about them, on the disk and as they are served."""

from __future__ import annotations

from tlsrun.check.code import error, info, warning

CODES = (
    error(
        "TLS140",
        "expired",
        "The certificate has expired",
        "Every client refuses it.",
        "Renew it: `certbot renew`. Then find out why that did not happen by itself: `systemctl list-timers`.",
    ),
    error(
        "TLS141",
        "not-yet-valid",
        "The certificate is not valid yet",
        "Every client refuses it until then. Usually a clock is wrong: this machine's, or the issuer's.",
        "Check the time: `timedatectl`. If it is right, wait, or use another certificate.",
    ),
    warning(
        "TLS142",
        "expires-soon",
        "A certificate expires soon",
        "Renewal should have happened by now: certbot and its like renew when a third of the lifetime is left.",
        "Renew it: `certbot renew`, and look into its log. `--expires-within` sets what is soon.",
    ),
    warning(
        "TLS143",
        "lifetime",
        "A certificate is valid for longer than browsers accept",
        "Public CAs may issue 398 days at most, 200 since 2026-03-15, 100 from 2027-03-15 and 47 from 2029-03-15 "
        "(CA/Browser Forum, Baseline Requirements, section 6.3.2), and browsers refuse more. From an authority of your "
        "own, macOS and iOS accept 825 days.",
        "Have one issued for a shorter time, and renew it by a program.",
    ),
    error(
        "TLS144",
        "no-san",
        "A certificate names no host (it has no subjectAltName)",
        "Clients have stopped looking at the common name (RFC 9525): they refuse it for every host.",
        "Have one issued with a SAN. With openssl req, add: `-addext subjectAltName=DNS:example.org`.",
    ),
    warning(
        "TLS145",
        "name-not-covered",
        "The certificate is not for the host that is served",
        "Clients that use this name refuse the certificate. A wildcard stands for one label: `*.example.org` is not "
        "for `example.org`, nor for `a.b.example.org`.",
        "Have one issued for every name that people use, or serve by a name that it is for.",
    ),
    warning(
        "TLS146",
        "ca-as-leaf",
        "A CA certificate is used as the server's own",
        "It says CA:TRUE. Some clients refuse it, and its key, which lies on a server, can sign for any other host.",
        "Have one issued that is no CA. With openssl req -x509, add: `-addext basicConstraints=critical,CA:FALSE`.",
    ),
    warning(
        "TLS147",
        "self-signed",
        "The certificate is self-signed",
        "No client knows who signed it, so each person has to accept it by hand, and will accept an impostor's too.",
        "In public, have one issued: `certbot certonly`. On this machine leave TLS_CERT out: a local CA is made, which "
        "browsers can be told to trust.",
    ),
    error(
        "TLS148",
        "not-for-servers",
        "The certificate is not for servers",
        "Its extendedKeyUsage lacks serverAuth: it is for clients, mail or code. Clients refuse it.",
        "Have one issued for server authentication.",
    ),
    error(
        "TLS149",
        "revocation-list",
        "Clients are refused because of a revocation list",
        "Of a list that has expired, that its authority has not signed, or that has a critical extension nobody here "
        "knows, nobody can say who is not on it; so whoever that authority has signed is refused, as by OpenSSL. A "
        "delta list, or one for some reasons of revocation only, says nothing by itself. An authority that is revoked "
        "takes all its clients with it.",
        "Fetch the list anew from its authority, by a timer, before its nextUpdate: "
        "`openssl crl -noout -nextupdate -in clients-crl.pem`.",
    ),
    info(
        "TLS150",
        "development-certificate",
        "A development certificate is served",
        "No certificate is set. A CA of this machine's own signs one for localhost; browsers accept it once they trust "
        "that CA.",
        "Nothing, on this machine. Where others come, set TLS_CERT and TLS_KEY (`--cert` and `--key`).",
    ),
    error(
        "TLS151",
        "development-ca",
        "The development CA cannot be used",
        "It is damaged, expired, or there is no folder to keep it in; so there is no certificate to serve.",
        "Remove both of its files: a new one is made, to be trusted anew. Or set TLS_CERT and TLS_KEY.",
    ),
    error(
        "TLS160",
        "client-ca",
        "The authorities or revocation lists for client certificates cannot be used",
        "Client certificates could not be checked, so the server does not start.",
        "Name the PEM file that the authority published.",
    ),
    error(
        "TLS161",
        "sni-folder",
        "The folder of certificates for names cannot be used",
        "It cannot be read, or holds no certificate with its key.",
        "Put `NAME/fullchain.pem` and `NAME/privkey.pem` there, or `NAME.crt` and `NAME.key`, or name the folder that "
        "certbot, lego, acme.sh, dehydrated, mkcert or Caddy writes into.",
    ),
    warning(
        "TLS162",
        "sni-name",
        "A certificate is configured for a name that it is not for",
        "Clients that ask for the name get it, and refuse it.",
        "Name a certificate that is for this host.",
    ),
    warning(
        "TLS163",
        "sni-duplicate",
        "Two certificates with the same type of key are there for one name",
        "A client can be shown one of them only: the other one is not served.",
        "Leave out the one that is older. `certbot delete` removes a certificate that another one has replaced.",
    ),
    info(
        "TLS164",
        "sni-passed-over",
        "The folder of certificates for names holds what is no site",
        "It is passed over: a certificate without its key, usually a CA's; or a bundle that no password opens.",
        "Nothing, if it is no site. If it is one, put its key beside it: `NAME.key` beside `NAME.crt`, `privkey.pem` "
        "beside `fullchain.pem`.",
    ),
    error(
        "TLS165",
        "signature-kind",
        "The certificate is signed in a way that clients do not know",
        "TLS has names for signatures with SHA-2, EdDSA and ML-DSA (RFC 8446, section 4.2.3). Browsers refuse others, "
        "as SHA-3 and RIPEMD-160, whatever OpenSSL thinks of them: 3.5 and later take them, 3.0 does not.",
        "Have it issued anew; every CA signs with SHA-256 today. With openssl, add: `-sha256`.",
    ),
)
