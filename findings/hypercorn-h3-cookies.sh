#!/usr/bin/env bash
# Over HTTP/3, Hypercorn joins the cookie fields of a request with commas; over HTTP/2 with semicolons.
#
# A good guess: browsers send each cookie in a field of its own over HTTP/2 and HTTP/3, and a server joins them with "; "
# before an application that knows one `Cookie` sees them (RFC 9113, section 8.2.3; RFC 9114, section 4.2.1).
# Seen: hypercorn 0.18.0, WSGI: HTTP_COOKIE is "a=1,b=2" over HTTP/3: Flask then finds one cookie, a, of the value "1,b=2".
# Where it hurts: sessions that are lost as soon as a browser switches to HTTP/3.
#
#   bash hypercorn-h3-cookies.sh [PYTHON]    0: still so; 1: it has changed
set -euo pipefail
python=${1:-python3}
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
"$python" -m venv env
env/bin/pip install -q --disable-pip-version-check hypercorn==0.18.0 h2==4.3.0 aioquic==1.3.0 trustme==1.2.1
cat > hello.py <<'END'
def app(environ, start_response):
    body = environ.get("HTTP_COOKIE", "none").encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
END
cat > ask.py <<'END'
import asyncio, ssl, sys
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived
from aioquic.quic.configuration import QuicConfiguration


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http, self.body = H3Connection(self._quic), asyncio.get_running_loop().create_future()

    def quic_event_received(self, event):
        for one in self.http.handle_event(event):
            if isinstance(one, DataReceived) and one.data:
                self.body.set_result(one.data.decode())


async def ask(port):
    configuration = QuicConfiguration(alpn_protocols=["h3"], verify_mode=ssl.CERT_NONE)
    async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Client) as client:
        stream = client._quic.get_next_available_stream_id()
        head = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", b"/")]
        client.http.send_headers(stream, [*head, (b"cookie", b"a=1"), (b"cookie", b"b=2")], end_stream=True)
        client.transmit()
        print(await asyncio.wait_for(client.body, 20))


asyncio.run(ask(int(sys.argv[1])))
END
env/bin/python -m trustme -q -i localhost
port=$(env/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
env/bin/hypercorn --certfile server.pem --keyfile server.key --bind "127.0.0.1:$port" --quic-bind "127.0.0.1:$port" \
    wsgi:hello:app > log 2>&1 &
server=$!
over_2=$(curl -sk --http2 --retry 50 --retry-connrefused --retry-delay 1 -H 'Cookie: a=1' -H 'Cookie: b=2' "https://127.0.0.1:$port/")
over_3=$(env/bin/python ask.py "$port")
echo "hypercorn 0.18.0, aioquic 1.3.0: HTTP/2 $over_2, HTTP/3 $over_3"
[ "$over_3" = "a=1,b=2" ] && [ "$over_2" = "a=1; b=2" ]
