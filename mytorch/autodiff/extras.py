"""Rules of other libraries, loaded when one of their functions first meets a traced value: nobody pays for what he lacks."""

from __future__ import annotations

import importlib
import sys

RULES = {"scipy.special": "mytorch.autodiff.scipy.special"}
"""For a library, the module that registers the rules of its ufuncs. Named, not imported: it is built on all of this."""


def load_rules() -> None:
    """Import the rules of each library that somebody has imported."""
    for library, rules in RULES.items():
        if library in sys.modules:
            importlib.import_module(rules)
