"""Where a server listens: TCP endpoints, Unix sockets, and sockets that a service manager has opened already."""
