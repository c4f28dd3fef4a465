"""What load programs print, as numbers. Pure: text in, values out."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_BYTES = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


class Unreadable(ValueError):
    """A load program failed, or said something that is not understood; its words are in the message."""


@dataclass(frozen=True, kw_only=True)
class Requests:
    """What wrk or h2load found.

    Arguments:
        made: how many succeeded.
        rate: requests each second.
        bytes_rate: bytes each second, headers included.
        p50, p99: latency in seconds; None where the program does not say.
        errors: requests that failed, connections that broke.
    """

    made: int
    rate: float
    bytes_rate: float
    p50: float | None
    p99: float | None
    errors: int


def parse_wrk(text: str) -> Requests:
    """The report of ``wrk --latency``.

    Raises:
        Unreadable: it holds no report, or answers that were no success.
    """
    made = re.search(r"^ +(\d+) requests in ", text, re.MULTILINE)
    rate = re.search(r"Requests/sec: +([\d.]+)", text)
    transfer = re.search(r"Transfer/sec: +([\d.]+)([KMG]?B)", text)
    if made is None or rate is None or transfer is None or "Non-2xx" in text:
        raise Unreadable(f"wrk: {text}")
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    return Requests(
        made=int(made[1]),
        rate=float(rate[1]),
        bytes_rate=float(transfer[1]) * _BYTES[transfer[2]],
        p50=_percentile(text, 50),
        p99=_percentile(text, 99),
        errors=sum(map(int, errors.groups())) if errors else 0,
    )


def _percentile(text: str, percent: int) -> float | None:
    found = re.search(rf"^ +{percent}%(?:\.0+%)? +([\d.]+)(us|ms|s|m)$", text, re.MULTILINE)
    return float(found[1]) * _SECONDS[found[2]] if found else None


def parse_h2load(text: str) -> Requests:
    """The report of h2load; it gives no percentiles.

    Raises:
        Unreadable: it holds no report, or answers that were no success.
    """
    done = re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s, ([\d.]+)([KMG]?B)/s", text)
    counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
    if done is None or counts is None or not int(counts[1]):
        raise Unreadable(f"h2load: {text}")
    return Requests(
        made=int(counts[1]),
        rate=float(done[1]),
        bytes_rate=float(done[2]) * _BYTES[done[3]],
        p50=None,
        p99=None,
        # What errored is among the failed.
        errors=int(counts[2]),
    )


def parse_curl(text: str) -> float:
    """Bytes each second out of lines of ``curl --write-out``: status, bytes and seconds of a download.

    Raises:
        Unreadable: one of them was no success, or there is none.
    """
    found = re.findall(r"^(\d{3}) (\d+) ([\d.]+)$", text, re.MULTILINE)
    if not found or any(status != "200" for status, _, _ in found):
        raise Unreadable(f"curl: {text}")
    return sum(int(size) for _, size, _ in found) / sum(float(seconds) for _, _, seconds in found)


def parse_marks(text: str) -> str:
    """What ``openssl s_time`` has told of its connections so far: a star for each new session, an r for a resumed one.

    After ``-reuse`` these are the connections that do resume, not the one before them.

    Raises:
        Unreadable: it tells of something else, or of nothing any more.
    """
    begun = re.search(r"^(?:Collecting connection statistics for \d+ seconds|starting)\n([*r]*)\Z", text, re.MULTILINE)
    if begun is None and re.search("error|connections in", text, re.IGNORECASE):
        raise Unreadable(f"openssl s_time: {text}")
    return begun[1] if begun else ""


def parse_speed(text: str) -> dict[str, float]:
    """Operations each second out of ``openssl speed -mr``: the private key's (signatures, key exchanges).

    Returns:
        by the name of the algorithm; empty for a report that holds none.
    """
    # +F2:2:2048:3939.47:54923.81: kind, number, bits, operations each second
    names = {"F2": "RSA {} signatures", "F4": "ECDSA P-{} signatures", "F5": "X25519 key exchanges"}
    found = re.findall(r"^\+(F[245]):\d+:(\d+):([\d.]+)", text, re.MULTILINE)
    return {names[kind].format(bits): float(rate) for kind, bits, rate in found}
