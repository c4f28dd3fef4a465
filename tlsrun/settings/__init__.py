"""The settings: THE TABLE (`table`), the kinds of values (`kinds`), and the merging of layers (`layers`).

Nothing is imported here, since an application that is served by another program needs only a part of it.
"""
