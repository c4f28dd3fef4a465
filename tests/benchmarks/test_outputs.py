"""What load programs print, as they printed it."""

from __future__ import annotations

import pytest

from benchmarks.outputs import Unreadable, parse_curl, parse_h2load, parse_marks, parse_speed, parse_wrk

_WRK = """\
Running 1s test @ https://127.0.0.1:8443/
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.69ms    1.02ms  14.23ms   89.17%
    Req/Sec     4.93k   396.80     5.41k    70.00%
  Latency Distribution
     50%    1.42ms
     75%  902.00us
     90%    2.81ms
     99%    5.70ms
  4906 requests in 1.00s, 0.86MB read
Requests/sec:   4906.31
Transfer/sec:    880.50KB
"""

_H2LOAD = """\
starting benchmark...
finished in 231.45ms, 17.28 req/s, 1.08GB/s
requests: 4 total, 4 started, 4 done, 4 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 4 2xx, 0 3xx, 0 4xx, 0 5xx
"""

_S_TIME = """\
No CIPHER specified
Collecting connection statistics for 60 seconds
****"""

_S_TIME_REUSE = """\
No CIPHER specified


Now timing with session id reuse.
starting
r*rrrr"""


def test_wrk() -> None:
    """Rates as they are, sizes in bytes, latencies in seconds."""
    found = parse_wrk(_WRK)
    assert (found.made, found.rate, found.bytes_rate, found.errors) == (4906, 4906.31, 880.5 * 1024, 0)
    assert found.p50 == pytest.approx(0.00142)
    assert found.p99 == pytest.approx(0.0057)


def test_wrk_counts_errors() -> None:
    """Broken connections are errors of every kind together."""
    broken = _WRK.replace("Requests/sec", "  Socket errors: connect 1, read 20, write 300, timeout 4000\nRequests/sec")
    assert parse_wrk(broken).errors == 4321


@pytest.mark.parametrize("text", ["", "unable to connect to 127.0.0.1:1 Connection refused\n", f"{_WRK}  Non-2xx: 3"])
def test_wrk_without_success_is_no_figure(text: str) -> None:
    """An error page must not be measured in place of the page; the program's own words are kept."""
    with pytest.raises(Unreadable, match="^wrk: ") as caught:
        parse_wrk(text)
    assert text in str(caught.value)


def test_h2load() -> None:
    """It gives no latencies that are percentiles."""
    found = parse_h2load(_H2LOAD)
    assert (found.made, found.rate, found.errors) == (4, 17.28, 0)
    assert found.bytes_rate == pytest.approx(1.08 * 2**30)
    assert found.p50 is None
    assert found.p99 is None


@pytest.mark.parametrize("text", ["", _H2LOAD.replace("4 succeeded, 0 failed", "0 succeeded, 4 failed")])
def test_h2load_without_success_is_no_figure(text: str) -> None:
    """As with wrk."""
    with pytest.raises(Unreadable, match="^h2load: "):
        parse_h2load(text)


def test_curl() -> None:
    """All bytes in all the time that the downloads took."""
    assert parse_curl("200 1000 0.5\n200 1000 1.5\n") == 1000


@pytest.mark.parametrize("text", ["", "000 0 0.0\n", "200 1000 0.5\n500 21 0.1\n"])
def test_curl_without_success_is_no_figure(text: str) -> None:
    """A failed download must not count as a quick one."""
    with pytest.raises(Unreadable, match="^curl: "):
        parse_curl(text)


def test_s_time_tells_who_resumed() -> None:
    """One mark for each connection so far."""
    assert parse_marks(_S_TIME) == "****"
    assert parse_marks(_S_TIME_REUSE) == "r*rrrr"


@pytest.mark.parametrize("text", ["", "No CIPHER specified\n", _S_TIME.rstrip("*"), _S_TIME_REUSE.rstrip("r*")])
def test_s_time_that_has_not_begun(text: str) -> None:
    """It may still."""
    assert parse_marks(text) == ""


@pytest.mark.parametrize(
    "end", ["\n\n4 connections in 0.05s; 80.00 connections/user sec, bytes read 0\n", "ERROR\n0:error:0A00:x:\n"]
)
def test_s_time_that_has_ended(end: str) -> None:
    """What it makes no more is not to be waited for."""
    with pytest.raises(Unreadable, match="^openssl s_time: "):
        parse_marks(_S_TIME + end)


def test_s_time_that_could_not_connect() -> None:
    """Its words are kept."""
    with pytest.raises(Unreadable, match="Connection refused"):
        parse_marks("BIO routines:connect error: Connection refused\n")


def test_speed() -> None:
    """Private operations each second, by name; other kinds of lines are left out."""
    text = "+DT:ecdh:1\n+F2:2:2048:3939.47:54923.81\n+F4:3:256:53603.33:18402.94\n+F5:22:253:31696.36:0.00003\n"
    assert parse_speed(text) == {
        "RSA 2048 signatures": 3939.47,
        "ECDSA P-256 signatures": 53603.33,
        "X25519 key exchanges": 31696.36,
    }
