"""TLS and HTTP/1.1 in front of uWSGI's workers, which speak the uwsgi protocol on a Unix socket."""
