"""The SSL context of servers: handshakes are deferred, and a successor can take its place."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from tlsrun.connections.opening import nobody
from tlsrun.connections.sockets import ServerSocket
from tlsrun.proxies.peers import Peers
from tlsrun.tls.handshake_messages import in_words


class ServerObject(ssl.SSLObject):
    """The server's side of one connection in memory (asyncio), with the attributes of `ServerSocket`."""

    tls_sni: str | None = None
    hello: bytes | None = None
    shown: bytes | None = None
    refusal: str | None = None

    def do_handshake(self) -> None:
        """As ssl.SSLObject.do_handshake."""
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            in_words(error, self)
            raise


class ServerContext(ssl.SSLContext):
    """A context whose server sockets are `ServerSocket`.

    A listening socket may be wrapped as well (Werkzeug does): it accepts connections without a handshake.

    Attributes:
        handshake_timeout: seconds a client has for the whole handshake.
        allowed_host: whether plain HTTP is redirected to https for this host (lower case, no port).
        proxy_protocol_peers: the proxies whose connections begin with a PROXY header; usually none.
        successor: the context for new connections, None for this one; it has its own ticket keys: older sessions end.
    """

    sslsocket_class = ServerSocket
    sslobject_class = ServerObject
    handshake_timeout: float = 10.0
    allowed_host: Callable[[str], bool] = staticmethod(nobody)
    proxy_protocol_peers: Peers = Peers()
    successor: ServerContext | None = None

    def wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLSocket:
        """As ssl.SSLContext.wrap_socket; a socket that is wrapped already comes back as it is."""
        if isinstance(sock, ssl.SSLSocket):
            return sock
        if (context := self._successor()) is not None and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0:
            return context.wrap_socket(
                sock, server_side, do_handshake_on_connect, suppress_ragged_eofs, server_hostname, session
            )
        listening = server_side and bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        return super().wrap_socket(
            sock,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect and not listening,
            suppress_ragged_eofs=suppress_ragged_eofs,
            server_hostname=server_hostname,
            session=session,
        )

    def wrap_accepted(self, sock: socket.socket) -> ssl.SSLSocket:
        """As `wrap_socket` on the server's side, for an accepted connection: no checks, and no handshake."""
        context = self._successor() or self
        return ssl.SSLContext.wrap_socket(context, sock, server_side=True, do_handshake_on_connect=False)

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """As ssl.SSLContext.wrap_bio."""
        if (context := self._successor()) is not None:
            return context.wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)

    def _successor(self) -> ServerContext | None:
        context = self.successor
        if context is not None:
            # Copy what was set on this context meanwhile, by code that does not know of its successor.
            context.sslsocket_class = self.sslsocket_class
            context.handshake_timeout, context.allowed_host = self.handshake_timeout, self.allowed_host
            context.proxy_protocol_peers = self.proxy_protocol_peers
        return context
