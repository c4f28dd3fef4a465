"""Where a server listens: TCP endpoints, Unix sockets, and sockets that a service manager has opened already."""

from tlsrun.listening.address import (
    EXPECTED,
    Descriptor,
    Handed,
    Listener,
    Place,
    UnixSocket,
    parse_bind,
    spell,
    spell_all,
    url_of,
)
from tlsrun.listening.opening import Listening, adopt, open_all
from tlsrun.listening.probing import probe

__all__ = [
    "EXPECTED",
    "Descriptor",
    "Handed",
    "Listener",
    "Listening",
    "Place",
    "UnixSocket",
    "adopt",
    "open_all",
    "parse_bind",
    "probe",
    "spell",
    "spell_all",
    "url_of",
]
