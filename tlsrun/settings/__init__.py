"""The settings: THE TABLE (`table`), what each kind of value is (`kinds`), and how layers merge (`layers`).

Nothing is imported here: an application that is served by another program needs a part of it only.
"""
