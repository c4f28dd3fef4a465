"""Granian: HTTP/2 and HTTP/1.1 in Rust, with its own TLS (rustls), in workers forked from the application's process.

Granian reads certificates from files, once, when a worker starts. So renewed certificates are validated here, written
to a private folder, loaded in a trial process, and then served by new workers that replace the old ones.
"""

from __future__ import annotations

from tlsrun.deciding.choosing import ServerFacts
from tlsrun.servers.granian.mapping import MAPPING
from tlsrun.servers.granian.stock import STOCK
from tlsrun.servers.server import Server

SERVER = Server(
    facts=ServerFacts(
        name="granian",
        title="Granian",
        mapping=MAPPING,
        http=("2", "1.1"),
        rank=1,
        redirects_plain_http=False,
        renews_as_starter=True,
        wants_every_list=True,
        mixes_up_underscores=True,
    ),
    package="granian",
    stock=STOCK,
    # as of Granian 2.8.9
    has_wheel=lambda here: (here.system, here.machine) != ("win32", "ARM64"),
)
