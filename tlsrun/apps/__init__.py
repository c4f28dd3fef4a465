"""The application: an object or a name; imported once, as a script or as a library."""

from tlsrun.apps.app import App, Framework, describe
from tlsrun.apps.hints import import_hint, user_traceback
from tlsrun.apps.importing import ImportSite, importing_only, is_library_import, library_import
from tlsrun.apps.resolve import resolve
from tlsrun.apps.twice import second_import_warning
from tlsrun.apps.two_ways import import_differences

__all__ = [
    "App",
    "Framework",
    "ImportSite",
    "describe",
    "import_differences",
    "import_hint",
    "importing_only",
    "is_library_import",
    "library_import",
    "resolve",
    "second_import_warning",
    "user_traceback",
]
