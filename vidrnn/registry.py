"""Members of families by name: `module:attribute` in a table becomes the object. Imports nothing by itself."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from vidrnn.errors import UsageError


def load_attribute(place: str) -> Any:
    """The object that `module:attribute` names."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def load_member(table: Mapping[Any, str], flag: str, name: str) -> Any:
    """The member of a family that its table gives for `name`; `flag` says how the user chose it.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in table:
        raise UsageError(f"{flag} {name}: there is none of that name. There are: {', '.join(table)}.")
    return load_attribute(table[name])
