"""Findings on the chain that a server sends: incomplete, out of order, or with the root."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cryptography import x509

from tlsrun.certificates.chain import is_signed_by
from tlsrun.certificates.names import issuer_address, shown_name
from tlsrun.check.finding import Finding, found
from tlsrun.check.live.observation import Observation
from tlsrun.check.trust import Trust


def judge_chain(seen: Observation, trust: Trust, known: Sequence[x509.Certificate]) -> Iterator[Finding]:
    """The findings.

    Arguments:
        trust: the known roots.
        known: intermediates that are known from other places.
    """
    sent, where = seen.certificates, seen.target.url
    if not seen.whole:
        return
    line = chain_line(sent)
    is_root = len(line) > 1 and is_signed_by(line[-1], line[-1])
    if is_root:
        yield found("sent-root", where, f"it sends the root {shown_name(line[-1].subject)}")
    if list(sent) != line:
        yield found("sent-disorder", where, f"it sends {_show(sent)}; in order that is {_show(line)}")
    missing = missing_issuer(seen, trust, known)
    if missing is not None:
        address = issuer_address(missing)
        at = f"It is at {address}: put it behind the certificate, in PEM" if address else None
        what = f"it does not send {shown_name(missing.issuer)}, the issuer of {shown_name(missing.subject)}"
        yield found("sent-incomplete", where, what, at)


def chain_line(sent: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The path from the server's own certificate to the last issuer that was sent."""
    line = [sent[0]]
    while not is_signed_by(line[-1], line[-1]):
        above = next((one for one in sent if one not in line and is_signed_by(line[-1], one)), None)
        if above is None:
            break
        line.append(above)
    return line


def missing_issuer(seen: Observation, trust: Trust, known: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """The last certificate of the chain if its issuer was not sent; None if nothing is missing.

    An unknown issuer may be a private root as well as an intermediate. It counts as missing if the certificate has its
    address (AIA), if it is known from another place, or if the user named the roots.
    """
    if not seen.whole or not seen.certificates or (seen.verdict is not None and seen.verdict.trusted):
        return None
    last = chain_line(seen.certificates)[-1]
    if is_signed_by(last, last) or trust.signed(last):
        return None
    told = issuer_address(last) is not None or any(is_signed_by(last, one) for one in known)
    return last if told or trust.ca is not None else None


def _show(certificates: Sequence[x509.Certificate]) -> str:
    return ", ".join(shown_name(one.subject) for one in certificates)
