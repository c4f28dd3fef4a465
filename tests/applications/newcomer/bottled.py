"""The same of a newcomer to Bottle."""

import os

import bottle

import bottle_tls  # noqa: F401 -- Bottle finds the server by it

app = bottle.default_app()


@bottle.get("/")
def index():
    return f"hello {bottle.request.urlparts.scheme}"


@bottle.post("/size")
def size():
    return str(len(bottle.request.body.read()))


if __name__ == "__main__":
    bottle.run(server="tls", port=int(os.environ["PORT"]), reloader="RELOADER" in os.environ)
