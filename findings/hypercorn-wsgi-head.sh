#!/usr/bin/env bash
# Hypercorn answers 500 to HEAD, 204 and 304 of a WSGI application, and 200 to its GET.
#
# A good guess: an application whose answer has no body is served like any other (PEP 3333 has HEAD, 204 and 304).
# Seen: hypercorn 0.18.0 sends the status only with the first part of a body, and complains that none came.
# Where it hurts: health checks by HEAD, conditional requests (304), APIs that answer 204.
# Source: hypercorn/app_wrappers.py, WSGIWrapper.run_app.
#
#   bash hypercorn-wsgi-head.sh [PYTHON]    0: still so; 1: it has changed
set -euo pipefail
python=${1:-python3}
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
"$python" -m venv env
env/bin/pip install -q --disable-pip-version-check hypercorn==0.18.0 h2==4.3.0
cat > hello.py <<'END'
def app(environ, start_response):
    if environ["PATH_INFO"] == "/nothing":
        start_response("204 No Content", [])
        return []
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"hi"]
END
port=$(env/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
env/bin/hypercorn --bind "127.0.0.1:$port" wsgi:hello:app > log 2>&1 &
server=$!
curl -s -o /dev/null --retry 50 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$port/"
status() { curl -s -o /dev/null -w '%{http_code}' --max-time 10 "$@" || true; }
seen="GET $(status "http://127.0.0.1:$port/"), HEAD $(status -I "http://127.0.0.1:$port/"), 204 $(status "http://127.0.0.1:$port/nothing")"
echo "hypercorn 0.18.0, WSGI: $seen"
[ "$seen" = "GET 200, HEAD 500, 204 500" ]
