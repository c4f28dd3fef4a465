"""HTTP/1.1 as it comes from clients: one reading of heads and chunked bodies, one set of limits, one refusal.

The built-in server, the edge in front of uWSGI, the redirect port and the answer to plain HTTP on a TLS port share it:
what one of them takes, all take, and what one refuses, all refuse in the same words.
"""
