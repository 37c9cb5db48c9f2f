"""A name in a table becomes the object that it stands for. The module that defines the object is imported only then."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from vidrnn.errors import UsageError


def load_attribute(place: str) -> Any:
    """The object that `module:attribute` names, such as a class of a family."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def load_member(table: Mapping[str, str], flag: str, name: str) -> Any:
    """The member of a family that the user names, by a table from names to `module:attribute`.

    Args:
        table: the family's table.
        flag: the option that takes the name, such as `--head`; the error sentence begins with it.
        name: the name that the user gave.

    Raises:
        UsageError: the table lacks the name; the sentence lists the names that it has.
    """
    if name not in table:
        raise UsageError(f"{flag} {name}: there is none of that name. There are: {', '.join(table)}.")
    return load_attribute(table[name])
