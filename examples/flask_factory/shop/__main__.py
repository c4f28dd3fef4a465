"""``python -m shop``."""

from shop import create_app

create_app().run()
