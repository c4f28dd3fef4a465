"""Findings on a running server, from what was observed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509

from tlsrun.certificates.identity import Identity
from tlsrun.certificates.names import alternative_names, covers, shown_name, words_of
from tlsrun.certificates.sources import Source
from tlsrun.certificates.validity import moment
from tlsrun.check.certificate import View, judge_issuers, judge_leaf
from tlsrun.check.code import Severity
from tlsrun.check.finding import Finding, found
from tlsrun.check.live.behind import judge_walk
from tlsrun.check.live.chain import chain_line, judge_chain
from tlsrun.check.live.observation import Observation
from tlsrun.check.trust import Trust
from tlsrun.wsgi.hsts import may_promise

#: SSL Labs requires 180 days for A+.
LONG_ENOUGH = 180 * 86400

#: OpenSSL's error codes for dates (X509_STORE_CTX_get_error(3)); findings on dates have codes of their own.
_NOT_YET_VALID, _EXPIRED = 9, 10


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What is known about the server besides the observation.

    Arguments:
        view: by which time certificates are judged.
        trust: the known roots.
        identities: the server's certificates on the disk; empty if not known.
        trusts: whether trusted proxies are set; None if the settings are not known.
        named: whether the user named the address, so that no answer is an error.
    """

    view: View
    trust: Trust
    identities: tuple[Identity, ...] = ()
    trusts: bool | None = None
    named: bool = True


def judge(seen: Observation, expected: Expected) -> Iterator[Finding]:
    """The findings."""
    where = seen.target.url
    if seen.unreachable is not None:
        slug = "no-answer" if expected.named else "not-running"
        yield found(slug, where, f"no connection to {_address(seen)}: {seen.unreachable}")
        return
    if seen.failure is not None:
        host, port = seen.target.connect_to
        remedy = (
            "Look into the server's log; this shows the same from outside: "
            f"openssl s_client -connect {_spelled(host)}:{port} -servername {seen.target.host}"
        )
        yield found("handshake-fails", where, f"no handshake comes to an end: {seen.failure}", remedy)
        yield from _plain(seen)
        return
    yield from _certificates(seen, expected)
    yield from _protocol(seen)
    yield from _sessions(seen)
    if seen.stalls:
        what = "while 8 clients had connected and said nothing, another one waited 3 s for its handshake in vain"
        yield found("stalls", where, what)
    yield from _http(seen)
    if seen.way is not None:
        yield from judge_walk(seen.target, seen.way, trusts=expected.trusts)
    yield from _plain(seen)
    if seen.unfinished:
        yield found("unfinished", where, f"not asked for want of time: {', '.join(seen.unfinished)}")


def _address(seen: Observation) -> str:
    host, port = seen.target.connect_to
    return f"{host} port {port}"


def _certificates(seen: Observation, expected: Expected) -> Iterator[Finding]:
    if not seen.certificates:
        return
    leaf, where = seen.certificates[0], seen.target.url
    yield from _trust(seen, leaf)
    yield from judge_chain(seen, expected.trust, [one for each in expected.identities for one in each.chain])
    if not covers(leaf, seen.target.host):
        names = words_of(alternative_names(leaf))
        what = f"the certificate {shown_name(leaf.subject)} is for {names}, not for {seen.target.host}"
        yield found("wrong-name", where, what)
    ours = [one.certificate for one in expected.identities]
    if leaf in ours:
        return
    if expected.identities:
        yield _not_on_disk(seen, leaf, expected.identities)
    yield from _judge_sent(seen.certificates, _Served(given_by=where, text=b"-"), expected)


def _judge_sent(sent: Sequence[x509.Certificate], served: Source, expected: Expected) -> Iterator[Finding]:
    """The findings that files would have, for certificates that are not those on the disk."""
    yield from judge_leaf(sent[0], served, expected.view, private=expected.trust.is_private(sent))
    issuers = [one for one in chain_line(sent)[1:] if one.issuer != one.subject]
    yield from judge_issuers(sent[0], issuers, served, expected.view, known_root=expected.trust.signed)


class _Served(Source):
    """A certificate from a handshake."""

    @property
    def name(self) -> str:
        """Its name in messages."""
        return "the handshake"


def _trust(seen: Observation, leaf: x509.Certificate) -> Iterator[Finding]:
    verdict, where = seen.verdict, seen.target.url
    if verdict is None or verdict.trusted:
        return
    if verdict.by_development_ca:
        yield found("development-trust", where, "its certificate is signed by the development CA of this machine")
    elif verdict.code not in (_NOT_YET_VALID, _EXPIRED):
        names = f"{shown_name(leaf.subject)}, issued by {shown_name(leaf.issuer)}"
        yield found("not-trusted", where, f"a client does not trust {names}: {verdict.reason}")


def _not_on_disk(seen: Observation, leaf: x509.Certificate, identities: Sequence[Identity]) -> Finding:
    disk = next((one for one in identities if one.covers(seen.target.host)), identities[0])
    what = (
        f"it serves {shown_name(leaf.subject)}, valid until {moment(leaf.not_valid_after_utc)}, and on the "
        f"disk is {shown_name(disk.certificate.subject)}, valid until {moment(disk.not_after)}"
    )
    if leaf.not_valid_after_utc < disk.not_after:
        what = f"the certificate was renewed, and the old one is served: {what}"
    return found("not-the-one-on-disk", seen.target.url, what)


def _protocol(seen: Observation) -> Iterator[Finding]:
    where, versions = seen.target.url, seen.versions
    old = [version for version in ("SSL 3.0", "TLS 1.0", "TLS 1.1") if versions.get(version)]
    if old:
        yield found("old-protocol", where, f"it speaks {', '.join(old)}")
    if versions.get("TLS 1.3") is False:
        yield found("no-tls13", where, "it does not speak TLS 1.3")
    if versions.get("TLS 1.3") and versions.get("TLS 1.2") is False:
        yield found("no-tls12", where, "it speaks TLS 1.3, and not TLS 1.2")
    if seen.weak:
        accepted = ", ".join(f"{suite} ({fault})" for fault, suite in seen.weak.items())
        yield found("suite-weak", where, f"it accepts {accepted}")


def _sessions(seen: Observation) -> Iterator[Finding]:
    for version, one in seen.resumption.items():
        if not one.is_whole:
            what = f"{one.resumed} of {one.tried} connections resumed a session of {version}"
            yield found("no-resumption", seen.target.url, what)


def _http(seen: Observation) -> Iterator[Finding]:
    where, answer, host = seen.target.url, seen.answer, seen.target.host
    if seen.refused_without_certificate:
        yield found("client-certificate", where, "without a client certificate the connection is refused")
        return
    if seen.asks:
        yield found("client-certificate", where, "it asks for a client certificate, and does without one")
    if answer is None or not answer.status:
        yield found("http-fails", where, f"no HTTP comes in answer to GET {seen.target.path}")
        return
    if answer.status >= 500:
        yield found("http-fails", where, f"GET {seen.target.path} is answered with {answer.status}")
    yield from _hsts(where, answer.headers.get("strict-transport-security"), host)


def max_age(header: str | None) -> int:
    """The seconds of a Strict-Transport-Security header (RFC 6797, section 6.1.1); 0 without one."""
    for directive in (header or "").split(";"):
        name, _, value = directive.strip().partition("=")
        if name.strip().lower() == "max-age" and value.strip().strip('"').isdigit():
            return int(value.strip().strip('"'))
    return 0


def _hsts(where: str, header: str | None, host: str) -> Iterator[Finding]:
    seconds = max_age(header)
    if not may_promise(f"[{host}]" if ":" in host else host):
        if seconds and "localhost" in host:
            yield found("hsts-localhost", where, f"it sends Strict-Transport-Security: {header}")
    elif not seconds:
        yield found("no-hsts", where, "it sends no Strict-Transport-Security")
    elif seconds < LONG_ENOUGH:
        yield found("short-hsts", where, f"its Strict-Transport-Security holds for {seconds // 86400} days")


def _plain(seen: Observation) -> Iterator[Finding]:
    """Answers to plain HTTP, on the TLS port and on the port that should redirect."""
    target, plain = seen.target, seen.plain
    if plain is not None and not plain.status:
        what = f"GET http://{_spelled(target.host)}:{target.port}/ is answered with nothing that is HTTP"
        yield found("http-unanswered", target.url, what)
    elif plain is not None and 200 <= plain.status < 300:
        what = f"GET http://{_spelled(target.host)}:{target.port}/ is answered with {plain.status}"
        yield found("http-content", target.url, what)
    if target.http_port is None or "redirect" in seen.unfinished:
        return
    where = f"http://{_spelled(target.host)}" + ("" if target.http_port == 80 else f":{target.http_port}")
    if seen.redirect is None:
        yield found("http-closed", where, f"nothing listens on port {target.http_port}")
    elif not seen.redirect.location.startswith("https://"):
        leads = f"a redirect to {seen.redirect.location}" if seen.redirect.location else str(seen.redirect.status)
        yield found("no-redirect", where, f"it answers with {leads}", severity=_weight(seen.redirect.status))


def _weight(status: int) -> Severity | None:
    """The severity of a missing redirect: a refusal at least sends no content in clear text."""
    return Severity.INFO if status == 0 or status >= 400 else None


def _spelled(host: str) -> str:
    return f"[{host}]" if ":" in host else host
